//! [`Disk`]: the thread that waits for the disk, so that nobody else does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use erf::Records;
use erf::writer::Room;
use rustix::io::pwritev;

use super::append::Append;
use super::buffer::Buffer;
use super::place::Place;
use super::ring::{DEPTH, Ring};
use crate::record::progress::Progress;

/// What the disk is to do.
#[derive(Debug)]
enum Order {
    Write(Append),
    /// Everything so far is to survive a loss of power.
    Sync,
}

/// The thread that writes blocks, seen from the one that fills them.
#[derive(Debug)]
pub(super) struct Disk {
    orders: Option<Sender<Order>>,
    free: Receiver<Buffer>,
    state: Arc<State>,
    thread: Option<JoinHandle<Result<(), Failed>>>,
}

/// What is in the file.
#[derive(Debug, Default)]
struct State {
    bytes: AtomicU64,
    packets: AtomicU64,
}

/// Why the disk has given up. The file is cut back to its whole records.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) cause: io::Error,
    /// Bytes of the file that could not be cut off behind its whole records.
    pub(super) torn: u64,
}

impl Disk {
    /// Starts the thread, which owns `buffers` first. With `ring` it gives several appends to the kernel at once, through io_uring, where
    /// the system lets us; else, or without, it makes one call after another, which is slower by what lies between two of them.
    pub(super) fn spawn(
        place: Place,
        buffers: Vec<Buffer>,
        ring: bool,
        room: Option<(Room, String)>,
        progress: Arc<Progress>,
    ) -> io::Result<Self> {
        let (orders, queue) = bounded(buffers.len() + 1);
        let (release, free) = bounded(buffers.len());
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("dag-disk".to_owned()).spawn(move || {
            let ring = ring.then(|| Ring::new(&buffers));
            if let Some(Err(cause)) = &ring {
                log::debug!("no io_uring: {cause}");
            }
            let ring = ring.and_then(Result::ok);
            for buffer in buffers {
                // There is room for all of them.
                let _ = release.send(buffer);
            }
            Work { place, ring, room, state: shared, progress, release }.run(&queue)
        })?;
        Ok(Self { orders: Some(orders), free, state, thread: Some(thread) })
    }

    /// Gives an append on its way; `false` when the disk has given up.
    pub(super) fn write(&self, append: Append) -> bool {
        self.order(Order::Write(append))
    }

    /// What was written before is to survive a loss of power; `false` when the disk has given up.
    pub(super) fn sync(&self) -> bool {
        self.order(Order::Sync)
    }

    fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }

    /// A buffer that is written, waiting for one; `None` when the disk has given up.
    pub(super) fn buffer(&self) -> Option<Buffer> {
        self.free.recv().ok()
    }

    /// Bytes in the file, in whole records.
    pub(super) fn bytes(&self) -> u64 {
        self.state.bytes.load(Ordering::Acquire)
    }

    /// Packets in the file.
    pub(super) fn packets(&self) -> u64 {
        self.state.packets.load(Ordering::Acquire)
    }

    /// Lets everything ordered be done, and ends the thread.
    pub(super) fn end(&mut self) -> Result<(), Failed> {
        self.orders = None;
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(done)) => done,
            Some(Err(_)) => Err(Failed { cause: io::Error::other("the disk's thread has panicked"), torn: 0 }),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(failed) = self.end() {
            log::error!("{}", failed.cause);
        }
    }
}

/// What the thread has.
struct Work {
    place: Place,
    ring: Option<Ring>,
    /// Where a full disk is waited for, with the name of the file.
    room: Option<(Room, String)>,
    state: Arc<State>,
    progress: Arc<Progress>,
    release: Sender<Buffer>,
}

impl Work {
    fn run(mut self, queue: &Receiver<Order>) -> Result<(), Failed> {
        let mut appends: Vec<Append> = Vec::with_capacity(DEPTH);
        while let Ok(first) = queue.recv() {
            let mut order = Some(first);
            // As many as there are go to the kernel together.
            let mut sync = false;
            while let Some(Order::Write(append)) = order {
                appends.push(append);
                order = if appends.len() < DEPTH { queue.try_recv().ok() } else { None };
            }
            sync |= matches!(order, Some(Order::Sync));
            self.append(&mut appends)?;
            if sync {
                self.place.file.sync_data().map_err(|cause| Failed { cause, torn: 0 })?;
                self.progress.all_synced();
            }
        }
        Ok(())
    }

