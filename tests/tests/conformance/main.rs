//! What every card does, whatever driver it is reached by: attach, start, advance, stop, and what is in the records. On the emulated
//! card in this process, and, by further runs of this program (`routes`), through libdag, and served by another process.
//!
//! The rules are those of `libdag-contract.md` section 2. Nothing depends on how fast the machine is.

mod clock;
mod lending;
mod loss;
mod ownership;
mod polling;
mod ports;
mod records;
mod replay;
mod routes;
mod script;
mod steering;
mod transmit;

use std::time::Instant;

use dag::{Card, RxStream};
use house_tests::run::PATIENCE;
use house_tests::seen::Seen;

/// An emulated card with direct access to its works.
fn card(spec: &str) -> (dag::emu::Card, Card) {
    let emulated = dag::emu::Card::open(&spec.parse().unwrap()).unwrap_or_else(|error| panic!("{spec}: {error}"));
    (emulated.clone(), Card::emulated(emulated, "emu"))
}

/// An emulated card, by the route that is tried.
fn open(spec: &str) -> Card {
    let name = routes::name_of(spec);
    Card::open(&name).unwrap_or_else(|error| panic!("{name}, {spec}: {error}"))
}

/// Stream 0 of a card, started.
fn stream(spec: &str) -> RxStream {
    started(&open(spec), 0)
}

fn started(card: &Card, number: u16) -> RxStream {
    let mut stream = card.attach(number).unwrap();
    stream.start().unwrap();
    stream
}

/// Waits until `holds`, or gives up the test.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Everything up to the end of the feed.
fn read_all(stream: &mut RxStream) -> Seen {
    let mut bytes = Vec::new();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the feed never ends");
        let batch = stream.advance().unwrap();
        bytes.extend_from_slice(batch.bytes());
        if batch.is_end() {
            return Seen::in_bytes(&bytes);
        }
    }
}

/// At least so many packets.
fn read_some(stream: &mut RxStream, packets: usize) -> Seen {
    let mut bytes = Vec::new();
    let mut count = 0;
    let begun = Instant::now();
    while count < packets {
        assert!(begun.elapsed() < PATIENCE, "only {count} packets came");
        let batch = stream.advance().unwrap();
        assert!(!batch.is_end(), "the feed is over after {count} packets");
        count += batch.iter().flatten().filter(|record| record.is_packet()).count();
        bytes.extend_from_slice(batch.bytes());
    }
    Seen::in_bytes(&bytes)
}

/// What lies in stream memory, without waiting for more.
fn read_rest(stream: &mut RxStream) -> Seen {
    stream.set_nonblocking(true);
    let mut bytes = Vec::new();
    loop {
        let batch = stream.advance().unwrap();
        if batch.is_empty() {
            return Seen::in_bytes(&bytes);
        }
        bytes.extend_from_slice(batch.bytes());
    }
}
