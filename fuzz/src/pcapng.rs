//! Any bytes as a pcapng file.

use std::io::Cursor;

use erf::input::Source;
use erf::pcapng::Reader;

use crate::packets::Recorder;

/// Packets come in order, on interfaces that have been described, until the file or its good part ends.
pub fn check(data: &[u8]) {
    let mut reader = match Reader::open(Source::from_read(Cursor::new(data.to_vec()))) {
        Ok(reader) => reader,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let mut recorder = Recorder::new();
    let mut end = 0;
    for _ in 0..10_000 {
        match reader.next_packet() {
            Ok(Some(packet)) => {
                assert!(packet.offset >= end, "packets overlap");
                end = packet.offset + packet.captured.len() as u64;
                recorder.check(&packet);
                let (interface, link_type) = (packet.interface as usize, packet.link_type);
                let described = reader.interfaces().get(interface).map(|described| described.link_type);
                assert_eq!(described, Some(link_type));
            }
            Ok(None) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(matches!(reader.next_packet(), Ok(None)), "an error ends the file");
                break;
            }
        }
    }
    let _ = crate::record::show(reader.section());
}
