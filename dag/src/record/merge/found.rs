//! [`Taken`]: records that a stream's thread has found, and when they belong.

use std::time::Instant;

use erf::filter::Filter;
use erf::{Record, Records, Timestamp};

use crate::record::chunk::Bytes;
use crate::record::damage::Damage;
use crate::record::limits::Selection;

/// A record, by where it lies among the bytes of a [`Taken`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// What it is ordered by: its stamp; for META and PAD, which belong behind the packet before them, that of this one.
    pub(super) key: Timestamp,
    pub(super) start: usize,
    pub(super) len: usize,
    /// Whether it is asked for; `None` where that has to be asked once more.
    pub(super) taken: Option<bool>,
}

/// Records of one stream, in the order in which they came.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    pub(super) records: Vec<Found>,
    /// When it was seen that they are there.
    pub(super) at: Instant,
    /// Position of the first of the bytes.
    pub(super) start: u64,
    /// Position behind them.
    pub(super) end: u64,
}

/// Finds records, and says which are asked for.
#[derive(Debug)]
pub(super) struct Finder {
    pub(super) selection: Selection,
    pub(super) filter: Option<Filter>,
    pub(super) damage: Damage,
    /// The stamp of the last packet.
    pub(super) key: Timestamp,
}

impl Finder {
    /// The records among `bytes`, which begin at `position`, up to the one with which they are `most` bytes or more; and how many bytes
    /// that is. In what is no record a way on is looked for.
    pub(super) fn find(&mut self, bytes: &[u8], position: u64, most: usize) -> (Vec<Found>, usize) {
        let mut found = Vec::new();
        let mut len = 0;
        let mut records = Records::new(bytes).at_offset(position);
        let mut recovering = false;
        while len < most {
            let Some(item) = records.next() else { return (found, bytes.len()) };
            // Offsets count from `position`.
            let end = (records.offset() - position) as usize;
            match item {
                Ok(record) => found.push(self.found(&record, end)),
                Err(defect) => {
                    self.damage.note(defect);
                    if !recovering {
                        recovering = true;
                        let at = (defect.offset - position) as usize;
                        records =
                            Records::new(bytes.get(at..).unwrap_or_default()).at_offset(defect.offset).recover(true);
                    }
                }
            }
            len = end;
        }
        (found, len)
    }

    fn found(&mut self, record: &Record<'_>, end: usize) -> Found {
        let mut taken = None;
        if record.is_packet() {
            self.key = record.timestamp();
            taken = match &self.filter {
                Some(filter) if self.selection.takes(record) => filter.matches(record).ok(),
                _ => Some(self.selection.takes(record)),
            };
        }
        let len = record.bytes().len();
        Found { key: self.key, start: end - len, len, taken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erf::{RecordBuilder, RecordType};

    #[test]
    fn what_is_no_packet_belongs_behind_the_packet_before_it_and_is_not_filtered() {
        let at = |second| Timestamp::from_parts(second, 0);
        let packet = |second, port| {
            let builder = RecordBuilder::new(RecordType::ETH).timestamp(at(second)).interface(port);
            builder.payload(&[7; 60]).append_fcs().to_vec().unwrap()
        };
        let pad = RecordBuilder::new(RecordType::PAD).timestamp(at(9)).payload(&[0; 16]).to_vec().unwrap();
        let bytes = [pad.clone(), packet(5, 0), pad, packet(3, 1)].concat();
        let (selection, damage) = (Selection::of_ports(&[1]), Damage::of("a test"));
        let mut finder = Finder { selection, filter: None, damage, key: Timestamp::from_raw(0) };
        let (found, len) = finder.find(&bytes, 1 << 40, usize::MAX);
        assert_eq!(len, bytes.len());
        let seen: Vec<_> = found.iter().map(|found| (found.key, found.taken)).collect();
        let nothing = Timestamp::from_raw(0);
        assert_eq!(seen, [(nothing, None), (at(5), Some(false)), (at(5), None), (at(3), Some(true))]);
        // A handful ends with the record that makes it one.
        for (most, handful) in [(32, (1, 32)), (33, (2, 32 + 88))] {
            let (found, len) = finder.find(&bytes, 1 << 40, most);
            assert_eq!((found.len(), len), handful);
        }
    }
}
