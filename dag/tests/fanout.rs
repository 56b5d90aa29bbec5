//! One stream lent to several readers. On a scripted card, which drops nothing, Miri runs these, too.

use dag::emu::Script;
use dag::file::{RecordBuilder, RecordType, Timestamp};
use dag::{Card, FanoutReader, PollRules, RxStream};

/// A frame of `len` bytes whose payload begins with its number.
fn packet(number: u32, len: usize) -> Vec<u8> {
    let mut frame = vec![0x55; len];
    frame[..4].copy_from_slice(&number.to_be_bytes());
    let stamp = Timestamp::from_parts(1_700_000_000, 0);
    RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&frame).append_fcs().to_vec().unwrap()
}

fn script(packets: u32, len: usize) -> Script {
    (0..packets).try_fold(Script::new(), |script, n| script.record(&packet(n, len))).unwrap()
}

fn stream(script: Script) -> RxStream {
    Card::emulated(script.card().unwrap(), "test").attach(0).unwrap()
}

/// The numbers in this reader's next batch, and whether it was the end.
fn numbers(reader: &mut FanoutReader) -> (Vec<u32>, bool) {
    let batch = reader.advance().unwrap();
    let number = |record: dag::file::Record<'_>| u32::from_be_bytes(record.payload()[..4].try_into().unwrap());
    (batch.iter().map(|record| number(record.unwrap())).collect(), batch.is_end())
}

fn all(reader: &mut FanoutReader) -> Vec<u32> {
    let mut seen = Vec::new();
    loop {
        let (more, is_end) = numbers(reader);
        seen.extend(more);
        if is_end {
            return seen;
        }
    }
}

