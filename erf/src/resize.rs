//! Records of another length: aligned for a card to transmit, or snapped. The bytes of the packet that stay are the same.

use erf_core::{BuildError, MAX_RECORD_LEN, Record, RecordBuilder};

/// Makes the length of each record a multiple of `align`, by `erf-format.md` section 4: a whole record is padded with zeros, a
/// snapped one is cut **down**, because padding behind a snapped packet is read as payload.
///
/// A record that is a multiple already stays as it is, byte for byte. Cards transmit multiples of 8, some streams of 16
/// (section 4.1).
///
/// ```
/// use erf::resize::align;
/// use erf::{Record, RecordBuilder, RecordType};
///
/// let exact = RecordBuilder::new(RecordType::ETH).payload(&[7; 61]).exact().to_vec()?;
/// let mut buffer = vec![0; erf::MAX_RECORD_LEN];
/// let aligned = align(&Record::parse(&exact)?, 16, &mut buffer)?;
/// assert_eq!((exact.len(), aligned.rlen(), aligned.payload()), (79, 80, &[7u8; 61][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`BuildError::RecordTooLong`] for a whole record that cannot grow to a multiple, [`BuildError::Alignment`] where `align` is no
/// power of two below 4096, [`BuildError::Buffer`] where `buffer` is too small; [`MAX_RECORD_LEN`] bytes always do.
pub fn align<'b>(record: &Record<'_>, align: u16, buffer: &'b mut [u8]) -> Result<Record<'b>, BuildError> {
    if align > 0 && record.rlen().is_multiple_of(align) {
        return copy(record, buffer);
    }
    rebuilt(&RecordBuilder::from_record(record).alignment(align), buffer)
}

/// Keeps up to `snaplen` bytes of the packet. The wire length stays.
///
/// Unless `exact`, what is cut is cut to a multiple of 8 for the whole record, so up to 7 bytes more go, as hardware and Wireshark
/// have it (`erf-format.md` section 4). Shorter packets, META and PAD stay as they are.
///
/// ```
/// use erf::resize::snap;
/// use erf::{Record, RecordBuilder, RecordType};
///
/// let whole = RecordBuilder::new(RecordType::ETH).payload(&[7; 1000]).to_vec()?;
/// let whole = Record::parse(&whole)?;
/// let mut buffer = vec![0; erf::MAX_RECORD_LEN];
/// let snapped = snap(&whole, 96, false, &mut buffer)?;
/// assert_eq!((snapped.rlen(), snapped.captured_len(), snapped.wire_len()), (112, 94, 1000));
/// let snapped = snap(&whole, 96, true, &mut buffer)?;
/// assert_eq!((snapped.rlen(), snapped.captured_len(), snapped.wire_len()), (114, 96, 1000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`BuildError::Buffer`] where `buffer` is too small; [`MAX_RECORD_LEN`] bytes always do.
pub fn snap<'b>(
    record: &Record<'_>,
    snaplen: usize,
    exact: bool,
    buffer: &'b mut [u8],
) -> Result<Record<'b>, BuildError> {
    if !record.is_packet() || record.captured_len() <= snaplen {
        return copy(record, buffer);
    }
    let builder = RecordBuilder::from_record(record).payload(record.payload().get(..snaplen).unwrap_or_default());
    rebuilt(&if exact { builder.exact() } else { builder.alignment(8) }, buffer)
}

fn copy<'b>(record: &Record<'_>, buffer: &'b mut [u8]) -> Result<Record<'b>, BuildError> {
    let (needed, have) = (record.bytes().len(), buffer.len());
    let out = buffer.get_mut(..needed).ok_or(BuildError::Buffer { needed, have })?;
    out.copy_from_slice(record.bytes());
    parsed(out)
}

fn rebuilt<'b>(builder: &RecordBuilder<'_>, buffer: &'b mut [u8]) -> Result<Record<'b>, BuildError> {
    let len = builder.write_to(buffer)?;
    parsed(buffer.get(..len).unwrap_or_default())
}

