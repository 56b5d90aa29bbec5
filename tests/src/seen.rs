//! What is in a file, read by our own reader.

use std::path::Path;

use dag::emu::synthetic::packet_number;
use erf::session::{EndWatch, Ending};
use erf::{Defect, FileFormat, Reader, Record, Timestamp};

/// A packet of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The interface of its record.
    pub port: u8,
    /// Its stamp.
    pub stamp: Timestamp,
    /// Its number, if it is one of a synthetic feed.
    pub number: Option<u64>,
    /// Loss counter.
    pub lctr: u16,
    /// Flags byte.
    pub flags: erf::Flags,
    /// Length on the wire.
    pub wire_len: u16,
    /// What is stored of it.
    pub bytes: Vec<u8>,
}

/// The records of a file.
#[derive(Debug)]
pub struct Seen {
    /// Packets in order.
    pub packets: Vec<Packet>,
    /// META records.
    pub meta: u64,
    /// PAD records.
    pub pad: u64,
    /// What is no record.
    pub defects: Vec<Defect>,
    /// Offset behind the last whole record.
    pub whole: u64,
    /// Whether the recording ended by itself.
    pub ending: Ending,
}

impl Seen {
    /// Reads an ERF file.
    pub fn in_file(path: &Path) -> Self {
        let mut reader = Reader::builder()
            .force_format(FileFormat::Erf)
            .open(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut seen = Self::empty();
        let mut watch = EndWatch::new();
        reader.for_each(|item| seen.take(item, &mut watch)).unwrap_or_else(|error| panic!("{error}"));
        seen.ending = watch.ending();
        seen
    }

    /// Reads ERF records in memory.
    pub fn in_bytes(bytes: &[u8]) -> Self {
        let mut seen = Self::empty();
        let mut watch = EndWatch::new();
        erf::Records::new(bytes).for_each(|item| seen.take(item, &mut watch));
        seen.ending = watch.ending();
        seen
    }

    fn empty() -> Self {
        Self { packets: Vec::new(), meta: 0, pad: 0, defects: Vec::new(), whole: 0, ending: Ending::Unmarked }
    }

    fn take(&mut self, item: Result<Record<'_>, Defect>, watch: &mut EndWatch) {
        let record = match item {
            Ok(record) => record,
            Err(defect) => {
                watch.observe_defect();
                self.defects.push(defect);
                return;
            }
        };
        watch.observe(&record);
        self.whole += record.bytes().len() as u64;
        if record.is_meta() {
            self.meta += 1;
        } else if record.is_pad() {
            self.pad += 1;
        } else {
            self.packets.push(Packet {
                port: record.interface(),
                stamp: record.timestamp(),
                number: packet_number(record.payload()),
                lctr: record.lctr_raw(),
                flags: record.flags(),
                wire_len: record.wire_len(),
                bytes: record.payload().to_vec(),
            });
        }
    }

    /// The account in the closing record.
    #[track_caller]
    pub fn account(&self) -> erf::session::Account {
        match self.ending {
            Ending::Closed(account) => account,
            other => panic!("no closing record: {other:?}"),
        }
    }

    /// The packets' numbers.
    #[track_caller]
    pub fn numbers(&self) -> Vec<u64> {
        self.packets.iter().map(|packet| packet.number.expect("a packet of a synthetic feed")).collect()
    }

    /// Checks that packets of a synthetic feed, all of one stream, follow each other without a gap that no loss counter tells. Gives how
    /// many the loss counters say were lost, and whether one of them was stuck.
    #[track_caller]
    pub fn check_sequence(&self) -> (u64, bool) {
        let (mut next, mut told, mut stuck) = (0, 0, false);
        for packet in &self.packets {
            let number = packet.number.expect("a packet of a synthetic feed");
            let lost = u64::from(packet.lctr);
            if packet.lctr == u16::MAX {
                assert!(number >= next + lost, "packet {number} after {next}, at least {lost} lost between");
                stuck = true;
            } else {
                assert_eq!(number, next + lost, "{lost} lost before this one");
            }
            told += lost;
            next = number + 1;
        }
        (told, stuck)
    }
}
