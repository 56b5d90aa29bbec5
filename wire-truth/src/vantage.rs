//! [`Vantage`]: stamps of probes at one place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use erf::core::meta::{Meta, SectionType, TagType};
use erf::{Access, Reader};

use crate::echo::{Echo, Leg, ProbeKey, echo_of};
use crate::error::{Error, Repr};
use crate::simulate::{MARK, SIMULATED};
use crate::stamping::{Stamping, moved};

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

    fn of(leg: Leg, nanos: i64) -> Self {
        match leg {
            Leg::Request => Self { request: Some(nanos), reply: None },
            Leg::Reply => Self { request: None, reply: Some(nanos) },
        }
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
    /// Echoes that came again.
    pub duplicates: u64,
    /// Probes with an identifier and a sequence number that another one had before.
    pub reused: u64,
    /// Places in the file that were no records.
    pub defects: u64,
}

/// Whether a packet is a probe of an experiment that was made up.
fn is_marked(packet: &[u8]) -> bool {
    packet.windows(MARK.len()).any(|bytes| bytes == MARK)
}

/// Whether a META record tells that.
fn tells(meta: &[u8]) -> bool {
    let meta = Meta::new(meta);
    let model = meta.find(SectionType::HOST, TagType::MODEL).and_then(|tag| tag.value().as_str());
    model.is_some_and(|model| model.starts_with(SIMULATED))
}

/// So many probes with one identifier and one sequence number, the last, are looked at for one that comes again.
const RECENT: usize = 64;

/// A probe as it was seen here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) pair: Pair,
    /// See [`Echo::content`].
    pub(crate) content: u64,
    /// Of the request, see [`Echo::identification`].
    identification: Option<u16>,
    /// Bytes on the wire of request and reply.
    bytes: [u16; 2],
}

impl Seen {
    /// When it was here first.
    pub(crate) fn time(&self) -> Option<i64> {
        self.pair.request.or(self.pair.reply)
    }
}

