//! Batches lent from stream memory, on a scripted card: no threads of the card, no sleeping. Miri runs these, too.

use dag::emu::Script;
use dag::file::{DefectKind, Record, RecordBuilder, RecordType, TimeDelta};
use dag::{Card, PollRules, RxStream};

/// A frame of 64 bytes whose payload begins with its number.
fn packet(number: u8, port: u8) -> Vec<u8> {
    let mut frame = [0x55; 60];
    frame[0] = number;
    RecordBuilder::new(RecordType::ETH).interface(port).payload(&frame).append_fcs().to_vec().unwrap()
}

fn script(packets: u8) -> Script {
    (0..packets).try_fold(Script::new(), |script, n| script.record(&packet(n, n % 2))).unwrap()
}

fn started(script: Script) -> RxStream {
    let mut stream = Card::emulated(script.card().unwrap(), "test").attach(0).unwrap();
    stream.start().unwrap();
    stream
}

fn number(record: &Record<'_>) -> u8 {
    record.payload()[0]
}

#[test]
fn records_come_once_and_in_order_and_then_the_end() {
    let mut stream = started(script(5));
    let batch = stream.advance().unwrap();
    let seen: Vec<(u8, u8)> = batch.iter().map(|r| r.map(|r| (number(&r), r.interface())).unwrap()).collect();
    assert_eq!(seen, [(0, 0), (1, 1), (2, 0), (3, 1), (4, 0)]);
    assert!(!batch.is_end(), "the end is told when nothing is left");
    let batch = stream.advance().unwrap();
    assert!(batch.is_empty() && batch.is_end());
    stream.close().unwrap();
}

#[test]
fn what_is_kept_is_lent_again() {
    let mut stream = started(script(5));
    let batch = stream.advance().unwrap();
    let records: Vec<Record<'_>> = batch.iter().flatten().collect();
    batch.keep_from(&records[3]).unwrap();
    batch.keep_from(&records[2]).unwrap();
    batch.keep_from(&records[4]).unwrap();
    let batch = stream.advance().unwrap();
    let again: Vec<u8> = batch.iter().flatten().map(|r| number(&r)).collect();
    assert_eq!(again, [2, 3, 4], "the call that keeps most holds");
    assert!(stream.advance().unwrap().is_end());
}

#[test]
fn a_record_of_somewhere_else_cannot_be_kept_from() {
    let mut stream = started(script(2));
    let batch = stream.advance().unwrap();
    let foreign = packet(9, 0);
    let foreign = Record::parse(&foreign).unwrap();
    assert_eq!(batch.keep_from(&foreign).unwrap_err().kind(), dag::ErrorKind::State);
}

#[test]
fn batches_are_no_longer_than_asked() {
    let mut stream = started(script(7));
    stream.set_max_batch(88 * 3);
    let mut sizes = Vec::new();
    loop {
        let batch = stream.advance().unwrap();
        if batch.is_end() {
            break;
        }
        sizes.push(batch.iter().flatten().count());
    }
    assert_eq!(sizes, [3, 3, 1]);
}

