//! [`exercise`]: calls that answer what the contract leaves open, for whoever has a card.

use std::ffi::CString;
use std::ptr;
use std::thread;
use std::time::Duration;

use dag_sys::{CallError, Libdag, Poll};

/// What is to be exercised.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exercise {
    /// Number of the card: N of `/dev/dagN`.
    pub card: u32,
    /// A receive stream with memory, of which nobody is the owner.
    pub stream: u16,
    /// Also send: a few small frames leave the card.
    pub transmit: bool,
    /// Also do what the contract says is an error, and a library may not bear: give back more than was lent.
    pub risky: bool,
}

impl Exercise {
    /// That of stream 0 of a card: nothing is sent, nothing risky done.
    pub fn of(card: u32) -> Self {
        Self { card, stream: 0, transmit: false, risky: false }
    }
}

/// The exercise could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExerciseError {
    /// The card cannot be opened.
    #[error("{name}: {error}")]
    Open {
        /// The card.
        name: String,
        /// What the library says.
        error: CallError,
    },
    /// The stream cannot be had.
    #[error("{name}, stream {stream}: {error}; take another stream, or stop who uses it")]
    Attach {
        /// The card.
        name: String,
        /// The stream.
        stream: u16,
        /// What the library says.
        error: CallError,
    },
}

/// A little longer than anything waits by itself, and short enough that the whole takes seconds.
const MAXWAIT: Duration = Duration::from_millis(300);

const POLL: Duration = Duration::from_millis(10);

/// More than lies in a stream.
const MUCH: u64 = 1 << 40;

/// A number of a card that is not there.
const NO_CARD: &std::ffi::CStr = c"/dev/dag97";

/// Makes the calls, in about ten seconds. What they answer is for the recorder, behind which `lib` is; only whether the card can be used at
/// all is looked at here.
///
/// # Errors
///
/// When the card or the stream cannot be had.
pub fn exercise(what: &Exercise, lib: &Libdag) -> Result<(), ExerciseError> {
    let name = format!("/dev/dag{}", what.card);
    let path = CString::new(name.as_str()).unwrap_or_default();
    names(what, lib);
    // No card, no answer.
    let _ = lib.dag_open(NO_CARD);
    let fd = lib.dag_open(&path).map_err(|error| ExerciseError::Open { name: name.clone(), error })?;
    let side = Side { lib, fd, stream: what.stream };
    inventory(&side);
    side.out_of_order();
    if let Err(error) = lib.attach(fd, what.stream) {
        // SAFETY: nothing is attached.
        unsafe { lib.dag_close(fd) };
        return Err(ExerciseError::Attach { name, stream: what.stream, error });
    }
    side.owned(&path);
    side.poll_rules();
    side.receive(what.risky);
    side.end();
    side.again();
    if what.transmit {
        Side { stream: 1, ..side }.transmit();
    }
    // SAFETY: nothing is attached any more.
    unsafe { lib.dag_close(fd) };
    side.after_close();
    Ok(())
}

/// How names are read (contract, section 5).
fn names(what: &Exercise, lib: &Libdag) {
    let (main, _) = lib.tables();
    let Ok(parse) = main.dag_parse_name.as_ref() else { return };
    let card = what.card;
    let forms = [
        format!("dag{card}"),
        format!("/dev/dag{card}"),
        format!("dag{card}:2"),
        format!("{card}:2"),
        format!("{card}"),
        "nonsense".to_owned(),
        String::new(),
    ];
    for form in forms {
        let (name, mut buffer, mut number) = (CString::new(form).unwrap_or_default(), [0; 256], 0);
        // SAFETY: a C string, and places of ours of the size that is given.
        let _ = unsafe { parse(name.as_ptr(), buffer.as_mut_ptr(), 128, &mut number) };
    }
}