/// A place at which probes are stamped: the first stamp of each probe and leg.
///
/// A request with the identifier and the sequence number of an earlier one is another probe if its content or its identification (IPv4) is
/// another, and else a duplicate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vantage {
    name: String,
    /// The file that it was read from.
    file: Option<String>,
    /// By identifier, sequence number and turn.
    probes: BTreeMap<(u16, u16, u32), Seen>,
    duplicates: BTreeMap<u16, u64>,
    count: VantageCount,
    /// It says of itself that it was made up.
    simulated: bool,
    stamping: Stamping,
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
        let mut vantage = Self { file: Some(path.display().to_string()), ..Self::new(name) };
        // By blocks, which stay of one size however large the file is.
        let mut reader = Reader::builder().recover(true).access(Access::Blocks).open(path).map_err(failed)?;
        reader
            .for_each(|item| match item {
                Ok(record) if record.is_packet() => {
                    vantage.count.packets += 1;
                    if let Some(echo) = echo_of(&record) {
                        // Until the year 2262.
                        vantage.simulated |= vantage.count.echoes == 0 && is_marked(record.payload());
                        vantage.note(echo, i64::try_from(record.timestamp().nanos()).unwrap_or(i64::MAX));
                    }
                }
                Ok(record) => vantage.simulated |= record.is_meta() && tells(record.payload()),
                Err(_) => vantage.count.defects += 1,
            })
            .map_err(failed)?;
        Ok(vantage)
    }

    /// Notes a stamp of a probe of which nothing else is known, so that what comes again is a duplicate.
    pub fn stamp(&mut self, key: ProbeKey, leg: Leg, nanos: i64) {
        self.note(
            Echo { ident: key.ident, seq: key.seq, leg, content: 0, identification: None, cut: false, bytes: 0 },
            nanos,
        );
    }

    /// Notes an echo, with its stamp.
    pub fn note(&mut self, echo: Echo, nanos: i64) {
        self.count.echoes += 1;
        let Echo { ident, seq, leg, content, identification, .. } = echo;
        let size = if leg == Leg::Request { 0 } else { 1 };
        let recent = || self.turns(ident, seq).rev().take(RECENT);
        // The latest first: of several that are alike the reply is to that.
        let alike = recent().find(|(_, seen)| {
            let same = leg == Leg::Reply || seen.pair.request.is_none() || seen.identification == identification;
            same && seen.content == content
        });
        // A reply may be cut elsewhere than its request, and the content another.
        let cut = || recent().next().filter(|(_, last)| leg == Leg::Reply && echo.cut && last.pair.reply.is_none());
        let Some((turn, _)) = alike.or_else(cut) else {
            let next = recent().next().map_or(0, |(last, _)| last + 1);
            self.count.reused += u64::from(next > 0);
            let mut seen = Seen { pair: Pair::of(leg, nanos), content, identification, bytes: [0; 2] };
            seen.bytes[size] = echo.bytes;
            self.put(ProbeKey { ident, turn: next, seq }, seen);
            return;
        };
        let Some(seen) = self.probes.get_mut(&(ident, seq, turn)) else { return };
        if leg == Leg::Request {
            seen.identification = identification;
        }
        let stamp = if leg == Leg::Request { &mut seen.pair.request } else { &mut seen.pair.reply };
        if stamp.is_some() {
            self.count.duplicates += 1;
            *self.duplicates.entry(ident).or_default() += 1;
        } else {
            *stamp = Some(nanos);
            seen.bytes[size] = echo.bytes;
        }
    }

    /// Says what is known of its stamps.
    pub fn with_stamping(self, stamping: Stamping) -> Self {
        Self { stamping, ..self }
    }

    /// What is known of its stamps.
    pub fn stamping(&self) -> Stamping {
        self.stamping
    }

    /// With every stamp moved by what its leg and its bytes on the wire make.
    pub(crate) fn shifted(&self, by: impl Fn(Leg, u16) -> i64) -> Self {
        let mut shifted = self.clone();
        for seen in shifted.probes.values_mut() {
            let [request, reply] = seen.bytes;
            seen.pair = moved(seen.pair, |leg| by(leg, if leg == Leg::Request { request } else { reply }));
        }
        shifted
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Nobody has captured it: [`simulate`](crate::simulate) has made it up, as it says.
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// What it is called, and the file that it is from.
    pub(crate) fn whole_name(&self) -> String {
        match &self.file {
            Some(file) => format!("{} ({file})", self.name),
            None => self.name.clone(),
        }
    }

    /// The stamps of a probe.
    pub fn get(&self, key: ProbeKey) -> Option<Pair> {
        self.probes.get(&(key.ident, key.seq, key.turn)).map(|seen| seen.pair)
    }

    /// All probes, by identifier, sequence number and turn.
    pub fn probes(&self) -> impl Iterator<Item = (ProbeKey, Pair)> {
        self.probes
            .iter()
            .map(|((ident, seq, turn), seen)| (ProbeKey { ident: *ident, turn: *turn, seq: *seq }, seen.pair))
    }

    /// Those with an identifier, in the same order.
    pub(crate) fn of_ident(&self, ident: u16) -> impl Iterator<Item = (ProbeKey, Seen)> {
        let of_ident = self.probes.range((ident, 0, 0)..=(ident, u16::MAX, u32::MAX));
        of_ident.map(move |((_, seq, turn), seen)| (ProbeKey { ident, turn: *turn, seq: *seq }, *seen))
    }

    /// All that have this identifier and this sequence number, by turn.
    pub(crate) fn turns(&self, ident: u16, seq: u16) -> impl DoubleEndedIterator<Item = (u32, Seen)> {
        self.probes.range((ident, seq, 0)..=(ident, seq, u32::MAX)).map(|((_, _, turn), seen)| (*turn, *seen))
    }

    /// Without the probes of an identifier.
    pub(crate) fn without(&self, ident: u16) -> Self {
        let mut rest = self.clone();
        rest.probes.retain(|(other, _, _), _| *other != ident);
        rest
    }

    /// Puts a probe in its place.
    pub(crate) fn put(&mut self, key: ProbeKey, seen: Seen) {
        self.probes.insert((key.ident, key.seq, key.turn), seen);
    }

    /// What was counted.
    pub fn count(&self) -> VantageCount {
        self.count
    }

    /// Echoes of an identifier that came again.
    pub fn duplicates(&self, ident: u16) -> u64 {
        self.duplicates.get(&ident).copied().unwrap_or_default()
    }

    /// The identifier of which the most sequence numbers were requested, where there is one: that of the run, if nothing else says which it is.
    pub fn main_ident(&self) -> Option<u16> {
        let mut seqs: BTreeMap<u16, BTreeSet<u16>> = BTreeMap::new();
        for (key, _) in self.probes().filter(|(_, pair)| pair.request.is_some()) {
            seqs.entry(key.ident).or_default().insert(key.seq);
        }
        // Of equals the lowest, so that it is always the same.
        seqs.into_iter().rev().max_by_key(|(_, seqs)| seqs.len()).map(|(ident, _)| ident)
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
    fn a_probe_that_comes_again_is_told_from_another_with_its_number() {
        let mut vantage = Vantage::new("wire");
        let echo = |leg, content, identification| Echo {
            ident: 7,
            seq: 1,
            leg,
            content,
            identification,
            cut: false,
            bytes: 0,
        };
        vantage.note(echo(Leg::Request, 1, Some(10)), 100);
        vantage.note(echo(Leg::Request, 1, Some(10)), 101);
        // Nobody asked for this one.
        vantage.note(echo(Leg::Reply, 3, Some(90)), 150);
        vantage.note(echo(Leg::Reply, 1, Some(91)), 200);
        assert_eq!((vantage.count().duplicates, vantage.duplicates(7), vantage.duplicates(8)), (1, 1, 0));
        // Of another run; then alike, and sent anew.
        vantage.note(echo(Leg::Request, 2, Some(11)), 1000);
        vantage.note(echo(Leg::Request, 2, Some(12)), 2000);
        vantage.note(echo(Leg::Reply, 2, Some(92)), 2100);
        // Cut: whose it is cannot be seen.
        vantage.note(Echo { cut: true, ..echo(Leg::Request, 4, Some(13)) }, 3000);
        vantage.note(Echo { cut: true, ..echo(Leg::Reply, 5, Some(93)) }, 3100);
        let all: Vec<_> = vantage.probes().map(|(key, pair)| (key.turn, pair.request, pair.reply)).collect();
        let expected = [
            (0, Some(100), Some(200)),
            (1, None, Some(150)),
            (2, Some(1000), None),
            (3, Some(2000), Some(2100)),
            (4, Some(3000), Some(3100)),
        ];
        assert_eq!(all, expected);
        assert_eq!((vantage.count().reused, vantage.count().duplicates), (4, 1));
        // A run of two probes is more of one than five that begin.
        vantage.stamp(key(3, 1), Leg::Request, 1);
        vantage.stamp(key(3, 2), Leg::Request, 2);
        assert_eq!(vantage.main_ident(), Some(3));
    }

    #[test]
    fn a_reply_that_was_captured_first_finds_its_request() {
        let mut vantage = Vantage::new("wire");
        for (leg, identification, nanos) in [(Leg::Reply, 5, 300), (Leg::Request, 9, 100)] {
            let echo =
                Echo { ident: 7, seq: 1, leg, content: 1, identification: Some(identification), cut: false, bytes: 0 };
            vantage.note(echo, nanos);
        }
        assert_eq!(vantage.get(key(7, 1)), Some(Pair { request: Some(100), reply: Some(300) }));
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
