//! What an advance lends, and what the next one takes back.

use dag::emu::synthetic::packet_number;
use dag::{Card, ErrorKind};

use super::{open, read_all, started, stream};

#[test]
fn everything_comes_once_and_in_order_whatever_the_batch() {
    for max in [1, 87, 88, 100, 5000, 1 << 20, u64::MAX] {
        let mut stream = stream("synthetic=imix,rate=max,count=3000");
        stream.set_max_batch(max);
        let mut position = 0;
        let mut numbers = Vec::new();
        loop {
            let batch = stream.advance().unwrap();
            assert_eq!(batch.position(), position);
            position += batch.bytes().len() as u64;
            let records: Vec<_> = batch.iter().collect::<Result<_, _>>().unwrap();
            assert!(batch.bytes().len() as u64 <= max || records.len() == 1, "{max}: {} bytes", batch.bytes().len());
            numbers.extend(records.iter().map(|record| packet_number(record.payload()).unwrap()));
            if batch.is_end() {
                assert!(batch.is_empty());
                break;
            }
        }
        assert_eq!(numbers, (0..3000).collect::<Vec<_>>(), "max_batch {max}");
    }
}

#[test]
fn by_default_a_batch_is_a_quarter_of_the_memory_at_most() {
    let mut stream = stream("synthetic,rate=max,count=100000,memory=1MiB");
    loop {
        let batch = stream.advance().unwrap();
        assert!(batch.bytes().len() <= 256 << 10);
        if batch.is_end() {
            return;
        }
    }
}

#[test]
fn what_is_kept_is_lent_again() {
    let mut stream = stream("synthetic,rate=max,count=2000");
    stream.set_max_batch(100 * 88);
    let mut next = 0;
    let mut kept = 0;
    loop {
        let batch = stream.advance().unwrap();
        if batch.is_end() {
            break;
        }
        let records: Vec<_> = batch.iter().collect::<Result<_, _>>().unwrap();
        let Some(first) = records.first() else { continue };
        assert_eq!(packet_number(first.payload()), Some(next), "from what was kept on");
        // Every other time the second half is kept, by the earliest of several calls.
        if records.len() > 1 && kept % 2 == 0 {
            let half = records.len() / 2;
            batch.keep_from(&records[records.len() - 1]).unwrap();
            batch.keep_from(&records[half]).unwrap();
            batch.keep_from(&records[records.len() - 1]).unwrap();
            next += half as u64;
        } else {
            next += records.len() as u64;
        }
        kept += 1;
    }
    assert_eq!(next, 2000);
    assert!(kept > 20);
}

#[test]
fn everything_can_be_kept_as_long_as_there_is_room() {
    let mut stream = stream("synthetic,rate=max,count=2000");
    let mut longest = 0;
    while longest < 2000 * 88 {
        let batch = stream.advance().unwrap();
        assert!(batch.bytes().len() >= longest);
        longest = batch.bytes().len();
        if let Some(first) = batch.iter().next() {
            let first = first.unwrap();
            assert_eq!(packet_number(first.payload()), Some(0));
            batch.keep_from(&first).unwrap();
        }
    }
    let batch = stream.advance().unwrap();
    assert!(!batch.is_end(), "not as long as something is kept");
    assert_eq!(batch.iter().count(), 2000);
}

#[test]
fn a_record_of_another_batch_cannot_be_kept() {
    let (mut one, mut other) = (stream("synthetic,rate=max,count=10"), stream("synthetic,rate=max,count=10"));
    let foreign = loop {
        let batch = other.advance().unwrap();
        if !batch.is_empty() {
            break batch;
        }
    };
    let record = foreign.iter().next().unwrap().unwrap();
    let batch = one.advance().unwrap();
    assert_eq!(batch.keep_from(&record).unwrap_err().kind(), ErrorKind::State);
}

