//! [`Vantage`]: stamps of probes at one place.

use std::collections::BTreeMap;
use std::path::Path;

use erf::{Access, Reader};

use crate::echo::{Leg, ProbeKey, echo_of};
use crate::error::{Error, Repr};

/// The stamps of a probe at one place, in nanoseconds since 1970 by the clock of that place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pair {
    /// Of the request.
    pub request: Option<i64>,
    /// Of the reply.
    pub reply: Option<i64>,
}

impl Pair {
    /// The round-trip time, where both are there.
    pub fn rtt(&self) -> Option<i64> {
        Some(self.reply? - self.request?)
    }

    /// One of the two.
    pub fn leg(&self, leg: Leg) -> Option<i64> {
        match leg {
            Leg::Request => self.request,
            Leg::Reply => self.reply,
        }
    }
}

/// What a capture had besides first stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VantageCount {
    /// Packets of any kind.
    pub packets: u64,
    /// Echoes.
    pub echoes: u64,
    /// Echoes of a probe and leg that had one already: duplicates, and an identifier used again.
    pub duplicates: u64,
    /// Places in the file that were no records.
    pub defects: u64,
}

/// A place at which probes are stamped: the first stamp of each probe and leg.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vantage {
    name: String,
    probes: BTreeMap<ProbeKey, Pair>,
    count: VantageCount,
}

impl Vantage {
    /// A place without stamps.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Reads a capture: ERF, pcap or pcapng, plain or compressed. Damage is counted, and what is behind it read.
    ///
    /// # Errors
    ///
    /// When the file cannot be read at all.
    pub fn read(name: impl Into<String>, path: &Path) -> Result<Self, Error> {
        let failed = |cause| Repr::Capture { cause };
        let mut vantage = Self::new(name);
        // By blocks, which stay of one size however large the file is.
        let mut reader = Reader::builder().recover(true).access(Access::Blocks).open(path).map_err(failed)?;
        reader
            .for_each(|item| match item {
                Ok(record) if record.is_packet() => {
                    vantage.count.packets += 1;
                    if let Some((key, leg)) = echo_of(&record) {
                        // Until the year 2262.
                        vantage.stamp(key, leg, i64::try_from(record.timestamp().nanos()).unwrap_or(i64::MAX));
                    }
                }
                Ok(_) => {}
                Err(_) => vantage.count.defects += 1,
            })
            .map_err(failed)?;
        Ok(vantage)
    }

    /// Notes a stamp. The first one of a probe and leg stays.
    pub fn stamp(&mut self, key: ProbeKey, leg: Leg, nanos: i64) {
        self.count.echoes += 1;
        let pair = self.probes.entry(key).or_default();
        let place = if leg == Leg::Request { &mut pair.request } else { &mut pair.reply };
        match place {
            Some(_) => self.count.duplicates += 1,
            None => *place = Some(nanos),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stamps of a probe.
    pub fn get(&self, key: ProbeKey) -> Option<Pair> {
        self.probes.get(&key).copied()
    }

    /// All probes, in order.
    pub fn probes(&self) -> impl Iterator<Item = (ProbeKey, Pair)> {
        self.probes.iter().map(|(key, pair)| (*key, *pair))
    }

    /// What was counted.
    pub fn count(&self) -> VantageCount {
        self.count
    }

    /// The identifier with the most requests, where there is one: that of the run, if nothing else says which it is.
    pub fn main_ident(&self) -> Option<u16> {
        let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
        for (key, pair) in &self.probes {
            *counts.entry(key.ident).or_default() += u64::from(pair.request.is_some());
        }
        // Of equals the lowest, so that it is always the same.
        counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(ident, _)| ident)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::tests::{key, record};

    #[test]
    fn the_first_stamp_of_each_probe_and_leg_counts() {
        let mut vantage = Vantage::new("wire");
        vantage.stamp(key(1, 1), Leg::Request, 100);
        vantage.stamp(key(1, 1), Leg::Request, 90);
        vantage.stamp(key(1, 1), Leg::Reply, 350);
        vantage.stamp(key(1, 2), Leg::Reply, 900);
        assert_eq!(vantage.get(key(1, 1)), Some(Pair { request: Some(100), reply: Some(350) }));
        assert_eq!(vantage.get(key(1, 1)).unwrap().rtt(), Some(250));
        assert_eq!(vantage.get(key(1, 2)).unwrap().rtt(), None);
        assert_eq!((vantage.count().echoes, vantage.count().duplicates), (4, 1));
        assert_eq!(vantage.main_ident(), Some(1));
        assert_eq!(Vantage::new("x").main_ident(), None);
    }

    #[test]
    fn a_capture_is_read_over_its_damage() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wire.erf");
        let mut bytes = Vec::new();
        for seq in 0..50u16 {
            bytes.extend(record(key(4, seq), Leg::Request, 1_700_000_000_000_000_123 + u64::from(seq) * 1000, 999));
        }
        bytes.extend([0xFF; 40]);
        for seq in 0..50u16 {
            bytes.extend(record(key(4, seq), Leg::Reply, 1_700_000_000_000_500_123 + u64::from(seq) * 1000, 999));
        }
        std::fs::write(&path, bytes).unwrap();
        let vantage = Vantage::read("wire", &path).unwrap();
        assert!(vantage.count().defects >= 1);
        assert_eq!(vantage.probes().filter(|(_, pair)| pair.rtt() == Some(500_000)).count(), 50);
        assert_eq!(vantage.get(key(4, 3)).unwrap().request, Some(1_700_000_000_000_003_123), "to the nanosecond");
        let error = Vantage::read("x", Path::new("/no/such/file")).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/file: "), "{error}");
    }
}
