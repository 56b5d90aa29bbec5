//! Undefined behaviour looked for by Miri: in the format on a little-endian and a big-endian machine, in the stream
//! memory, and in what is lent from it. Needs nightly with `miri` and `rust-src`.

use crate::shell::{Result, nightly};
use crate::testing::{Counts, counted};

/// A big-endian machine; records mix both orders.
const BIG_ENDIAN: &str = "s390x-unknown-linux-gnu";

/// Property tests repeat themselves; a few cases are enough to meet every `unsafe` line.
const CASES: &str = "PROPTEST_CASES=4";

pub(crate) fn step(counts: &mut Counts) -> Result {
    let format = ["-p", "erf-core"];
    miri(&[&format[..], &["--lib", "--tests"]].concat(), counts)?;
    miri(&[&format[..], &["--lib", "--tests", "--target", BIG_ENDIAN]].concat(), counts)?;
    miri(&["-p", "dag-emu", "--lib", "ring::"], counts)?;
    miri(&["-p", "endace-dag", "--test", "lending"], counts)
}

fn miri(arguments: &[&str], counts: &mut Counts) -> Result {
    let (name, cases) = CASES.split_once('=').unwrap_or((CASES, ""));
    let mut test = nightly();
    test.args(["miri", "test"]).args(arguments);
    test.env(name, cases)
        .env("MIRIFLAGS", format!("-Zmiri-env-forward={name} -Zmiri-strict-provenance -Zmiri-disable-isolation"));
    counted(&mut test, counts)
}
