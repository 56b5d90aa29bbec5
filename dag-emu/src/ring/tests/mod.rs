//! The ring as its users see it. Under Miri (without the part that rests on the system): `cargo +nightly miri test -p dag-emu
//! --lib ring::`.

mod disturbed;
mod poll;
#[cfg(all(not(miri), target_os = "linux"))]
mod system;

use super::*;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A page, and enough for small tests.
const LEN: u64 = 4096;
/// No limit, and no look in between.
const FOREVER: PollRules = PollRules { mindata: 16, maxwait: Duration::ZERO, poll: Duration::from_secs(u64::MAX) };

type Card = Arc<Mutex<Producer>>;

/// A ring without threads: each time the consumer waits, the producer answers.
fn manual(len: u64) -> (Card, Share) {
    let (producer, share) = create(len, Allocation::OnDemand).unwrap();
    let card = Arc::new(Mutex::new(producer));
    let other = Arc::clone(&card);
    let driver = Driver::new(move |_| {
        other.lock().unwrap().service();
        Turn::Idle
    });
    (card, share.with_driver(driver))
}

fn started(len: u64) -> (Card, Consumer) {
    let (card, share) = manual(len);
    let mut consumer = share.attach().unwrap();
    consumer.start().unwrap();
    (card, consumer)
}

/// Commits one record of `len` bytes that all hold `fill`; false if there is no room.
fn put(producer: &mut Producer, len: usize, fill: u8) -> bool {
    let bytes = vec![fill; len];
    let Some(mut slot) = producer.reserve(len) else {
        return false;
    };
    slot.copy_from(&bytes).unwrap();
    producer.commit(len).unwrap();
    true
}

#[test]
fn headers_are_written_over_what_lies_there_and_never_beyond_the_slot() {
    let (card, mut consumer) = started(LEN);
    // Three records of 24 bytes, of which the second lies across the seam.
    let stamps = [1, 2, 3].map(erf_core::Timestamp::from_raw);
    let words = [u64::from_ne_bytes([2, 4, 0, 24, 0, 0, 0, 8]); 3];
    let mut producer = card.lock().unwrap();
    let before = LEN as usize - 40;
    assert!(put(&mut producer, before, 0xAA));
    producer.publish();
    consumer.advance(0).unwrap();
    consumer.advance(before as u64).unwrap();
    let mut slot = producer.reserve(72).unwrap();
    slot.copy_from(&[0x55; 72]).unwrap();
    slot.write_headers(0, &stamps, &words).unwrap();
    let overrun = slot.write_headers(24, &stamps, &words).unwrap_err();
    assert_eq!((overrun.offset, overrun.room), (72, 72));
    producer.commit(72).unwrap();
    producer.publish();
    drop(producer);
    let window = consumer.advance(before as u64).unwrap();
    assert_eq!(window.len(), 72);
    let expected = |stamp: u8| [&[stamp, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 24, 0, 0, 0, 8][..], &[0x55; 8]].concat();
    // The second call has written the stamps of the first two records once more, a record later.
    assert_eq!(consumer.bytes(), [expected(1), expected(1), expected(2)].concat());
}

#[test]
fn whoever_may_write_to_the_ring_is_known_to_its_producer() {
    let (card, share) = manual(LEN);
    assert!(card.lock().unwrap().is_private());
    drop(share.mapped_anew(Access::Read).unwrap());
    let _consumer = share.attach().unwrap();
    assert!(card.lock().unwrap().is_private());
    drop(share.mapped_anew(Access::ReadWrite).unwrap());
    assert!(!card.lock().unwrap().is_private(), "the mapping may be kept");
}

