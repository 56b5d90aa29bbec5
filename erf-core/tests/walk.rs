//! Walking: real records, damaged ones, and any bytes at all.

use erf_core::{
    Defect, DefectKind, ExtHeader, ExtType, RESUME_MIN, Record, RecordBuilder, RecordType, Records, Timestamp,
    WalkState,
};
use proptest::prelude::*;

const SEC: u32 = 1_700_000_000;

/// Miri is a thousand times slower, and looks at every step: it gets fewer of a kind.
const MIRI_STEP: usize = if cfg!(miri) { 29 } else { 1 };

/// More records than the longest length can swallow.
const MANY: u32 = if cfg!(miri) { 20 } else { 900 };

fn frame(n: u32, len: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..len).map(|i| (n as usize * 31 + i) as u8 | 1).collect();
    let mut buf = vec![0; len + 64];
    let len = RecordBuilder::new(RecordType::ETH)
        .timestamp(Timestamp::from_parts(SEC, n << 8 | 1))
        .interface((n % 2) as u8)
        .payload(&payload)
        .append_fcs()
        .write_to(&mut buf)
        .unwrap();
    buf.truncate(len);
    buf
}

fn file(records: u32) -> Vec<u8> {
    (0..records).flat_map(|n| frame(n, 60)).collect()
}

fn good(data: &[u8], recover: bool) -> (usize, Vec<Defect>) {
    let mut defects = Vec::new();
    let mut records = 0;
    for item in Records::new(data).recover(recover) {
        match item {
            Ok(_) => records += 1,
            Err(defect) => defects.push(defect),
        }
    }
    (records, defects)
}

#[test]
fn a_length_below_16_ends_a_walk_and_names_its_offset() {
    for rlen in (1..16u8).step_by(MIRI_STEP.min(7)) {
        let mut data = file(30);
        let at = data.len();
        let mut bad = frame(30, 60);
        bad[10..12].copy_from_slice(&[0, rlen]);
        data.extend(bad);
        data.extend(file(5));
        let (records, defects) = good(&data, false);
        assert_eq!(records, 30);
        assert_eq!(defects, [Defect::new(at as u64, DefectKind::RecordLength { rlen: rlen.into() })]);

        let (records, defects) = good(&data, true);
        assert_eq!(records, 35, "with recovery the data behind is kept");
        assert_eq!(defects[1], Defect::new(at as u64, DefectKind::Skipped { bytes: 88 }));
    }
}

#[test]
fn headers_that_do_not_fit_cost_one_record_only() {
    let mut data = file(3);
    let mut open = frame(3, 60);
    open[8] |= 0x80;
    open[16..].fill(0x91);
    data.extend(&open);
    let mut short = frame(4, 60);
    short.truncate(17);
    short[10..12].copy_from_slice(&[0, 17]);
    data.extend(&short);
    data.extend(file(2));
    let (records, defects) = good(&data, false);
    assert_eq!(records, 5);
    assert_eq!(
        defects,
        [
            Defect::new(264, DefectKind::OpenChain { rlen: 88 }),
            Defect::new(352, DefectKind::HeadersTooLong { rlen: 17, needed: 18 }),
        ]
    );
}

#[test]
fn headers_that_do_not_fit_and_a_length_that_leads_nowhere() {
    let mut data = file(3);
    let mut bad = frame(3, 60);
    bad[10..12].copy_from_slice(&[0, 17]);
    data.extend(&bad);
    data.extend(file(5));
    let (records, defects) = good(&data, true);
    assert_eq!(records, 8);
    let first = Defect::new(264, DefectKind::HeadersTooLong { rlen: 17, needed: 18 });
    assert_eq!(defects, [first, Defect::new(264, DefectKind::Skipped { bytes: 88 })]);
}

#[test]
fn a_torn_tail_keeps_everything_before_it() {
    let data = file(4);
    for cut in (1..88).step_by(MIRI_STEP) {
        for recover in [false, true] {
            let (records, defects) = good(&data[..data.len() - cut], recover);
            assert_eq!(records, 3);
            let kind = match 88 - cut {
                have @ 0..16 => DefectKind::TornHeader { have: have as u8 },
                have => DefectKind::TornRecord { rlen: 88, have: have as u16 },
            };
            assert_eq!(defects, [Defect::new(264, kind)], "cut {cut}, recover {recover}");
        }
    }
}