/// What was written is a record; were it none, its length would be what is wrong with it.
fn parsed(bytes: &[u8]) -> Result<Record<'_>, BuildError> {
    Record::parse(bytes).map_err(|_| BuildError::RecordTooLong { len: MAX_RECORD_LEN })
}

#[cfg(test)]
mod tests {
    use erf_core::RecordType;
    use proptest::prelude::*;

    use super::*;

    fn any_record() -> impl Strategy<Value = Vec<u8>> {
        let types = prop::sample::select(vec![1u8, 2, 3, 5, 11, 18, 21, 22, 27, 48, 60]);
        let padding = prop::collection::vec(any::<u8>(), 0..20);
        (types, prop::collection::vec(any::<u8>(), 0..200), 0u16..300, padding).prop_map(
            |(kind, payload, wire, padding)| {
                let builder = RecordBuilder::new(RecordType::new(kind)).payload(&payload).wire_len(wire);
                builder.padding_bytes(&padding).to_vec().unwrap()
            },
        )
    }

    proptest! {
        #[test]
        fn an_aligned_record_is_a_multiple_and_its_packet_the_same(bytes in any_record(), power in 3u32..6) {
            let record = Record::parse(&bytes).unwrap();
            let mut buffer = vec![0; MAX_RECORD_LEN];
            let by = 1u16 << power;
            let aligned = align(&record, by, &mut buffer).unwrap();
            // A snapped record is never cut into its headers, which may be 18 or 20 bytes.
            let least = aligned.header_len() == usize::from(aligned.rlen());
            prop_assert!(aligned.rlen().is_multiple_of(by) || least, "{aligned:?}");
            prop_assert_eq!(aligned.wire_len(), record.wire_len());
            prop_assert_eq!(aligned.timestamp(), record.timestamp());
            prop_assert_eq!(aligned.is_snapped(), record.is_snapped());
            prop_assert!(record.payload().starts_with(aligned.payload()));
            if record.is_snapped() {
                prop_assert!(record.payload().len() - aligned.payload().len() < usize::from(by));
            } else {
                prop_assert_eq!(aligned.payload(), record.payload());
            }
        }

        #[test]
        fn a_snapped_record_keeps_the_front_of_its_packet(bytes in any_record(), snaplen in 0usize..220, exact: bool) {
            let record = Record::parse(&bytes).unwrap();
            let mut buffer = vec![0; MAX_RECORD_LEN];
            let snapped = snap(&record, snaplen, exact, &mut buffer).unwrap();
            if !record.is_packet() || record.captured_len() <= snaplen {
                prop_assert_eq!(snapped.bytes(), record.bytes());
                return Ok(());
            }
            prop_assert_eq!((snapped.wire_len(), snapped.lctr_raw()), (record.wire_len(), record.lctr_raw()));
            prop_assert!(record.payload().starts_with(snapped.payload()));
            prop_assert!(snapped.padding().is_empty());
            if exact {
                prop_assert_eq!(snapped.captured_len(), snaplen);
            } else {
                prop_assert!(snapped.captured_len() <= snaplen && snaplen - snapped.captured_len() < 8);
            }
        }
    }

    #[test]
    fn what_cannot_grow_is_refused() {
        let bytes = RecordBuilder::new(RecordType::IPV4).payload(&[0x45; 65_530 - 16]).exact().to_vec().unwrap();
        let record = Record::parse(&bytes).unwrap();
        let mut buffer = vec![0; MAX_RECORD_LEN];
        assert_eq!(align(&record, 8, &mut buffer), Err(BuildError::RecordTooLong { len: 65_536 }));
        assert_eq!(align(&record, 12, &mut buffer), Err(BuildError::Alignment(12)));
        assert!(matches!(align(&record, 10, &mut buffer[..100]), Err(BuildError::Buffer { .. })));
    }
}
