//! Any bytes as a classic pcap file.

use std::io::Cursor;

use erf::input::Source;
use erf::pcap::Reader;

use crate::packets::Recorder;

/// Packets come in order and become records, until the file or its good part ends.
pub fn check(data: &[u8]) {
    let mut reader = match Reader::open(Source::from_read(Cursor::new(data.to_vec()))) {
        Ok(reader) => reader,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let _ = (reader.link_type(), reader.resolution().per_second(), reader.snaplen(), reader.fcs_len());
    let mut recorder = Recorder::new();
    let mut end = 24;
    // Compressed files may hold far more than was given.
    for _ in 0..10_000 {
        match reader.next_packet() {
            Ok(Some(packet)) => {
                assert!(packet.offset >= end, "packets overlap");
                end = packet.offset + 16 + packet.captured.len() as u64;
                recorder.check(&packet);
            }
            Ok(None) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(matches!(reader.next_packet(), Ok(None)), "an error ends the file");
                break;
            }
        }
    }
}
