//! The long forms of what CI does in short: hours for a person, no limit of time.

use std::time::Duration;

use clap::ValueEnum;

use crate::fuzz;
use crate::shell::{Result, cargo};
use crate::testing::{Counts, counted};

/// One of the long forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Each fuzz target for ten minutes
    Fuzz,
    /// `dagcap` killed hundreds of times at moments of chance, and `wiretruth lab run` twenty times
    Kills,
    /// `dagcap` for an hour to the disk that `TMPDIR` names: every packet is there, the account is exact and nothing grows
    Soak,
}

const FUZZ: Duration = Duration::from_secs(600);

/// Kills, for each way of capturing.
const KILLS: &str = "250";

/// Kills of a run of the lab.
const LAB_KILLS: &str = "20";

/// How long to record, in seconds, and how fast: 190 MB/s.
const SOAK: &str = "3600";
const SOAK_RATE: &str = "500kpps";

pub(crate) fn chore(parts: &[Part]) -> Result {
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    parts.iter().try_for_each(|part| match part {
        Part::Fuzz => fuzz::chore(&[], FUZZ),
        Part::Kills => {
            let mut test = cargo();
            test.args(["test", "-p", "house-tests", "--test", "kill"]).env("DAG_KILLS", KILLS);
            counted(&mut test, &mut Counts::default())?;
            let mut test = cargo();
            test.args(["test", "-p", "house-tests", "--test", "lab", "killed"]).env("DAG_LAB_KILLS", LAB_KILLS);
            counted(&mut test, &mut Counts::default())
        }
        Part::Soak => {
            let mut test = cargo();
            test.args(["test", "--release", "-p", "house-tests", "--test", "soak", "--", "--nocapture"]);
            counted(test.env("DAG_SOAK", SOAK).env("DAG_SOAK_RATE", SOAK_RATE), &mut Counts::default())
        }
    })
}