#[test]
fn zeros_to_the_end_are_a_preallocated_file() {
    for zeros in [1, 15, 16, 17, 100_000 / MIRI_STEP / MIRI_STEP] {
        for recover in [false, true] {
            let mut data = file(3);
            data.resize(data.len() + zeros, 0);
            let (records, defects) = good(&data, recover);
            assert_eq!(records, 3);
            assert_eq!(defects, [Defect::new(264, DefectKind::ZeroTail { len: zeros as u64 })]);
        }
    }
}

#[test]
fn zeros_with_records_behind_them_are_damage() {
    let mut data = file(3);
    data.resize(data.len() + 5000, 0);
    data.extend(file(4));
    assert_eq!(good(&data, false).1, [Defect::new(264, DefectKind::RecordLength { rlen: 0 })]);
    let (records, defects) = good(&data, true);
    assert_eq!(records, 7);
    assert_eq!(defects[1], Defect::new(264, DefectKind::Skipped { bytes: 5000 }));
}

#[test]
fn garbage_in_the_middle_does_not_swallow_what_follows() {
    // Claims to be one long record: a plain walk passes over good records, recovery does not.
    for fill in [0x01u8, 0x31, 0x55, 0xAA, 0xFF] {
        for len in [1usize, 7, 16, 333].into_iter().step_by(MIRI_STEP.min(3)) {
            let mut data = file(10);
            data.extend(std::iter::repeat_n(fill, len));
            data.extend(file(MANY));
            let (records, defects) = good(&data, true);
            assert_eq!(records, 10 + MANY as usize, "fill {fill:#x} x {len}: {defects:?}");
            assert_eq!(defects.last(), Some(&Defect::new(880, DefectKind::Skipped { bytes: len as u64 })));
        }
    }
}

#[test]
fn a_garbage_prefix_is_passed_over_when_recovering() {
    let mut data = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n".to_vec();
    let prefix = data.len() as u64;
    data.extend(file(3));
    let (records, defects) = good(&data, true);
    assert_eq!(records, 3);
    assert_eq!(defects.last(), Some(&Defect::new(0, DefectKind::Skipped { bytes: prefix })));
}

#[test]
fn odd_but_legal_records_pass_recovery_untouched() {
    let mut data = file(3);
    let mut buf = [0; 64];
    // A clock stepped by years, an unknown type, no wire length: all legal to read.
    for (kind, secs, wlen) in [(2u8, 5, 60), (60, SEC, 8), (2, SEC, 0)] {
        let len = RecordBuilder::new(RecordType::new(kind))
            .timestamp(Timestamp::from_parts(secs, 0))
            .payload(&[7; 8])
            .wire_len(wlen)
            .exact()
            .write_to(&mut buf)
            .unwrap();
        data.extend(&buf[..len]);
        data.extend(file(3));
    }
    assert_eq!(good(&data, true), (15, vec![]));
}

/// A file of `records` records that are all odd in one way.
fn odd_file(records: u32, odd: impl Fn(u32, &mut [u8])) -> Vec<u8> {
    let mut data = file(records);
    for (n, record) in (0..).zip(data.chunks_mut(88)) {
        odd(n, record);
    }
    data
}

