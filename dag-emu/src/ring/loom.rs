//! Every interleaving (within a bound of preemptions) of producer and owners, with every value that the memory model
//! lets them see. Run with `RUSTFLAGS="--cfg loom" cargo test --release -p dag-emu --lib ring::loom`.
//!
//! The memory is an array of cells in which `loom` itself reports an access that races with another. Its futex never times out,
//! so a wake or a request that gets lost shows as a deadlock.

use super::protocol::{ConsumerHalf, ProducerHalf};
use super::registers::{Registers, State};
use super::sync::Checked;
use super::{Event, PollRules, RequestError, Window};
use ::loom::cell::UnsafeCell;
use ::loom::model::Builder;
use ::loom::sync::Arc;
use ::loom::thread;
use std::sync::atomic::Ordering;
use std::time::Duration;

type Page = Arc<Registers<Checked>>;
type Producer = ProducerHalf<Checked, Page>;
type Consumer = ConsumerHalf<Checked, Page>;

const CELLS: u64 = 2;

/// A ring whose bytes are cells: one position, one value.
#[derive(Clone)]
struct Ring {
    page: Page,
    cells: Arc<[UnsafeCell<u64>; CELLS as usize]>,
}

impl Ring {
    fn new() -> Self {
        Self { page: Arc::new(Registers::new()), cells: Arc::new(std::array::from_fn(|_| UnsafeCell::new(0))) }
    }

    fn producer(&self) -> Producer {
        ProducerHalf::new(Arc::clone(&self.page), CELLS)
    }

    fn attach(&self) -> Result<Consumer, RequestError> {
        ConsumerHalf::attach(Arc::clone(&self.page), CELLS, None)
    }

    /// Writes and commits `value`; false if there is no room.
    fn put(&self, producer: &mut Producer, value: u64) -> bool {
        let Some(at) = producer.reserve(1) else {
            return false;
        };
        // SAFETY: a reserved cell is the producer's alone; that it is, is what `loom` checks here.
        self.cells[at as usize].with_mut(|cell| unsafe { *cell = value });
        producer.commit(1).is_ok()
    }

    /// The values in a window.
    fn read(&self, window: Window) -> Vec<u64> {
        let read = |position: u64| {
            // SAFETY: nobody writes a cell of the window; that nobody does, is what `loom` checks here.
            self.cells[(position % CELLS) as usize].with(|cell| unsafe { *cell })
        };
        (window.bottom..window.top).map(read).collect()
    }
}

pub(super) fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    // `LOOM_MAX_PREEMPTIONS` goes further, and takes its time.
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 20_000;
    builder.check(model);
}

/// Sleeps whenever it may, so that a lost wake is a deadlock.
fn rules(mindata: u64) -> PollRules {
    PollRules { mindata, maxwait: Duration::ZERO, poll: Duration::MAX }
}

/// Serves until the owner has left for the `leaves`th time; calls `turn` while the stream is started.
fn serve(producer: &mut Producer, leaves: usize, mut turn: impl FnMut(&mut Producer, Option<Event>)) {
    let mut left = 0;
    while left < leaves {
        let event = producer.service();
        match event {
            Some(Event::Detached) => left += 1,
            Some(_) => turn(producer, event),
            None => producer.park(Duration::MAX),
        }
    }
}

/// Two things to wait for, one after the other, at the same level: the ring for the first must not be taken for the second.
#[test]
fn no_ring_is_lost() {
    use super::doorbell::{ALWAYS, Doorbell};
    use super::sync::{Atomics, Word};
    check(4, || {
        let bell = Arc::new(Doorbell::<Checked>::new());
        let event = Arc::new(<Checked as Atomics>::U32::new(0));
        let (ringer, told) = (Arc::clone(&bell), Arc::clone(&event));
        let thread = thread::spawn(move || {
            for number in 1..=2 {
                Word::store(&*told, number, Ordering::Release);
                ringer.ring(ALWAYS);
            }
        });
        for number in 1..=2 {
            while event.load(Ordering::Acquire) < number {
                bell.sleep(0, Duration::MAX, || event.load(Ordering::Acquire) >= number);
            }
        }
        thread.join().unwrap();
    });
}