#[test]
fn states_follow_the_requests() {
    let (producer, share) = create(LEN, Allocation::Prefaulted).unwrap();
    let card = Arc::new(Mutex::new(producer));
    let events = Arc::new(Mutex::new(Vec::new()));
    let (other, log) = (Arc::clone(&card), Arc::clone(&events));
    let share = share.with_driver(Driver::new(move |need| {
        assert_eq!(need, Need::Answer);
        log.lock().unwrap().extend(other.lock().unwrap().service());
        Turn::Ran
    }));
    let mut consumer = share.attach().unwrap();
    assert_eq!(card.lock().unwrap().state(), State::Attached);
    assert_eq!(consumer.advance(0), Err(AdvanceError::NotStarted));
    consumer.stop().unwrap();
    consumer.start().unwrap();
    consumer.start().unwrap();
    assert!(card.lock().unwrap().is_started());
    consumer.stop().unwrap();
    assert_eq!(card.lock().unwrap().state(), State::Attached);
    consumer.start().unwrap();
    consumer.detach().unwrap();
    assert_eq!(card.lock().unwrap().state(), State::Idle);
    let expected = [Event::Attached, Event::Started, Event::Stopped, Event::Started, Event::Detached];
    assert_eq!(*events.lock().unwrap(), expected);
}

#[test]
fn a_stream_has_one_owner() {
    let (_card, share) = manual(LEN);
    let first = share.attach().unwrap();
    assert_eq!(share.attach().unwrap_err(), RequestError::Busy);
    first.detach().unwrap();
    let second = share.attach().unwrap();
    assert_eq!(share.clone().attach().unwrap_err(), RequestError::Busy);
    drop(second);
    share.attach().unwrap().detach().unwrap();
}

#[test]
fn nothing_is_received_or_counted_unless_started() {
    let (card, share) = manual(LEN);
    let mut card_end = card.lock().unwrap();
    assert!(card_end.reserve(16).is_none());
    card_end.drop_n(3);
    drop(card_end);
    let mut consumer = share.attach().unwrap();
    assert!(card.lock().unwrap().reserve(16).is_none());
    assert_eq!(card.lock().unwrap().free(), 0);
    consumer.start().unwrap();
    assert_eq!(card.lock().unwrap().free(), LEN);
    assert_eq!(consumer.drops(), Drops::default());
    assert!(card.lock().unwrap().reserve(16).is_some());
}

#[test]
fn records_never_wrap() {
    let (card, mut consumer) = started(LEN);
    let mut release_to = 0;
    // 56 does not divide 4096, so in the course of this the end of the ring falls on many places of a record.
    let records = if cfg!(miri) { 90 } else { 300_u32 };
    for lap in 0..records {
        let fill = lap as u8;
        let mut producer = card.lock().unwrap();
        assert!(put(&mut producer, 56, fill));
        let mut slot = producer.reserve(56).unwrap();
        slot.copy_from(&[0xFF; 56]).unwrap();
        slot.fill_zero(8..48).unwrap();
        producer.commit(56).unwrap();
        producer.publish();
        drop(producer);
        let window = consumer.advance(release_to).unwrap();
        assert_eq!(window.len(), 112);
        let mut expected = vec![fill; 56];
        expected.extend([0xFF; 8]);
        expected.extend([0; 40]);
        expected.extend([0xFF; 8]);
        assert_eq!(consumer.bytes(), expected);
        assert_eq!(consumer.slice(window.bottom + 56..window.top).unwrap(), &expected[56..]);
        release_to = window.top;
    }
    assert!(release_to > 2 * LEN);
}

#[test]
fn only_the_window_can_be_read_and_released() {
    let (card, mut consumer) = started(LEN);
    let mut producer = card.lock().unwrap();
    put(&mut producer, 64, 1);
    producer.publish();
    put(&mut producer, 64, 2);
    let window = consumer.advance(0).unwrap();
    assert_eq!(window, Window { bottom: 0, top: 64 }, "committed is not published");
    producer.publish();
    let bad = |release_to, bottom, top| Err(AdvanceError::BadRelease { release_to, bottom, top });
    assert_eq!(consumer.advance(65), bad(65, 0, 64), "published is not exposed before an advance");
    assert_eq!(consumer.slice(0..65), None);
    let (start, end) = (10, 5);
    assert_eq!(consumer.slice(start..end), None);
    let window = consumer.advance(40).unwrap();
    assert_eq!(window, Window { bottom: 40, top: 128 });
    assert_eq!(consumer.advance(39), bad(39, 40, 128));
    assert_eq!(consumer.slice(39..50), None);
    assert_eq!(consumer.slice(128..128).unwrap(), &[0u8; 0]);
    assert_eq!(consumer.bytes()[24..], [2; 64]);
    assert_eq!(producer.free(), LEN - 88);
}