#[test]
fn records_of_a_batch_are_for_any_number_of_threads() {
    let mut stream = stream("synthetic=imix,rate=max,count=5000");
    let mut sum = 0;
    loop {
        let batch = stream.advance().unwrap();
        let records: Vec<_> = batch.iter().collect::<Result<_, _>>().unwrap();
        sum += std::thread::scope(|scope| {
            let pieces = records.chunks(records.len().div_ceil(4).max(1));
            let threads: Vec<_> = pieces
                .map(|piece| scope.spawn(move || piece.iter().filter_map(|r| packet_number(r.payload())).sum::<u64>()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
        });
        if batch.is_end() {
            break;
        }
    }
    assert_eq!(sum, 4999 * 5000 / 2);
}

/// Nothing rests on a destructor.
#[test]
fn a_stream_that_is_forgotten_does_no_harm() {
    let card = open("synthetic,rate=max,count=50000,memory=1MiB,streams=2");
    let mut forgotten = started(&card, 0);
    assert!(forgotten.advance().is_ok());
    std::mem::forget(forgotten);
    assert_eq!(card.attach(0).unwrap_err().kind(), ErrorKind::Busy, "it is still somebody's");
    // The card goes on, dropping what the forgotten stream has no room for.
    let mut other = card.attach(2).unwrap();
    other.start().unwrap();
    read_all(&mut other);
}

#[test]
fn stop_and_start_begin_anew() {
    let card = open("synthetic,rate=20kpps");
    let mut stream = started(&card, 0);
    let before = super::read_some(&mut stream, 50);
    stream.stop().unwrap();
    // What lay there at the stop can still be read.
    let rest = super::read_rest(&mut stream);
    let last = rest.packets.last().or(before.packets.last()).unwrap().number.unwrap();
    let both: Vec<u64> = before.numbers().into_iter().chain(rest.numbers()).collect();
    assert_eq!(both, (0..=last).collect::<Vec<_>>());
    assert!(super::read_rest(&mut stream).packets.is_empty(), "and nothing comes after it");

    std::thread::sleep(std::time::Duration::from_millis(20));
    stream.start().unwrap();
    stream.set_nonblocking(false);
    let after = super::read_some(&mut stream, 50);
    assert!(after.numbers()[0] > last + 1, "the feed went on without us");
    assert_eq!(after.packets[0].lctr, 0, "what came while the stream was stopped is nobody's, and no loss");
    let drops = stream.drops().unwrap();
    assert_eq!(drops.counter, 0);

    // What was not read is given up by a start.
    stream.stop().unwrap();
    stream.start().unwrap();
    let anew = super::read_some(&mut stream, 1);
    assert!(anew.numbers()[0] > after.numbers()[after.numbers().len() - 1]);
}

#[test]
fn a_new_owner_finds_nothing_of_the_old_one() {
    let card = open("synthetic,rate=20kpps");
    let mut first = started(&card, 0);
    let seen = super::read_some(&mut first, 100);
    first.close().unwrap();
    let mut second = started(&card, 0);
    let batch = second.advance().unwrap();
    assert_eq!(batch.position(), 0, "the stream begins anew with its owner");
    let record = batch.iter().next().unwrap().unwrap();
    assert!(packet_number(record.payload()) > seen.packets.last().unwrap().number);
    assert_eq!(record.loss(), Some(0));
}

#[test]
fn a_channel_gives_owned_records_in_order() {
    let card = open("synthetic,rate=max,count=3000");
    let channel = dag::Channel::spawn(card.attach(0).unwrap(), 16).unwrap();
    let numbers: Vec<u64> =
        channel.iter().map(|item| packet_number(item.unwrap().record().unwrap().payload()).unwrap()).collect();
    assert_eq!(numbers, (0..3000).collect::<Vec<_>>());

    // Dropped early, it lets go of the stream.
    let card = open("synthetic,rate=max");
    let channel = dag::Channel::spawn(card.attach(0).unwrap(), 1).unwrap();
    assert!(channel.iter().next().unwrap().is_ok());
    drop(channel);
    assert!(!read_some_of(&card).is_empty());
}

fn read_some_of(card: &Card) -> Vec<u64> {
    super::read_some(&mut started(card, 0), 10).numbers()
}

#[test]
fn a_finite_feed_ends_once_and_stays_ended() {
    let mut stream = stream("synthetic,rate=max,count=5");
    assert_eq!(read_all(&mut stream).packets.len(), 5);
    for _ in 0..3 {
        assert!(stream.advance().unwrap().is_end());
    }
}
