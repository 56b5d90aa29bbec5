//! Descriptors, and what is behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock};
use std::{mem, ptr};

use libc::c_int;

use crate::cards::{Board, Boards};
use crate::config::Refs;
use crate::constants::{DEVICE_CODE, VDAG_CODE};
use crate::guard::Errno;

/// `daginf_t`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct DagInf {
    id: u32,
    device_code: u32,
}

/// `dag_card_inf_t`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CardInf {
    device_code: u32,
    brd_rev: u32,
    bus_id: [u8; 32],
}

/// An open card.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) board: Arc<Board>,
    /// What streams know their owner by: descriptors are used again, these are not.
    pub(crate) id: u64,
    pub(crate) info: Box<DagInf>,
    pub(crate) card_info: Box<CardInf>,
    /// Streams on which the program plays the card, once it attaches them.
    pub(crate) reversed: Mutex<BTreeSet<u16>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.board.slots.detach_all(self.id);
    }
}

/// All that this process has open.
#[derive(Debug, Default)]
pub(crate) struct Process {
    handles: RwLock<BTreeMap<c_int, Arc<Handle>>>,
    boards: Boards,
    pub(crate) refs: Refs,
}

static PROCESS: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());
static ONCE: Once = Once::new();
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// This process.
pub(crate) fn process() -> &'static Process {
    ONCE.call_once(|| {
        renew();
        // SAFETY: a function that may run after a fork: it stores a pointer, to memory that it takes from an allocator
        // which the C library keeps usable there.
        unsafe { libc::pthread_atfork(None, None, Some(after_fork)) };
    });
    // SAFETY: stored by `renew` before anybody comes here, and never freed.
    unsafe { &*PROCESS.load(Ordering::Acquire) }
}

fn renew() {
    PROCESS.store(Box::into_raw(Box::default()), Ordering::Release);
}

/// The child has nothing open: the threads that ran the cards are the parent's, and so are the streams. What it inherits it
/// forgets, and gives nothing back.
unsafe extern "C" fn after_fork() {
    renew();
}

impl Process {
    /// Opens card `number`.
    pub(crate) fn open(&self, number: u16) -> Result<c_int, Errno> {
        let board = self.boards.open(number)?;
        let fd = descriptor()?;
        let device_code = if board.card.is_reversible() { VDAG_CODE } else { DEVICE_CODE };
        let info = Box::new(DagInf { id: number.into(), device_code });
        let mut bus_id = [0; 32];
        bus_id.iter_mut().zip(b"EMULATED").for_each(|(to, from)| *to = *from);
        let card_info = Box::new(CardInf { device_code, brd_rev: 0, bus_id });
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let handle = Arc::new(Handle { board, id, info, card_info, reversed: Mutex::default() });
        // One of a descriptor that somebody closed past us goes now.
        let before = self.handles.write().unwrap_or_else(PoisonError::into_inner).insert(fd, handle);
        drop(before);
        Ok(fd)
    }

    /// The card behind a descriptor.
    pub(crate) fn handle(&self, fd: c_int) -> Result<Arc<Handle>, Errno> {
        let handles = self.handles.read().unwrap_or_else(PoisonError::into_inner);
        handles.get(&fd).cloned().ok_or(Errno(libc::EBADF))
    }

    /// Closes a descriptor. Calls that wait on its streams end.
    pub(crate) fn close(&self, fd: c_int) -> Result<(), Errno> {
        let handle = self.handles.write().unwrap_or_else(PoisonError::into_inner).remove(&fd);
        let handle = handle.ok_or(Errno(libc::EBADF))?;
        // Now, whoever else still uses the handle.
        handle.board.slots.detach_all(handle.id);
        // SAFETY: made by `descriptor`, and nobody's but ours.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(())
    }
}

/// A real descriptor: callers use `fcntl`, `ioctl` and `select` on it (`libdag-contract.md` section 2.10).
fn descriptor() -> Result<c_int, Errno> {
    // SAFETY: two numbers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EMFILE)));
    }
    // SAFETY: just made.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) }.into_raw_fd())
}

const _: () = assert!(mem::size_of::<DagInf>() == 8 && mem::size_of::<CardInf>() == 40);
