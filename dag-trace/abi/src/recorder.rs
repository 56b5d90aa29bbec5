//! The log, and how a call gets into it.

use std::cell::Cell;
use std::collections::HashMap;
use std::env;
use std::ffi::{CStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dag_sys::bindings::dag_card_ref_t;
use dag_trace::{Call, CardSeen, FORMAT, Line, Opening};
use libc::c_char;

use crate::value::Value;
use crate::{errno, real};

const DEFAULT_LIMIT: u64 = 256 << 20;

/// What is known of a stream.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lent {
    /// The window that was lent last, by the address of its begin.
    pub(crate) bottom: usize,
    pub(crate) len: u64,
    pub(crate) records: u64,
}

/// Everything that the recorder remembers, for one process.
pub(crate) struct Recorder {
    begun: Instant,
    /// The log has been begun, once.
    is_open: bool,
    /// `None` before, and once it is full, or cannot be written.
    file: Option<File>,
    left: u64,
    calls: u64,
    pub(crate) lent: HashMap<(i32, i32), Lent>,
    /// References to cards, by the number they have in the log.
    refs: HashMap<usize, i64>,
}

/// A recorder, and the process that it records.
struct Owned {
    pid: u32,
    recorder: Mutex<Recorder>,
}

/// Never freed: somebody may look at an old one.
static RECORDER: AtomicPtr<Owned> = AtomicPtr::new(std::ptr::null_mut());

/// The recorder of this process.
pub(crate) fn recorder() -> MutexGuard<'static, Recorder> {
    let pid = std::process::id();
    let mut current = RECORDER.load(Ordering::Acquire);
    // SAFETY: null, or stored below and never freed.
    while unsafe { current.as_ref() }.is_none_or(|owned| owned.pid != pid) {
        let mut recorder = Recorder::new();
        // What was lent to a parent is lent to its child as well. That the parent's lock is taken means that another of its threads was in
        // here at the fork: nobody will ever let go of it in this process.
        // SAFETY: as above.
        if let Some(mut parents) = unsafe { current.as_ref() }.and_then(|owned| owned.recorder.try_lock().ok()) {
            (recorder.lent, recorder.refs) = (std::mem::take(&mut parents.lent), std::mem::take(&mut parents.refs));
        }
        let new = Box::into_raw(Box::new(Owned { pid, recorder: Mutex::new(recorder) }));
        current = match RECORDER.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            // Another thread was faster.
            Err(other) => other,
        };
    }
    // SAFETY: as above, and not null any more.
    let owned = unsafe { &*current };
    let mut recorder = owned.recorder.lock().unwrap_or_else(PoisonError::into_inner);
    if !std::mem::replace(&mut recorder.is_open, true) {
        recorder.open(pid);
    }
    recorder
}

