//! A transmit stream as the C API sees it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dag_emu::TxStream;
use dag_emu::ring::PollRules;

use crate::guard::Errno;

/// Who asks for room waits so long at most: callers ask again at once, without a sleep (`libdag-contract.md` section 5).
const ROOM: Duration = Duration::from_millis(2);

/// Who copies has nothing else to do.
const COPY: Duration = Duration::from_secs(10);

/// A transmit stream with an owner.
#[derive(Debug)]
pub(crate) struct Tx {
    pub(crate) owner: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stream: TxStream,
    /// Kept and given back; a transmit stream does not wait by it.
    rules: PollRules,
    started: bool,
}

impl Tx {
    pub(crate) fn new(owner: u64, stream: TxStream) -> Self {
        Self { owner, state: Mutex::new(State { stream, rules: PollRules::default(), started: false }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn start(&self) -> Result<(), Errno> {
        let mut state = self.lock();
        state.stream.start().map_err(|error| Errno::from(&error))?;
        state.started = true;
        Ok(())
    }

    pub(crate) fn stop(&self) -> Result<(), Errno> {
        let mut state = self.lock();
        state.started = false;
        state.stream.stop().map_err(|error| Errno::from(&error))
    }

    pub(crate) fn rules(&self) -> PollRules {
        self.lock().rules
    }

    pub(crate) fn set_rules(&self, rules: PollRules) {
        self.lock().rules = rules;
    }

    /// Bytes that were committed and not sent yet.
    pub(crate) fn level(&self) -> u64 {
        self.lock().stream.level()
    }

    /// Contiguous room for `bytes`.
    pub(crate) fn space(&self, bytes: u64) -> Result<*mut u8, Errno> {
        self.lock().space(bytes)
    }

    /// Sends `bytes` of the room asked for last, and says where to go on.
    pub(crate) fn commit(&self, bytes: u64) -> Result<*mut u8, Errno> {
        let mut state = self.lock();
        state.check()?;
        if !state.stream.commit(bytes) {
            return Err(Errno(libc::EINVAL));
        }
        Ok(state.stream.next())
    }

    /// Copies and sends.
    pub(crate) fn copy(&self, bytes: &[u8]) -> Result<(), Errno> {
        let mut state = self.lock();
        state.check()?;
        state.stream.send(bytes, COPY).map_err(|error| match error.kind() {
            dag_emu::ErrorKind::State => Errno(libc::EAGAIN),
            _ => Errno::from(&error),
        })
    }

    /// Puts a record where committing its length sends it.
    ///
    /// # Safety
    ///
    /// There are `len` bytes at `record`.
    pub(crate) unsafe fn place(&self, record: *const u8, len: u16) -> Result<*mut u8, Errno> {
        let mut state = self.lock();
        let space = state.space(len.into())?;
        // SAFETY: as promised; and as many bytes of room that nobody else writes to.
        unsafe { space.copy_from_nonoverlapping(record, len.into()) };
        Ok(space)
    }
}

impl State {
    fn check(&self) -> Result<(), Errno> {
        if !self.started {
            return Err(Errno(libc::EINVAL));
        }
        if self.stream.is_gone() { Err(Errno(libc::EIO)) } else { Ok(()) }
    }

    fn space(&mut self, bytes: u64) -> Result<*mut u8, Errno> {
        self.check()?;
        if bytes > self.stream.memory_len() {
            return Err(Errno(libc::EINVAL));
        }
        self.stream.reserve(bytes, ROOM).ok_or(Errno(libc::EAGAIN))
    }
}
