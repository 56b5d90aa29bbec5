//! Every interleaving of the stream memory's protocol, with every value that the memory model lets the two sides see.

use crate::shell::{self, Result};
use crate::testing::{Counts, counted};

/// The tests that are written for loom, optimised: they try many thousands of schedules.
pub(crate) fn step(counts: &mut Counts) -> Result {
    let mut test = shell::cargo();
    test.args(["test", "--release", "-p", "dag-emu", "--lib", "ring::loom"]);
    // A folder of its own: `--cfg loom` would have everything else built again.
    counted(test.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", shell::target().join("loom")), counts)
}
