//! Recording to disk: [`Recorder`] takes records out of a stream and writes them, on two threads, and keeps an [`Account`] that
//! adds up.
//!
//! ```text
//! stream memory -> capture thread: look at every record, choose   -> channel -> writer thread: file
//!       ^                                                                             |
//!       +---------------------- released as writes complete --------------------------+
//! ```
//!
//! An ERF file is written past the page cache where that can be: records are gathered into aligned blocks, which the disk takes while the
//! next ones fill. Elsewhere, what is recorded whole is written straight from stream memory; only where records are left out in between are
//! the others copied. When the disk is slower than the wire, stream memory fills, and then the card drops and counts.

mod capture;
mod chunk;
mod clock;
mod damage;
mod direct;
mod limits;
mod look;
mod loss;
mod merge;
mod opening;
mod options;
mod packed;
mod parts;
mod pin;
mod preflight;
mod progress;
mod release;
mod rotation;
mod sink;
mod source;
mod staged;
mod tally;
mod writer;

pub use limits::{Limits, Selection};
pub use merge::StreamRecording;
pub use options::{Io, OnFull, Sync};
pub use preflight::{Preflight, preflight};
pub use progress::{Progress, Snapshot};
pub use rotation::{Files, Part, Rotation};
pub use sink::Format;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use erf::compress::{Encoding, Workers};
use erf::filter::Filter;
use erf::session::{Account, Application, StoppedBy};
use erf::writer::Output;

use self::packed::Pack;
use crate::error::Error;
use crate::stream::RxStream;

/// Records a stream into a file or pipe.
///
/// ```
/// use dag::file::writer::{Output, OutputOptions};
/// use dag::record::{Format, Limits, Recorder};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("wire.erf");
/// let card = dag::Card::open("emu:synthetic,rate=max")?;
/// let output = Output::create(&path, OutputOptions::new())?;
/// let recording = Recorder::new(card.attach(0)?, output, Format::Erf)
///     .limits(Limits { count: Some(1000), ..Limits::default() })
///     .run();
/// assert!(recording.error.is_none());
/// assert_eq!(recording.account.delivered, 1000);
/// assert!(recording.account.adds_up());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recorder {
    streams: Vec<RxStream>,
    cpus: Vec<usize>,
    merge_wait: Duration,
    stream_progress: Vec<Arc<Progress>>,
    to: To,
    format: Format,
    limits: Limits,
    selection: Selection,
    filter: Option<Filter>,
    application: Application,
    drain: bool,
    clock_interval: Duration,
    io: Io,
    sync: Sync,
    on_full: OnFull,
    pack: Option<Pack>,
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

/// Where a recording goes.
#[derive(Debug)]
enum To {
    One(Box<Output>),
    Many(Rotation, Box<dyn Files>),
}

/// How long the reader of a pipe may take nothing, once the recording is to end, before it is given up.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long a silent stream is waited for. A card shows packets within a few milliseconds, and its streams together; what is left is the host,
/// which may keep a thread that plays a card from running for longer than that.
const MERGE_WAIT: Duration = Duration::from_millis(200);

/// How a recording went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recording {
    /// Where every packet went.
    pub account: Account,
    /// Bytes of the output before it was compressed; as many as the account's `bytes_written` where it is not.
    pub bytes_uncompressed: u64,
    /// The same for each stream, where there are several; else empty.
    pub streams: Vec<StreamRecording>,
    /// Places in stream memory that were no records, skipped over.
    pub defects: u64,
    /// Packets lost behind the last one in the file: the card had no room for them, and no packet followed that could tell. They
    /// are outside of the account, which ends with the last packet. Not counted after a count or size limit.
    pub lost_after: u64,
    /// Packets of the account's `lost_writer` that the format has no place for.
    pub unfit: u64,
    /// Whether it has come so far that packets were let in.
    pub has_begun: bool,
    /// What ended it, if it was an error. The file is then valid up to what was written, and has no closing META record.
    pub error: Option<Error>,
}

impl Recorder {
    /// Records everything that `stream` receives until its feed is over.
    pub fn new(stream: RxStream, output: Output, format: Format) -> Self {
        Self::assemble(stream, To::One(Box::new(output)), format)
    }

    /// As [`new`](Self::new), into many files, which `files` gives and takes.
    pub fn rotating(stream: RxStream, rotation: Rotation, files: Box<dyn Files>, format: Format) -> Self {
        Self::assemble(stream, To::Many(rotation, files), format)
    }

    fn assemble(stream: RxStream, to: To, format: Format) -> Self {
        Self {
            streams: vec![stream],
            cpus: Vec::new(),
            merge_wait: MERGE_WAIT,
            stream_progress: Vec::new(),
            to,
            format,
            limits: Limits::default(),
            selection: Selection::default(),
            filter: None,
            application: Application::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            drain: true,
            clock_interval: clock::INTERVAL,
            io: Io::default(),
            sync: Sync::default(),
            on_full: OnFull::default(),
            pack: None,
            stop: Arc::default(),
            progress: Arc::default(),
        }
    }

