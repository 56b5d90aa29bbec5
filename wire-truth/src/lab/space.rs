//! Whether the disk has room for a cell, and what is said when it has not.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::plan::{Cell, Plan};
use crate::experiment::{Environment, Stress};

/// Bytes of a capture for each probe: request and reply as records, of which [`SNAP`](super::capture::SNAP) bytes are kept.
const OF_PROBE: u64 = 2 * 152;

/// Bytes of the logs for each probe, of the program and of signals.
const OF_LOGS: u64 = 300;

/// Bytes of a capture for each full frame of a TCP connection: itself, and half of a frame that acknowledges two.
const OF_FRAME: u64 = 152 + 88 / 2;

/// Bits on the wire for such a frame.
const FRAME_BITS: u64 = 1514 * 8;

/// What a generator has on the disk at a time, and a guest, of which an empty file system is on it.
const OF_LOAD: u64 = 4 << 20;
const OF_DISK: u64 = 16 << 20;

/// Opening and closing records, descriptions, sums.
const AROUND: u64 = 128 << 10;

/// How many bytes a cell takes at most, about: with a link that is filled both ways where it is to be.
pub(super) fn needed(plan: &Plan, cell: Cell) -> u64 {
    let captures = if cell.environment.has_virtual_interface() { 4 } else { 2 };
    let probes = u64::from(plan.all_probes());
    let each = AROUND.saturating_add(probes.saturating_mul(OF_PROBE));
    let mut others = AROUND.saturating_add(probes.saturating_mul(OF_LOGS));
    match cell.stress {
        Stress::Network => {
            let frames = plan.link_bits_per_second.saturating_mul(2) / FRAME_BITS;
            let millis = u64::try_from(plan.time_under_stress(cell).as_millis()).unwrap_or(u64::MAX);
            // Behind an interface of its own, which is not a stressed guest's, that which measures sees nothing of it.
            let full = if captures == 4 && plan.stressed < 4 { 2 } else { captures };
            others = others.saturating_add((frames.saturating_mul(millis) / 1000 * OF_FRAME).saturating_mul(full));
        }
        Stress::Hd if cell.environment == Environment::Vm => others += 4 * OF_DISK,
        Stress::Hd => others += OF_LOAD * u64::from(plan.threads) * u64::from(plan.stressed),
        _ => {}
    }
    each.saturating_mul(captures).saturating_add(others)
}

/// Bytes that this user may still write into `folder`.
fn free(folder: &Path) -> Option<u64> {
    let told = statvfs(folder).ok()?;
    Some(told.blocks_available().saturating_mul(told.fragment_size()))
}

/// Why there is no use in beginning a cell that takes this much.
pub(super) fn too_little(folder: &Path, needed: u64) -> Option<String> {
    let free = free(folder)?;
    (free < needed).then(|| format!("there is too little room on the disk: {}", figures(folder, needed, free)))
}

/// What a program said; where it has no more room, with how much is needed.
pub(super) fn explained(said: &str, folder: &Path, needed: u64) -> String {
    // ENOSPC, EDQUOT.
    let is_full = ["(os error 28)", "(os error 122)"].iter().any(|number| said.contains(number));
    match free(folder).filter(|_| is_full) {
        Some(free) => format!("{said}; {}", figures(folder, needed, free)),
        None => said.to_owned(),
    }
}

fn figures(folder: &Path, needed: u64, free: u64) -> String {
    let of = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let folder = folder.display();
    format!(
        "this cell takes up to {}, and {folder} has {} left: make room, or name another folder by --out",
        of(needed),
        of(free)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Variant;
    use crate::lab::plan::made_up;

    #[test]
    fn what_is_needed_goes_by_what_is_captured() {
        let plan = made_up();
        let of = |environment, stress| needed(&plan, Cell { environment, stress, variant: Variant::Plain });
        let (rest, network) = (of(Environment::Host, Stress::Rest), of(Environment::Host, Stress::Network));
        assert!(network > 10 * rest);
        // Two of its four captures see probes only, unless all guests are stressed.
        let bridge = of(Environment::Bridge, Stress::Network);
        assert!(bridge > network && bridge < 11 * network / 10, "{network} {bridge}");
        let all = Plan { stressed: 4, ..plan.clone() };
        let cell = Cell { environment: Environment::Bridge, stress: Stress::Network, variant: Variant::Plain };
        assert!(needed(&all, cell) > 19 * network / 10);
        assert!(
            of(Environment::Host, Stress::Hd) > rest
                && of(Environment::Vm, Stress::Hd) > of(Environment::Vm, Stress::Rest)
        );
        let endless = Plan { link_bits_per_second: u64::MAX, ..plan };
        assert!(
            needed(&endless, Cell { environment: Environment::Vm, stress: Stress::Network, variant: Variant::Plain })
                > network
        );
    }

    #[test]
    fn a_full_disk_is_told_with_what_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(too_little(dir.path(), 1), None);
        assert!(too_little(dir.path(), u64::MAX).unwrap().contains("MB left: make room"));
        let full = explained("x.erf: No space left on device (os error 28)", dir.path(), 2_000_000);
        assert!(
            full.starts_with("x.erf: No space left on device (os error 28); this cell takes up to 2.0 MB, and "),
            "{full}"
        );
        assert_eq!(explained("nothing", dir.path(), 2_000_000), "nothing");
    }
}