#[test]
fn a_full_ring_drops_and_tells() {
    let (card, mut consumer) = started(LEN);
    let mut producer = card.lock().unwrap();
    while put(&mut producer, 512, 7) {}
    producer.drop_one();
    assert!(producer.reserve(8).is_none(), "all of the ring is used");
    producer.drop_n(2);
    // Looking for room has published what was committed.
    let window = consumer.advance(0).unwrap();
    assert_eq!(window.len(), LEN);
    assert_eq!(consumer.bytes().len() as u64, LEN);
    assert_eq!(consumer.drops(), Drops { total: 3, pending: 3 });
    consumer.advance(512).unwrap();
    assert!(producer.reserve(513).is_none());
    producer.drop_one();
    assert!(producer.reserve(512).is_some());
    assert_eq!(producer.take_lctr(), 4);
    assert_eq!(producer.take_lctr(), 0);
    assert_eq!(consumer.drops(), Drops { total: 4, pending: 0 });
}

#[test]
fn loss_counters_stick_and_wrap() {
    let (card, consumer) = started(LEN);
    let mut producer = card.lock().unwrap();
    for (drops, lctr) in [(0xFFFE, 0xFFFE), (0xFFFF, 0xFFFF), (0x1_0000, 0xFFFF), (1 << 40, 0xFFFF), (1, 1)] {
        producer.drop_n(drops);
        assert_eq!(producer.take_lctr(), lctr, "{drops} drops");
    }
    let total = 0xFFFE + 0xFFFF + 0x1_0000 + 1;
    assert_eq!(consumer.drops(), Drops { total, pending: 0 });
    producer.drop_n(u64::from(u32::MAX));
    assert_eq!(consumer.drops().total, total - 1, "the counter is 32 bits wide and wraps");
    producer.drop_n(u64::MAX);
    assert_eq!(consumer.drops().pending, u64::MAX);
}

#[test]
fn stop_publishes_and_freezes_and_attach_zeroes() {
    let (card, share) = manual(LEN);
    let mut consumer = share.attach().unwrap();
    consumer.start().unwrap();
    assert!(put(&mut card.lock().unwrap(), 64, 1));
    card.lock().unwrap().drop_n(5);
    card.lock().unwrap().end_of_feed();
    consumer.stop().unwrap();
    card.lock().unwrap().drop_n(9);
    assert_eq!(consumer.drops(), Drops { total: 5, pending: 5 });
    let window = consumer.advance(0).unwrap();
    assert_eq!(window.len(), 64, "what was committed when the stop came can be drained");
    assert!(consumer.is_last());
    assert!(!put(&mut card.lock().unwrap(), 64, 1));
    consumer.detach().unwrap();

    let mut consumer = share.attach().unwrap();
    assert_eq!(consumer.drops(), Drops::default());
    consumer.start().unwrap();
    assert_eq!(consumer.advance(0).unwrap(), Window { bottom: 0, top: 0 });
    assert!(!consumer.is_last());
}

#[test]
fn a_restart_begins_at_ring_offset_zero() {
    let (card, mut consumer) = started(LEN);
    assert!(put(&mut card.lock().unwrap(), 200, 1));
    consumer.stop().unwrap();
    assert_eq!(consumer.advance(0).unwrap().len(), 200);
    consumer.start().unwrap();
    let window = consumer.advance(LEN).unwrap();
    assert_eq!(window, Window { bottom: LEN, top: LEN }, "what was not read is given up");
    assert!(put(&mut card.lock().unwrap(), LEN as usize, 2), "the whole ring is free");
    card.lock().unwrap().publish();
    let window = consumer.advance(LEN).unwrap();
    assert_eq!(window.len(), LEN);
    assert_eq!(consumer.bytes().as_ptr(), consumer.mapping().base());
    assert_eq!(card.lock().unwrap().bad_bottoms(), 0);
}