    /// Records `stream`, too, into the same file, in the order of stamps. Each stream has a thread of its own then.
    ///
    /// The order is right as far as clocks are, and as no stream is silent for longer than [`merge_wait`](Self::merge_wait) and brings earlier
    /// packets then. What of each stream became of its packets is told in [`Recording::streams`]; a stream that fails ends, and the others go
    /// on.
    ///
    /// ```
    /// use dag::file::writer::{Output, OutputOptions};
    /// use dag::record::{Format, Recorder};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("wire.erf");
    /// let card = dag::Card::open("emu:synthetic,streams=2,rate=200kpps,count=1000")?;
    /// let output = Output::create(&path, OutputOptions::new())?;
    /// let recording = Recorder::new(card.attach(0)?, output, Format::Erf).and(card.attach(2)?).run();
    /// let each: u64 = recording.streams.iter().map(|stream| stream.account.delivered).sum();
    /// assert_eq!(each, recording.account.delivered);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn and(mut self, stream: RxStream) -> Self {
        self.streams.push(stream);
        self
    }

    /// How long packets of several streams are held back for a stream that is silent, as it may bring earlier ones: 200 ms by default. When
    /// half of a stream's memory is full of them they go on at once: order is given up before packets are.
    pub fn merge_wait(mut self, wait: Duration) -> Self {
        self.merge_wait = wait;
        self
    }

    /// The CPUs on which the threads run that take packets, in the order of the streams; those behind the last one run anywhere. One stream is
    /// taken from on the thread that calls [`run`](Self::run), which may run anywhere again when that returns.
    pub fn cpus(mut self, cpus: Vec<usize>) -> Self {
        self.cpus = cpus;
        self
    }

    /// Shows numbers of each of several streams, in their order, while it runs: how many packets are in the file is not among them.
    pub fn stream_progress_to(mut self, progress: Vec<Arc<Progress>>) -> Self {
        self.stream_progress = progress;
        self
    }

    /// When to stop.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What to record.
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Records only packets that match `filter`, besides what the selection says; META and PAD are no packets and not its matter. The
    /// expression is named in the opening META record. A packet for whose link type it has no meaning ends the recording with an
    /// error of kind [`Filter`](crate::ErrorKind::Filter), unless the filter was made with
    /// [`Mismatch::NoMatch`](erf::filter::Mismatch::NoMatch).
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// The program that records, for the opening META record.
    pub fn application(mut self, application: Application) -> Self {
        self.application = application;
        self
    }

    /// Whether what lies in stream memory when the recording is stopped is still recorded (the default), or left as unread.
    /// After a count or a size nothing more is recorded either way.
    pub fn drain(mut self, drain: bool) -> Self {
        self.drain = drain;
        self
    }

    /// How often the card is asked about its clock, for a META record each time; every minute by default. It is asked at
    /// the start and at the end in any case.
    pub fn clock_interval(mut self, interval: Duration) -> Self {
        self.clock_interval = interval;
        self
    }

    /// The way to the file; past the page cache by default, where that can be.
    ///
    /// Past it an ERF file consists of whole blocks (4096 bytes, or what the device asks for) until it is finished: a filler (PAD) record
    /// closes what is written at once, of which there is one at least every second and at most every MiB. A program that is killed then
    /// leaves whole records only. Other formats, recordings without META, pipes, and files limited to less than 16 MiB go through the cache.
    pub fn io(mut self, io: Io) -> Self {
        self.io = io;
        self
    }

    /// What of the file survives a loss of power.
    pub fn sync(mut self, sync: Sync) -> Self {
        self.sync = sync;
        self
    }

    /// What to do when the disk is full.
    pub fn on_full(mut self, on_full: OnFull) -> Self {
        self.on_full = on_full;
        self
    }

    /// Compresses what is written, by `workers`, in blocks of about 1 MiB of whole records each of which can be decompressed without
    /// the others. Such a file goes through the page cache. A block ends at least every second while anything comes.
    ///
    /// When the workers do not keep up, stream memory fills, and then the card drops and counts, as with a slow disk. Sizes that limit the
    /// recording or its files ([`Limits::size`], [`Rotation::size`]) are those before compression, and so is what the closing META record
    /// says of itself.
    pub fn compress(mut self, encoding: Encoding, workers: Workers) -> Self {
        self.pack = Some(Pack { encoding, workers });
        self
    }

    /// A flag that stops the recording when it becomes true, for a signal handler or another thread.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Stops the recording when `flag` becomes true.
    pub fn stop_on(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = flag;
        self
    }

    /// Shows numbers in `progress` while it runs.
    pub fn progress_to(mut self, progress: Arc<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Numbers to be shown while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Starts the stream and records until a limit, the stop flag, the end of the feed, or an error.
    pub fn run(self) -> Recording {
        capture::run(self)
    }
}

impl Recording {
    /// A recording that failed before it began.
    fn failed(error: Error, tick_bits: Option<u8>) -> Self {
        let mut account = Account::default();
        account.stopped_by = StoppedBy::Error;
        account.tick_bits = tick_bits.unwrap_or(0);
        Self {
            account,
            bytes_uncompressed: 0,
            streams: Vec::new(),
            defects: 0,
            lost_after: 0,
            unfit: 0,
            has_begun: false,
            error: Some(error),
        }
    }
}
