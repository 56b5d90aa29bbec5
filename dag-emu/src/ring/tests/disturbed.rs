//! The protocol against registers that hold what they should not.

use crate::ring::protocol::{ConsumerHalf, ProducerHalf};
use crate::ring::registers::{self, BAD_BOTTOM, Registers};
use crate::ring::sync::Native;
use crate::ring::*;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

type Page = Arc<Registers<Native>>;
type Card = ProducerHalf<Native, Page>;
type Owner = ConsumerHalf<Native, Page>;

/// Both halves on bare registers, which the test can disturb.
fn halves(len: u64) -> (Page, Arc<Mutex<Card>>, Owner) {
    let page = Page::default();
    let producer = Arc::new(Mutex::new(ProducerHalf::new(Arc::clone(&page), len)));
    let other = Arc::clone(&producer);
    let driver = Driver::new(move |_| {
        other.lock().unwrap().service();
        Turn::Idle
    });
    let mut consumer = ConsumerHalf::attach(Arc::clone(&page), len, Some(driver)).unwrap();
    consumer.start().unwrap();
    (page, producer, consumer)
}

#[test]
fn a_release_that_can_not_be_is_ignored_and_flagged() {
    let (page, producer, mut consumer) = halves(128);
    let mut producer = producer.lock().unwrap();
    let fill = |producer: &mut Card| {
        assert!(producer.reserve(64).is_some());
        producer.commit(64).unwrap();
    };
    fill(&mut producer);
    fill(&mut producer);
    assert_eq!(producer.reserve(8), None);
    assert_eq!(producer.bad_bottoms(), 0);
    // Ahead of `top`, and far ahead.
    for (bad, count) in [(129, 1), (u64::MAX, 2)] {
        page.bottom.0.store(bad, Ordering::Release);
        assert_eq!(producer.reserve(8), None);
        assert_eq!(producer.bad_bottoms(), count);
        assert_eq!(page.told.0.flags.load(Ordering::Acquire), BAD_BOTTOM);
    }
    // A good one counts again; then backwards.
    page.bottom.0.store(0, Ordering::Release);
    consumer.advance(0).unwrap();
    consumer.advance(64).unwrap();
    assert_eq!(producer.reserve(64), Some(0));
    producer.commit(64).unwrap();
    page.bottom.0.store(63, Ordering::Release);
    assert_eq!(producer.reserve(8), None);
    assert_eq!(producer.bad_bottoms(), 3);
    assert_eq!(producer.free(), 0);
    // The next owner is not told of the sins of the last.
    drop(consumer);
    assert_eq!(producer.service(), Some(Event::Detached));
    let epoch = registers::epoch(page.asked.0.request.load(Ordering::Acquire));
    page.asked.0.request.store(registers::word(epoch + 1, Command::Attach as u8), Ordering::Release);
    assert_eq!(producer.service(), Some(Event::Attached));
    assert_eq!(page.told.0.flags.load(Ordering::Acquire), 0);
}

#[test]
fn a_top_that_can_not_be_is_an_error() {
    let (page, producer, mut consumer) = halves(128);
    producer.lock().unwrap().reserve(64).unwrap();
    producer.lock().unwrap().commit(64).unwrap();
    producer.lock().unwrap().publish();
    consumer.advance(0).unwrap();
    for bad in [63, 129 + 32, u64::MAX] {
        page.top.0.store(bad, Ordering::Release);
        assert_eq!(consumer.advance(32), Err(AdvanceError::BadTop { top: bad, least: 64, most: 160 }));
        assert_eq!(page.bottom.0.load(Ordering::Acquire), 0, "nothing was released");
    }
    page.top.0.store(64, Ordering::Release);
    assert_eq!(consumer.advance(32).unwrap(), Window { bottom: 32, top: 64 });
    // A start computes the next lap from `top`, which must not overflow.
    consumer.stop().unwrap();
    page.top.0.store(u64::MAX, Ordering::Release);
    assert!(matches!(consumer.start(), Err(RequestError::Refused { .. })));
}

#[test]
fn an_unknown_request_changes_nothing() {
    let (page, producer, mut consumer) = halves(128);
    page.asked.0.request.store(registers::word(77, 200), Ordering::Release);
    assert_eq!(producer.lock().unwrap().service(), None);
    assert_eq!(page.told.0.answer.load(Ordering::Acquire), registers::word(77, State::Started as u8));
    consumer.stop().unwrap();
    // A start of a stream that nobody has attached.
    page.asked.0.request.store(registers::word(90, Command::Detach as u8), Ordering::Release);
    assert_eq!(producer.lock().unwrap().service(), Some(Event::Detached));
    let refused = RequestError::Refused { command: Command::Start, state: Some(State::Idle) };
    assert_eq!(consumer.start(), Err(refused));
    assert_eq!(consumer.advance(0), Err(AdvanceError::NotStarted));
}

#[test]
fn epochs_wrap_at_56_bits() {
    let last = (1 << 56) - 1;
    assert_eq!(registers::next_epoch(last), 0);
    assert_eq!(registers::epoch(registers::word(last, 2)), last);
    assert_eq!(registers::next_epoch(6), 7);
}