/// What the card has, and what it says of what it has not.
fn inventory(side: &Side<'_>) {
    let (lib, fd) = (side.lib, side.fd);
    let streams = lib.dag_rx_get_stream_count(fd).unwrap_or(1).min(64) as u16;
    let _ = lib.dag_tx_get_stream_count(fd);
    // One even and one odd that are not there, too.
    for number in 0..2 * streams + 4 {
        let _ = lib.buffer_size(fd, number);
        if number % 2 == 0 {
            let _ = lib.erf_types(fd, number);
        }
    }
}

/// A stream through a descriptor.
#[derive(Clone, Copy)]
struct Side<'a> {
    lib: &'a Libdag,
    fd: i32,
    stream: u16,
}

impl Side<'_> {
    fn set_poll(&self, mindata: u64, maxwait: Duration) {
        let _ = self.lib.set_poll(self.fd, self.stream, Poll { mindata, maxwait, poll: POLL });
    }

    /// Advances from `bottom`: where the new window begins, and how long it is. The second is 0 where there is none.
    fn advance(&self, bottom: *mut u8) -> (*mut u8, usize) {
        let mut begin = bottom;
        // SAFETY: null, or within the window that came last, except where the exercise is told to be risky; nobody looks at it.
        match unsafe { self.lib.dag_advance_stream(self.fd, self.stream, &mut begin) } {
            Ok(top) if top >= begin => (begin, top.addr() - begin.addr()),
            _ => (bottom, 0),
        }
    }

    /// Everything that may be asked of a stream which nobody has attached.
    fn out_of_order(&self) {
        let Self { lib, fd, stream } = *self;
        let _ = lib.poll(fd, stream);
        let _ = lib.buffer_level(fd, stream);
        let _ = lib.dag_start_stream(fd, stream);
        let _ = lib.dag_stop_stream(fd, stream);
        self.advance(ptr::null_mut());
        // SAFETY: nothing was lent.
        let _ = unsafe { lib.dag_detach_stream(fd, stream) };
        // A stream that is not there, one without memory (where there is one), one of the other kind.
        let streams = lib.dag_rx_get_stream_count(fd).unwrap_or(1).min(64) as u16;
        for number in (0..=2 * streams).step_by(2).filter(|number| *number != stream) {
            if lib.buffer_size(fd, number).unwrap_or(0) == 0 && lib.attach(fd, number).is_ok() {
                // SAFETY: nothing was lent.
                let _ = unsafe { lib.dag_detach_stream(fd, number) };
            }
        }
    }

    /// A second owner: through the same descriptor, and through another one.
    fn owned(&self, path: &std::ffi::CStr) {
        let Self { lib, fd, stream } = *self;
        let _ = lib.attach(fd, stream);
        let Ok(second) = lib.dag_open(path) else { return };
        if lib.attach(second, stream).is_ok() {
            // SAFETY: nothing was lent.
            let _ = unsafe { lib.dag_detach_stream(second, stream) };
        }
        let _ = lib.buffer_size(second, stream);
        // SAFETY: nothing was lent through it.
        unsafe { lib.dag_close(second) };
    }

    /// The defaults, and whether what is set is what is got.
    fn poll_rules(&self) {
        let Self { lib, fd, stream } = *self;
        let _ = lib.poll(fd, stream);
        for (mindata, maxwait) in [(0, Duration::ZERO), (16, MAXWAIT), (64 << 10, Duration::from_secs(50_000))] {
            self.set_poll(mindata, maxwait);
            let _ = lib.poll(fd, stream);
        }
    }

    fn receive(&self, risky: bool) {
        let Self { lib, fd, stream } = *self;
        self.set_poll(0, MAXWAIT);
        // Not started yet.
        self.advance(ptr::null_mut());
        let _ = lib.dag_start_stream(fd, stream);
        let _ = lib.dag_start_stream(fd, stream);
        // Without waiting, from nothing: there may be no data yet.
        let (mut bottom, mut len) = self.advance(ptr::null_mut());
        for _ in 0..3 {
            // Everything back.
            (bottom, len) = self.advance(bottom.wrapping_add(len));
        }
        // Without waiting, although there is a time for it.
        thread::sleep(MAXWAIT / 4);
        (bottom, len) = self.advance(bottom.wrapping_add(len));
        // For one record, and in vain for more than can come.
        self.set_poll(16, MAXWAIT);
        (bottom, len) = self.advance(bottom.wrapping_add(len));
        self.set_poll(MUCH, MAXWAIT);
        for _ in 0..2 {
            (bottom, len) = self.advance(bottom.wrapping_add(len));
        }
        // Nothing back, the first record back, the rest back.
        (bottom, len) = self.advance(bottom);
        let first = first_record(bottom, len);
        (bottom, _) = self.advance(bottom.wrapping_add(first));
        (bottom, len) = self.advance(bottom);
        (bottom, len) = self.advance(bottom.wrapping_add(len));
        let _ = lib.buffer_level(fd, stream);
        if risky {
            self.advance(bottom.wrapping_add(len + 4096));
        }
    }

    /// The end, and what may be asked after it.
    fn end(&self) {
        let Self { lib, fd, stream } = *self;
        let _ = lib.dag_stop_stream(fd, stream);
        self.set_poll(0, MAXWAIT);
        self.advance(ptr::null_mut());
        let _ = lib.dag_stop_stream(fd, stream);
        for _ in 0..2 {
            // SAFETY: nothing that was lent is looked at.
            let _ = unsafe { lib.dag_detach_stream(fd, stream) };
        }
    }

    /// A new owner, which takes records one by one, and gives up without a stop.
    fn again(&self) {
        let Self { lib, fd, stream } = *self;
        if lib.attach(fd, stream).is_err() {
            return;
        }
        let _ = lib.poll(fd, stream);
        self.set_poll(16, MAXWAIT);
        let _ = lib.dag_start_stream(fd, stream);
        let (main, _) = lib.tables();
        if let Ok(next) = main.dag_rx_stream_next_record.as_ref() {
            for _ in 0..5 {
                // SAFETY: two numbers; what is lent is not looked at.
                let _ = unsafe { next(fd, stream.into()) };
            }
        }
        // SAFETY: nothing that was lent is looked at.
        let _ = unsafe { lib.dag_detach_stream(fd, stream) };
    }

    /// Three frames, too much room, and what is not for this kind of stream.
    fn transmit(&self) {
        let Self { lib, fd, stream } = *self;
        let _ = lib.tx_space(fd, stream, 4096);
        if lib.attach(fd, stream).is_err() {
            return;
        }
        let _ = lib.dag_start_stream(fd, stream);
        let _ = lib.tx_space(fd, stream, MUCH);
        for _ in 0..3 {
            let Ok(room) = lib.tx_space(fd, stream, 80) else { continue };
            // SAFETY: the library has given 80 bytes to write to.
            let record = unsafe { std::slice::from_raw_parts_mut(room, 80) };
            record.fill(0);
            record[8..16].copy_from_slice(&[2, 4, 0, 80, 0, 0, 0, 64]);
            // SAFETY: all 80 have been written.
            let _ = unsafe { lib.tx_commit(fd, stream, 80) };
        }
        for _ in 0..100 {
            if lib.buffer_level(fd, stream).unwrap_or(0) == 0 {
                break;
            }
            thread::sleep(POLL);
        }
        let _ = lib.dag_stop_stream(fd, stream);
        // SAFETY: nobody writes to its memory any more.
        let _ = unsafe { lib.dag_detach_stream(fd, stream) };
    }

    fn after_close(&self) {
        let Self { lib, fd, stream } = *self;
        let _ = lib.dag_rx_get_stream_count(fd);
        let _ = lib.attach(fd, stream);
        let _ = lib.dag_start_stream(fd, stream);
    }
}

/// The length of the first record of a window, 0 where there is none.
fn first_record(bottom: *mut u8, len: usize) -> usize {
    if len < 16 {
        return 0;
    }
    // SAFETY: the window has at least the header of a record, which stays as it is until the next call.
    let header = unsafe { std::slice::from_raw_parts(bottom, 16) };
    let first = usize::from(u16::from_be_bytes([header[10], header[11]]));
    if first <= len { first } else { 0 }
}
