//! What is in a file: counts, times, rates, sizes, loss, errors, who captured.
//!
//! A [`Summary`] takes records one by one, and is a [`Piece`], so that several threads can make
//! one together.
//!
//! ```
//! use erf::summary::Summary;
//! use erf::{Record, RecordBuilder, RecordType, Timestamp};
//!
//! let stamp = Timestamp::from_parts(1_700_000_000, 0);
//! let packet = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 60]).append_fcs().to_vec()?;
//! let mut summary = Summary::new();
//! summary.add(0, &Record::parse(&packet)?);
//! assert_eq!((summary.records(), summary.sizes.wire.sum), (1, 64));
//! assert_eq!(summary.fcs.verdict(), erf::summary::FcsVerdict::Present);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod described;
mod fcs;
mod findings;
mod port;
mod shapes;
mod sizes;
mod stamps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use described::{Comment, Described, Object};
pub use fcs::{FcsSample, FcsVerdict};
pub use findings::Findings;
pub use port::Port;
pub use sizes::{Class, Lengths, Sizes};
pub use stamps::Stamps;

use crate::identity::Identity;
use crate::pieces::{Mergeable, Piece};
use crate::{Audit, Defect, DefectKind, Flags, HEADER_LEN, Record, RecordType, TimeDelta, Timestamp};
use shapes::{Shape, Shapes};

/// Hosts, sources and interfaces told apart at most, those that come first in the file; a made-up one may name any number.
const PORTS: usize = 4096;

/// Everything about a file that one look at each record tells.
///
/// As a [`Piece`] it puts off part of the sums until it is [settled](Piece::settle), which [`Pieces`](crate::pieces::Pieces) see to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Summary {
    by_type: [u64; 128],
    by_interface: [u64; 8],
    /// Ports of records that name neither host nor source, by interface.
    plain: [Port; 8],
    named: BTreeMap<Identity, Port>,
    /// Packets of ports past the limit.
    unnamed: Port,
    /// Stamps of the packets.
    pub stamps: Stamps,
    /// Stamps of the META records.
    pub meta_stamps: Stamps,
    /// Lengths of the packets.
    pub sizes: Sizes,
    /// Sum of the loss counters of all records that have one, PAD and META among them (`erf-format.md` section 2.2).
    pub lost: u64,
    /// A loss counter stood at 65 535, which means "at least": more may be lost.
    pub lost_at_least: bool,
    /// Packets that were bad on the wire.
    pub rx_errors: u64,
    /// Packets with an error in the card's data stream.
    pub ds_errors: u64,
    /// Packets of which the end is not stored, those that lack only the FCS among them.
    pub snapped: u64,
    /// Ethernet packets that lack the FCS, which their wire length counts, and nothing else.
    pub fcs_not_stored: u64,
    /// Whether the packets end in their FCS.
    pub fcs: FcsSample,
    /// Packets that colour stands for, not loss.
    pub coloured: u64,
    /// The greatest step back, on one interface.
    pub greatest_step_back: TimeDelta,
    /// What META records say.
    pub described: Described,
    /// What is wrong or odd.
    pub findings: Findings,
    audit: Audit,
    /// Counted but not yet part of the sums.
    shapes: Shapes,
}

impl Default for Summary {
    fn default() -> Self {
        Self::new()
    }
}

impl Summary {
    /// Of no records yet.
    pub fn new() -> Self {
        Self {
            by_type: [0; 128],
            by_interface: [0; 8],
            plain: Default::default(),
            named: BTreeMap::new(),
            unnamed: Port::default(),
            stamps: Stamps::default(),
            meta_stamps: Stamps::default(),
            sizes: Sizes::default(),
            lost: 0,
            lost_at_least: false,
            rx_errors: 0,
            ds_errors: 0,
            snapped: 0,
            fcs_not_stored: 0,
            fcs: FcsSample::default(),
            coloured: 0,
            greatest_step_back: TimeDelta::ZERO,
            described: Described::default(),
            findings: Findings::default(),
            audit: Audit::new(),
            shapes: Shapes::new(),
        }
    }

    /// Takes the next record, which stands at `offset` of the decoded data.
    pub fn add(&mut self, offset: u64, record: &Record<'_>) {
        if let Some(shape) = self.look_at(offset, record) {
            self.count(&shape, 1);
        }
    }

    /// A record that is like others before it but for its stamp and its loss.
    #[inline]
    fn known(&mut self, offset: u64, record: &Record<'_>) {
        let (findings, greatest) = (&mut self.findings, &mut self.greatest_step_back);
        self.audit.stamp(offset, record, |defect| found(findings, greatest, defect));
        self.seen(record);
        let lost = self.lose(record);
        // An interface number has three bits.
        self.plain[usize::from(record.interface() & 7)].see(record.timestamp(), lost);
    }

