//! A capture from its options to its exit code.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dag::file::compress::Workers;
use dag::file::filter::{Filter, FilterOptions, Mismatch};
use dag::file::session::Application;
use dag::record::{Limits, Progress, Recorder, Recording, Rotation, Selection};
use dag::{Card, RxStream};

use super::Args;
use super::compress;
use super::failure::Failure;
use super::files::Made;
use super::outputs::{self, Rotating, Way};
use super::preflight;
use super::report::{exit_of, print_json, report, to_be_told};
use super::sources::Sources;
use crate::account::{Apart, Outcome};
use crate::exit::Exit;
use crate::live::Live;
use crate::messages::say;
use crate::metrics::Metrics;
use crate::notify::Notify;
use crate::numbers::{Numbers, StreamNumbers};
use crate::report::Reports;
use crate::signals;

const PROGRAM: &str = "dagcap";

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

fn capture(args: &Args) -> Result<Exit, Failure> {
    // As `erf cut` has it: a packet that the expression has no meaning for does not match, and does not end a recording.
    let mut options = FilterOptions::default();
    options.mismatch = Mismatch::NoMatch;
    let filter = args.filter.as_deref().map(|expression| Filter::new(expression, options));
    let filter = filter.transpose().map_err(Failure::Filter)?;
    // What makes no sense is told before anything is begun.
    let encoding = compress::encoding(args.compress, &args.out).map_err(Failure::Compress)?;
    let sources = Sources::open(args)?;
    if args.preflight {
        return tell_beforehand(args, &sources);
    }
    let way = Way::of(args, &sources)?;
    let stop = Arc::new(AtomicBool::new(false));
    let numbers = numbers(&sources, &way);
    // Before there is a file to be seen: who does not handle this signal dies of it.
    let _reports = Reports::on_signal(PROGRAM, numbers.clone(), args.json).map_err(Failure::Signals)?;
    let paths = match &way {
        Way::One(path) => std::slice::from_ref(path),
        Way::Apart(paths) => paths.as_slice(),
    };
    let Prepared { recorders, made } = prepare(args, &sources, paths, &stop)?;
    if !args.quiet || args.device.is_empty() {
        sources.announce(PROGRAM);
    }
    // Those of all streams compress on the same threads.
    let workers = || args.compress_threads.map_or_else(Workers::usual, |threads| Workers::new(threads.into()));
    let packed = encoding.map(|encoding| workers().map(|workers| (encoding, workers)));
    let packed = packed.transpose().map_err(Failure::Workers)?;
    let settled = |recorder: Recorder| {
        let recorder = settle(args, recorder, filter.as_ref(), &stop);
        match &packed {
            Some((encoding, workers)) => recorder.compress(*encoding, workers.clone()),
            None => recorder,
        }
    };
    let metrics = args.metrics.clone().map(|place| Metrics::show(PROGRAM, place, numbers.clone()));
    let metrics = metrics.transpose().map_err(Failure::Metrics)?;
    let notify = Notify::of(numbers.clone()).map_err(Failure::Notify)?;
    let live = (!args.quiet).then(|| Live::show(numbers.clone()));
    let outcome = match way {
        Way::One(_) => {
            let Some(recorder) = recorders.into_iter().next() else { return Ok(Exit::Failed) };
            let progress = numbers.recorders.first().cloned().unwrap_or_default();
            let streams = numbers.streams.iter().map(|stream| Arc::clone(&stream.progress)).collect();
            let recorder = settled(recorder).progress_to(progress).stream_progress_to(streams);
            Outcome::from(recorder.cpus(args.cpu.clone()).run())
        }
        Way::Apart(_) => {
            let recorders =
                recorders.into_iter().zip(&numbers.recorders).enumerate().map(|(n, (recorder, progress))| {
                    let cpu = args.cpu.get(n).copied();
                    settled(recorder).progress_to(Arc::clone(progress)).cpus(cpu.into_iter().collect())
                });
            let recordings = apart(&sources, recorders.collect(), &stop)?;
            let streams = sources.each().zip(recordings).zip(&made).map(|(((source, opened), recording), files)| {
                let device = opened.card.name().to_owned();
                Apart { device, stream: source.stream, recording, files: files.names() }
            });
            Outcome::of(streams.collect())
        }
    };
    drop((live, notify, metrics));
    for (link_type, count) in filter.iter().flat_map(Filter::meaningless) {
        say(
            PROGRAM,
            format_args!("not matched, because the filter has no meaning for them: {count} {link_type} packets"),
        );
    }
    let files = made.iter().flat_map(Made::names).collect();
    report(PROGRAM, args, &sources, &outcome, files)?;
    Ok(exit_of(&sources, &outcome))
}

