//! The poll rules of `libdag-contract.md` section 2.9.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn poll_mindata_zero_never_waits() {
    let (card, mut consumer) = started(LEN);
    let rules = PollRules { mindata: 0, maxwait: Duration::MAX, poll: Duration::MAX };
    assert_eq!(consumer.wait(0, &rules, None).unwrap().len(), 0);
    assert!(put(&mut card.lock().unwrap(), 8, 1));
    card.lock().unwrap().publish();
    assert_eq!(consumer.wait(0, &rules, None).unwrap().len(), 8);
    assert_eq!(PollRules::non_blocking().mindata, 0);
}

#[test]
fn poll_returns_what_there_is_when_the_time_is_over() {
    // No driver that knows better: here it is the clock that ends the wait.
    let (mut producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&done);
    let card = thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            if producer.service() == Some(Event::Started) {
                put(&mut producer, 8, 1);
                producer.publish();
            }
            producer.park(Duration::from_millis(1));
        }
    });
    let mut consumer = share.attach().unwrap();
    consumer.start().unwrap();
    let enough = PollRules { mindata: 8, ..FOREVER };
    assert_eq!(consumer.wait(0, &enough, None).unwrap().len(), 8);
    for poll in [Duration::ZERO, Duration::from_micros(100), Duration::MAX] {
        let rules = PollRules { mindata: 9, maxwait: Duration::from_millis(3), poll };
        assert_eq!(consumer.wait(0, &rules, None).unwrap().len(), 8, "less than mindata");
        assert_eq!(consumer.wait(8, &rules, None).unwrap().len(), 0, "nothing at all");
        // Leave the eight bytes out of account in the next round.
        consumer.stop().unwrap();
        consumer.start().unwrap();
        let window = consumer.window();
        assert_eq!(consumer.wait(window.bottom, &enough, None).unwrap().len(), 8);
        consumer.stop().unwrap();
        consumer.detach().unwrap();
        consumer = share.attach().unwrap();
        consumer.start().unwrap();
        assert_eq!(consumer.wait(0, &enough, None).unwrap().len(), 8);
    }
    done.store(true, Ordering::Relaxed);
    card.join().unwrap();
}

#[test]
fn poll_without_limit_waits_for_mindata_and_no_longer() {
    let (mut producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let rounds = if cfg!(miri) { 3 } else { 300 };
    let card = thread::spawn(move || {
        let mut left = rounds;
        while left > 0 {
            match producer.service() {
                // One at a time, so that the consumer has the chance to fall asleep on less than it wants.
                Some(Event::Started) => {
                    for fill in 0..8 {
                        assert!(put(&mut producer, 16, fill));
                        producer.publish();
                        thread::yield_now();
                    }
                }
                Some(Event::Detached) => left -= 1,
                _ => producer.park(Duration::MAX),
            }
        }
    });
    for round in 0..rounds {
        let mut consumer = share.attach().unwrap();
        consumer.start().unwrap();
        let poll = if round % 3 == 0 { Duration::ZERO } else { FOREVER.poll };
        let rules = PollRules { mindata: 128, poll, ..FOREVER };
        assert_eq!(consumer.wait(0, &rules, None).unwrap().len(), 128);
        assert_eq!(consumer.bytes()[112..], [7; 16]);
        consumer.detach().unwrap();
    }
    card.join().unwrap();
}

#[test]
fn poll_wants_no_more_than_half_of_the_ring() {
    let (mut producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let card = thread::spawn(move || {
        loop {
            match producer.service() {
                Some(Event::Started) => {
                    // Full for the next record, though a quarter is empty.
                    assert!(put(&mut producer, LEN as usize / 4 * 3, 1));
                    assert!(producer.reserve(LEN as usize / 2).is_none());
                }
                Some(Event::Detached) => break,
                _ => producer.park(Duration::MAX),
            }
        }
    });
    let mut consumer = share.attach().unwrap();
    consumer.start().unwrap();
    let rules = PollRules { mindata: u64::MAX, ..FOREVER };
    assert_eq!(consumer.wait(0, &rules, None).unwrap().len(), LEN / 4 * 3);
    consumer.detach().unwrap();
    card.join().unwrap();
}

#[test]
fn poll_ends_with_the_feed_the_producer_or_the_interrupt() {
    /// Ends a wait that has no other end, on the producer's thread, maybe before the wait begins.
    type End = fn(Producer, &AtomicBool);
    let cases: [(&str, End); 3] = [
        ("end of feed", |mut producer, _| {
            producer.end_of_feed();
            while producer.service() != Some(Event::Detached) {
                producer.park(Duration::MAX);
            }
        }),
        ("producer gone", |producer, _| drop(producer)),
        ("interrupt", |mut producer, interrupt| {
            interrupt.store(true, Ordering::Relaxed);
            while producer.service() != Some(Event::Detached) {
                producer.park(Duration::MAX);
            }
        }),
    ];
    for (what, end) in cases {
        let (mut producer, share) = create(LEN, Allocation::OnDemand).unwrap();
        let interrupt = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&interrupt);
        let card = thread::spawn(move || {
            while producer.service() != Some(Event::Started) {
                producer.park(Duration::MAX);
            }
            assert!(put(&mut producer, 8, 1));
            producer.publish();
            end(producer, &seen);
        });
        let mut consumer = share.attach().unwrap();
        consumer.start().unwrap();
        let window = consumer.wait(0, &FOREVER, Some(&interrupt)).unwrap();
        // What was there is delivered first; the interrupt may have come before it.
        let window = if window.is_empty() {
            consumer.wait(0, &PollRules { mindata: 8, ..FOREVER }, None).unwrap()
        } else {
            window
        };
        assert_eq!(window.len(), 8, "{what}");
        let drained = consumer.wait(8, &FOREVER, Some(&interrupt));
        match what {
            "producer gone" => assert_eq!(drained, Err(AdvanceError::ProducerGone)),
            _ => assert!(drained.unwrap().is_empty()),
        }
        assert_eq!(consumer.is_last(), what == "end of feed");
        drop(consumer);
        card.join().unwrap();
    }
}

#[test]
fn a_driver_that_has_no_more_ends_the_wait() {
    let (producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let card = Arc::new(Mutex::new((producer, 3)));
    let other = Arc::clone(&card);
    let share = share.with_driver(Driver::new(move |need| {
        let (producer, left) = &mut *other.lock().unwrap();
        producer.service();
        if need == Need::Data {
            if *left == 0 {
                return Turn::Idle;
            }
            *left -= 1;
            assert!(put(producer, LEN as usize, *left), "what the call releases is free for the turn it brings");
            producer.publish();
        }
        Turn::Ran
    }));
    let mut consumer = share.attach().unwrap();
    consumer.start().unwrap();
    let mut window = consumer.window();
    for left in [2, 1, 0] {
        let rules = if left == 1 { PollRules::non_blocking() } else { FOREVER };
        window = consumer.wait(window.top, &rules, None).unwrap();
        assert_eq!(consumer.bytes(), vec![left; LEN as usize]);
    }
    assert!(consumer.wait(window.top, &FOREVER, None).unwrap().is_empty());
}
