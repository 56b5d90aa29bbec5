//! `erf dedup`: packets that came twice, once.

use erf::TimeDelta;
use erf::dedup::Dedup;
use serde_json::json;

use super::pass::{Files, Next, Pass};
use super::{Failure, PROGRAM, counted, instant};
use crate::exit::Exit;
use crate::messages::say;
use crate::values;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,

    /// A packet is left out if the same one is stamped at most this much away from it.
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = instant::span)]
    window: TimeDelta,

    /// Also packets of different interfaces are the same.
    #[arg(long)]
    any_interface: bool,

    /// Memory for the packets of a window.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = values::size)]
    memory: u64,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut pass = Pass::begin_whole(&args.files)?;
    let memory = usize::try_from(args.memory).unwrap_or(usize::MAX);
    let mut dedup = Dedup::new(args.window).any_interface(args.any_interface).memory(memory);
    let (mut duplicates, mut lost) = (0u64, 0u64);
    pass.each(|_, record, sink| {
        if dedup.is_duplicate(record) {
            duplicates += 1;
            lost += u64::from(record.loss().unwrap_or(0));
        } else {
            sink.write(record)?;
        }
        Ok(Next::Go)
    })?;
    say(PROGRAM, format_args!("{} left out: seen before within the window", counted(duplicates, "packet")));
    if lost > 0 {
        let lost = counted(lost, "lost packet");
        say(PROGRAM, format_args!("their loss counters, which are left out with them, stood for {lost}"));
    }
    let late = dedup.late();
    if late > 0 {
        let packets = counted(late, "packet");
        let why =
            "stamped earlier than one before by more than the window: the input is not in order, and twins were missed";
        say(PROGRAM, format_args!("{packets} {why}; erf sort puts it in order"));
    }
    let forgotten = dedup.forgotten();
    if forgotten > 0 {
        say(PROGRAM, format!("{forgotten} packets were forgotten within the window: there may be more; see --memory"));
    }
    pass.end(json!({ "duplicates": duplicates, "lost_left_out": lost, "forgotten": forgotten, "out_of_order": late }))
}