#[test]
fn files_that_are_odd_all_over_pass_recovery_untouched() {
    let stamp = |secs: u32| move |record: &mut [u8]| record[4..8].copy_from_slice(&secs.to_le_bytes());
    let never_set = odd_file(20, |n, record| stamp(n)(record));
    let types = odd_file(20, |_, record| record[8] = 100);
    let short = odd_file(20, |_, record| record[14..16].copy_from_slice(&[0, 8]));
    let reserved = odd_file(20, |_, record| record[9] |= 0x80);
    let never_set_and_short = odd_file(20, |n, record| {
        stamp(n)(record);
        record[14..16].fill(0);
    });
    for (what, data) in [
        ("a clock that was never set", never_set),
        ("an unknown type", types),
        ("a wire length of 8", short),
        ("a reserved flag", reserved),
        ("no wire length and no clock", never_set_and_short),
    ] {
        assert_eq!(good(&data, true), (20, vec![]), "{what}");
        if ["no wire length and no clock", "an unknown type"].contains(&what) {
            // Nothing but lengths says what a record is.
            continue;
        }
        // Damage costs what is damaged, no more.
        let mut damaged = data.clone();
        damaged[7 * 88..][..60].fill(0xEE);
        let (records, defects) = good(&damaged, true);
        assert_eq!(records, 19, "{what}: {defects:?}");
        // Nor does a record whose headers do not fit it.
        let mut unfit = data.clone();
        unfit[7 * 88 + 8] |= 0x80;
        unfit[7 * 88 + 16..8 * 88].fill(0xFF);
        let (records, defects) = good(&unfit, true);
        assert_eq!((records, defects.len()), (19, 1), "{what}: {defects:?}");
        // The end of a file that was cut is no damage in the middle.
        let (records, defects) = good(&data[..data.len() - 30], true);
        assert_eq!((records, defects.len()), (19, 1), "{what}: {defects:?}");
    }
    // The last ones have stamps of no time at all.
    let end = odd_file(20, |n, record| {
        if n >= 18 {
            stamp(n * 100_000_000 + 7)(record)
        }
    });
    assert_eq!(good(&end, true), (20, vec![]));
}

#[test]
fn a_length_that_lands_on_another_time_swallows_nothing() {
    // The length of record 3 leads over four hundred others to what looks like a record of 2001, in a payload.
    let mut data = file(600);
    let rlen = 400 * 88 + 18;
    data[3 * 88 + 10..][..2].copy_from_slice(&(rlen as u16).to_be_bytes());
    let mut buffer = [0; 88];
    let old = RecordBuilder::new(RecordType::ETH).timestamp(Timestamp::from_parts(1_000_000_000, 0)).payload(&[7; 30]);
    let len = old.write_to(&mut buffer).unwrap();
    data[3 * 88 + rlen..][..len].copy_from_slice(&buffer[..len]);
    let (records, defects) = good(&data, true);
    assert_eq!(records, 599, "{defects:?}");
}

#[test]
fn payload_full_of_zeros_in_ascii_is_no_filler() {
    // '0' is the type of PAD, and "00" a length, here one that leads from the end of a record to another.
    let mut data = file(300);
    for record in data.chunks_mut(88).step_by(3) {
        record[18..].fill(b'0');
    }
    data[150 * 88..][..50].fill(0xFF);
    let (records, defects) = good(&data, true);
    assert_eq!(records, 299, "{defects:?}");
}

/// Found by fuzzing: the first record is damaged so that it ends in a payload, from where lengths lead on through payloads.
#[test]
fn payload_of_one_byte_is_no_row_of_records() {
    let frame = |n: u32| {
        let mut record = frame(n, 3000);
        record[18..].fill(0x33);
        record
    };
    let mut data: Vec<u8> = (0..40).flat_map(frame).collect();
    let len = frame(0).len();
    data[..16].fill(0x33);
    data[10..12].copy_from_slice(&(len as u16 + 40).to_be_bytes());
    let time = data.clone();
    // From byte 40 of a record on each length of 0x3333 ends in another's payload.
    assert!((1..4).all(|n| (40 + n * 0x3333) % len > 18 && (40 + n * 0x3333) % len < len - 16));
    let (records, defects) = good(&data, true);
    assert_eq!(records, 39, "{defects:?}");
    // The same where a time like that of the payload is what others are measured by.
    let mut data = time;
    for record in data.chunks_mut(len).take(3) {
        record[..8].fill(0x33);
        record[8] = 2;
        record[10..12].copy_from_slice(&(len as u16).to_be_bytes());
    }
    data[3 * len..][..16].fill(0x33);
    data[3 * len + 10..][..2].copy_from_slice(&(len as u16 + 40).to_be_bytes());
    let (records, defects) = good(&data, true);
    assert!(records >= 37, "{records}, {defects:?}");
}

#[test]
fn one_record_up_to_the_end_is_no_long_row() {
    let mut data = file(6);
    let kept = data.len();
    data.extend([0xFF; 24]);
    let far = data.len();
    data.extend(file(50));
    // In front of them one of another time, whose length leads to the very end.
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&1_850_000_000u32.to_le_bytes());
    header[8] = 1;
    header[10..12].copy_from_slice(&((data.len() - kept - 8) as u16).to_be_bytes());
    header[15] = 60;
    data[kept + 8..far].copy_from_slice(&header);
    assert_eq!(good(&data, true).0, 56);
}