/// Everything comes through in order, across the end of the ring, or is counted; no start and no wake is lost.
#[test]
fn data_and_drops_add_up() {
    check(2, || {
        const PACKETS: u64 = 3;
        let ring = Ring::new();
        let card = ring.clone();
        let mut producer = ring.producer();
        let thread = thread::spawn(move || {
            serve(&mut producer, 1, |producer, event| {
                if event == Some(Event::Started) {
                    for value in 1..=PACKETS {
                        if !card.put(producer, value) {
                            producer.drop_n(1);
                        }
                        producer.publish();
                    }
                    producer.end_of_feed();
                }
            });
            assert_eq!(producer.bad_bottoms(), 0);
        });
        let mut consumer = ring.attach().unwrap();
        consumer.start().unwrap();
        let (mut values, mut release_to) = (Vec::new(), 0);
        loop {
            let window = consumer.wait(release_to, &rules(1), None).unwrap();
            values.extend(ring.read(window));
            release_to = window.top;
            if window.is_empty() && consumer.is_last() {
                break;
            }
        }
        // The end of the feed is as final as a stop.
        let drops = consumer.drops();
        assert_eq!(values.len() as u64 + drops.pending, PACKETS);
        assert!(values.is_sorted(), "{values:?}");
        assert_eq!(values[..2], [1, 2]);
        drop(consumer);
        thread.join().unwrap();
    });
}

/// Once the end of the feed shows, the window goes up to it.
#[test]
fn the_end_comes_last() {
    check(2, || {
        let ring = Ring::new();
        let card = ring.clone();
        let mut producer = ring.producer();
        let thread = thread::spawn(move || {
            serve(&mut producer, 1, |producer, event| {
                if event == Some(Event::Started) {
                    assert!(card.put(producer, 1));
                    producer.end_of_feed();
                }
            });
        });
        let mut consumer = ring.attach().unwrap();
        consumer.start().unwrap();
        for _ in 0..2 {
            let window = consumer.advance(0).unwrap();
            if consumer.is_last() {
                assert_eq!(ring.read(window), [1]);
            }
        }
        drop(consumer);
        thread.join().unwrap();
    });
}

/// The first owner leaves without a word while the producer writes; the second sees nothing of that time.
#[test]
fn a_new_owner_sees_nothing_of_the_last() {
    check(2, || {
        let ring = Ring::new();
        let card = ring.clone();
        let mut producer = ring.producer();
        let thread = thread::spawn(move || {
            let mut owner = 0;
            let mut event = None;
            // Busy: never asleep while started, and in the middle of a record when the requests come.
            while owner < 2 || producer.state() != State::Idle {
                match event {
                    Some(Event::Attached) => owner += 1,
                    Some(Event::Started) => {
                        // Looks at `bottom`, which is to be the new owner's.
                        assert_eq!(producer.free(), CELLS);
                        assert!(card.put(&mut producer, owner * 10 + 1));
                        producer.publish();
                        let reserved = producer.reserve(1);
                        assert!(reserved.is_some());
                        event = producer.service();
                        assert_eq!(producer.commit(1).is_ok(), event.is_none(), "a request ends the reservation");
                        producer.drop_n(owner);
                        continue;
                    }
                    _ => producer.park(Duration::MAX),
                }
                event = producer.service();
            }
            assert_eq!(producer.bad_bottoms(), 0);
        });
        let mut first = ring.attach().unwrap();
        first.start().unwrap();
        let window = first.advance(0).unwrap();
        first.advance(window.top).unwrap();
        drop(first);

        let mut second = ring.attach().unwrap();
        assert_eq!(second.drops().total, 0);
        second.start().unwrap();
        let window = second.wait(0, &rules(1), None).unwrap();
        assert_eq!((window.bottom, window.top), (0, 1));
        assert_eq!(ring.read(window), [21]);
        drop(second);
        thread.join().unwrap();
    });
}

