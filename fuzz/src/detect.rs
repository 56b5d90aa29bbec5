//! What a file is, by its first bytes.

use erf::input::Compression;
use erf::{Format, Records, Timestamp, pcap, pcapng};

/// The answers of the detectors do not contradict each other.
pub fn check(data: &[u8]) {
    let now = Timestamp::from_parts(1_800_000_000, 0);
    for complete in [false, true] {
        for now in [None, Some(now)] {
            let format = Format::detect(data, complete, now);
            assert!(!format.to_string().is_empty());
            assert_eq!(format == Format::Empty, data.is_empty());
            if let Some(magic) = Format::by_magic(data) {
                assert_eq!(format, magic, "a magic decides");
                assert_ne!(magic, Format::Erf, "ERF has no magic");
            }
            if format == Format::Erf && complete {
                assert!(matches!(Records::new(data).next(), Some(Ok(_))), "an ERF file begins with a record");
            }
        }
    }
    let packed =
        matches!(Format::by_magic(data), Some(Format::Gzip | Format::Bzip2 | Format::Xz | Format::Zstd | Format::Lz4));
    assert!(packed || !Compression::detect(data).is_compressed(), "what can be unpacked has a magic");
    let packets = pcap::Reader::recognises(data) || pcapng::Reader::recognises(data);
    assert!(!(packed && packets));
}
