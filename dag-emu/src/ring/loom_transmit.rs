//! Every interleaving of the owner of a transmit stream and the card, as in [`loom`](super::loom).

use super::loom::check;
use super::protocol::{Event, RequestError};
use super::registers::Registers;
use super::sync::Checked;
use super::transmit::{TakerHalf, WriterHalf};
use ::loom::cell::UnsafeCell;
use ::loom::sync::Arc;
use ::loom::thread;
use std::time::Duration;

type Page = Arc<Registers<Checked>>;

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

    /// The card: takes what is sent until `leaves` owners have left, and what is bad.
    fn card(self, leaves: usize) -> thread::JoinHandle<(Vec<u64>, u64)> {
        let mut taker = TakerHalf::<Checked, Page>::new(Arc::clone(&self.page), CELLS);
        thread::spawn(move || {
            let (mut got, mut left, mut bad) = (Vec::new(), 0, 0);
            while left < leaves {
                // As `Transmitter::turn` does it: what was sent before a request goes before its answer.
                let asked = taker.asked();
                while taker.waiting() > 0 {
                    let at = (taker.position() % CELLS) as usize;
                    // SAFETY: a committed cell is the card's alone; that it is, is what `loom` checks here.
                    got.push(self.cells[at].with(|cell| unsafe { *cell }));
                    taker.take(1);
                }
                match asked.map(|request| taker.answer(request)) {
                    Some(Some(Event::Detached)) => (left, bad) = (left + 1, bad + taker.bad()),
                    Some(_) => {}
                    None => taker.park(),
                }
            }
            (got, bad)
        })
    }

    fn attach(&self) -> Result<WriterHalf<Checked, Page>, RequestError> {
        WriterHalf::attach(Arc::clone(&self.page), CELLS, None)
    }

    fn send(&self, writer: &mut WriterHalf<Checked, Page>, value: u64) {
        assert!(writer.reserve(1, Duration::MAX));
        // SAFETY: a reserved cell is the owner's alone; that it is, is what `loom` checks here.
        self.cells[writer.at() as usize].with_mut(|cell| unsafe { *cell = value });
        assert!(writer.commit(1));
    }
}

/// Everything goes, once and in order, across the end of the ring, however late the card looks; no wait for room is lost.
#[test]
fn what_is_sent_goes_in_order() {
    check(2, || {
        let ring = Ring::new();
        let card = ring.clone().card(1);
        let mut writer = ring.attach().unwrap();
        writer.start().unwrap();
        for value in 1..=3 {
            ring.send(&mut writer, value);
        }
        writer.stop().unwrap();
        writer.detach().unwrap();
        assert_eq!(card.join().unwrap(), (vec![1, 2, 3], 0));
    });
}

/// The next owner begins anew: nothing that was sent before comes again, and nothing of its own is lost.
#[test]
fn the_next_owner_begins_anew() {
    check(1, || {
        let ring = Ring::new();
        let card = ring.clone().card(2);
        for value in [1, 2] {
            let mut writer = ring.attach().unwrap();
            writer.start().unwrap();
            ring.send(&mut writer, value);
            writer.stop().unwrap();
            writer.detach().unwrap();
        }
        assert_eq!(card.join().unwrap(), (vec![1, 2], 0));
    });
}
