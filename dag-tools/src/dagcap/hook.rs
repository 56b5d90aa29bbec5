//! [`Hook`]: a command for each file that is complete.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::messages::say;

/// Commands that run at once.
const RUNNING: usize = 4;

/// Files that wait for their command; what is more goes without.
const WAITING: usize = 1000;

/// Between two looks at commands that run.
const LOOK: Duration = Duration::from_millis(20);

/// How long commands that run keep others from being started, once the recording is over.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a command for each file that it is told of, on a thread of its own.
#[derive(Debug)]
pub(super) struct Hook {
    files: Option<Sender<PathBuf>>,
    thread: Option<JoinHandle<()>>,
}

impl Hook {
    /// Runs `command` by the shell, with the path of the file as `$1`.
    pub(super) fn new(program: &'static str, command: String) -> io::Result<Self> {
        let (files, queue) = channel();
        let thread = thread::Builder::new().name("hook".to_owned()).spawn(move || run(program, &command, &queue))?;
        Ok(Self { files: Some(files), thread: Some(thread) })
    }

    /// `file` is complete.
    pub(super) fn file(&self, file: &Path) {
        if let Some(files) = &self.files {
            // The thread is there as long as this is.
            let _ = files.send(file.to_owned());
        }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.files = None;
        if let Some(thread) = self.thread.take() {
            // Commands that have been started go on by themselves.
            let _ = thread.join();
        }
    }
}

fn run(program: &str, command: &str, queue: &Receiver<PathBuf>) {
    let mut waiting = VecDeque::new();
    let mut running: Vec<Child> = Vec::new();
    let mut over: Option<Instant> = None;
    while over.is_none() || !waiting.is_empty() {
        match queue.recv_timeout(LOOK) {
            Ok(file) if waiting.len() < WAITING => waiting.push_back(file),
            Ok(file) => say(program, format_args!("{}: --exec lags behind, and is not run for it", file.display())),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                over.get_or_insert_with(Instant::now);
                if running.len() >= RUNNING {
                    thread::sleep(LOOK);
                }
            }
        }
        running.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        while running.len() < RUNNING
            && let Some(file) = waiting.pop_front()
        {
            match start(command, &file) {
                Ok(child) => running.push(child),
                Err(error) => say(program, format_args!("{}: --exec could not be run: {error}", file.display())),
            }
        }
        if over.is_some_and(|over| over.elapsed() > PATIENCE) {
            for file in waiting.drain(..) {
                say(program, format_args!("{}: --exec was not run, as those before it still do", file.display()));
            }
        }
    }
}

fn start(command: &str, file: &Path) -> io::Result<Child> {
    use std::os::unix::process::CommandExt;
    let mut shell = Command::new("/bin/sh");
    // In a group of its own: Ctrl-C is for the recording.
    shell.args(["-c", command, "dagcap"]).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    shell.spawn()
}
