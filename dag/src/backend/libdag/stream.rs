//! A receive stream of libdag: pointers, made into positions.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use dag_emu::ring::{PollRules, Window};
use dag_sys::{CallError, Poll};

use super::card::Open;
use super::errno;
use crate::backend::{Drops, Memory, StreamBackend};
use crate::error::{Error, Repr};

/// The library waits at most so long at a time, so that whoever interrupts is heard.
const SLICE: Duration = Duration::from_millis(50);

/// Between two looks while the library returns at once and brings nothing new: it has part of a record, or a mind of its own.
const PAUSE: Duration = Duration::from_millis(1);

/// Bytes of a record's header.
const HEADER: usize = 16;

/// A stream that is ours, given up when nobody looks at its memory any more.
#[derive(Debug)]
struct Attached {
    open: Arc<Open>,
    number: u16,
    given_up: bool,
}

impl Attached {
    fn detach(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.given_up, true) {
            return Ok(());
        }
        // SAFETY: the stream and every `Memory` of it hold a reference to this, and this is the last or the only one.
        let detached = unsafe { self.open.lib.dag_detach_stream(self.open.fd, self.number) };
        self.open.attached.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        detached.map_err(|error| errno::stream(&self.open.device, self.number, error))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Err(error) = self.detach() {
            log::warn!("{error}");
        }
    }
}

/// The stream from attach to detach.
#[derive(Debug)]
pub(super) struct LibdagStream {
    open: Arc<Open>,
    /// `None` once detached.
    attached: Option<Arc<Attached>>,
    number: u16,
    memory_len: u64,
    rules: PollRules,
    /// What the library waits by, once it was told.
    told: Option<Poll>,
    started: bool,
    /// Where the window begins in memory; null before the first.
    bottom: *mut u8,
    /// The window as the library gave it.
    given: Window,
    /// Up to here it is whole records.
    whole: u64,
    /// Bytes behind `whole` that lead nowhere: they are shown as they are, for the reader to find its way.
    lost: bool,
    /// Drop counter at attach: it may count since long before.
    baseline: Option<u32>,
    last: bool,
}

// SAFETY: `bottom` is used by whoever holds the stream, one thread at a time, which is all that libdag asks (contract, section 10).
unsafe impl Send for LibdagStream {}

impl LibdagStream {
    pub(super) fn new(open: Arc<Open>, number: u16) -> Result<Self, Error> {
        let attached = Arc::new(Attached { open: Arc::clone(&open), number, given_up: false });
        let memory_len =
            open.lib.buffer_size(open.fd, number).map_err(|error| errno::stream(&open.device, number, error))?;
        let baseline = open.ask(|config| config.stream_drops(number));
        Ok(Self {
            open,
            attached: Some(attached),
            number,
            memory_len,
            rules: PollRules::default(),
            told: None,
            started: false,
            bottom: ptr::null_mut(),
            given: Window { bottom: 0, top: 0 },
            whole: 0,
            lost: false,
            baseline,
            last: false,
        })
    }

    fn failed(&self, error: CallError) -> Error {
        errno::stream(&self.open.device, self.number, error)
    }

    fn misbehaves(&self, what: String) -> Error {
        Repr::Misbehaves { device: self.open.device.clone(), stream: self.number, what }.into()
    }

    fn check_attached(&self) -> Result<(), Error> {
        match &self.attached {
            Some(_) => Ok(()),
            None => Err(Error::state("the stream is detached; attach it again")),
        }
    }

    /// What may be shown: whole records.
    fn window(&self) -> Window {
        Window { bottom: self.given.bottom, top: if self.lost { self.given.top } else { self.whole } }
    }

    fn tell(&mut self, rules: Poll) -> Result<(), Error> {
        if self.told != Some(rules) {
            self.open.lib.set_poll(self.open.fd, self.number, rules).map_err(|error| self.failed(error))?;
            self.told = Some(rules);
        }
        Ok(())
    }

    /// One call of the library. `Some(true)`: there is more than before; `None`: a signal came.
    fn look(&mut self, release_to: u64) -> Result<Option<bool>, Error> {
        let Window { bottom, top } = self.given;
        if release_to < bottom || release_to > top {
            return Err(Error::state(format!("release to {release_to} lies outside of the window {bottom}..{top}")));
        }
        // Within the window, so within what is mapped.
        let mut pointer = self.bottom.wrapping_add((release_to - bottom) as usize);
        // SAFETY: null at first, and then what this call gave, moved forward within its window. Slices of what lies before
        // are gone: they borrow the stream, or are of a `Memory`, whose users promise not to release what they look at.
        let end = unsafe { self.open.lib.dag_advance_stream(self.open.fd, self.number, &mut pointer) };
        let end = match end {
            Ok(end) => end,
            Err(error) => {
                return match error.errno() {
                    Some(libc::EAGAIN) => Ok(Some(false)),
                    Some(libc::EINTR) => Ok(None),
                    // An emulated card knows better what has happened to it.
                    _ => Err(self.open.failure().unwrap_or_else(|| self.failed(error))),
                };
            }
        };
        let Some(len) = (end as usize).checked_sub(pointer as usize) else {
            return Err(self.misbehaves("the data that it shows ends before it begins".to_owned()));
        };
        let len = len as u64;
        if self.memory_len > 0 && len > self.memory_len {
            return Err(self.misbehaves(format!("it shows {len} bytes of a memory of {}", self.memory_len)));
        }
        // A part of a record that was not shown to anybody may come and go.
        let shown = self.window().top.max(release_to);
        if release_to + len < shown {
            return Err(self.misbehaves(format!("it takes back {} bytes that it has shown", shown - release_to - len)));
        }
        self.bottom = pointer;
        self.given = Window { bottom: release_to, top: release_to + len };
        let before = self.window().top.max(release_to);
        self.find_whole();
        let grown = self.window().top > before;
        self.last = !grown && self.open.lib.end_of_feed(self.open.fd, self.number);
        Ok(Some(grown))
    }

