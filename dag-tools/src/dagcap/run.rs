//! A capture from its options to its exit code.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dag::file::Timestamp;
use dag::file::compress::Workers;
use dag::file::filter::{Filter, FilterOptions, Mismatch};
use dag::file::session::Application;
use dag::file::writer::{Output, OutputOptions};
use dag::record::{Limits, Progress, Recorder, Recording, Rotation, Selection};
use dag::{Card, CardInfo, Device, ErrorKind, StampSource};

use super::Args;
use super::compress;
use super::files::{Made, NamedFiles};
use super::hook::Hook;
use super::preflight;
use crate::account::{AccountJson, lines};
use crate::exit::Exit;
use crate::live::Live;
use crate::messages::say;
use crate::metrics::Metrics;
use crate::notify::Notify;
use crate::report::Reports;
use crate::template::Template;
use crate::{shell, signals};

const PROGRAM: &str = "dagcap";

/// Why there is nothing to record.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Card(#[from] dag::Error),
    #[error(transparent)]
    Output(dag::file::Error),
    #[error("{path} exists already and was not touched; to overwrite it:\n  {line}")]
    Exists { path: String, line: String },
    #[error("no files can be made in {path}: {cause}")]
    Folder { path: String, cause: std::io::Error },
    #[error("--preflight measures a folder, and standard output is in none")]
    NoFolder,
    #[error("--metrics: {0}")]
    Metrics(std::io::Error),
    #[error("NOTIFY_SOCKET is set, and nobody can be told there: {0}")]
    Notify(std::io::Error),
    #[error("--out: {0}")]
    Template(String),
    #[error("--rotate-every and --rotate-size make files, and {0} names none")]
    NoName(String),
    #[error(transparent)]
    Filter(dag::file::Error),
    #[error("{0} names a stream, and so does --stream {1}; give one of them")]
    TwoStreams(String, u16),
    #[error("{0} is what is to be replayed, too; write somewhere else")]
    OwnInput(String),
    #[error("the recording is done, but its account could not be printed: {0}")]
    Json(std::io::Error),
    #[error("{0}")]
    Compress(String),
    #[error("no threads that compress: {0}")]
    Threads(std::io::Error),
    #[error("no handler for signals: {0}")]
    Signals(std::io::Error),
}

/// Captures as `args` say.
pub fn run(args: &Args) -> Exit {
    match capture(args) {
        Ok(exit) => exit,
        Err(failure) => {
            say(PROGRAM, failure);
            Exit::Failed
        }
    }
}

/// What is recorded from where.
struct Source {
    card: Card,
    info: CardInfo,
    stream: u16,
}

impl Source {
    fn open(args: &Args) -> Result<Self, Failure> {
        let required = args.require_card || std::env::var_os("DAG_REQUIRE_CARD").is_some_and(|value| value == "1");
        let (card, named) = match &args.device {
            None => (Card::open_default(required)?, None),
            Some(name) => {
                let device: Device = name.parse()?;
                let stream = if let Device::Real { stream, .. } = device { stream } else { None };
                if let Some(input) = device.replays()
                    && same_file(input, &args.out)
                {
                    return Err(Failure::OwnInput(args.out.display().to_string()));
                }
                match (stream, args.stream) {
                    (Some(named), Some(given)) if named != given => {
                        return Err(Failure::TwoStreams(name.clone(), given));
                    }
                    _ => {}
                }
                if required && !matches!(device, Device::Real { .. }) {
                    return Err(dag::Error::emulated_refused(name).into());
                }
                (Card::open_device(&device, name)?, stream)
            }
        };
        let stream = args.stream.or(named).unwrap_or(0);
        for &port in &args.port {
            card.check_port(port)?;
        }
        if let Some(snaplen) = args.snaplen {
            card.set_snaplen(snaplen)?;
        }
        let info = card.info();
        Ok(Self { card, info, stream })
    }

    /// One line that says what this is, so that emulated data cannot pass for a measurement.
    fn announce(&self) {
        if !self.info.emulated {
            return;
        }
        let what = match self.info.stamp_source {
            StampSource::Kernel => "real packets with the kernel's stamps, microseconds off the wire",
            StampSource::Replay => "a recording played again, not a measurement",
            _ => "invented packets, not a measurement",
        };
        say(PROGRAM, format_args!("emulated card, {}: {what}", self.info.description));
    }
}