#[test]
fn every_reader_sees_every_record_once_and_in_order() {
    let mut readers = stream(script(40, 60)).fan_out_to(3).unwrap();
    readers[1].set_max_batch(3 * 88);
    let seen: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = readers.iter_mut().map(|reader| scope.spawn(|| all(reader))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for seen in seen {
        assert_eq!(seen, (0..40).collect::<Vec<u32>>());
    }
    assert!(numbers(&mut readers[2]).1, "the end stays the end");
}

/// Going round takes Miri minutes; `lending.rs` does it once.
#[cfg(not(miri))]
#[test]
fn memory_is_given_back_as_the_slowest_reader_completes() {
    // 1 MiB of stream memory, five times over.
    let packets = 90;
    let mut stream = stream(script(packets, 60_000));
    stream.set_poll_rules(PollRules::non_blocking());
    let [mut fast, mut slow] = stream.fan_out().unwrap();
    fast.set_max_batch(u64::MAX);
    slow.set_max_batch(1);
    let mut ahead = std::collections::BTreeSet::new();
    let (first, _) = numbers(&mut slow);
    assert_eq!(first, [0]);
    // Without the other one, it goes as far as there is memory: the card has no room for more, and waits as scripts do.
    for _ in 0..20 {
        ahead.extend(numbers(&mut fast).0);
    }
    assert!((10..18).contains(&ahead.len()), "{}", ahead.len());
    assert!(slow.unread() > 500_000 && fast.unread() == 0);
    // What the slow one holds has been there all the time.
    let mut next = 1;
    while next < packets {
        let (seen, _) = numbers(&mut slow);
        assert_eq!(seen, [next]);
        next += 1;
        ahead.extend(numbers(&mut fast).0);
    }
    assert_eq!(ahead.len() as u32, packets);
}

#[cfg(not(miri))]
#[test]
fn a_reader_that_has_gone_holds_nobody_up() {
    let packets = 40;
    let [mut stays, goes] = stream(script(packets, 60_000)).fan_out().unwrap();
    drop(goes);
    assert_eq!(all(&mut stays).len() as u32, packets);
}

#[test]
fn a_reader_keeps_for_itself() {
    let [mut keeps, mut other] = stream(script(5, 60)).fan_out().unwrap();
    let batch = keeps.advance().unwrap();
    let third = batch.iter().flatten().nth(2).unwrap();
    batch.keep_from(&third).unwrap();
    assert_eq!(numbers(&mut other).0, [0, 1, 2, 3, 4]);
    assert_eq!(numbers(&mut keeps).0, [2, 3, 4]);
    assert!(numbers(&mut keeps).1 && numbers(&mut other).1);
}

#[test]
fn nobody_waits_who_does_not_want_to() {
    let hour = dag::file::TimeDelta::from_nanos(3_600_000_000_000);
    let script = script(1, 60).wait(hour).record(&packet(1, 60)).unwrap();
    let emulated = script.card().unwrap();
    let clock = emulated.clock().clone();
    let mut stream = Card::emulated(emulated, "test").attach(0).unwrap();
    stream.set_poll_rules(PollRules::non_blocking());
    let [mut a, mut b] = stream.fan_out().unwrap();
    assert_eq!((numbers(&mut a).0, numbers(&mut a).0), (vec![0], vec![]));
    clock.advance(hour);
    assert_eq!((numbers(&mut a).0, numbers(&mut b).0), (vec![1], vec![0, 1]));
}

#[test]
fn the_stream_is_free_again_when_the_last_reader_is_gone() {
    let card = Card::emulated(script(3, 60).card().unwrap(), "test");
    let [mut a, b] = card.attach(0).unwrap().fan_out().unwrap();
    drop(b);
    assert_eq!(card.attach(0).unwrap_err().kind(), dag::ErrorKind::Busy);
    assert_eq!(all(&mut a).len(), 3);
    drop(a);
    card.attach(0).unwrap();
}

/// The card is no script: it does not wait for a slow reader.
#[cfg(not(miri))]
#[test]
fn what_a_slow_reader_has_no_room_for_is_the_cards_loss_for_all() {
    let card = Card::open("emu:synthetic=64,rate=max,count=40000,memory=1MiB").unwrap();
    let [mut fast, mut slow] = card.attach(0).unwrap().fan_out().unwrap();
    let count = |reader: &mut FanoutReader| {
        let (mut packets, mut lost) = (0, 0);
        let batch = reader.advance().unwrap();
        for record in batch.iter().flatten() {
            packets += 1;
            lost += u64::from(record.loss().unwrap());
        }
        (packets, lost, batch.is_end())
    };
    // The slow one reads nothing until the card has dropped.
    let (mut packets, mut lost) = (0, 0);
    while fast.drops().unwrap().counter == 0 {
        let (more, gone, _) = count(&mut fast);
        (packets, lost) = (packets + more, lost + gone);
    }
    let (mut slow_packets, mut slow_lost) = (0, 0);
    let mut ended = (false, false);
    while ended != (true, true) {
        let (more, gone, is_end) = count(&mut fast);
        (packets, lost, ended.0) = (packets + more, lost + gone, is_end);
        let (more, gone, is_end) = count(&mut slow);
        (slow_packets, slow_lost, ended.1) = (slow_packets + more, slow_lost + gone, is_end);
    }
    assert_eq!((packets, lost), (slow_packets, slow_lost), "both have seen the same");
    let drops = fast.drops().unwrap();
    assert!(drops.counter > 0);
    assert_eq!(packets + u64::from(drops.counter), 40_000, "the card has counted what is missing");
}

/// What feeds the card fails: each reader is told, after all that came before.
#[cfg(not(miri))]
#[test]
fn each_reader_is_told_of_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torn.erf.gz");
    // Stored blocks, none of which says that it is the last one, and nothing behind them.
    let block = packet(0, 60).repeat(700);
    let len = (block.len() as u16).to_le_bytes();
    let block = [&[0, len[0], len[1], !len[0], !len[1]][..], &block].concat();
    std::fs::write(&path, [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &block.repeat(100)].concat()).unwrap();
    let card = Card::open(&format!("emu:replay={},pace=max", path.display())).unwrap();
    let mut readers = card.attach(0).unwrap().fan_out_to(2).unwrap();
    let outcome = |reader: &mut FanoutReader| {
        let mut packets = 0;
        loop {
            match reader.advance() {
                Ok(batch) if batch.is_end() => return (packets, None),
                Ok(batch) => packets += batch.iter().flatten().count(),
                Err(error) => return (packets, Some((error.kind(), error.to_string()))),
            }
        }
    };
    let told: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = readers.iter_mut().map(|reader| scope.spawn(|| outcome(reader))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(told[0].0 > 0);
    assert_eq!(told[0], told[1]);
    assert!(told[0].1.is_some(), "{told:?}");
    // And so is one that has the stream to itself.
    drop(readers);
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    assert_eq!(stream.advance().map(|batch| batch.is_end()).map_err(|error| error.kind()), Err(dag::ErrorKind::Feed));
}
