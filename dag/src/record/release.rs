//! [`Release`]: up to where stream memory can be released.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;

/// What has become of the chunks that were sent, each of which holds stream memory up to its own end. They may be done in any order; memory is released
/// in theirs.
#[derive(Debug)]
pub(super) struct Release {
    /// Where the last chunk ends of which, and of all before it, nobody reads any more.
    position: AtomicU64,
    /// How many chunks those are.
    chunks: AtomicU64,
    /// The ends of chunks that are done before one that came earlier, by number.
    ahead: Mutex<BTreeMap<u64, u64>>,
    /// Gets a word whenever a chunk is done, unless one is waiting.
    tell: Sender<()>,
}

/// Holds the stream memory of a chunk until it is dropped.
#[derive(Debug)]
pub(super) struct Hold {
    release: Arc<Release>,
    number: u64,
    end: u64,
}

impl Release {
    pub(super) fn new(tell: Sender<()>) -> Self {
        Self { position: AtomicU64::new(0), chunks: AtomicU64::new(0), ahead: Mutex::default(), tell }
    }

    /// Holds chunk `number`, counted from 0, which ends at the position `end`.
    pub(super) fn hold(self: &Arc<Self>, number: u64, end: u64) -> Hold {
        Hold { release: Arc::clone(self), number, end }
    }

    /// Position up to which everything can be released, when `sent` chunks have been sent and everything before `looked_at` has been looked
    /// at.
    pub(super) fn up_to(&self, sent: u64, looked_at: u64) -> u64 {
        // Acquire: whoever read what is released has done so.
        if self.chunks.load(Ordering::Acquire) == sent { looked_at } else { self.position.load(Ordering::Acquire) }
    }

    fn done(&self, number: u64, end: u64) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.insert(number, end);
        let mut chunks = self.chunks.load(Ordering::Relaxed);
        while let Some(end) = ahead.remove(&chunks) {
            chunks += 1;
            // Release: reads of stream memory come before what the card writes there.
            self.position.store(end, Ordering::Release);
            self.chunks.store(chunks, Ordering::Release);
        }
        drop(ahead);
        // If a word is waiting already, that one will do.
        let _ = self.tell.try_send(());
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release.done(self.number, self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn memory_is_released_in_its_order_whatever_is_done_first() {
        let (tell, told) = bounded(1);
        let release = Arc::new(Release::new(tell));
        let mut holds: Vec<Option<Hold>> = (0..4).map(|n| Some(release.hold(n, 100 * (n + 1)))).collect();
        assert_eq!(release.up_to(4, 450), 0);
        for (n, released) in [(2, 0), (0, 100), (1, 300), (3, 450)] {
            holds[n] = None;
            assert_eq!(release.up_to(4, 450), released, "after chunk {n}");
            told.try_recv().expect("a word");
        }
    }
}
