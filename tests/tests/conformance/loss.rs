//! The producer never waits: what has no room is dropped, counted, and told.

use super::{read_rest, stream, until};

#[test]
fn a_reader_that_is_too_slow_is_told_exactly_what_it_has_lost() {
    let mut stream = stream("synthetic=1518,rate=max,memory=1MiB");
    let mut all = Vec::new();
    for _ in 0..8 {
        // Until the memory is full and the card drops.
        until("the card drops", || stream.drops().unwrap().pending != Some(0));
        let batch = stream.advance().unwrap();
        all.extend_from_slice(batch.bytes());
    }
    stream.stop().unwrap();
    let drops = stream.drops().unwrap();
    stream.set_nonblocking(true);
    loop {
        let batch = stream.advance().unwrap();
        if batch.is_empty() {
            break;
        }
        all.extend_from_slice(batch.bytes());
    }
    let seen = house_tests::seen::Seen::in_bytes(&all);
    assert!(seen.defects.is_empty());
    let (told, stuck) = seen.check_sequence();
    assert!(told > 0);
    // Every drop is told by the next record, or pending because there is none.
    let pending = drops.pending.unwrap();
    if !stuck {
        assert_eq!(u64::from(drops.counter), told + pending);
    }
    let last = seen.numbers().last().unwrap() + 1;
    assert_eq!(last, seen.packets.len() as u64 + u64::from(drops.counter) - pending);
}

#[test]
fn the_loss_counter_sticks_and_the_drop_counter_goes_on() {
    let mut stream = stream("synthetic,rate=max,memory=1MiB");
    until("70 000 are dropped", || stream.drops().unwrap().pending.unwrap() >= 70_000);
    // Room again: the next record tells 65 535, which says "at least".
    let mut looked_at = 0;
    loop {
        let batch = stream.advance().unwrap();
        looked_at += batch.iter().count();
        if batch.iter().flatten().any(|record| record.lctr_raw() == u16::MAX) {
            break;
        }
        assert!(looked_at < 1_000_000, "never stuck");
    }
    stream.stop().unwrap();
    assert!(stream.drops().unwrap().counter >= 70_000);
}

#[test]
fn what_comes_while_a_stream_is_stopped_is_no_loss() {
    let mut stream = stream("synthetic=1518,rate=max,memory=1MiB");
    stream.stop().unwrap();
    let counter = stream.drops().unwrap().counter;
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(stream.drops().unwrap().counter, counter, "final once it is stopped");
    read_rest(&mut stream);
}
