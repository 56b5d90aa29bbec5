//! Undefined behaviour looked for by Miri: in the format on a little-endian and a big-endian machine, in the stream
//! memory, and in what is lent from it. Needs nightly with `miri` and `rust-src`.

use crate::shell::{Result, nightly};
use crate::testing::{Counts, counted};

/// A big-endian machine; records mix both orders.
const BIG_ENDIAN: &str = "s390x-unknown-linux-gnu";

/// Property tests repeat themselves; a few cases are enough to meet every `unsafe` line.
const CASES: &str = "4";

/// Property tests look for the working directory and read the number of cases from the environment.
const FLAGS: &str = "-Zmiri-disable-isolation -Zmiri-strict-provenance";

/// Walks with little to walk over; the others take Miri a quarter of an hour.
const WALKS: &[&str] = &["--", "any_bytes", "headers_that", "extension_headers", "every_record", "built_records"];

pub(crate) fn step(counts: &mut Counts) -> Result {
    format(&[], counts)?;
    miri(&["-p", "dag-emu", "--lib", "ring::"], counts)?;
    miri(&["-p", "endace-dag", "--test", "lending", "--test", "fanout"], counts)
}

/// The format on a big-endian machine.
pub(crate) fn big_endian(counts: &mut Counts) -> Result {
    format(&["--target", BIG_ENDIAN], counts)
}

fn format(target: &[&str], counts: &mut Counts) -> Result {
    miri(&[&["-p", "erf-core", "--lib"], target].concat(), counts)?;
    miri(&[&["-p", "erf-core", "--test", "walk"], target, WALKS].concat(), counts)
}

fn miri(arguments: &[&str], counts: &mut Counts) -> Result {
    let mut test = nightly();
    test.args(["miri", "test"]).args(arguments).env("PROPTEST_CASES", CASES).env("MIRIFLAGS", FLAGS);
    counted(&mut test, counts)
}