    /// Finds how far the window is whole records. A card may show a part of one; the emulated one does not.
    fn find_whole(&mut self) {
        let Window { bottom, top } = self.given;
        self.whole = self.whole.max(bottom);
        if self.open.is_emulated() {
            self.whole = top;
            return;
        }
        if self.lost && self.whole == bottom && bottom == top {
            // What led nowhere has been released.
            self.lost = false;
        }
        while !self.lost && top - self.whole >= HEADER as u64 {
            let at = self.bottom.wrapping_add((self.whole - bottom) as usize);
            let mut rlen = [0u8; 2];
            for (byte, offset) in rlen.iter_mut().zip(10..) {
                // SAFETY: the header lies in the window that the library has just given.
                *byte = unsafe { at.wrapping_add(offset).read_volatile() };
            }
            let rlen = u64::from(u16::from_be_bytes(rlen));
            if rlen < HEADER as u64 {
                self.lost = true;
            } else if rlen <= top - self.whole {
                self.whole += rlen;
            } else {
                return;
            }
        }
    }
}

impl StreamBackend for LibdagStream {
    fn start(&mut self) -> Result<(), Error> {
        self.check_attached()?;
        self.open.lib.dag_start_stream(self.open.fd, self.number).map_err(|error| self.failed(error))?;
        self.started = true;
        // What was not read before a stop is given up.
        let position = self.given.top;
        self.bottom = ptr::null_mut();
        self.given = Window { bottom: position, top: position };
        (self.whole, self.lost, self.last) = (position, false, false);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        if !std::mem::replace(&mut self.started, false) || self.attached.is_none() {
            return Ok(());
        }
        self.open.lib.dag_stop_stream(self.open.fd, self.number).map_err(|error| self.failed(error))
    }

    fn detach(&mut self) -> Result<(), Error> {
        self.bottom = ptr::null_mut();
        self.given.bottom = self.given.top;
        self.whole = self.given.top;
        match self.attached.take().map(Arc::try_unwrap) {
            Some(Ok(mut attached)) => attached.detach(),
            // Somebody still looks at its memory: it is detached when they are done.
            Some(Err(_)) | None => Ok(()),
        }
    }

    fn poll_rules(&self) -> PollRules {
        self.rules
    }

    fn set_poll_rules(&mut self, rules: PollRules) {
        self.rules = rules;
    }

    fn advance(&mut self, release_to: u64, interrupt: &AtomicBool) -> Result<Window, Error> {
        self.check_attached()?;
        let begun = Instant::now();
        let rules = self.rules;
        // A ring too full for the next record must not be waited on; see `dag_emu::ring::PollRules`.
        let wanted = if self.memory_len > 0 { rules.mindata.min(self.memory_len / 2) } else { rules.mindata };
        loop {
            let waited = begun.elapsed();
            let left = match rules.maxwait {
                Duration::ZERO => SLICE,
                maxwait => maxwait.saturating_sub(waited).min(SLICE),
            };
            let over = left.is_zero() || interrupt.load(Ordering::Relaxed);
            // No wait at all is mindata 0; a `maxwait` of 0 would be one without limit.
            let mindata = if over { 0 } else { wanted };
            self.tell(Poll { mindata, maxwait: left.max(Duration::from_micros(1)), poll: rules.poll })?;
            let looked = Instant::now();
            let Some(grown) = self.look(release_to)? else { return Ok(self.window()) };
            let enough = self.window().top - release_to >= wanted;
            if enough || over || self.last || interrupt.load(Ordering::Relaxed) {
                return Ok(self.window());
            }
            if !grown && looked.elapsed() < PAUSE {
                std::thread::sleep(PAUSE.min(left));
            }
        }
    }

    fn position(&self) -> u64 {
        self.given.bottom
    }

    fn bytes(&self) -> &[u8] {
        let Window { bottom, top } = self.window();
        if self.bottom.is_null() || self.attached.is_none() {
            return &[];
        }
        // SAFETY: what the library gave last, contiguous and unmoved until it is called again (contract, section 2.6), which takes
        // `&mut self`. That the card does not write there meanwhile is its driver's promise.
        unsafe { std::slice::from_raw_parts(self.bottom, (top - bottom) as usize) }
    }

    fn failure(&self) -> Option<Error> {
        self.open.failure()
    }

    fn is_last(&self) -> bool {
        self.last || self.attached.is_none()
    }

    fn drops(&self) -> Option<Drops> {
        if let Some((counter, untold)) = self.open.lib.exact_drops(self.open.fd, self.number) {
            return Some(Drops { counter, pending: Some(untold) });
        }
        let (now, before) = (self.open.ask(|config| config.stream_drops(self.number))?, self.baseline?);
        Some(Drops { counter: now.wrapping_sub(before), pending: None })
    }

    fn memory(&self) -> Option<Memory> {
        let owner: Arc<Attached> = Arc::clone(self.attached.as_ref()?);
        Some(Memory::window(self.bottom, self.given.bottom, owner))
    }

    fn memory_len(&self) -> u64 {
        self.memory_len
    }
}