#[test]
fn many_records_on_many_threads_at_once() {
    let mut stream = started(script(6));
    let batch = stream.advance().unwrap();
    let records: Vec<Record<'_>> = batch.iter().flatten().collect();
    let sum: u32 = std::thread::scope(|scope| {
        let halves =
            records.chunks(3).map(|half| scope.spawn(move || half.iter().map(|r| u32::from(number(r))).sum::<u32>()));
        halves.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(sum, 15);
    let _ = (&batch, records[0]);
}

#[expect(clippy::forget_non_drop, reason = "what a user may do, and what a later Drop must not break")]
#[test]
fn forgetting_a_batch_does_no_harm() {
    let mut stream = started(script(3));
    std::mem::forget(stream.advance().unwrap());
    assert!(stream.advance().unwrap().is_end(), "what was lent has been given back");
}

#[test]
fn memory_is_used_over_and_over() {
    // 1 MiB of stream memory, six times over; Miri is content with once and a little.
    let laps = if cfg!(miri) { 1 } else { 6 };
    let payload = [7; 60_000];
    let big = RecordBuilder::new(RecordType::ETH).payload(&payload).to_vec().unwrap();
    let script = (0..laps * 18).try_fold(Script::new(), |script, _| script.record(&big)).unwrap();
    let mut stream = started(script);
    let mut seen = 0;
    loop {
        let batch = stream.advance().unwrap();
        for record in &batch {
            let record = record.unwrap();
            assert!(record.payload() == payload);
            assert_eq!(record.loss(), Some(0), "a script waits for room");
            seen += 1;
        }
        if batch.is_end() {
            break;
        }
    }
    assert_eq!(seen, laps * 18);
}

#[test]
fn losses_are_told_by_the_record_behind_them_and_stick() {
    let script = Script::new().record(&packet(0, 0)).unwrap().lose(100_000).record(&packet(1, 0)).unwrap().lose(3);
    let mut stream = started(script);
    let batch = stream.advance().unwrap();
    let told: Vec<_> = batch.iter().flatten().map(|r| r.loss()).collect();
    assert_eq!(told, [Some(0), Some(0xFFFF)]);
    let drops = stream.drops().unwrap();
    assert_eq!((drops.counter, drops.pending), (100_003, Some(3)));
}

#[test]
fn a_wait_in_the_script_ends_when_the_clock_is_moved() {
    let hour = TimeDelta::from_nanos(3_600_000_000_000);
    let script = script(1).wait(hour).record(&packet(1, 0)).unwrap().stamp_on_arrival();
    let emulated = script.card().unwrap();
    let clock = emulated.clock().clone();
    let mut stream = Card::emulated(emulated, "test").attach(0).unwrap();
    stream.start().unwrap();
    let first = stream.advance().unwrap().iter().flatten().next().unwrap().timestamp();
    assert!(stream.advance().unwrap().is_empty());
    clock.advance(hour);
    let second = stream.advance().unwrap().iter().flatten().next().unwrap().timestamp();
    assert_eq!(second - first, hour);
}

#[test]
fn a_lie_about_a_length_is_a_defect_with_its_place() {
    let script = script(1).configure(|spec| spec.faults = Some("bad-length:1".parse().unwrap()));
    let mut stream = started(script);
    let batch = stream.advance().unwrap();
    let defect = batch.iter().next().unwrap().unwrap_err();
    assert_eq!(defect.offset, 0);
    assert!(!matches!(defect.kind, DefectKind::ZeroTail { .. }), "{defect}");
    assert!(stream.advance().unwrap().is_end(), "and the stream goes on behind it");
}

#[test]
fn a_stream_has_one_owner_and_begins_anew() {
    let card = Card::emulated(script(4).card().unwrap(), "test");
    let mut stream = card.attach(0).unwrap();
    assert_eq!(card.attach(0).unwrap_err().kind(), dag::ErrorKind::Busy);
    assert_eq!(card.attach(1).unwrap_err().kind(), dag::ErrorKind::NoSuchStream);
    assert_eq!(card.attach(2).unwrap_err().kind(), dag::ErrorKind::NoSuchStream);
    assert_eq!(stream.advance().unwrap_err().kind(), dag::ErrorKind::State, "not started");
    stream.set_poll_rules(PollRules::non_blocking());
    stream.start().unwrap();
    drop(stream);
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    let batch = stream.advance().unwrap();
    assert_eq!(batch.position(), 0, "every owner begins at the start of the ring");
    assert_eq!(batch.iter().flatten().count(), 4);
}

#[test]
fn whoever_keeps_what_was_lent_is_shown_more_as_soon_as_it_is_there() {
    let second = TimeDelta::from_nanos(1_000_000_000);
    let long = RecordBuilder::new(RecordType::ETH).payload(&[7; 40_000]).to_vec().unwrap();
    let add = |script: Script, count: u32| (0..count).try_fold(script, |script, _| script.record(&long)).unwrap();
    let emulated = add(add(Script::new(), 2).wait(second), 8).card().unwrap();
    let clock = emulated.clock().clone();
    let mut stream = Card::emulated(emulated, "test").attach(0).unwrap();
    // With anything to wait for, what is kept would do.
    stream.set_nonblocking(true);
    // Three records at most: the first two windows end within a batch of the bottom, and beyond it.
    stream.set_max_batch(128 << 10);
    stream.start().unwrap();
    let shown = [0, 1, 2].map(|_| {
        let batch = stream.advance().unwrap();
        let records: Vec<Record<'_>> = batch.iter().flatten().collect();
        batch.keep_from(&records[0]).unwrap();
        clock.advance(second);
        records.len()
    });
    assert_eq!(shown, [2, 3, 3]);
}
