//! Programs that run in a guest.

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::init::PATH;

/// All of a guest's programs, by number.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    all: Mutex<HashMap<u64, Arc<Job>>>,
}

#[derive(Debug)]
struct Job {
    /// Of the program and the group that it leads.
    group: Pid,
    end: Mutex<Option<End>>,
    ended: Condvar,
}

/// How a program has ended, and what it has said.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<u8>,
    pub(crate) messages: Vec<u8>,
}

/// Locks are never held over anything that can panic, so a poisoned one is a good one.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_job(job: u64) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no program {job}, or it was collected already"))
}

impl Jobs {
    /// Starts `argv` with nothing on standard input, as the leader of a group of its own.
    pub(crate) fn spawn(&self, number: u64, argv: &[String]) -> io::Result<()> {
        let Some((program, args)) = argv.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program is named"));
        };
        let mut command = Command::new(program);
        command.args(args).process_group(0).current_dir("/tmp");
        command.env("PATH", PATH).env("HOME", "/tmp");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        let (output, messages) = (child.stdout.take(), child.stderr.take());
        let job = Arc::new(Job { group: pid, end: Mutex::default(), ended: Condvar::new() });
        lock(&self.all).insert(number, Arc::clone(&job));
        std::thread::spawn(move || {
            let messages = std::thread::spawn(move || drain(messages));
            let output = drain(output);
            let messages = messages.join().unwrap_or_default();
            // A child that the system does not know is one that has ended.
            let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0));
            *lock(&job.end) = Some(End { status, output, messages });
            job.ended.notify_all();
        });
        Ok(())
    }

    /// The end of a program, waited for as long as `wait` says, or until it comes; `None` if it runs still. Ends are told once.
    pub(crate) fn collect(&self, number: u64, wait: Option<Duration>) -> io::Result<Option<End>> {
        let job = lock(&self.all).get(&number).cloned().ok_or_else(|| no_job(number))?;
        let until = wait.and_then(|wait| Instant::now().checked_add(wait));
        let mut end = lock(&job.end);
        while end.is_none() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let left = left.unwrap_or(Duration::from_secs(3600));
            end = job.ended.wait_timeout(end, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        lock(&self.all).remove(&number);
        Ok(end.take())
    }

    /// Sends `signal` to a program and what it has started.
    pub(crate) fn signal(&self, number: u64, signal: i32) -> io::Result<()> {
        let job = lock(&self.all).get(&number).cloned().ok_or_else(|| no_job(number))?;
        // Its number may be another's by now.
        if lock(&job.end).is_some() {
            return Ok(());
        }
        killpg(job.group, Signal::try_from(signal)?).map_err(io::Error::from)
    }
}

fn drain(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before an error is what there is.
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn output_messages_and_status_are_kept() {
        let jobs = Jobs::default();
        jobs.spawn(1, &argv(&["sh", "-c", "printf 'a\\0b'; echo oh >&2; exit 3"])).unwrap();
        let end = jobs.collect(1, None).unwrap().unwrap();
        assert_eq!((end.status.code(), &end.output[..], &end.messages[..]), (Some(3), &b"a\0b"[..], &b"oh\n"[..]));
        assert!(jobs.collect(1, None).unwrap_err().to_string().contains("no program 1"));
    }

    #[test]
    fn what_runs_still_says_so_and_can_be_ended() {
        let jobs = Jobs::default();
        // The shell's child holds the pipe: both are to go.
        jobs.spawn(5, &argv(&["sh", "-c", "sleep 1000; true"])).unwrap();
        assert!(jobs.collect(5, Some(Duration::from_millis(20))).unwrap().is_none());
        jobs.signal(5, Signal::SIGTERM as i32).unwrap();
        let end = jobs.collect(5, Some(Duration::from_secs(60))).unwrap();
        assert_eq!(end.expect("both have ended").status.signal(), Some(15));
        assert!(jobs.signal(5, 15).is_err());
    }

    #[test]
    fn what_cannot_be_started_is_an_error() {
        let jobs = Jobs::default();
        assert_eq!(jobs.spawn(1, &[]).unwrap_err().to_string(), "no program is named");
        assert!(jobs.spawn(1, &argv(&["/no/such/program"])).is_err());
    }
}
