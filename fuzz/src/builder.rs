//! Any record that can be described: written, and read again.

use arbitrary::{Arbitrary, Unstructured};
use erf::{BuildError, ExtHeader, Flags, MAX_RECORD_LEN, Record, RecordBuilder, RecordType, Timestamp};

use crate::record;

#[derive(Arbitrary, Debug)]
struct Described {
    timestamp: u64,
    record_type: u8,
    flags: u8,
    lctr: u16,
    wire_len: Option<u16>,
    headers: Vec<[u8; 8]>,
    sub_header: [u8; 4],
    payload: Vec<u8>,
    /// Repeats the payload, so that records near the limits are in reach.
    repeat: u8,
    append_fcs: bool,
    padding: Padding,
    room: u16,
}

#[derive(Arbitrary, Debug)]
enum Padding {
    Default,
    Align(u16),
    Bytes(Vec<u8>),
}

/// What the builder writes is what was described, in no more room than it said.
pub fn check(data: &[u8]) {
    let Ok(described) = Described::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let headers: Vec<ExtHeader> = described.headers.iter().map(|bytes| ExtHeader::from_bytes(*bytes)).collect();
    let payload = described.payload.repeat(1 + usize::from(described.repeat));
    let mut builder = RecordBuilder::new(RecordType::new(described.record_type))
        .timestamp(Timestamp::from_raw(described.timestamp))
        .flags(Flags::from_bits(described.flags))
        .lctr(described.lctr)
        .ext_headers(&headers)
        .sub_header(described.sub_header)
        .payload(&payload);
    if let Some(wire_len) = described.wire_len {
        builder = builder.wire_len(wire_len);
    }
    if described.append_fcs {
        builder = builder.append_fcs();
    }
    builder = match &described.padding {
        Padding::Default => builder,
        Padding::Align(bytes) => builder.alignment(*bytes),
        Padding::Bytes(bytes) => builder.padding_bytes(bytes),
    };
    match builder.encoded_len() {
        Ok(len) => written(&described, &headers, &payload, &builder, len),
        Err(error) => {
            assert!(!matches!(error, BuildError::Buffer { .. }), "a length needs no buffer");
            assert_eq!(builder.write_to(&mut vec![0; MAX_RECORD_LEN]), Err(error));
        }
    }
}

fn written(described: &Described, headers: &[ExtHeader], payload: &[u8], builder: &RecordBuilder<'_>, len: usize) {
    assert!(len <= MAX_RECORD_LEN);
    let mut buffer = vec![0xA5; len + 8];
    assert_eq!(builder.write_to(&mut buffer), Ok(len));
    assert_eq!(buffer[len..], [0xA5; 8], "nothing is written behind the record");

    let mut small = vec![0xA5; usize::from(described.room) % len];
    let have = small.len();
    assert_eq!(builder.write_to(&mut small), Err(BuildError::Buffer { needed: len, have }));
    assert!(small.iter().all(|&byte| byte == 0xA5), "a record that does not fit leaves the buffer alone");

    let record = Record::parse(&buffer).expect("what the builder wrote is a record");
    record::consistent(&record);
    assert_eq!(usize::from(record.rlen()), len);
    assert_eq!(record.timestamp().raw(), described.timestamp);
    assert_eq!(record.record_type(), RecordType::new(described.record_type));
    assert_eq!((record.flags().bits(), record.lctr_raw()), (described.flags, described.lctr));
    assert!(described.wire_len.is_none_or(|wire_len| wire_len == record.wire_len()));
    assert!(record.ext_headers().map(ExtHeader::to_u64).map(body).eq(headers.iter().map(|h| body(h.to_u64()))));
    let sub_header = record.sub_header_bytes();
    assert_eq!(sub_header, &described.sub_header[..sub_header.len()]);
    let stored = record.payload().len().min(payload.len());
    assert_eq!(record.payload()[..stored], payload[..stored]);
    if described.append_fcs && described.wire_len.is_none() && record.record_type().is_ethernet() {
        // An FCS of nothing is no frame's.
        assert_eq!(record.verify_fcs(), (!payload.is_empty()).then_some(true));
    }
}

/// An extension header without its "more" bit, which the builder sets.
fn body(header: u64) -> u64 {
    header & !(1 << 63)
}