    /// Writes `appends` and gives their buffers back.
    fn append(&mut self, appends: &mut Vec<Append>) -> Result<(), Failed> {
        let Self { place, ring, .. } = self;
        let by_ring = ring.as_mut().map(|ring| ring.write(&place.file, appends)).unwrap_or_default();
        for (n, append) in appends.drain(..).enumerate() {
            let done = by_ring.get(n).copied().unwrap_or(0);
            if let Err((accepted, cause)) = self.complete(&append, done) {
                return Err(self.fail(&append, accepted, cause));
            }
            self.wrote(append.len() as u64, append.packets);
            let Append { buffer, straight, .. } = append;
            // Who has all buffers back is to find all of stream memory let go.
            drop(straight);
            // Nobody may want it any more.
            let _ = self.release.send(buffer);
        }
        Ok(())
    }

    /// Counts what stands in the file.
    fn wrote(&self, bytes: u64, packets: u64) {
        self.state.bytes.fetch_add(bytes, Ordering::Release);
        self.state.packets.fetch_add(packets, Ordering::Release);
        self.progress.wrote(packets, bytes);
    }

    /// Writes what is left of an append of which `done` bytes are in the file, waiting for room where that is asked for; if it fails, what
    /// is in the file then.
    fn complete(&self, append: &Append, done: usize) -> Result<(), (usize, io::Error)> {
        match (self.write_from(append, done), &self.room) {
            (Err((_, cause)), Some((room, name))) if is_full(&cause) => {
                let again = room.wait_for(name, || {
                    self.write_from(append, 0).map_err(|(_, cause)| {
                        // While it waits the file is to end on a record. If it cannot be cut, it is next time, or in the end.
                        let _ = self.place.file.set_len(append.at);
                        cause
                    })
                });
                again.or_else(|_| self.write_from(append, 0))
            }
            (done, _) => done,
        }
    }

    /// Writes what is left of an append of which `done` bytes are in the file; if that fails, what is in the file then.
    fn write_from(&self, append: &Append, done: usize) -> Result<(), (usize, io::Error)> {
        let block = self.place.block;
        // A file system may take a part of a block: that block is written once more as a whole, which tells why no more was taken.
        let mut accepted = done - done % block;
        let (mut taken, mut most) = (done, append.len());
        let mut is_retry = false;
        while accepted < append.len() {
            let end = append.len().min(accepted + most);
            let pieces = append.pieces(accepted, end).map(io::IoSlice::new);
            match pwritev(&self.place.file, &pieces, append.at + accepted as u64).map_err(io::Error::from) {
                Ok(0) => return Err((taken, io::ErrorKind::WriteZero.into())),
                Ok(count) if count < block && is_retry => {
                    return Err((taken.max(accepted + count), io::Error::other("the disk takes no whole block")));
                }
                Ok(count) => {
                    taken = taken.max(accepted + count);
                    is_retry = count < block;
                    accepted += count - count % block;
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                // Less may still fit.
                Err(cause) if is_full(&cause) && most > block => most = (most / 2).next_multiple_of(block),
                Err(cause) => return Err((taken, cause)),
            }
        }
        Ok(())
    }

    /// Cuts the file back to its whole records after `accepted` bytes of an append.
    fn fail(&self, append: &Append, accepted: usize, cause: io::Error) -> Failed {
        let (whole, packets) = whole_records(&append.pieces(0, accepted).concat());
        self.wrote(whole as u64, packets);
        let cut = self.place.file.set_len(append.at + whole as u64);
        Failed { cause, torn: if cut.is_ok() { 0 } else { (accepted - whole) as u64 } }
    }
}

/// The disk or the user's quota is full, or the file is as large as it may become.
fn is_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Bytes and packets of the whole records with which `bytes` begin.
fn whole_records(bytes: &[u8]) -> (usize, u64) {
    let (mut len, mut packets) = (0, 0);
    for record in Records::new(bytes).map_while(Result::ok) {
        len += record.bytes().len();
        packets += u64::from(record.is_packet());
    }
    (len, packets)
}
