//! Following records that lie in memory, as those of a batch do, with every field of their headers used.

use crate::bench::contest::{Against, Amount, Contest, Measure, Outcome};
use crate::bench::ground::{Ground, Place};
use crate::bench::measure::Run;
use crate::shell::Result;

const RECORDS: &str = "erf_core::Records";

/// What the second-level cache of any machine of today holds, and what no cache does.
const CACHED: u64 = 256 << 10;

pub(in crate::bench) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (words, bytes) in [("in the L2 cache", CACHED.min(ground.size)), ("in memory beyond any cache", ground.size)] {
        // As many bytes in all, cached or not.
        let times = (8 * ground.size / bytes).max(1);
        for (mix, frames) in [("small", "64-byte frames"), ("imix", "IMIX")] {
            let made = ground.file(Place::Disk, mix)?;
            let mut contest = Contest::new(
                format!("Iterate records {words}, {frames}"),
                format!("{bytes} bytes, {times} times over, read before the clock starts."),
                Amount::Said,
            );
            let numbers = [bytes.to_string(), times.to_string()];
            let ours = Run::new(ground.program("house-hot")).arg("memory").arg(made.path()).args(numbers.clone());
            contest.ours(RECORDS, ours).heard(ground, "records");
            let plain = Run::new(ground.plain("walk")).arg("memory").arg(made.path()).args(numbers);
            contest.limit("plain C", plain).heard(ground, "plain");
            contest.want(RECORDS, Against::Limits, Measure::Wall, 0.95);
            outcomes.push(contest.hold(ground)?);
        }
    }
    Ok(outcomes)
}
