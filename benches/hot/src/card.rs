//! A card read to its end, as a program on `dag` does it.

use std::error::Error;
use std::time::{Duration, Instant};

use dag::{Card, PollRules};

use crate::walk::{Seen, packets};

/// What came, and how long it took from the start of the stream on. Nothing may be lost.
pub(crate) fn read(device: &str) -> Result<(Seen, Duration), Box<dyn Error>> {
    let card = Card::open(device)?;
    let mut stream = card.attach(0)?;
    // As much as is worth it, and awake until it is there, as the program in C.
    stream.set_poll_rules(PollRules { mindata: 64 << 10, poll: Duration::ZERO, ..PollRules::default() });
    let begun = Instant::now();
    stream.start()?;
    let mut seen = Seen::default();
    loop {
        let batch = stream.advance()?;
        if batch.is_end() {
            break;
        }
        packets(batch.iter(), &mut seen);
    }
    let took = begun.elapsed();
    match stream.drops() {
        Some(drops) if drops.counter > 0 => Err(format!("{} packets were lost", drops.counter).into()),
        _ => Ok((seen, took)),
    }
}
