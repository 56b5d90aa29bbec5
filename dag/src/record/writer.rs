//! The writer's thread.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::chunk::{Bytes, Chunk, QUEUE};
use super::parts::Parts;
use super::release::Release;
use super::sink::Sink;
use crate::error::{Error, Repr};

/// When nothing comes for so long, what is gathered goes to the file.
const IDLE: Duration = Duration::from_millis(100);

/// The thread that writes, seen from the one that captures.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` once the writer is to end.
    chunks: Option<Sender<Chunk>>,
    /// Buffers that are free again.
    buffers: Receiver<Vec<u8>>,
    release: Arc<Release>,
    /// A word whenever a chunk is done, unless one is waiting.
    told: Receiver<()>,
    sent: u64,
    thread: Option<JoinHandle<Ended>>,
}

/// The file as the writer leaves it: still open, or as an error left it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) parts: Parts,
    pub(super) error: Option<Error>,
}

/// What became of a chunk.
#[derive(Debug)]
pub(super) enum Sent {
    /// It is on its way.
    Yes,
    /// There is no room yet.
    Full(Chunk),
    /// The writer has failed.
    Failed,
}

impl Writer {
    pub(super) fn spawn(parts: Parts) -> Result<Self, Error> {
        let (chunks, queue) = bounded(QUEUE);
        let (tell, told) = bounded(1);
        let (spare, buffers) = bounded(QUEUE);
        let release = Arc::new(Release::new(tell));
        let thread = std::thread::Builder::new()
            .name("dag-writer".to_owned())
            .spawn(move || run(parts, &queue, &spare))
            .map_err(Repr::Thread)?;
        Ok(Self { chunks: Some(chunks), buffers, release, told, sent: 0, thread: Some(thread) })
    }

    /// Hands a chunk over without waiting.
    pub(super) fn send(&mut self, mut chunk: Chunk) -> Sent {
        let Some(chunks) = &self.chunks else { return Sent::Failed };
        if chunk.hold.is_none() {
            chunk.hold = Some(Arc::new(self.release.hold(self.sent, chunk.done)));
            self.sent += 1;
        }
        match chunks.try_send(chunk) {
            Ok(()) => Sent::Yes,
            Err(TrySendError::Full(chunk)) => Sent::Full(chunk),
            Err(TrySendError::Disconnected(_)) => Sent::Failed,
        }
    }

    /// An empty buffer for a chunk.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.buffers.try_recv().unwrap_or_default()
    }

    /// Waits until a chunk is done or the writer has ended, at most `limit`.
    pub(super) fn wait(&self, limit: Duration) {
        // Either way, it is looked at what has become of it.
        let _ = self.told.recv_timeout(limit);
    }

    /// Position up to which stream memory can be released, when everything before `looked_at` has been looked at.
    pub(super) fn releasable(&self, looked_at: u64) -> u64 {
        self.release.up_to(self.sent, looked_at)
    }

    /// Whether the writer has given up.
    pub(super) fn has_failed(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Lets the writer write what is on its way, and takes the file back.
    pub(super) fn join(mut self) -> Option<Ended> {
        self.chunks = None;
        let thread = self.thread.take()?;
        thread.join().ok()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Stream memory must not go while the writer reads it.
        self.chunks = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the writer's thread has panicked");
        }
    }
}

fn run(mut parts: Parts, queue: &Receiver<Chunk>, spare: &Sender<Vec<u8>>) -> Ended {
    let error = write_all(&mut parts, queue, spare).err();
    Ended { parts, error }
}

fn write_all(parts: &mut Parts, queue: &Receiver<Chunk>, spare: &Sender<Vec<u8>>) -> Result<(), Error> {
    let mut flushed = Instant::now();
    let mut dirty = false;
    loop {
        let mut chunk = match queue.recv_timeout(IDLE) {
            Ok(chunk) => Some(chunk),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                return parts.current().map_or(Ok(()), Sink::settle).map_err(Error::writing);
            }
        };
        if let Some(chunk) = &mut chunk {
            parts.write(chunk)?;
            dirty = true;
        }
        if dirty
            && let Some(sink) = parts.current()
            && sink.is_due(flushed.elapsed(), queue.is_empty(), chunk.is_none())
        {
            sink.flush().map_err(Error::writing)?;
            dirty = false;
            flushed = Instant::now();
        } else if let Some(sink) = parts.current().filter(|_| chunk.is_some()) {
            // Where there is always more to be written, nothing is ever due.
            sink.sync_in_time().map_err(Error::writing)?;
        }
        // What it holds is let go with it, unless the disk has yet to read from there.
        if let Some(Chunk { bytes: Bytes::Owned(mut buffer), .. }) = chunk {
            buffer.clear();
            // One too many is let go.
            let _ = spare.try_send(buffer);
        }
    }
}