    /// Takes the records at the start of `run` that are like others before them but for their stamps.
    fn known_run(&mut self, run: &[u8]) -> usize {
        let Some(mut stamps) = self.stamps.begin().filter(|_| self.described.awaits_no_packet()) else { return 0 };
        let all_shapes = self.fcs.is_over();
        let mut rest = run;
        while let Some(head) = rest.first_chunk::<HEADER_LEN>() {
            let head = u128::from_le_bytes(*head);
            let word = ((head >> 64) as u64).swap_bytes();
            // A known shape has no loss, and room for its headers; zero bytes are none.
            let Some(place) = self.shapes.of(word).filter(|place| all_shapes || !place.shows_fcs()) else { break };
            let Some((_, behind)) = rest.split_at_checked(usize::from((word >> 32) as u16)) else { break };
            let (stamp, interface) =
                (Timestamp::from_raw(head as u64), Flags::from_bits((word >> 48) as u8).interface());
            let Some(port) = self.plain.get_mut(usize::from(interface)) else { break };
            if word == 0 || port.last.is_none() || !self.audit.goes_on(interface, stamp) {
                break;
            }
            port.last = Some(stamp);
            place.count += 1;
            stamps.add(stamp);
            rest = behind;
        }
        if stamps.count > 0 {
            self.stamps.end(&stamps);
            self.described.packets();
        }
        run.len() - rest.len()
    }

    /// Any other record. The shape of a packet from a port without a name is still to be counted.
    fn look_at(&mut self, offset: u64, record: &Record<'_>) -> Option<Shape> {
        let (findings, greatest) = (&mut self.findings, &mut self.greatest_step_back);
        self.audit.record(offset, record, |defect| found(findings, greatest, defect));
        let lost = self.lose(record);
        let shape = Shape::of(record);
        if !record.is_packet() {
            self.header(&shape, 1);
            if record.is_meta() {
                self.meta_stamps.add(record.timestamp());
                self.described.add(offset, record);
            }
            return None;
        }
        self.seen(record);
        if record.has_ext_headers() {
            self.header(&shape, 1);
            self.sum(&shape, 1);
            let port = self.port(Identity::new(record.ext_headers(), record.interface()));
            port.add(&shape, 1);
            port.see(record.timestamp(), lost);
            return None;
        }
        self.plain[usize::from(shape.interface & 7)].see(record.timestamp(), lost);
        Some(shape)
    }

    #[cold]
    fn unknown(&mut self, offset: u64, record: &Record<'_>) {
        if let Some(shape) = self.look_at(offset, record)
            && let Some((shape, count)) = self.shapes.put(record, shape)
        {
            self.count(&shape, count);
        }
    }

    /// What is looked at in each packet.
    #[inline]
    fn seen(&mut self, record: &Record<'_>) {
        self.stamps.add(record.timestamp());
        self.fcs.add(record);
        self.described.packet(record);
    }

    /// Adds up what its counter says was lost before a record.
    #[inline]
    fn lose(&mut self, record: &Record<'_>) -> u16 {
        let lost = record.loss().unwrap_or(0);
        self.lost += u64::from(lost);
        self.lost_at_least |= lost == u16::MAX;
        lost
    }

    /// Counts packets of a shape, from a port without a name.
    fn count(&mut self, shape: &Shape, count: u64) {
        self.header(shape, count);
        self.sum(shape, count);
        self.plain[usize::from(shape.interface & 7)].add(shape, count);
    }

    /// What is counted of all records.
    fn header(&mut self, shape: &Shape, count: u64) {
        let counter = self.by_type.get_mut(usize::from(shape.record_type.number()));
        let by_interface = self.by_interface.get_mut(usize::from(shape.interface));
        for counter in counter.into_iter().chain(by_interface) {
            *counter += count;
        }
    }

    /// What is counted of packets, whatever their port.
    fn sum(&mut self, shape: &Shape, count: u64) {
        let if_so = |so| if so { count } else { 0 };
        self.rx_errors += if_so(shape.rx_error);
        self.ds_errors += if_so(shape.ds_error);
        self.coloured += if_so(shape.record_type.is_color());
        self.snapped += if_so(shape.snapped);
        self.fcs_not_stored += if_so(shape.fcs_not_stored);
        self.sizes.add(shape, count);
    }

    fn port(&mut self, identity: Identity) -> &mut Port {
        if identity.host_id == 0 && identity.source_id == 0 {
            return &mut self.plain[usize::from(identity.interface & 7)];
        }
        if self.named.len() >= PORTS && !self.named.contains_key(&identity) {
            return &mut self.unnamed;
        }
        self.named.entry(identity).or_default()
    }

    /// Takes the next defect of the walk.
    pub fn add_defect(&mut self, defect: Defect) {
        self.described.damage();
        self.findings.add(defect);
    }

