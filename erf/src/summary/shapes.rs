//! [`Shapes`]: packets that are alike but for stamp and loss, counted together.

use std::fmt;

use crate::{Audit, Fcs, Record, RecordType};

/// What the header of a packet says apart from its stamp and its loss, and what follows from that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) record_type: RecordType,
    /// 0 to 7.
    pub(super) interface: u8,
    pub(super) wire_len: u16,
    pub(super) captured_len: u16,
    pub(super) rx_error: bool,
    pub(super) ds_error: bool,
    pub(super) snapped: bool,
    pub(super) fcs_not_stored: bool,
    /// Whether an FCS is there is to be seen from the packet.
    shows_fcs: bool,
}

impl Shape {
    pub(super) fn of(record: &Record<'_>) -> Self {
        let flags = record.flags();
        let snapped = record.is_snapped();
        Self {
            record_type: record.record_type(),
            interface: record.interface(),
            wire_len: record.wire_len(),
            // Never more than the wire length, but for an ATM cell, which has 52.
            captured_len: record.captured_len() as u16,
            rx_error: flags.rx_error(),
            ds_error: flags.ds_error(),
            snapped,
            fcs_not_stored: snapped && record.fcs() == Fcs::NotStored,
            shows_fcs: matches!(record.fcs(), Fcs::Stored | Fcs::NotStored),
        }
    }
}

/// Places for shapes: what there is most of are packets of a few lengths on a few ports.
pub(super) const PLACES: usize = 256;

/// Counts by shape that are not yet part of the sums.
#[derive(Clone)]
pub(super) struct Shapes {
    places: Box<[Place; PLACES]>,
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Type, flags, record length and wire length. No packet has 0.
    key: u64,
    pub(super) count: u64,
    shape: Option<Shape>,
}

impl Shapes {
    pub(super) fn new() -> Self {
        Self { places: Box::new([Place { key: 0, count: 0, shape: None }; PLACES]) }
    }

    /// Counts `record` if another of its shape was put here before.
    #[inline]
    pub(super) fn count(&mut self, record: &Record<'_>) -> bool {
        let key = key(record);
        let place = &mut self.places[place(key)];
        let known = place.key == key;
        place.count += u64::from(known);
        known
    }

    /// The place of a shape that was put here before, by bytes 8 to 16 of the header of a record without a loss.
    #[inline]
    pub(super) fn of(&mut self, word: u64) -> Option<&mut Place> {
        let place = &mut self.places[place(word)];
        (place.key == word).then_some(place)
    }

    /// Counts the first `record` of its shape. What has to make room for it, or `record` itself where one like it has to be looked
    /// at by itself again, is returned with its count.
    pub(super) fn put(&mut self, record: &Record<'_>, shape: Shape) -> Option<(Shape, u64)> {
        let mut odd = false;
        Audit::oddities(0, record, |_| odd = true);
        if odd {
            return Some((shape, 1));
        }
        let key = key(record);
        let before = std::mem::replace(&mut self.places[place(key)], Place { key, count: 1, shape: Some(shape) });
        before.counted()
    }

    /// What was counted in a place since the last time.
    pub(super) fn take(&mut self, place: usize) -> Option<(Shape, u64)> {
        let place = self.places.get_mut(place)?;
        let counted = place.counted();
        place.count = 0;
        counted
    }
}

/// What is counted: an order of places is nobody's business.
impl fmt::Debug for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.places.iter().filter_map(Place::counted)).finish()
    }
}

impl Place {
    /// Packets of this shape end where their FCS should be.
    pub(super) fn shows_fcs(&self) -> bool {
        self.shape.is_some_and(|shape| shape.shows_fcs)
    }

    fn counted(&self) -> Option<(Shape, u64)> {
        self.shape.map(|shape| (shape, self.count)).filter(|&(_, count)| count > 0)
    }
}

/// Bytes 8 to 16 of the header (`erf-format.md` section 2) without the loss counter. Extension headers are a bit of the type, and make
/// another shape.
#[inline]
fn key(record: &Record<'_>) -> u64 {
    u64::from(record.has_ext_headers()) << 63
        | u64::from(record.record_type().number()) << 56
        | u64::from(record.flags().bits()) << 48
        | u64::from(record.rlen()) << 32
        | u64::from(record.wire_len())
}

#[inline]
fn place(key: u64) -> usize {
    // The golden ratio spreads neighbouring lengths.
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize
}
