//! A thread on one CPU.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::error::{Error, Repr};

/// Keeps the thread that made it on one CPU, until it is dropped there.
#[derive(Debug)]
pub(super) struct Pinned(CpuSet);

/// The thread that calls.
const THIS: Pid = Pid::from_raw(0);

impl Pinned {
    /// From here on this thread runs on `cpu` only.
    pub(super) fn to(cpu: usize) -> Result<Self, Error> {
        let refused = |errno: nix::Error, allowed: &CpuSet| {
            let allowed: Vec<String> =
                (0..CpuSet::count()).filter(|&n| allowed.is_set(n) == Ok(true)).map(|n| n.to_string()).collect();
            Error::from(Repr::Cpu { cpu, allowed: allowed.join(", "), errno })
        };
        let before = sched_getaffinity(THIS).map_err(|errno| refused(errno, &CpuSet::new()))?;
        let mut one = CpuSet::new();
        one.set(cpu).and_then(|()| sched_setaffinity(THIS, &one)).map_err(|errno| refused(errno, &before))?;
        Ok(Self(before))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Err(errno) = sched_setaffinity(THIS, &self.0) {
            log::debug!("a thread stays on its CPU: {errno}");
        }
    }
}