#[test]
fn more_than_sixteen_extension_headers_are_read() {
    let headers = [ExtHeader::new(ExtType::FLOW_ID, 7); 40];
    let mut buf = vec![0; 512];
    let len = RecordBuilder::new(RecordType::ETH).ext_headers(&headers).payload(&[1; 20]).write_to(&mut buf).unwrap();
    let record = Record::parse(&buf[..len]).unwrap();
    assert_eq!(record.ext_headers().len(), 40);
    assert_eq!(record.ext_headers().last().unwrap(), headers[0]);
}

/// Walks in pieces as a block reader does, of at most `piece` new bytes each.
fn walk_in_pieces(data: &[u8], piece: usize, recover: bool) -> Vec<Result<Vec<u8>, Defect>> {
    let mut out = Vec::new();
    let mut state = WalkState::new(0).with_recover(recover);
    let mut buf: Vec<u8> = Vec::new();
    let mut fed = 0;
    loop {
        let end = (fed + piece).min(data.len());
        buf.extend(&data[fed..end]);
        fed = end;
        let complete = fed == data.len();
        let mut walk = Records::resume(&buf, state, complete);
        out.extend(walk.by_ref().map(|item| item.map(|r| r.bytes().to_vec())));
        let rest = walk.rest().to_vec();
        assert!(complete || rest.len() < RESUME_MIN, "a piece of {RESUME_MIN} bytes would make no progress");
        state = walk.into_state();
        buf = rest;
        if complete {
            return out;
        }
    }
}

#[test]
fn one_wrong_stamp_is_not_what_all_others_are_measured_by() {
    for damaged in 2..8 {
        let mut data = file(20);
        // 2061: plausible, but no neighbour says so.
        data[7] = 0xAB;
        data[damaged * 88..][..40].fill(0xEE);
        let (records, defects) = good(&data, true);
        assert_eq!(records, 19, "record {damaged} damaged: {defects:?}");
    }
}

/// Found by fuzzing: two wrong stamps that agree were believed, and the rest of the file was nowhere near them.
#[test]
fn two_wrong_stamps_that_agree_do_not_cost_the_rest_of_the_file() {
    let mut data = file(30);
    for record in [0, 1] {
        data[record * 88 + 7] = 0xAB;
    }
    data[2 * 88..][..40].fill(0xEE);
    let (records, defects) = good(&data, true);
    assert_eq!(records, 29, "{defects:?}");
    // A few records that follow one another may be bytes of the damage; a long row of them is not.
    let mut data = file(8);
    for record in [0, 1] {
        data[record * 88 + 7] = 0xAB;
    }
    data[2 * 88..][..40].fill(0xEE);
    assert!(good(&data, true).0 < 8);
}

