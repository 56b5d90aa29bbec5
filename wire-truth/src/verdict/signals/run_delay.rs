//! How long threads were ready and did not run, from each thread's `schedstat`: there may be none for the whole machine.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nix::unistd::gettid;

use super::proc;

/// The run delay of threads so far, by thread.
#[derive(Debug, Default)]
pub(super) struct RunDelays {
    before: HashMap<i32, u64>,
    has_begun: bool,
}

impl RunDelays {
    /// Nanoseconds that threads have waited since it was asked the last time: those of `process`, or of all that are seen. The thread that asks is
    /// not among them. `None` where nothing can be read, and the first time.
    pub(super) fn since(&mut self, process: Option<u32>) -> Option<i64> {
        let mut now = HashMap::with_capacity(self.before.len());
        let read = match process {
            Some(pid) => of_process(Path::new("/proc").join(pid.to_string()).as_path(), &mut now),
            None => of_all(&mut now),
        };
        read?;
        // A thread that was not there before has waited all of its time since.
        let added = now.iter().map(|(tid, delay)| delay.saturating_sub(self.before.get(tid).copied().unwrap_or(0)));
        let added = added.fold(0u64, u64::saturating_add);
        self.before = now;
        std::mem::replace(&mut self.has_begun, true).then_some(i64::try_from(added).ok()).flatten()
    }
}

fn of_process(process: &Path, delays: &mut HashMap<i32, u64>) -> Option<()> {
    let own = gettid().as_raw();
    let mut seen = None;
    for thread in fs::read_dir(process.join("task")).ok()?.flatten() {
        let Some(tid) = thread.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has just ended has none.
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        let Some(delay) = proc::run_delay(&text) else { continue };
        seen = Some(());
        if tid != own {
            delays.insert(tid, delay);
        }
    }
    seen
}

fn of_all(delays: &mut HashMap<i32, u64>) -> Option<()> {
    let mut seen = None;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let is_process = entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        if is_process && of_process(&entry.path(), delays).is_some() {
            seen = Some(());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_waited_is_seen_but_not_of_the_one_that_asks() {
        let own = std::process::id();
        let mut delays = RunDelays::default();
        assert_eq!(delays.since(Some(own)), None, "there is nothing to compare with");
        assert!(delays.since(Some(own)).is_some_and(|ns| ns >= 0));
        assert!(!delays.before.contains_key(&gettid().as_raw()));
        let other = std::thread::scope(|scope| {
            let (tell, hear) = std::sync::mpsc::channel();
            let (end, wait) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || {
                tell.send(gettid().as_raw()).unwrap();
                let _ = wait.recv();
            });
            let tid = hear.recv().unwrap();
            let _ = delays.since(Some(own));
            drop(end);
            tid
        });
        assert!(delays.before.contains_key(&other));
        assert_eq!(delays.since(Some(0)), None, "there is no such process");
        let mut all = RunDelays::default();
        let _ = all.since(None);
        assert!(all.since(None).is_some() && all.before.len() >= delays.before.len());
    }
}
