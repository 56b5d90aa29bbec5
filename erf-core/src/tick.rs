//! [`Tick`]: the step of a card's clock.

use core::fmt;

use crate::Timestamp;

/// The step of a card's clock: 2^-bits seconds, with `bits` active fraction bits.
///
/// A property of the card, not of the format: inactive low bits of a timestamp are zero. 26 bits
/// are 14.9 ns, the "15 ns" of the Fast Ethernet cards. A tick is a resolution, never an accuracy.
/// Source: `erf-format.md` section 3.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u8);

impl Tick {
    /// 2^-26 s = 14.9 ns.
    pub const DAG: Self = Self(26);
    /// 2^-32 s = 0.233 ns, every bit of the format.
    pub const FINEST: Self = Self(32);

    /// A tick of 2^-bits seconds; `None` above 32 bits, which the format cannot hold.
    pub const fn new(bits: u8) -> Option<Self> {
        if bits <= 32 { Some(Self(bits)) } else { None }
    }

    /// Active fraction bits, 0..=32.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Ticks per second: 2^bits.
    pub const fn hz(self) -> u64 {
        1 << self.0
    }

    /// One tick in units of 2^-32 s.
    pub const fn raw(self) -> u64 {
        1 << (32 - self.0)
    }

    /// The tick at or before `ts`: inactive bits cleared, as a card's counter shows it.
    pub const fn quantize(self, ts: Timestamp) -> Timestamp {
        Timestamp::from_raw(ts.raw() & !(self.raw() - 1))
    }

    /// The coarsest tick on which every one of `stamps` lies, a hint about who made them.
    ///
    /// `None` without a stamp. Leave META records out: they stand on whole seconds.
    pub fn observed(stamps: impl IntoIterator<Item = Timestamp>) -> Option<Self> {
        let mut any = false;
        let mut seen = 0u32;
        for ts in stamps {
            any = true;
            seen |= ts.frac();
        }
        // A u32 has at most 32 trailing zeros, so the difference is 0..=32.
        any.then(|| Self((32 - seen.trailing_zeros()) as u8))
    }
}

impl Default for Tick {
    fn default() -> Self {
        Self::DAG
    }
}

/// The step in nanoseconds with its power of two: `14.901 ns (2^-26 s)`.
impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let picos = 1_000_000_000_000u64 >> self.0;
        write!(f, "{}.{:03} ns (2^-{} s)", picos / 1000, picos % 1000, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantizing_clears_the_inactive_bits() {
        let ts = Timestamp::from_parts(1, 0xFFFF_FFFF);
        assert_eq!(Tick::DAG.quantize(ts).frac(), 0xFFFF_FFC0);
        assert_eq!(Tick::FINEST.quantize(ts), ts);
        assert_eq!(Tick::new(0).unwrap().quantize(ts).frac(), 0);
        assert_eq!(Tick::new(33), None);
    }

    #[test]
    fn a_tick_is_found_again() {
        let stamps = (0..50u32).map(|n| Timestamp::from_parts(n, n << 6));
        assert_eq!(Tick::observed(stamps), Some(Tick::DAG));
        assert_eq!(Tick::observed([Timestamp::from_parts(9, 0)]), Tick::new(0));
        assert_eq!(Tick::observed([]), None);
    }

    #[test]
    fn it_prints_as_people_quote_it() {
        extern crate std;
        assert_eq!(std::format!("{}", Tick::DAG), "14.901 ns (2^-26 s)");
    }
}
