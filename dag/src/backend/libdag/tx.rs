//! A transmit stream of libdag.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use dag_sys::CallError;

use super::card::Open;
use super::errno;
use crate::backend::TxBackend;
use crate::error::{Error, Repr};

/// The card takes some time to make room.
const AGAIN: Duration = Duration::from_micros(200);

/// The stream from attach to detach.
#[derive(Debug)]
pub(super) struct LibdagTx {
    open: Arc<Open>,
    number: u16,
    align: usize,
    detached: bool,
}

impl LibdagTx {
    pub(super) fn new(open: Arc<Open>, number: u16, align: usize) -> Self {
        Self { open, number, align, detached: false }
    }

    fn failed(&self, error: CallError) -> Error {
        errno::stream(&self.open.device, self.number, error)
    }
}

impl TxBackend for LibdagTx {
    fn start(&mut self) -> Result<(), Error> {
        self.open.lib.dag_start_stream(self.open.fd, self.number).map_err(|error| self.failed(error))
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.open.lib.dag_stop_stream(self.open.fd, self.number).map_err(|error| self.failed(error))
    }

    fn detach(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.detached, true) {
            return Ok(());
        }
        // SAFETY: nobody holds on to this stream's memory: what is sent is copied into it, within one call.
        let detached = unsafe { self.open.lib.dag_detach_stream(self.open.fd, self.number) };
        self.open.attached.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        detached.map_err(|error| self.failed(error))
    }

    fn send(&mut self, record: &[u8], patience: Duration) -> Result<(), Error> {
        let (lib, fd) = (&self.open.lib, self.open.fd);
        let begun = Instant::now();
        let space = loop {
            match lib.tx_space(fd, self.number, record.len() as u64) {
                Ok(space) => break space,
                Err(error) if matches!(error.errno(), Some(libc::EAGAIN | libc::EINTR)) => {
                    if begun.elapsed() >= patience {
                        return Err(Repr::TxNoRoom { stream: self.number }.into());
                    }
                    std::thread::sleep(AGAIN);
                }
                Err(error) => return Err(self.failed(error)),
            }
        };
        // SAFETY: the library has given as many bytes of room, which nobody else writes to before they are committed.
        unsafe { space.copy_from_nonoverlapping(record.as_ptr(), record.len()) };
        // SAFETY: all of it has just been written.
        unsafe { lib.tx_commit(fd, self.number, record.len() as u64) }.map_err(|error| self.failed(error))
    }

    fn level(&self) -> Result<u64, Error> {
        self.open.lib.buffer_level(self.open.fd, self.number).map_err(|error| self.failed(error))
    }

    fn align(&self) -> usize {
        self.align
    }
}

impl Drop for LibdagTx {
    fn drop(&mut self) {
        if let Err(error) = self.detach() {
            log::warn!("{error}");
        }
    }
}
