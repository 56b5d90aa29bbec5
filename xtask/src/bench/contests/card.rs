//! The emulated card on one core and its reader on the other, beside a plain producer and consumer over a ring of the same length.

use crate::bench::contest::{Against, Amount, Contest, Measure, Outcome};
use crate::bench::ground::Ground;
use crate::bench::measure::Run;
use crate::shell::Result;

const HEADERS: &str = "card, headers over payloads that lie there";
const RECORDS: &str = "card, whole records";
const MADE: &str = "card, each packet made";
const PLAIN_HEADERS: &str = "plain C, headers";
const PLAIN_RECORDS: &str = "plain C, whole records";

/// What caches hold, and what none does.
const MEMORY: [(&str, u64); 2] = [("2 MiB", 2 << 20), ("256 MiB", 256 << 20)];

/// Packets for each MiB of the files of other contests.
const PACKETS: u64 = 100_000;

/// Packets made one by one are so many times slower.
const MADE_PART: u64 = 10;

pub(in crate::bench) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (words, memory) in MEMORY {
        for (mix, frames, size, part) in [("small", "64-byte frames", "64", 1), ("imix", "IMIX", "imix", 4)] {
            let packets = (ground.size >> 20).max(1) * PACKETS / part;
            let mut contest = Contest::new(
                format!("Emulated card to reader, stream memory of {words}, {frames}"),
                "Every header field of every packet is used; nothing is lost, as the feed waits for room (`full=wait`).",
                Amount::Said,
            );
            let card = |payload: &str, packets: u64| {
                let device = format!(
                    "emu:synthetic={size},rate=max,full=wait,payload={payload},memory={memory},count={packets}"
                );
                Run::new(ground.program("house-hot")).arg("card").arg(device)
            };
            let plain = |kind: &str| {
                let numbers = [packets.to_string(), memory.to_string()];
                Run::new(ground.plain("ring")).arg(kind).arg(mix).args(numbers)
            };
            contest.ours(HEADERS, card("template", packets)).heard(ground, "card");
            contest.limit(PLAIN_HEADERS, plain("headers")).heard(ground, "plain");
            contest.ours(RECORDS, card("records", packets)).heard(ground, "card-records");
            contest.limit(PLAIN_RECORDS, plain("records")).heard(ground, "plain-records");
            contest.ours(MADE, card("made", packets / MADE_PART)).heard(ground, "card-made");
            contest.want(HEADERS, Against::One(PLAIN_HEADERS), Measure::Wall, 0.9);
            contest.want(RECORDS, Against::One(PLAIN_RECORDS), Measure::Wall, 0.9);
            outcomes.push(contest.hold(ground)?);
        }
    }
    Ok(outcomes)
}
