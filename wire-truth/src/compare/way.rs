//! Which way packets go: [`Source`], those of one end; and [`are_mixed`], whether two captures hold both ways.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::anchors::Anchor;
use crate::digest::Ends;

/// An address that packets come from, or all that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    address: IpAddr,
    bits: u8,
}

impl Source {
    /// Whether a packet comes from there.
    pub(crate) fn sends(&self, ends: Option<Ends<'_>>) -> bool {
        let Some(ends) = ends else { return false };
        let like = |own: &[u8]| {
            let (whole, rest) = (usize::from(self.bits / 8), self.bits % 8);
            let same = |at: usize| own.get(at).zip(ends.from.get(at));
            let first = |(own, other): (&u8, &u8)| (own ^ other).checked_shr(8 - u32::from(rest)).unwrap_or(0) == 0;
            own.len() == ends.from.len() && own[..whole] == ends.from[..whole] && same(whole).is_none_or(first)
        };
        match self.address {
            IpAddr::V4(address) => like(&address.octets()),
            IpAddr::V6(address) => like(&address.octets()),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    /// `10.0.0.1`, `10.0.0.0/24`, `2001:db8::/32`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| format!("{address:?} is no address of IPv4 or IPv6"))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(|| format!("a prefix of {address} has 0 to {most} bits, not {bits:?}"))?,
        };
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, bits } = *self;
        match address {
            IpAddr::V4(address) if bits == 32 => write!(out, "{address}"),
            IpAddr::V6(address) if bits == 128 => write!(out, "{address}"),
            _ => write!(out, "{address}/{bits}"),
        }
    }
}

/// Two hosts that talk, and which of them this is from: 0 where there is none. Other pairs have another number, but for one in some thousand millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Way(u32);

impl Way {
    pub(super) fn of(ends: Option<Ends<'_>>) -> Self {
        let Some(Ends { from, to }) = ends else { return Self(0) };
        let number = |address: &[u8]| match (<[u8; 4]>::try_from(address), <[u8; 16]>::try_from(address)) {
            (Ok(address), _) => u64::from(u32::from(Ipv4Addr::from(address))),
            (_, Ok(address)) => {
                let bits = u128::from(Ipv6Addr::from(address));
                (bits >> 64) as u64 ^ (bits as u64).rotate_left(32)
            }
            _ => 0,
        };
        let (from, to) = (number(from), number(to));
        // As splitmix64 mixes; the lowest bit is the way.
        let both = from.min(to).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ from.max(to).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let pair = (both ^ (both >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33;
        Self((pair as u32).max(1) << 1 | u32::from(from < to))
    }

    fn pair(self) -> Option<u32> {
        Some(self.0 >> 1).filter(|pair| *pair > 0)
    }

    fn is_up(self) -> bool {
        self.0 & 1 == 1
    }
}

/// Fewer replies say nothing.
const LEAST: usize = 8;

/// Whether packets of both ways of the same hosts are in both captures, and those of one way are always later than those of the other: then the
/// captures are of two places that these pass in turn, and what is sent back comes to the second place first.
pub(super) fn are_mixed(anchors: &[Anchor]) -> bool {
    let mut last: HashMap<u32, [Option<i64>; 2]> = HashMap::new();
    let (mut later, mut sooner) = (0, 0);
    for anchor in anchors {
        let Some(pair) = anchor.way.pair() else { continue };
        let (seen, up) = (last.entry(pair).or_default(), usize::from(anchor.way.is_up()));
        let delay = anchor.b.saturating_sub(anchor.a);
        // From one to the next what clocks do is little.
        if let Some(other) = seen[1 - up] {
            let above = if up == 1 { delay.cmp(&other) } else { other.cmp(&delay) };
            later += usize::from(above.is_gt());
            sooner += usize::from(above.is_lt());
        }
        seen[up] = Some(delay);
    }
    let all = later + sooner;
    all >= LEAST && later.max(sooner) * 10 >= all * 9
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sends(source: &str, from: &str) -> bool {
        let (source, from): (Source, IpAddr) = (source.parse().unwrap(), from.parse().unwrap());
        let bytes = match from {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        source.sends(Some(Ends { from: &bytes, to: &[0; 4] }))
    }

    #[test]
    fn an_address_or_a_prefix_sends() {
        assert!(sends("10.0.0.1", "10.0.0.1") && !sends("10.0.0.1", "10.0.0.2"));
        assert!(sends("10.0.0.0/8", "10.9.9.9") && !sends("10.0.0.0/8", "11.0.0.0"));
        assert!(sends("10.0.0.0/23", "10.0.1.7") && !sends("10.0.0.0/23", "10.0.2.7"));
        assert!(sends("0.0.0.0/0", "9.9.9.9") && !sends("0.0.0.0/0", "::1") && !sends("::/0", "1.2.3.4"));
        assert!(sends("2001:db8::/33", "2001:db8:7fff::1") && !sends("2001:db8::/33", "2001:db8:8000::1"));
        assert!(sends("::1", "::1") && !sends("::1", "::2"));
        assert!(!"10.0.0.1".parse::<Source>().unwrap().sends(None));
        for text in ["", "x", "10.0.0.1/33", "::/129", "10.0.0.1/", "10.0.0.1/-1", "10.0.0"] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
        for text in ["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn both_ways_of_two_hosts_are_told_from_two_hosts() {
        let way = |from: u8, to: u8| Way::of(Some(Ends { from: &[10, 0, 0, from], to: &[10, 0, 0, to] }));
        let anchors = |one: Way, other: Way, delays: [i64; 2]| {
            let anchor = |at: i64| {
                let (way, delay) = if at % 2 == 0 { (one, delays[0]) } else { (other, delays[1]) };
                Anchor { number: at as u64, a: at * 1_000, b: at * 1_000 + 7_000_000_000 + at + delay, way }
            };
            (0..40).map(anchor).collect::<Vec<_>>()
        };
        assert!(are_mixed(&anchors(way(1, 2), way(2, 1), [500, -500])));
        assert!(are_mixed(&anchors(way(1, 2), way(2, 1), [-500, 500])));
        assert!(!are_mixed(&anchors(way(1, 2), way(3, 1), [500, -500])), "not the same two");
        assert!(!are_mixed(&anchors(way(1, 2), way(1, 2), [500, -500])), "one way");
        assert!(!are_mixed(&anchors(Way(0), Way(0), [500, -500])), "no addresses");
        let same = |at: i64| Anchor { number: at as u64, a: at, b: at, way: way(1 + at as u8 % 2, 2 - at as u8 % 2) };
        assert!(!are_mixed(&(0..40).map(same).collect::<Vec<_>>()), "one place");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f:./]{0,20}") {
            let _ = text.parse::<Source>();
        }
    }
}
