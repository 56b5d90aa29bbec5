//! `erf shift`: stamps moved.

use erf::shift::Correction;
use erf::{Record, TimeDelta, Timestamp};
use serde_json::json;

use super::pass::{Files, Next, Pass, failed_at};
use super::{Failure, instant};
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,

    /// Add to each stamp: 12us, -1.5s.
    #[arg(long, value_name = "TIME", value_parser = instant::delta, allow_hyphen_values = true)]
    by: Option<TimeDelta>,

    /// Change the rate of the clock: -40ppb makes time pass more slowly.
    #[arg(long, value_name = "RATE", value_parser = instant::scale, allow_hyphen_values = true)]
    scale: Option<i64>,

    /// The time that --scale leaves as it is; without it, the first stamp.
    #[arg(long, value_name = "TIME", value_parser = instant::stamp, requires = "scale")]
    pivot: Option<Timestamp>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut correction = Correction::new(args.by.unwrap_or(TimeDelta::ZERO)).with_scale(args.scale.unwrap_or(0));
    if correction.is_none() {
        return Err(Failure::Usage("nothing to be done: give --by or --scale".to_owned()));
    }
    if let Some(pivot) = args.pivot {
        correction = correction.with_pivot(pivot);
    }
    let mut pass = Pass::begin(&args.files)?;
    let name = pass.name().to_owned();
    let mut bytes = Vec::new();
    pass.each(|offset, record, sink| {
        if record.is_pad() {
            // Filler has no time.
            sink.write(record)?;
            return Ok(Next::Go);
        }
        correction.settle(record.timestamp());
        bytes.clear();
        bytes.extend_from_slice(record.bytes());
        if correction.apply_to(&mut bytes).is_none() {
            let why = format_args!("its stamp, {}, would be before 1970 or after 2106", record.timestamp()).to_string();
            return Err(failed_at(&name, offset, why));
        }
        let moved = Record::parse(&bytes).map_err(|kind| failed_at(&name, offset, kind))?;
        sink.write(&moved)?;
        Ok(Next::Go)
    })?;
    pass.end(json!({}))
}
