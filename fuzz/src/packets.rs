//! What holds for every packet of a pcap or pcapng file.

use erf::convert::{RecordOptions, Refusal, ToRecord};
use erf::pcap::{LinkType, Packet};
use erf::{MAX_RECORD_LEN, Record};

use crate::record;

/// Turns packets into records, one after another.
pub(crate) struct Recorder {
    records: ToRecord,
    buffer: Vec<u8>,
}

impl Recorder {
    pub(crate) fn new() -> Recorder {
        Recorder { records: ToRecord::new(RecordOptions::default()), buffer: vec![0; MAX_RECORD_LEN] }
    }

    /// Asserts that `packet` becomes a record that holds its bytes, or is refused with a reason.
    pub(crate) fn check(&mut self, packet: &Packet<'_>) {
        match self.records.write(packet, &mut self.buffer) {
            Ok(len) => {
                let record = Record::parse(&self.buffer[..len]).expect("a converted packet is a record");
                assert_eq!(usize::from(record.rlen()), len);
                record::consistent(&record);
                if packet.link_type != LinkType::ERF {
                    assert!(packet.timestamp.is_none_or(|stamp| stamp == record.timestamp()));
                    let kept = record.payload().len().min(packet.captured.len());
                    assert_eq!(record.payload()[..kept], packet.captured[..kept]);
                    assert_eq!(kept, packet.captured.len(), "every stored byte is in the record");
                }
            }
            Err(refusal) => {
                assert!(!matches!(refusal, Refusal::Buffer { .. }), "{MAX_RECORD_LEN} bytes are always enough");
                assert!(!refusal.to_string().is_empty());
            }
        }
    }
}
