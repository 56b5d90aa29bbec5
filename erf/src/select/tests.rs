use erf_core::{Record, RecordBuilder, RecordType, Timestamp};

use super::{Selection, Selector};

/// Packets at seconds 10 to 19, on ports 0 to 3 in turn, of 64 and 128 bytes; a META record at the second 15, and PAD.
fn records() -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for at in 0..10u32 {
        let payload = vec![7; if at % 2 == 0 { 60 } else { 124 }];
        let packet = RecordBuilder::new(if at == 3 { RecordType::COLOR_ETH } else { RecordType::ETH })
            .timestamp(Timestamp::from_parts(10 + at, 0))
            .interface((at % 4) as u8)
            .payload(&payload)
            .append_fcs();
        records.push(packet.to_vec().unwrap());
        if at == 5 {
            let meta = RecordBuilder::new(RecordType::META).timestamp(Timestamp::from_parts(15, 0));
            records.push(meta.payload(&[0; 16]).to_vec().unwrap());
            records.push(RecordBuilder::new(RecordType::PAD).to_vec().unwrap());
        }
    }
    records
}

/// Seconds of the packets that are wanted, 0 for a META record.
fn wanted(selection: Selection) -> Vec<u32> {
    let mut selector = Selector::new(selection);
    let mut seconds = Vec::new();
    for bytes in records() {
        let record = Record::parse(&bytes).unwrap();
        if selector.wants(&record) {
            seconds.push(if record.is_packet() { record.timestamp().secs() } else { 0 });
        }
    }
    seconds
}

#[test]
fn each_criterion_takes_what_it_says() {
    let at = |second| Timestamp::from_parts(second, 0);
    assert_eq!(wanted(Selection::new()), [10, 11, 12, 13, 14, 15, 0, 16, 17, 18, 19]);
    let all = || Selection::new().meta(false);
    assert_eq!(wanted(all().from(at(17))), [17, 18, 19]);
    assert_eq!(wanted(all().until(at(12))), [10, 11]);
    let after = |seconds: i64| super::Bound::After(erf_core::TimeDelta::from_raw(seconds << 32));
    assert_eq!(wanted(all().from(after(3)).until(after(5))), [13, 14]);
    assert_eq!(wanted(all().interfaces([1, 3, 9])), [11, 13, 15, 17, 19]);
    assert_eq!(wanted(all().types([RecordType::COLOR_ETH])), [13]);
    assert_eq!(wanted(all().wire_len(100..=200)), [11, 13, 15, 17, 19]);
    assert_eq!(wanted(all().skip(3).count(2)), [13, 14]);
    assert_eq!(wanted(all().interfaces([1]).skip(1).count(1)), [15]);
    // Of 88 and 152 bytes in turn.
    assert_eq!(wanted(all().skip(1).bytes(152 + 88)), [11, 12]);
    assert_eq!(wanted(all().bytes(88 + 151)), [10], "nothing smaller follows what had no room");
    let mut selector = Selector::new(all().skip(1));
    let even = |record: &Record<'_>| Ok::<_, ()>(record.timestamp().secs().is_multiple_of(2));
    let records = records();
    let kept = records.iter().filter(|bytes| selector.wants_if(&Record::parse(bytes).unwrap(), even) == Ok(true));
    assert_eq!(kept.count(), 4);
}

#[test]
fn what_describes_packets_stays_with_them_and_nothing_follows_the_last_one() {
    let selection = Selection::new().interfaces([0]);
    assert_eq!(wanted(selection.clone()), [10, 14, 0, 18]);
    assert_eq!(wanted(selection.clone().count(2)), [10, 14]);
    assert_eq!(wanted(selection.count(0)), []);
}

#[test]
fn what_looks_at_each_record_alone_is_known() {
    let at = Timestamp::from_parts(12, 0);
    let after = super::Bound::After(erf_core::TimeDelta::from_raw(1 << 32));
    let alone = [
        Selection::new(),
        Selection::new().from(at).until(at),
        Selection::new().interfaces([1]).types([RecordType::ETH]).wire_len(64..=128).meta(false),
    ];
    assert!(alone.iter().all(Selection::looks_at_each_alone));
    let all = Selection::new;
    let others = [all().from(after), all().until(after), all().skip(1), all().count(1), all().bytes(1000)];
    assert!(!others.iter().any(Selection::looks_at_each_alone));
}