#[test]
fn zeros_at_the_end_of_a_piece_are_no_end_yet() {
    // A length that swallows three more records and ends in the padding of the last.
    let mut data = file(8);
    data[10..12].copy_from_slice(&(4 * 88 - 6_u16).to_be_bytes());
    assert_eq!(data[4 * 88 - 6..4 * 88], [0; 6]);
    let whole: Vec<_> = Records::new(&data).recover(true).map(|i| i.map(|r| r.bytes().to_vec())).collect();
    let pieces = if cfg!(miri) { 340..354 } else { 1..data.len() };
    for piece in pieces {
        assert_eq!(walk_in_pieces(&data, piece, true), whole, "pieces of {piece}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..2000), recover: bool) {
        let mut last = 0;
        for record in Records::new(&data).recover(recover).flatten() {
            let at = record.bytes().as_ptr() as usize - data.as_ptr() as usize;
            prop_assert!(at >= last);
            last = at + record.bytes().len();
            prop_assert!(last <= data.len());
            prop_assert_eq!(record.header_len() + record.payload().len() + record.padding().len(), record.bytes().len());
            let _ = (record.sub_header(), record.fcs(), record.verify_fcs());
            for ext in record.ext_headers() { let _ = ext.view(); }
        }
    }

    /// Bytes that look more like records than random ones do.
    #[test]
    fn damaged_files_lose_only_what_is_damaged(at in 0usize..880, flip in 1u8..=255, recover: bool) {
        let clean = file(10);
        let mut data = clean.clone();
        data[at] ^= flip;
        let (records, _) = good(&data, recover);
        let expected = if recover { 9 } else { at / 88 };
        prop_assert!(records >= expected, "{} records", records);
    }

    #[test]
    fn pieces_give_what_the_whole_gives(
        parts in proptest::collection::vec((0u8..6, 1usize..300), 1..12),
        piece in 1usize..700,
        recover: bool,
    ) {
        let mut data = Vec::new();
        for (n, (what, len)) in parts.iter().enumerate() {
            match what {
                0..=2 => data.extend(frame(n as u32, *len)),
                3 => data.extend(std::iter::repeat_n(0u8, *len)),
                4 => data.extend(std::iter::repeat_n(0xA5u8, *len)),
                _ => data.extend(file(4)),
            }
        }
        let whole: Vec<_> = Records::new(&data).recover(recover).map(|i| i.map(|r| r.bytes().to_vec())).collect();
        prop_assert_eq!(walk_in_pieces(&data, piece, recover), whole);
    }

    #[test]
    fn every_record_is_rebuilt_byte_for_byte(
        number in 0u8..128, flags: u8, ts: u64, lctr: u16, wlen: u16,
        chain in proptest::collection::vec(any::<[u8; 8]>(), 0..5),
        sub: [u8; 4],
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let record_type = RecordType::new(number);
        let mut bytes = ts.to_le_bytes().to_vec();
        let rlen = 16 + 8 * chain.len() + record_type.sub_header_len() + body.len();
        bytes.extend([number | if chain.is_empty() { 0 } else { 0x80 }, flags]);
        bytes.extend((rlen as u16).to_be_bytes());
        bytes.extend(lctr.to_be_bytes());
        bytes.extend(wlen.to_be_bytes());
        for (n, header) in chain.iter().enumerate() {
            bytes.extend(ExtHeader::from_bytes(*header).with_more(n + 1 < chain.len()).bytes());
        }
        bytes.extend(&sub[..record_type.sub_header_len()]);
        bytes.extend(&body);
        let record = Record::parse(&bytes).unwrap();
        prop_assert_eq!(record.ext_headers().len(), chain.len());
        prop_assert_eq!(record.captured_len() + record.padding().len(), body.len());
        let mut out = vec![0xEE; rlen];
        prop_assert_eq!(RecordBuilder::from_record(&record).write_to(&mut out).unwrap(), rlen);
        prop_assert_eq!(&out, &bytes);
        // And in buffers that are too small nothing is written.
        let mut small = vec![0xEE; rlen - 1];
        prop_assert!(RecordBuilder::from_record(&record).write_to(&mut small).is_err());
        prop_assert!(small.iter().all(|&b| b == 0xEE));
    }

    #[test]
    fn built_records_follow_the_alignment_rule(
        number in prop_oneof![Just(1u8), Just(2), Just(3), Just(5), Just(22), Just(27)],
        stored in 0usize..300, missing in 0u16..50, align in prop_oneof![Just(1u16), Just(4), Just(8), Just(16)],
    ) {
        let payload = vec![9u8; stored];
        let mut buf = vec![0xEE; 512];
        let wlen = stored as u16 + missing;
        let len = RecordBuilder::new(RecordType::new(number)).payload(&payload).wire_len(wlen).alignment(align)
            .write_to(&mut buf).unwrap();
        let record = Record::parse(&buf[..len]).unwrap();
        prop_assert_eq!(record.wire_len(), wlen);
        if if number == 3 { stored >= 52 } else { stored as u16 >= wlen } {
            prop_assert_eq!(len % usize::from(align), 0);
            prop_assert!(record.padding().iter().filter(|&&b| b == 0).count() < usize::from(align));
            prop_assert!(!record.is_snapped());
        } else {
            // Cut down to the alignment, never padded up: a short packet is left as it is when nothing can be cut.
            prop_assert!(record.padding().is_empty());
            prop_assert!(record.captured_len() <= stored);
            prop_assert!(len % usize::from(align) == 0 || record.captured_len() == 0);
        }
    }
}