/// Who loses the race for a stream is told so; who wins gets it whole, and then the other may have it.
#[test]
fn two_who_attach_at_once() {
    check(2, || {
        let ring = Ring::new();
        let mut producer = ring.producer();
        let other = ring.clone();
        let rival = thread::spawn(move || own(&other));
        let card = ring.clone();
        let mine = thread::spawn(move || own(&card));
        let mut started = 0;
        let mut owners = 0;
        let mut left = false;
        while !left {
            match producer.service() {
                Some(Event::Attached) => owners += 1,
                Some(Event::Started) => {
                    started += 1;
                    assert!(ring.put(&mut producer, owners));
                    producer.publish();
                }
                // The last one to leave, or the one and only.
                Some(Event::Detached) => left = true,
                _ => producer.park(Duration::MAX),
            }
        }
        // A second owner may have come after that, or never.
        drop(producer);
        let served = [rival.join().unwrap(), mine.join().unwrap()].into_iter().filter(|served| *served).count();
        assert!(served >= 1);
        assert!(started >= 1 && owners >= started);
    });

    /// Attaches, reads one record and detaches; false if the stream was taken.
    fn own(ring: &Ring) -> bool {
        let mut consumer = match ring.attach() {
            Ok(consumer) => consumer,
            Err(RequestError::Busy | RequestError::ProducerGone) => return false,
            Err(error) => panic!("{error}"),
        };
        if consumer.start().is_err() {
            return false;
        }
        let Ok(window) = consumer.wait(0, &rules(1), None) else {
            return false;
        };
        assert_eq!((window.bottom, window.top), (0, 1));
        assert!(ring.read(window)[0] >= 1);
        // Gone by the time it is asked, maybe: the other one's leave ended it.
        let _ = consumer.detach();
        true
    }
}

/// Stop answers with everything committed and the final account, whatever the producer was at.
#[test]
fn stop_is_final() {
    check(2, || {
        let ring = Ring::new();
        let card = ring.clone();
        let mut producer = ring.producer();
        let thread = thread::spawn(move || {
            let mut packets = 0;
            let mut event = None;
            loop {
                match event {
                    Some(Event::Started) => {
                        // Committed and not published: the stop must do that.
                        packets += 1;
                        assert!(card.put(&mut producer, packets));
                        event = producer.service();
                        if event.is_none() {
                            packets += 1;
                            producer.drop_n(1);
                        } else {
                            continue;
                        }
                    }
                    Some(Event::Detached) => return packets,
                    _ => {}
                }
                event = producer.service();
                if event.is_none() {
                    producer.park(Duration::MAX);
                }
            }
        });
        let mut consumer = ring.attach().unwrap();
        consumer.start().unwrap();
        consumer.stop().unwrap();
        let window = consumer.advance(0).unwrap();
        let drops = consumer.drops();
        assert_eq!(ring.read(window), [1]);
        consumer.detach().unwrap();
        assert_eq!(window.len() + u64::from(drops.total), thread.join().unwrap());
    });
}

/// A restart moves both ends to the next lap before the first record.
#[test]
fn a_restart_finds_the_whole_ring() {
    check(2, || {
        let ring = Ring::new();
        let card = ring.clone();
        let mut producer = ring.producer();
        let thread = thread::spawn(move || {
            serve(&mut producer, 1, |producer, event| {
                if event == Some(Event::Started) {
                    assert_eq!(producer.free(), CELLS);
                    assert!(card.put(producer, 1));
                }
            });
            assert_eq!(producer.bad_bottoms(), 0);
        });
        let mut consumer = ring.attach().unwrap();
        consumer.start().unwrap();
        consumer.stop().unwrap();
        consumer.start().unwrap();
        assert_eq!(consumer.window(), Window { bottom: CELLS, top: CELLS });
        drop(consumer);
        thread.join().unwrap();
    });
}
