//! What the benchmarks share: repetitions interleaved in one run, medians, and their ratio to the first contestant.
//!
//! Compare only within one run: on a shared machine the same code differs by a factor of two from hour to hour.

#![forbid(unsafe_code)]

pub mod programs;

use std::time::{Duration, Instant};

/// A contestant: a name, and what it does; it returns how many packets it has handled.
pub struct Contestant<'a> {
    name: &'a str,
    work: Box<dyn FnMut() -> (u64, Duration) + 'a>,
    times: Vec<f64>,
}

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Contestant<'a> {
    /// A contestant.
    pub fn new(name: &'a str, mut work: impl FnMut() -> u64 + 'a) -> Self {
        Self::timed(name, move || {
            let begun = Instant::now();
            (work(), begun.elapsed())
        })
    }

    /// A contestant that measures its own time, because it has something to prepare.
    pub fn timed(name: &'a str, work: impl FnMut() -> (u64, Duration) + 'a) -> Self {
        Self { name, work: Box::new(work), times: Vec::new() }
    }
}

/// Lets the contestants run in turn, `rounds` times after one round to warm up, and prints packets per second as median with the
/// least and the most, and the ratio of medians to the first one's.
pub fn race(title: &str, rounds: usize, contestants: &mut [Contestant<'_>]) {
    println!("\n{title} (medians of {rounds} interleaved rounds)\n");
    println!("| what | Mpps | least | most | of the first |");
    println!("|---|---|---|---|---|");
    for round in 0..=rounds {
        for contestant in contestants.iter_mut() {
            let (packets, took) = (contestant.work)();
            let rate = packets as f64 / took.max(Duration::from_nanos(1)).as_secs_f64() / 1e6;
            if round > 0 {
                contestant.times.push(rate);
            }
        }
    }
    let first = contestants.first_mut().map_or(1.0, |c| median(&mut c.times));
    for contestant in contestants.iter_mut() {
        let middle = median(&mut contestant.times);
        let (least, most) = (contestant.times[0], contestant.times[contestant.times.len() - 1]);
        println!("| {} | {middle:.1} | {least:.1} | {most:.1} | {:.2} |", contestant.name, middle / first);
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