impl Recorder {
    fn new() -> Self {
        let limit = env::var("DAG_TRACE_LIMIT").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_LIMIT);
        let (lent, refs) = (HashMap::new(), HashMap::new());
        Self { begun: Instant::now(), is_open: false, file: None, left: limit, calls: 0, lent, refs }
    }

    /// Begins the log of process `pid`.
    fn open(&mut self, pid: u32) {
        self.file = open().inspect_err(|error| eprintln!("flight recorder for libdag: no log: {error}")).ok();
        let library = real::library();
        self.write(&Line::Opening(Opening {
            format: FORMAT,
            library: library.map(|library| library.path().to_owned()).unwrap_or_default(),
            emulated: library.and_then(dag_sys::Libdag::emulated),
            program: env::args_os().next().unwrap_or_default().to_string_lossy().into_owned(),
            pid,
        }));
    }

    fn write(&mut self, line: &Line) {
        let Some(file) = &mut self.file else { return };
        let mut text = line.to_text();
        if text.len() as u64 > self.left {
            text = Line::Full.to_text();
        }
        self.left = self.left.saturating_sub(text.len() as u64);
        // Whole lines, at once: a program that is killed leaves a log that can be read.
        let written = file.write_all(text.as_bytes());
        if let Err(error) = &written {
            eprintln!("flight recorder for libdag: the log ends here: {error}");
        }
        if written.is_err() || *line == Line::Full || self.left == 0 || text == Line::Full.to_text() {
            self.file = None;
        }
    }

    /// The number of a reference to a card, a new one for a new reference; 0 is none.
    pub(crate) fn number_of(&mut self, card: dag_card_ref_t) -> i64 {
        if card.is_null() {
            return 0;
        }
        // A few hundred at most.
        let next = self.refs.len() as i64 + 1;
        *self.refs.entry(card.addr()).or_insert(next)
    }

    /// Notes what the card that was just opened has.
    pub(crate) fn card(&mut self, fd: i32, name: &str) {
        let Some(library) = real::library() else { return };
        let rx_streams = library.dag_rx_get_stream_count(fd).ok();
        let tx_streams = library.dag_tx_get_stream_count(fd).ok();
        let most = 2 * rx_streams.unwrap_or(1).max(tx_streams.unwrap_or(0)).min(128) as u16;
        let memory = (0..most).filter_map(|stream| Some((stream, library.buffer_size(fd, stream).ok()?))).collect();
        self.write(&Line::Card(CardSeen { fd, name: name.to_owned(), rx_streams, tx_streams, memory }));
    }
}

/// The log: a new file.
fn open() -> io::Result<File> {
    let path = env::var_os("DAG_TRACE_LOG").filter(|path| !path.is_empty()).unwrap_or_else(|| "dag-trace.jsonl".into());
    let create = |path: &OsString| OpenOptions::new().write(true).create_new(true).open(path);
    match create(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Another program's, or a parent's.
            let mut other = path;
            other.push(format!(".{}", std::process::id()));
            create(&other)
        }
        opened => opened,
    }
}

thread_local! {
    /// The number of this thread in the log.
    static THREAD: u32 = {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
    /// Whether this thread is in a call already: what libraries call in themselves is no call of the program.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Makes a call and logs it. `before` fills in what is known beforehand, `after` what the call has given; neither may fail the call.
pub(crate) fn recorded<T: Value>(
    name: &'static str,
    before: impl FnOnce(&mut Call, &mut Recorder),
    call: impl FnOnce() -> Option<T>,
    after: impl FnOnce(&mut Call, &mut Recorder, T),
) -> T {
    if INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(true) {
        return call().unwrap_or(T::FAILURE);
    }
    let kept = errno::get();
    let mut line = Call { call: name.to_owned(), ..Call::default() };
    let prepared = catch_unwind(AssertUnwindSafe(|| {
        let mut recorder = recorder();
        before(&mut line, &mut recorder);
        recorder.begun
    }));
    errno::set(kept);
    let begun = Instant::now();
    let answer = call();
    let took = begun.elapsed();
    let result = answer.unwrap_or_else(|| {
        errno::set(libc::ENOSYS);
        T::FAILURE
    });
    let left = errno::get();
    if let Ok(log_begun) = prepared {
        // A panic of ours is not the program's.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            line.at_us = micros(begun.saturating_duration_since(log_begun));
            line.took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            line.thread = THREAD.try_with(|thread| *thread).unwrap_or(0);
            line.result = result.number();
            line.errno = result.has_failed().then_some(left);
            let mut recorder = recorder();
            after(&mut line, &mut recorder, result);
            recorder.calls += 1;
            line.n = recorder.calls;
            recorder.write(&Line::Call(line));
        }));
    }
    let _ = INSIDE.try_with(|inside| inside.set(false));
    errno::set(left);
    result
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A C string, as text.
///
/// # Safety
///
/// A C string or null.
pub(crate) unsafe fn text(string: *const c_char) -> Option<String> {
    if string.is_null() {
        return None;
    }
    // SAFETY: as promised.
    Some(unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned())
}