/// Measures what the place of the recording holds.
fn tell_beforehand(args: &Args, sources: &Sources) -> Result<Exit, Failure> {
    if args.out.as_os_str() == "-" {
        return Err(Failure::NoFolder);
    }
    let seen = preflight::measure(args, sources.memory())?;
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

/// What will be shown.
fn numbers(sources: &Sources, way: &Way) -> Numbers {
    let stream = |has_file| {
        move |(source, opened): (&super::sources::Source, &super::sources::Opened)| StreamNumbers {
            device: opened.card.name().to_owned(),
            stream: source.stream,
            progress: Arc::default(),
            has_file,
        }
    };
    match way {
        Way::One(_) if sources.streams.len() == 1 => Numbers { recorders: vec![Arc::default()], streams: Vec::new() },
        Way::One(_) => {
            Numbers { recorders: vec![Arc::default()], streams: sources.each().map(stream(false)).collect() }
        }
        Way::Apart(_) => {
            let streams: Vec<StreamNumbers> = sources.each().map(stream(true)).collect();
            let recorders: Vec<Arc<Progress>> = streams.iter().map(|stream| Arc::clone(&stream.progress)).collect();
            Numbers { recorders, streams }
        }
    }
}

/// What is to record, and the names of what it makes.
struct Prepared {
    recorders: Vec<Recorder>,
    made: Vec<Made>,
}

/// Attaches the streams and opens the files: one of `paths` for each stream, or one for all.
fn prepare(args: &Args, sources: &Sources, paths: &[PathBuf], stop: &Arc<AtomicBool>) -> Result<Prepared, Failure> {
    let attach = |(source, opened): (&super::sources::Source, &super::sources::Opened)| {
        Card::attach(&opened.card, source.stream).map_err(Failure::from)
    };
    let mut prepared = Prepared { recorders: Vec::new(), made: Vec::new() };
    if args.is_rotating() {
        let rotations: Vec<Rotation> = paths.iter().map(|_| rotation(args)).collect();
        for rotation in &rotations {
            signals::ask_on_hangup(&rotation.asked).map_err(Failure::Signals)?;
        }
        signals::stop_on_signals_but_hangup(stop).map_err(Failure::Signals)?;
        let rotating = Rotating::new(PROGRAM, args)?;
        let files = paths.iter().map(|path| rotating.files(PROGRAM, args, path));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let streams: Vec<RxStream> = sources.each().map(attach).collect::<Result<_, _>>()?;
        let mut streams = streams.into_iter();
        for ((files, made), rotation) in files.into_iter().zip(rotations) {
            let Some(stream) = streams.next() else { break };
            prepared.recorders.push(Recorder::rotating(stream, rotation, Box::new(files), args.format().into()));
            prepared.made.push(made);
        }
        prepared.add(streams);
        return Ok(prepared);
    }
    // Opening a pipe may take for ever: until it is open a signal ends the program at once, and nothing is lost yet. Whoever sees a
    // file may take it that a signal ends it well.
    let is_pipe = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|there| !there.is_file());
    let may_wait = paths.iter().any(is_pipe);
    if !may_wait {
        signals::stop_on_signals(stop).map_err(Failure::Signals)?;
    }
    let outputs = paths.iter().map(|path| outputs::open(args, path)).collect::<Result<Vec<_>, _>>()?;
    if may_wait {
        signals::stop_on_signals(stop).map_err(Failure::Signals)?;
    }
    let streams: Vec<RxStream> = sources.each().map(attach).collect::<Result<_, _>>()?;
    let mut streams = streams.into_iter();
    for (output, path) in outputs.into_iter().zip(paths) {
        let Some(stream) = streams.next() else { break };
        prepared.recorders.push(Recorder::new(stream, output, args.format().into()));
        prepared.made.push(Made::of(name(path)));
    }
    prepared.add(streams);
    Ok(prepared)
}

impl Prepared {
    /// Streams that are left go to the last file, the only one then.
    fn add(&mut self, streams: impl Iterator<Item = RxStream>) {
        if let Some(last) = self.recorders.pop() {
            self.recorders.push(streams.fold(last, Recorder::and));
        }
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn rotation(args: &Args) -> Rotation {
    let mut rotation = Rotation::default();
    rotation.every = args.rotate_every;
    rotation.size = args.rotate_size;
    rotation
}

/// `recorder` as `args` want it.
fn settle(args: &Args, recorder: Recorder, filter: Option<&Filter>, stop: &Arc<AtomicBool>) -> Recorder {
    let recorder = recorder
        .limits(Limits { count: args.count, duration: args.duration, size: args.size })
        .selection(Selection::of_ports(&args.port).with_meta(!args.no_meta))
        .application(Application::new(PROGRAM, env!("CARGO_PKG_VERSION")))
        .drain(!args.no_drain)
        .io(args.io.into())
        .on_full(args.on_full.into())
        .sync(args.sync.unwrap_or_default())
        .stop_on(Arc::clone(stop));
    let recorder = match args.merge {
        Some(wait) => recorder.merge_wait(wait),
        None => recorder,
    };
    match filter {
        Some(filter) => recorder.filter(filter.clone()),
        None => recorder,
    }
}

/// Lets each of `recorders`, one for each stream, record on a thread of its own.
fn apart(sources: &Sources, recorders: Vec<Recorder>, stop: &AtomicBool) -> Result<Vec<Recording>, Failure> {
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for ((source, opened), recorder) in sources.each().zip(recorders) {
            let (device, number) = (opened.card.name(), source.stream);
            let record = move || {
                let recording = recorder.run();
                if let Some(error) = to_be_told(recording.error.as_ref()) {
                    // Told now: the others may go on for long.
                    say(PROGRAM, format_args!("{device} stream {number}: {error}"));
                }
                if !recording.has_begun {
                    // What cannot be is told before all the others have recorded for long.
                    stop.store(true, Ordering::Relaxed);
                }
                recording
            };
            let thread = thread::Builder::new().name(format!("dag-take-{number}")).spawn_scoped(scope, record);
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(Failure::Thread(error));
                }
            }
        }
        let recordings = threads.into_iter().map(|thread| thread.join());
        // A panic has been told on standard error already.
        recordings.map(|recording| recording.map_err(|_| Failure::Thread(std::io::ErrorKind::Other.into()))).collect()
    })
}
