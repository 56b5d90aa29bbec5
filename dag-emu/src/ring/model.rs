//! Random sequences of what both ends do, against a model that keeps records in a queue.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const LEN: u64 = 4096;

#[derive(Debug, Clone)]
enum Step {
    /// A record of so many units of 8 bytes arrives.
    Packet(usize),
    Publish,
    /// The consumer advances, and releases so many of the records it holds.
    Advance(usize),
    Stop,
    Start,
    /// The owner leaves, with a word or without, and a new one comes.
    Reattach(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (1_usize..120).prop_map(Step::Packet),
        4 => Just(Step::Publish),
        6 => (0_usize..12).prop_map(Step::Advance),
        1 => Just(Step::Stop),
        1 => Just(Step::Start),
        1 => any::<bool>().prop_map(Step::Reattach),
    ];
    prop::collection::vec(step, 1..if cfg!(miri) { 40 } else { 400 })
}

/// What a ring would be if memory were endless and nobody ran at the same time.
#[derive(Debug, Default)]
struct Model {
    started: bool,
    ever_started: bool,
    head: u64,
    published: u64,
    bottom: u64,
    exposed: u64,
    /// What the producer knows of `bottom`: it looks, and publishes first, only when it finds the ring full.
    seen: u64,
    /// Records not yet released: position and bytes.
    records: VecDeque<(u64, Vec<u8>)>,
    total: u32,
    pending: u64,
}

impl Model {
    fn used(&self) -> u64 {
        self.head - self.bottom
    }

    fn stop(&mut self) {
        if self.started {
            self.published = self.head;
            self.started = false;
        }
    }

    fn start(&mut self) {
        if !self.started {
            self.head = self.published.div_ceil(LEN) * LEN;
            (self.published, self.bottom, self.exposed) = (self.head, self.head, self.head);
            self.seen = self.head;
            self.records.clear();
            (self.started, self.ever_started) = (true, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ring_agrees_with_a_queue(steps in steps()) {
        let (producer, share) = create(LEN, Allocation::OnDemand).unwrap();
        let card = Arc::new(Mutex::new(producer));
        let other = Arc::clone(&card);
        let share = share.with_driver(Driver::new(move |_| {
            other.lock().unwrap().service();
            Turn::Ran
        }));
        let mut consumer = share.attach().unwrap();
        let mut model = Model::default();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Packet(units) => {
                    let mut producer = card.lock().unwrap();
                    let len = 8 * units as u64;
                    if model.started && model.head + len > model.seen + LEN {
                        (model.published, model.seen) = (model.head, model.bottom);
                    }
                    let fits = model.started && model.used() + len <= LEN;
                    let slot = producer.reserve(8 * units);
                    prop_assert_eq!(slot.is_some(), fits);
                    if slot.is_some() {
                        // The first two bytes are the loss counter, the rest is this record's own.
                        let lctr = producer.take_lctr();
                        prop_assert_eq!(u64::from(lctr), model.pending.min(0xFFFF));
                        model.pending = 0;
                        let mut bytes = vec![number as u8; 8 * units];
                        bytes[..2].copy_from_slice(&lctr.to_be_bytes());
                        producer.reserve(8 * units).unwrap().copy_from(&bytes).unwrap();
                        producer.commit(8 * units).unwrap();
                        model.records.push_back((model.head, bytes));
                        model.head += 8 * units as u64;
                    } else {
                        producer.drop_one();
                        if model.started {
                            model.total += 1;
                            model.pending += 1;
                        }
                    }
                }
                Step::Publish => {
                    card.lock().unwrap().publish();
                    model.published = model.head;
                }
                Step::Advance(count) => {
                    let (mut release_to, exposed) = (model.bottom, model.exposed);
                    for _ in 0..count {
                        match model.records.front() {
                            Some((at, bytes)) if at + (bytes.len() as u64) <= exposed => {
                                release_to = at + bytes.len() as u64;
                                model.records.pop_front();
                            }
                            _ => break,
                        }
                    }
                    let window = consumer.advance(release_to);
                    if !model.ever_started {
                        prop_assert_eq!(window, Err(AdvanceError::NotStarted));
                        continue;
                    }
                    (model.bottom, model.exposed) = (release_to, model.published);
                    prop_assert_eq!(window, Ok(Window { bottom: model.bottom, top: model.exposed }));
                    let visible = model.records.iter().filter(|(at, _)| *at < model.exposed);
                    let expected: Vec<&[u8]> = visible.map(|(_, bytes)| bytes.as_slice()).collect();
                    prop_assert!(consumer.bytes() == expected.concat());
                }
                Step::Stop => {
                    consumer.stop().unwrap();
                    model.stop();
                }
                Step::Start => {
                    consumer.start().unwrap();
                    model.start();
                }
                Step::Reattach(politely) => {
                    if politely {
                        consumer.detach().unwrap();
                    } else {
                        drop(consumer);
                    }
                    consumer = share.attach().unwrap();
                    model = Model::default();
                }
            }
            let drops = Drops { total: model.total, pending: model.pending };
            prop_assert_eq!(consumer.drops(), drops);
            prop_assert_eq!(card.lock().unwrap().drops(), drops);
        }
        prop_assert_eq!(card.lock().unwrap().bad_bottoms(), 0);
    }
}
