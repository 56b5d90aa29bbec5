//! What holds for every record that could be read.

use std::fmt::Write;

use erf::identity::{Anchors, Identity};
use erf::{Fcs, HEADER_LEN, Record, RecordBuilder};

/// Asserts that the parts of `record` add up, that every view can be looked at, and that the builder writes it again.
pub(crate) fn consistent(record: &Record<'_>) {
    let bytes = record.bytes();
    assert_eq!(bytes.len(), usize::from(record.rlen()));
    let chain = record.ext_headers();
    assert_eq!(chain.len() * 8, chain.bytes().len());
    assert_eq!(chain.is_empty(), !record.has_ext_headers());
    let parts =
        [&bytes[..HEADER_LEN], chain.bytes(), record.sub_header_bytes(), record.payload(), record.padding()].concat();
    assert_eq!(parts, bytes, "header, chain, sub-header, payload and padding are the record");
    assert_eq!(record.header_len() + record.available(), bytes.len());
    assert_eq!(record.payload().len(), record.captured_len());
    assert_eq!(record.loss().is_some(), record.color().is_none());
    assert_eq!(record.fcs() == Fcs::NotEthernet, !record.record_type().is_ethernet());
    assert_eq!(record.verify_fcs().is_some(), record.fcs() == Fcs::Stored && record.captured_len() > 4);
    for (n, header) in chain.enumerate() {
        assert_eq!(header.more(), n + 1 < chain.len());
        assert_eq!(chain.find(header.kind()).map(|found| found.kind()), Some(header.kind()));
        let _ = show(&header.view());
    }
    let identity = Identity::new(chain, record.interface());
    assert!(identity.interface < 8 && identity.host_id < 1 << 48);
    assert!(Anchors::new(chain).count() <= record.available() + bytes.len() / 8);
    let _ = (show(record), show(&record.sub_header()), show(&record.timestamp()), identity.to_string());

    let again = RecordBuilder::from_record(record).to_vec();
    assert_eq!(again.as_deref(), Ok(bytes), "the builder writes what the reader read");
}

/// Runs the `Debug` code of a value.
pub(crate) fn show(value: &dyn std::fmt::Debug) -> String {
    let mut text = String::new();
    let shown = write!(text, "{value:?}");
    assert!(shown.is_ok());
    text
}
