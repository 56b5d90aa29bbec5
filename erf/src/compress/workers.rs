//! [`Workers`]: the threads that compress.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Encoding;
use super::encode::Encoder;

/// A block to be compressed, and where it goes then.
pub(super) struct Job {
    pub(super) encoding: Encoding,
    pub(super) block: Vec<u8>,
    /// What the unit is put into; empty.
    pub(super) unit: Vec<u8>,
    /// Has room for the one answer, so that no worker ever waits.
    pub(super) back: Sender<io::Result<Done>>,
}

/// A block that is compressed.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) block: Vec<u8>,
    pub(super) unit: Vec<u8>,
}

/// Threads that compress blocks for whoever has some; clones are the same threads. They end when nobody has them any more.
#[derive(Clone)]
pub struct Workers(Arc<Shared>);

struct Shared {
    /// `None` once they are to end.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// As many threads as this, at least one.
    ///
    /// # Errors
    ///
    /// When the system has no more threads.
    pub fn new(threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        // With what each works on: all that one output has under way.
        let (jobs, queue) = bounded(threads + 1);
        // Made one by one, so that those that are there end if one cannot be.
        let mut shared = Shared { jobs: Some(jobs), threads: Vec::with_capacity(threads) };
        for _ in 0..threads {
            let queue = queue.clone();
            shared.threads.push(thread::Builder::new().name("erf-compress".to_owned()).spawn(move || work(&queue))?);
        }
        Ok(Self(Arc::new(shared)))
    }

    /// One thread for each processor but one, which is left to who has the data; at least one.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn usual() -> io::Result<Self> {
        Self::new(thread::available_parallelism().map_or(1, |all| all.get() - 1))
    }

    /// How many there are.
    pub fn threads(&self) -> usize {
        self.0.threads.len()
    }

    /// Hands a job over, waiting until one of them can take it.
    pub(super) fn give(&self, job: Job) {
        if let Some(jobs) = &self.0.jobs {
            // Should they all have panicked, the job goes, and with it the way back: who waits there learns of it.
            let _ = jobs.send(job);
        }
    }
}

fn work(queue: &Receiver<Job>) {
    let mut encoder = Encoder::default();
    for Job { encoding, block, mut unit, back } in queue {
        let done = encoder.encode(encoding, &block, &mut unit).map(|()| Done { block, unit });
        // Whoever gave it may want it no more.
        let _ = back.send(done);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a thread that compresses has panicked");
            }
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("threads", &self.threads()).finish_non_exhaustive()
    }
}