    /// Takes in the summary of what follows.
    ///
    /// Where there are [others](Self::other_ports) then, they may have packets of ports that are listed: what follows did not know those.
    /// [`Pieces`](crate::pieces::Pieces) walk such a file once more from beginning to end.
    pub fn merge(&mut self, next: Self) {
        for (count, more) in self.by_type.iter_mut().zip(next.by_type) {
            *count += more;
        }
        for (count, more) in self.by_interface.iter_mut().zip(next.by_interface) {
            *count += more;
        }
        for (port, more) in self.plain.iter_mut().zip(&next.plain) {
            port.merge(more);
        }
        for (identity, more) in &next.named {
            self.port(*identity).merge(more);
        }
        self.unnamed.merge(&next.unnamed);
        self.stamps.merge(&next.stamps);
        self.meta_stamps.merge(&next.meta_stamps);
        self.sizes.merge(&next.sizes);
        self.lost += next.lost;
        self.lost_at_least |= next.lost_at_least;
        self.rx_errors += next.rx_errors;
        self.ds_errors += next.ds_errors;
        self.snapped += next.snapped;
        self.fcs_not_stored += next.fcs_not_stored;
        self.fcs.merge(next.fcs);
        self.coloured += next.coloured;
        self.greatest_step_back = self.greatest_step_back.max(next.greatest_step_back);
        self.described.merge(next.described);
        let mut between = Vec::new();
        self.audit.join(&next.audit, |defect| {
            if let DefectKind::TimeBackwards { by } = defect.kind {
                self.greatest_step_back = by.max(self.greatest_step_back);
            }
            between.push(defect);
        });
        self.findings.merge(next.findings, between);
    }

    /// All records, META and PAD among them.
    pub fn records(&self) -> u64 {
        self.by_type.iter().sum()
    }

    /// Records that are neither META nor PAD.
    pub fn packets(&self) -> u64 {
        self.stamps.count
    }

    /// PAD records.
    pub fn pads(&self) -> u64 {
        self.of_type(RecordType::PAD)
    }

    /// Records of one type.
    pub fn of_type(&self, record_type: RecordType) -> u64 {
        self.by_type[usize::from(record_type.number())]
    }

    /// Every type that occurs, and how often.
    pub fn by_type(&self) -> impl Iterator<Item = (RecordType, u64)> + '_ {
        (0u8..).zip(self.by_type).filter(|&(_, count)| count > 0).map(|(n, count)| (RecordType::new(n), count))
    }

    /// Every interface number that occurs in the flags of a record, and how often.
    pub fn by_interface(&self) -> impl Iterator<Item = (u8, u64)> + '_ {
        (0u8..).zip(self.by_interface).filter(|&(_, count)| count > 0)
    }

    /// Every port that packets came from. Records that do not name their host have that of the file, where META says which
    /// one that is.
    pub fn ports(&self) -> BTreeMap<Identity, Port> {
        let plain = (0u8..).zip(&self.plain).filter(|(_, port)| port.packets > 0);
        let plain = plain.map(|(interface, port)| (Identity { interface, ..Identity::default() }, port));
        let mut ports: BTreeMap<Identity, Port> = BTreeMap::new();
        for (identity, port) in plain.chain(self.named.iter().map(|(identity, port)| (*identity, port))) {
            ports.entry(self.described.host.resolve(identity)).or_default().merge(port);
        }
        ports
    }

    /// Packets of ports past the 4096 that are told apart.
    pub fn other_ports(&self) -> u64 {
        self.unnamed.packets
    }

    /// The stamps that stand for the file: those of its packets, or of META records where there are no packets.
    pub fn times(&self) -> &Stamps {
        if self.stamps.count == 0 { &self.meta_stamps } else { &self.stamps }
    }

    /// Stamps that are earlier than the one before on the same interface.
    pub fn backward_steps(&self) -> u64 {
        self.findings.count(DefectKind::TimeBackwards { by: TimeDelta::ZERO }.code())
    }

    /// Stamps more than a year after the one before on the same interface.
    pub fn forward_jumps(&self) -> u64 {
        self.findings.count(DefectKind::TimeJump { by: TimeDelta::ZERO }.code())
    }

    /// Something is wrong: a [warning](crate::Severity::Warning) or an [error](crate::Severity::Error). Notes are no defects.
    pub fn is_defective(&self) -> bool {
        self.findings.defects() > 0
    }
}

fn found(findings: &mut Findings, greatest: &mut TimeDelta, defect: Defect) {
    if let DefectKind::TimeBackwards { by } = defect.kind {
        *greatest = by.max(*greatest);
    }
    findings.add(defect);
}

impl Piece for Summary {
    #[inline]
    fn record(&mut self, offset: u64, record: &Record<'_>) {
        if self.shapes.count(record) {
            self.known(offset, record);
        } else {
            self.unknown(offset, record);
        }
    }

    fn run(&mut self, _offset: u64, run: &[u8]) -> usize {
        self.known_run(run)
    }

    fn defect(&mut self, defect: Defect) {
        self.add_defect(defect);
    }

    fn settle(&mut self) {
        for place in 0..shapes::PLACES {
            if let Some((shape, count)) = self.shapes.take(place) {
                self.count(&shape, count);
            }
        }
    }
}

impl Mergeable for Summary {
    fn merge(&mut self, next: Self) {
        Summary::merge(self, next);
    }

    fn is_inexact(&self) -> bool {
        self.unnamed.packets > 0
    }
}