fn capture(args: &Args) -> Result<Exit, Failure> {
    // As `erf cut` has it: a packet that the expression has no meaning for does not match, and does not end a recording.
    let mut options = FilterOptions::default();
    options.mismatch = Mismatch::NoMatch;
    let filter = args.filter.as_deref().map(|expression| Filter::new(expression, options));
    let filter = filter.transpose().map_err(Failure::Filter)?;
    // What makes no sense is told before anything is begun.
    compress::encoding(args.compress, &args.out).map_err(Failure::Compress)?;
    let source = Source::open(args)?;
    if args.preflight {
        return tell_beforehand(args, &source);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let progress = Arc::new(Progress::default());
    // Before there is a file to be seen: who does not handle this signal dies of it.
    let _reports = Reports::on_signal(PROGRAM, Arc::clone(&progress), args.json).map_err(Failure::Signals)?;
    if args.is_rotating() {
        return rotate(args, &source, filter, stop, progress);
    }
    // Opening a pipe may take for ever: until it is open a signal ends the program at once, and nothing is lost yet. Whoever sees a
    // file may take it that a signal ends it well.
    let may_wait = std::fs::metadata(&args.out).is_ok_and(|there| !there.is_file());
    if !may_wait {
        signals::stop_on_signals(&stop).map_err(Failure::Signals)?;
    }
    let output = open_output(args)?;
    if may_wait {
        signals::stop_on_signals(&stop).map_err(Failure::Signals)?;
    }
    let stream = source.card.attach(source.stream)?;
    if !args.quiet || args.device.is_none() {
        source.announce();
    }
    let recorder = Recorder::new(stream, output, args.format.into());
    record(args, &source, recorder, filter, stop, progress, || vec![args.out.display().to_string()])
}

/// Measures what the place of the recording holds.
fn tell_beforehand(args: &Args, source: &Source) -> Result<Exit, Failure> {
    if args.out.as_os_str() == "-" {
        return Err(Failure::NoFolder);
    }
    let seen = preflight::measure(args, source.info.stream_memory)?;
    if !args.quiet {
        for line in seen.lines() {
            say(PROGRAM, line);
        }
    }
    if args.json {
        print_json(&seen, false)?;
    }
    Ok(Exit::Done)
}

/// Records into many files.
fn rotate(
    args: &Args,
    source: &Source,
    filter: Option<Filter>,
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
) -> Result<Exit, Failure> {
    let mut rotation = Rotation::default();
    rotation.every = args.rotate_every;
    rotation.size = args.rotate_size;
    signals::stop_on_signals_and_ask(&stop, &rotation.asked).map_err(Failure::Signals)?;
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let template = template(args)?;
    // Names depend on packets, which are not there yet; but whether there can be files at all can be told now.
    let failed = |cause| Failure::Folder { path: folder.display().to_string(), cause };
    tempfile::tempfile_in(folder).map_err(failed)?;
    template.name(Timestamp::now(), &[]).map_err(Failure::Template)?;
    let made = Made::default();
    let options = OutputOptions::new().force(args.force);
    let mut files = NamedFiles::new(PROGRAM, folder.to_owned(), template, options, made.clone());
    files.keep = args.keep;
    files.hook = args.exec.clone().map(|command| Hook::new(PROGRAM, command)).transpose().map_err(failed)?;
    let stream = source.card.attach(source.stream)?;
    if !args.quiet || args.device.is_none() {
        source.announce();
    }
    let recorder = Recorder::rotating(stream, rotation, Box::new(files), args.format.into());
    record(args, source, recorder, filter, stop, progress, || made.names())
}

/// The names of files: the file name of `--out`, with something that differs in it.
fn template(args: &Args) -> Result<Template, Failure> {
    let name = args.out.file_name().and_then(|name| name.to_str());
    let Some(name) = name.filter(|_| args.out.as_os_str() != "-") else {
        return Err(Failure::NoName(args.out.display().to_string()));
    };
    let template = Template::new(name);
    if template.varies() {
        return Ok(template);
    }
    let (name, packed) = compress::split_ending(name);
    let (stem, extension) =
        name.rsplit_once('.').map_or((name, String::new()), |(stem, end)| (stem, format!(".{end}")));
    let time = match args.rotate_every {
        None => "",
        Some(every) if every.subsec_nanos() == 0 => "-%Y%m%dT%H%M%SZ",
        Some(_) => "-%Y%m%dT%H%M%S.%9fZ",
    };
    // Where only the clock ends a file, there is one for each of its boundaries; SIGHUP is another reason.
    Ok(Template::new(format!("{stem}{time}-{{number}}{extension}{packed}")))
}

/// Lets `recorder` record, and reports; `files` are the names of what it has made.
fn record(
    args: &Args,
    source: &Source,
    recorder: Recorder,
    filter: Option<Filter>,
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
    files: impl FnOnce() -> Vec<String>,
) -> Result<Exit, Failure> {
    let recorder = recorder
        .limits(Limits { count: args.count, duration: args.duration, size: args.size })
        .selection(Selection::of_ports(&args.port).with_meta(!args.no_meta))
        .application(Application::new(PROGRAM, env!("CARGO_PKG_VERSION")))
        .drain(!args.no_drain)
        .io(args.io.into())
        .on_full(args.on_full.into())
        .sync(args.sync.unwrap_or_default())
        .progress_to(Arc::clone(&progress))
        .stop_on(stop);
    let recorder = match &filter {
        Some(filter) => recorder.filter(filter.clone()),
        None => recorder,
    };
    let recorder = match compress::encoding(args.compress, &args.out).map_err(Failure::Compress)? {
        Some(encoding) => {
            let workers = args.compress_threads.map_or_else(Workers::usual, |threads| Workers::new(threads.into()));
            recorder.compress(encoding, workers.map_err(Failure::Threads)?)
        }
        None => recorder,
    };
    let metrics = args.metrics.clone().map(|place| Metrics::show(PROGRAM, place, Arc::clone(&progress)));
    let metrics = metrics.transpose().map_err(Failure::Metrics)?;
    let notify = Notify::of(Arc::clone(&progress)).map_err(Failure::Notify)?;
    let live = (!args.quiet).then(|| Live::show(progress));
    let recording = recorder.run();
    drop((live, notify, metrics));
    for (link_type, count) in filter.iter().flat_map(Filter::meaningless) {
        say(
            PROGRAM,
            format_args!("not matched, because the filter has no meaning for them: {count} {link_type} packets"),
        );
    }
    let files = files();
    report(args, source, &recording, files)?;
    Ok(exit_of(source, &recording))
}

fn open_output(args: &Args) -> Result<Output, Failure> {
    Output::create(&args.out, OutputOptions::new().force(args.force)).map_err(|error| {
        if error.is_already_exists() {
            let args_given: Vec<OsString> = std::env::args_os().collect();
            let line = shell::line(args_given, ["--force"]);
            Failure::Exists { path: args.out.display().to_string(), line }
        } else {
            Failure::Output(error)
        }
    })
}

fn exit_of(source: &Source, recording: &Recording) -> Exit {
    let account = &recording.account;
    let defects = recording.defects + source.card.source_defects();
    match &recording.error {
        // Whoever read the pipe has had enough.
        Some(error) if error.kind() == ErrorKind::ClosedPipe => Exit::Done,
        // It ran and was stopped as asked; some of what it took did not get out, and is counted.
        Some(error) if error.kind() == ErrorKind::StalledPipe => Exit::No,
        Some(_) => Exit::Failed,
        None if account.lost() + recording.lost_after + defects > 0 || !account.loss_exact => Exit::No,
        None => Exit::Done,
    }
}

fn report(args: &Args, source: &Source, recording: &Recording, files: Vec<String>) -> Result<(), Failure> {
    let account = &recording.account;
    // Whoever read the pipe has had enough: that is no error.
    let error = recording.error.as_ref().filter(|error| error.kind() != ErrorKind::ClosedPipe);
    if let Some(error) = error {
        say(PROGRAM, error);
    }
    for note in source.card.notes() {
        say(PROGRAM, note);
    }
    if !args.quiet {
        let out = match files.as_slice() {
            [one] => one.clone(),
            many => format!("{} files", many.len()),
        };
        let reason = account.stopped_by;
        let (bytes, content) = (account.bytes_written, recording.bytes_uncompressed);
        let of = if bytes == content { String::new() } else { format!(" (of {content} before compression)") };
        say(PROGRAM, format_args!("{out}: {bytes} bytes{of}, stopped by {reason}"));
        for line in lines(recording) {
            say(PROGRAM, line);
        }
    }
    if args.json {
        let json = AccountJson {
            schema: 1,
            device: source.card.name(),
            emulated: source.info.emulated,
            stamp_source: source.info.stamp_source.name(),
            stream: source.stream,
            filter: args.filter.as_deref(),
            received: account.received,
            delivered: account.delivered,
            lost_card: account.lost_card,
            lost_writer: account.lost_writer,
            filtered: account.filtered,
            loss_exact: account.loss_exact,
            truncated: account.truncated,
            rx_errors: account.rx_errors,
            ds_errors: account.ds_errors,
            unread: account.unread,
            lost_after_last: recording.lost_after,
            defects: recording.defects + source.card.source_defects(),
            bytes_written: account.bytes_written,
            bytes_uncompressed: recording.bytes_uncompressed,
            files,
            first: account.first.map(Into::into),
            last: account.last.map(Into::into),
            tick_bits: account.tick_bits,
            clock_synchronised: account.clock_synchronised,
            stopped_by: account.stopped_by.as_str(),
            error: error.map(ToString::to_string),
        };
        let packets_there = args.out == Path::new("-") || same_file(&args.out, Path::new("/dev/stdout"));
        print_json(&json, packets_there)?;
    }
    Ok(())
}

/// Whether two paths lead to the same file.
fn same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path| std::fs::metadata(path).map(|m: std::fs::Metadata| (m.dev(), m.ino())).ok();
    identity(a).is_some_and(|a| identity(b) == Some(a))
}

/// One line on standard output, or on standard error when packets go there.
fn print_json(json: &impl serde::Serialize, on_stderr: bool) -> Result<(), Failure> {
    let print = || -> std::io::Result<()> {
        let text = serde_json::to_string(json)?;
        if on_stderr { writeln!(std::io::stderr(), "{text}") } else { writeln!(std::io::stdout(), "{text}") }
    };
    match print() {
        // A reader that has gone wants none.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Failure::Json),
    }
}
