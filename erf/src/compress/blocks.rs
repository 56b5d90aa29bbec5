//! [`Blocks`]: blocks on their way through the workers, and back in order.

use std::collections::VecDeque;
use std::io;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use super::encode::Encoder;
use super::workers::{Done, Job, Workers};
use super::{Codec, Encoding, SeekTable};

/// Bytes of a block, about: as many as make later ones compress no better.
pub const BLOCK: usize = 1 << 20;

/// A block that is compressed, to be written where the one before it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Packed<T> {
    /// The unit of its format.
    pub unit: Vec<u8>,
    /// Bytes of the block.
    pub content: usize,
    /// What was given with it.
    pub with: T,
}

/// Blocks of one output. Each goes to a worker with a word of the caller's, and comes back, compressed and with that word, in its turn.
#[derive(Debug)]
pub struct Blocks<T> {
    encoding: Encoding,
    workers: Workers,
    under_way: VecDeque<(Receiver<io::Result<Done>>, T)>,
    /// Memory to be used again.
    spare: Vec<Vec<u8>>,
    table: Option<SeekTable>,
    any: bool,
}

impl<T> Blocks<T> {
    /// To be compressed by `workers`.
    pub fn new(encoding: Encoding, workers: Workers) -> Self {
        let table = (encoding.codec() == Codec::Zstd).then(SeekTable::default);
        Self { encoding, workers, under_way: VecDeque::new(), spare: Vec::new(), table, any: false }
    }

    /// As many are under way as keep every worker busy: take one back before the next is given.
    pub fn is_full(&self) -> bool {
        self.under_way.len() > 2 * self.workers.threads()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// An empty buffer for a block.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a buffer back, to be used again.
    pub fn reuse(&mut self, mut buffer: Vec<u8>) {
        // A few are enough: there may be many outputs at once.
        if self.spare.len() < 2 {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Hands a block over. It waits for a worker to take it only where workers have other outputs, too, or it [is full](Self::is_full).
    pub fn give(&mut self, block: Vec<u8>, with: T) {
        self.any = true;
        let (back, unit) = bounded(1);
        let job = Job { encoding: self.encoding, block, unit: self.buffer(), back };
        self.workers.give(job);
        self.under_way.push_back((unit, with));
    }

    /// The next one in order, waiting for it, or only if it is done. `None`: there is none.
    ///
    /// # Errors
    ///
    /// When it could not be compressed; what comes behind it is not to be written then.
    pub fn take(&mut self, wait: bool) -> io::Result<Option<Packed<T>>> {
        let Some((unit, _)) = self.under_way.front() else { return Ok(None) };
        let done = match wait {
            true => unit.recv().ok(),
            false => match unit.try_recv() {
                Err(TryRecvError::Empty) => return Ok(None),
                done => done.ok(),
            },
        };
        let Some((_, with)) = self.under_way.pop_front() else { return Ok(None) };
        let Some(done) = done else { return Err(io::Error::other("a thread that compresses has panicked")) };
        let Done { block, unit } = done?;
        let content = block.len();
        self.reuse(block);
        if let Some(table) = &mut self.table
            && !table.push(unit.len(), content)
        {
            // It can still be read from its beginning.
            self.table = None;
        }
        Ok(Some(Packed { unit, content, with }))
    }

    /// What closes the output once all blocks are back and written: in zstd the seek table; and where there was no block at all, a
    /// unit without content, so that it can be seen what it is.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub fn end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if !std::mem::replace(&mut self.any, true) {
            Encoder::default().encode(self.encoding, &[], &mut bytes)?;
            if let Some(table) = &mut self.table {
                table.push(bytes.len(), 0);
            }
        }
        if let Some(table) = self.table.take() {
            bytes.extend_from_slice(&table.to_bytes());
        }
        Ok(bytes)
    }
}
