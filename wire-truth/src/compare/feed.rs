//! A capture read and digested by a thread of its own, so that two are read at once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::path::Path;
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use erf::{Access, Reader};

use super::Side;
use super::way::{Source, Way};
use crate::digest::{DIGEST_BYTES, Digest, look};
use crate::error::{Error, Repr};

/// A capture, packet by packet, read and digested by a thread of its own.
pub(super) struct Feed {
    pub(super) name: String,
    pub(super) side: Side,
    /// With `None` at its end: a thread that has ended without is no end of a file.
    blocks: Receiver<Result<Option<Block>, Error>>,
    /// What is left of the last block.
    block: std::vec::IntoIter<Seen>,
    is_over: bool,
}

/// What is known of a part of a capture.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) seen: Vec<Seen>,
    /// What to add to the counts.
    pub(super) side: Side,
}

/// Blocks read ahead of what is compared.
const AHEAD: usize = 2;

/// A map by digests, which are hashes already.
pub(super) type ByDigest<T> = HashMap<u64, T, BuildHasherDefault<Digested>>;

/// The hash of a digest: itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not asked for by a map of digests; any hash is right.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}

/// A packet that can be known again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) digest: u64,
    pub(super) nanos: i64,
    pub(super) bytes: u16,
    pub(super) way: Way,
}

impl Side {
    /// What was counted of another part of the same capture.
    pub(super) fn add(&mut self, part: Self) {
        self.packets += part.packets;
        self.only += part.only;
        self.snapped += part.snapped;
        self.other += part.other;
        self.defects += part.defects;
        self.elsewhere += part.elsewhere;
    }
}

impl Feed {
    pub(super) fn open(path: &Path, from: Option<Source>) -> Result<Self, Error> {
        let name = path.display().to_string();
        let mut reader = open(path)?;
        let (send, blocks) = bounded(AHEAD);
        let read = move || {
            loop {
                let block = next_block(&mut reader, from);
                let over = !matches!(block, Ok(Some(_)));
                // Nobody wants more where the feed was dropped.
                if send.send(block).is_err() || over {
                    break;
                }
            }
        };
        let spawned = thread::Builder::new().name("capture".to_owned()).spawn(read);
        spawned.map_err(|cause| Repr::Io { path: name.clone(), cause })?;
        Ok(Self { name, side: Side::default(), blocks, block: Vec::new().into_iter(), is_over: false })
    }

    /// What comes next, as far as it has been read.
    pub(super) fn coming(&self) -> &[Seen] {
        self.block.as_slice()
    }

    pub(super) fn next(&mut self) -> Result<Option<Seen>, Error> {
        loop {
            if let Some(seen) = self.block.next() {
                return Ok(Some(seen));
            }
            if self.is_over {
                return Ok(None);
            }
            let gone = |_| Repr::Io { path: self.name.clone(), cause: io::Error::other("what reads it has ended") };
            let Some(Block { seen, side }) = self.blocks.recv().map_err(gone)?? else {
                self.is_over = true;
                continue;
            };
            self.block = seen.into_iter();
            self.side.add(side);
        }
    }
}

/// By blocks: a batch is then of their size, and not of the file's.
pub(super) fn open(path: &Path) -> Result<Reader, Error> {
    let reader = Reader::builder().recover(true).access(Access::Blocks).open(path);
    Ok(reader.map_err(|cause| Repr::Capture { cause })?)
}

/// What comes next, of all packets or of those of one end.
pub(super) fn next_block(reader: &mut Reader, from: Option<Source>) -> Result<Option<Block>, Error> {
    let Some(batch) = reader.next_batch().map_err(|cause| Repr::Capture { cause })? else { return Ok(None) };
    let mut block = Block::default();
    for item in &batch {
        match item {
            Err(_) => block.side.defects += 1,
            Ok(record) if record.is_packet() => {
                block.side.packets += 1;
                let (digest, ends) = look(&record, DIGEST_BYTES);
                if from.is_some_and(|from| !from.sends(ends)) {
                    block.side.elsewhere += 1;
                    continue;
                }
                match digest {
                    Digest::Packet(digest) => {
                        // Until the year 2262.
                        let nanos = i64::try_from(record.timestamp().nanos()).unwrap_or(i64::MAX);
                        block.seen.push(Seen { digest, nanos, bytes: record.wire_len(), way: Way::of(ends) });
                    }
                    Digest::Snapped => block.side.snapped += 1,
                    Digest::Other => block.side.other += 1,
                }
            }
            Ok(_) => {}
        }
    }
    Ok(Some(block))
}