#[test]
fn a_request_ends_a_reservation() {
    let (producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let card = Arc::new(Mutex::new(producer));
    let other = Arc::clone(&card);
    // A producer that is always in the middle of a record when requests arrive.
    let share = share.with_driver(Driver::new(move |_| {
        let mut producer = other.lock().unwrap();
        let reserved = producer.reserve(64).is_some();
        producer.service();
        assert_eq!(producer.commit(64).unwrap_err().room, 0, "reserved: {reserved}");
        Turn::Ran
    }));
    for _ in 0..3 {
        let mut consumer = share.attach().unwrap();
        consumer.start().unwrap();
        assert!(put(&mut card.lock().unwrap(), 64, 3));
        card.lock().unwrap().publish();
        assert_eq!(consumer.advance(0).unwrap(), Window { bottom: 0, top: 64 });
        // Left without a word, while started.
        drop(consumer);
    }
}

#[test]
fn a_slot_keeps_its_bounds() {
    let (card, _consumer) = started(LEN);
    let mut producer = card.lock().unwrap();
    assert!(producer.reserve(LEN as usize + 8).is_none());
    assert!(producer.reserve(usize::MAX).is_none());
    let mut slot = producer.reserve(32).unwrap();
    assert_eq!(slot.len(), 32);
    assert!(slot.write(16, &[0; 16]).is_ok());
    assert!(slot.write(32, &[]).is_ok());
    assert_eq!(slot.write(17, &[0; 16]), Err(Overrun { offset: 17, len: 16, room: 32 }));
    assert!(slot.write(usize::MAX, &[0; 2]).is_err());
    assert!(slot.copy_from(&[0; 33]).is_err());
    assert!(slot.fill_zero(0..33).is_err());
    assert!(slot.fill_zero(33..33).is_err());
    let error = producer.commit(33).unwrap_err();
    assert_eq!(
        error.to_string(),
        "33 bytes at offset 0 do not fit the 32 bytes reserved in the ring; reserve the whole record first"
    );
    producer.commit(24).unwrap();
    assert!(producer.commit(8).is_err(), "one commit for one reservation");
}

#[test]
fn a_producer_that_is_gone_or_silent_is_an_error() {
    let (producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let error = share.attach().unwrap_err();
    assert!(matches!(error, RequestError::NoAnswer { command: Command::Attach, .. }), "{error}");
    drop(producer);
    assert_eq!(share.attach().unwrap_err(), RequestError::ProducerGone, "and it is free again");
}

#[test]
fn two_threads_lose_and_invent_nothing() {
    const RECORD: usize = 24;
    let packets: u64 = if cfg!(miri) { 300 } else { 2_000_000 };
    let (mut producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let card = thread::spawn(move || {
        while producer.service() != Some(Event::Started) {
            producer.park(Duration::MAX);
        }
        for number in 0..packets {
            if producer.reserve(RECORD).is_some() {
                // Beside what the loss counter can say, since it sticks while this consumer is kept from running.
                let lost = producer.drops().pending;
                assert_eq!(u64::from(producer.take_lctr()), lost.min(0xFFFF));
                let mut slot = producer.reserve(RECORD).unwrap();
                slot.write(0, &number.to_le_bytes()).unwrap();
                slot.write(8, &(!number).to_le_bytes()).unwrap();
                slot.write(16, &lost.to_le_bytes()).unwrap();
                producer.commit(RECORD).unwrap();
            } else {
                producer.drop_one();
            }
            if number % 7 == 0 {
                producer.publish();
            }
            assert_eq!(producer.service(), None);
        }
        producer.end_of_feed();
        while producer.service() != Some(Event::Detached) {
            producer.park(Duration::MAX);
        }
        assert_eq!(producer.bad_bottoms(), 0);
    });
    let mut consumer = share.attach().unwrap();
    consumer.start().unwrap();
    let word = |record: &[u8], at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
    let (mut next, mut received, mut told, mut release_to) = (0, 0, 0, 0);
    loop {
        let window = consumer.wait(release_to, &FOREVER, None).unwrap();
        for record in consumer.bytes().chunks_exact(RECORD) {
            let (number, lost) = (word(record, 0), word(record, 16));
            assert_eq!(word(record, 8), !number);
            assert_eq!(number, next + lost, "what is missing was counted");
            next = number + 1;
            told += lost;
            received += 1;
        }
        release_to = window.top;
        if consumer.is_last() && window.is_empty() {
            break;
        }
    }
    consumer.stop().unwrap();
    let drops = consumer.drops();
    assert_eq!(received + told + drops.pending, packets);
    assert_eq!(u64::from(drops.total), told + drops.pending);
    consumer.detach().unwrap();
    card.join().unwrap();
}
