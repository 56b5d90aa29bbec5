//! The capture thread: takes records from the stream, lets them be chosen, and hands over to the writer.

mod finish;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dag_emu::ring::PollRules;
use erf::filter::Filter;
use erf::session::{Closing, StoppedBy};
use erf::writer::Room;
use erf::{Records, Tick, Timestamp};

use crate::error::{Error, Repr};
use crate::record::chunk::{Bytes, Chunk, Lent, Turn};
use crate::record::clock::ClockWatch;
use crate::record::look::{Look, Piece};
use crate::record::opening::opening;
use crate::record::parts::{Parts, Rotated};
use crate::record::progress::{Progress, Snapshot};
use crate::record::rotation::Boundary;
use crate::record::sink::{Format, Sink, Target};
use crate::record::tally::Tally;
use crate::record::writer::{Sent, Writer};
use crate::record::{OnFull, PATIENCE, Recorder, Recording, To};
use crate::stream::RxStream;

/// How long a wait for data lasts at most, so that limits and the stop flag are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Records a stream; see [`Recorder::run`].
pub(super) fn run(recorder: Recorder) -> Recording {
    let Recorder {
        mut stream,
        to,
        format,
        limits,
        selection,
        filter,
        application,
        drain,
        clock_interval,
        io,
        sync,
        on_full,
        pack,
        stop,
        progress,
    } = recorder;
    let info = stream.card().info();
    let words = match (selection.words(), &filter) {
        (Some(ports), Some(filter)) => Some(format!("{filter} (of {ports})")),
        (ports, filter) => ports.or(filter.as_ref().map(Filter::to_string)),
    };
    let (device, number) = (stream.card().name().to_owned(), stream.number());
    let tick_bits = info.tick.map(Tick::bits);
    let ending = Arc::new(AtomicBool::new(false));
    let failed = |error| Recording::failed(error, tick_bits);
    let room = (on_full == OnFull::Wait).then(|| Room::new(Arc::clone(&ending)));
    let mut target = Target { format, io, sync, room: room.clone(), size: limits.size, filler: selection.meta, pack };
    let mut boundary = None;
    if let To::Many(rotation, _) = &to {
        target.size = target.size.into_iter().chain(rotation.size).min();
        boundary = Some(Boundary::new(rotation.clone()));
    }
    let reserve = target.reserve();
    let parts = match to {
        To::One(output) => {
            let output = output.while_ending(Arc::clone(&ending), PATIENCE);
            Sink::open(output, target, Arc::clone(&progress)).map(Parts::one)
        }
        To::Many(_, files) => {
            let (ending, progress) = (Arc::clone(&ending), Arc::clone(&progress));
            Ok(Parts::many(Rotated { files, target, ending, progress, part: None }))
        }
    };
    let writer = match parts.and_then(Writer::spawn) {
        Ok(writer) => writer,
        Err(error) => return failed(error),
    };
    if let Err(error) = stream.start() {
        return failed(error);
    }
    let (watch, clock) = ClockWatch::begin(stream.card().clone(), clock_interval);
    let backend = stream.backend();
    let looked_at = backend.position();
    let memory_len = backend.memory_len();
    let mut look = Look::new(format, limits, selection, filter);
    look.boundary = boundary;
    let mut capture = Capture {
        look,
        writer,
        memory_len,
        looked_at,
        opening: selection.meta.then(|| {
            Box::new(move |start| opening(&info, clock, &device, number, &application, words.clone(), start)) as _
        }),
        watch,
        stop,
        progress,
        reserve,
        room,
        begun: Instant::now(),
        ending,
        opened: false,
        tick_bits,
        started: None,
        recorded_first: None,
        stream: &mut stream,
    };
    capture.account_for_opening();
    let (stopped_by, error) = capture.record(drain);
    let recording = capture.finish(stopped_by, error);
    if let Err(error) = stream.close() {
        log::warn!("closing the stream: {error}");
    }
    recording
}

/// Makes the opening META record from its stamp.
type MakeOpening = Box<dyn Fn(Timestamp) -> Result<Vec<u8>, erf::Error>>;

struct Capture<'a> {
    stream: &'a mut RxStream,
    writer: Writer,
    /// Length of stream memory in bytes.
    memory_len: u64,
    /// Position up to which records have been looked at.
    looked_at: u64,
    look: Look,
    /// Makes the opening META record, once the first stamp is known.
    opening: Option<MakeOpening>,
    /// The file has its opening.
    opened: bool,
    /// Active bits of the card's clock, if it tells.
    tick_bits: Option<u8>,
    watch: ClockWatch,
    /// Raised by whoever wants the recording to end.
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
    /// Bytes of filler that may come to the file without having been told yet.
    reserve: u64,
    /// Where a full disk is waited for.
    room: Option<Room>,
    begun: Instant,
    /// Tells the output that nobody waits for long any more.
    ending: Arc<AtomicBool>,
    /// Stamp of the opening of the file.
    started: Option<Timestamp>,
    /// Stamp of the first packet of all, once a file is complete.
    recorded_first: Option<Timestamp>,
}

impl Capture<'_> {
    /// The opening META record takes its part of a size limit before the first packet is chosen, whose stamp it bears; how long it is
    /// does not depend on that.
    fn account_for_opening(&mut self) {
        if self.look.format == Format::Erf
            && let Some(Ok(bytes)) = self.opening.as_ref().map(|opening| opening(Timestamp::now()))
        {
            self.look.tally.bytes += bytes.len() as u64;
        }
    }

    /// Records until something ends it.
    fn record(&mut self, drain: bool) -> (StoppedBy, Option<Error>) {
        let mut ended: Option<StoppedBy> = None;
        self.look.check_count();
        loop {
            if ended.is_none() {
                ended = self.ending();
                if ended.is_some()
                    && let Err(error) = self.stream.backend().stop()
                {
                    return (StoppedBy::Error, Some(error));
                }
            }
            if let Some(reason) = ended
                && (!drain || matches!(reason, StoppedBy::Count | StoppedBy::Size))
            {
                return (reason, None);
            }
            if self.writer.has_failed() {
                // Whether that is what ended it depends on the failure; if not, the end came while the writer was waited for.
                return (ended.or_else(|| self.ending()).unwrap_or(StoppedBy::Error), None);
            }
            let fresh = match self.advance(ended.is_some()) {
                Ok(fresh) => fresh,
                Err(error) => return (StoppedBy::Error, Some(error)),
            };
            if !fresh {
                let backend = self.stream.backend();
                // A feed that broke is over, too: what it had given by then is recorded, and its end is an error.
                if backend.is_last()
                    && let Some(failure) = backend.failure()
                {
                    return (StoppedBy::Error, Some(failure));
                }
                if let Some(reason) = ended {
                    return (reason, None);
                }
                if backend.is_last() {
                    return (StoppedBy::End, None);
                }
            }
            if self.look.boundary.as_ref().is_some_and(Boundary::is_asked) {
                self.end_part();
            }
            if let Err(error) = self.take_in().and_then(|()| self.note_clock()) {
                return (StoppedBy::Error, Some(error));
            }
            self.tell();
        }
    }

    /// Why the recording is to stop now, if it is.
    fn ending(&self) -> Option<StoppedBy> {
        let reason = if self.look.full.is_some() {
            self.look.full
        } else if self.stop.load(Ordering::Relaxed) {
            Some(StoppedBy::Signal)
        } else {
            self.look.limits.duration.filter(|limit| self.begun.elapsed() >= *limit).map(|_| StoppedBy::Duration)
        };
        if reason.is_some() {
            self.ending.store(true, Ordering::Relaxed);
        }
        reason
    }

    /// Gives back what is written and waits for more. `false`: nothing new.
    fn advance(&mut self, at_once: bool) -> Result<bool, Error> {
        // Windows of which nothing was chosen have been released past what the writer did last.
        let released = self.stream.backend().position();
        let mut release = self.writer.releasable(self.looked_at).max(released);
        if self.looked_at - release > self.memory_len / 2 {
            // The wait below would not wait: more than half of the memory is full of what the writer has yet to write.
            self.writer.wait(LOOK);
            release = self.writer.releasable(self.looked_at).max(released);
        }
        let held = self.looked_at - release;
        let left = self.look.limits.duration.map_or(LOOK, |limit| LOOK.min(limit.max(Duration::from_millis(1))));
        let rules = if at_once {
            PollRules::non_blocking()
        } else {
            PollRules { mindata: held + 1, maxwait: left, ..PollRules::default() }
        };
        let backend = self.stream.backend();
        backend.set_poll_rules(rules);
        let window = backend.advance(release, &self.stop)?;
        self.look.loss.observe(backend.drops());
        Ok(window.top > self.looked_at)
    }

    /// Looks at the records that are new, and hands those chosen to the writer, chunk by chunk.
    fn take_in(&mut self) -> Result<(), Error> {
        let backend = self.stream.backend();
        // What comes while the writer is waited for is for the next round: between two it is looked whether to stop.
        let top = backend.position() + backend.bytes().len() as u64;
        while self.look.full.is_none() {
            let backend = self.stream.backend();
            // The window begins at what was released, at or before what has been looked at.
            let bottom = backend.position();
            let from_bottom = |position: u64| usize::try_from(position - bottom).unwrap_or(usize::MAX);
            let bytes = backend.bytes().get(from_bottom(self.looked_at)..from_bottom(top)).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            self.look.overhead = self.reserve + self.progress.padding();
            let piece = Piece::choose(bytes, self.looked_at, &mut self.look);
            let next = self.looked_at + piece.len as u64;
            let chunk = self.chunk(&piece, next);
            if let Some(first) = piece.first
                && !self.open(first)?
            {
                return Ok(());
            }
            self.looked_at = next;
            self.look.check_count();
            if let Some(chunk) = chunk
                && !self.send(chunk)
            {
                return Ok(());
            }
            if let Some(error) = self.look.failure.take() {
                return Err(Repr::Filter(error).into());
            }
            if self.look.boundary.as_ref().is_some_and(|boundary| boundary.is_due) {
                if !self.end_part() {
                    return Ok(());
                }
            } else if piece.len == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The chosen records of a piece on their way: where they lie if they lie together, else copied.
    fn chunk(&mut self, piece: &Piece, done: u64) -> Option<Chunk> {
        let (records, packets) = (piece.records, piece.packets);
        let bytes = match (piece.runs.as_slice(), self.stream.backend().memory()) {
            ([], _) => return None,
            ([(start, end)], Some(memory)) => {
                let (start, len) = (self.looked_at + *start as u64, end - start);
                // SAFETY: the run lies in the window just taken. `Writer::releasable` goes past `done`, which lies behind the
                // run, only when nobody holds the chunk any more; and the writer is joined and the file given up before the stream is
                // detached.
                Bytes::Lent(unsafe { Lent::new(memory, start, len, self.memory_len) })
            }
            (runs, _) => {
                let mut buffer = self.writer.buffer();
                let backend = self.stream.backend();
                let skip = usize::try_from(self.looked_at - backend.position()).unwrap_or(usize::MAX);
                let bytes = backend.bytes().get(skip..).unwrap_or_default();
                for (start, end) in runs {
                    buffer.extend_from_slice(bytes.get(*start..*end).unwrap_or_default());
                }
                Bytes::Owned(buffer)
            }
        };
        Some(Chunk { bytes, records, packets, stamp: self.stamp(), turn: None, done, hold: None })
    }

    /// Stamp of the last packet so far, or of the beginning.
    fn stamp(&self) -> Timestamp {
        self.look.tally.last.or(self.started).unwrap_or_else(|| Timestamp::from_raw(0))
    }

    /// Before the first record: the opening META record. `false`: the writer has failed.
    fn open(&mut self, first: Timestamp) -> Result<bool, Error> {
        if std::mem::replace(&mut self.opened, true) {
            return Ok(true);
        }
        self.started.get_or_insert(first);
        let is_first = self.look.boundary.as_ref().is_none_or(|boundary| !boundary.has_begun());
        if let Some(boundary) = &mut self.look.boundary {
            let part = boundary.begin(first, self.progress.padding());
            if !self.send(Chunk::of_turn(Turn::Begin(part), self.looked_at)) {
                return Ok(false);
            }
        }
        let Some(opening) = &self.opening else { return Ok(true) };
        let bytes = opening(first).map_err(Repr::Write)?;
        if !is_first && self.look.format == Format::Erf {
            self.look.tally.bytes += bytes.len() as u64;
        }
        let records = Records::new(&bytes).count() as u64;
        let chunk = Chunk {
            bytes: Bytes::Owned(bytes),
            records,
            packets: 0,
            stamp: first,
            turn: None,
            done: self.looked_at,
            hold: None,
        };
        Ok(self.send(chunk))
    }

    /// Completes the file; the next one begins with the next record. `false`: the writer has failed.
    fn end_part(&mut self) -> bool {
        let Some(boundary) = &mut self.look.boundary else { return true };
        let tally = self.look.tally.since(&boundary.before);
        let started = self.started.take().unwrap_or_else(Timestamp::now);
        let lost = self.look.loss.end_part();
        let mut account = tally.account(tally.chosen, lost);
        account.stopped_by = StoppedBy::Rotation;
        account.tick_bits = self.tick_bits.unwrap_or(account.tick_bits);
        account.clock_synchronised = self.watch.synchronised();
        let ended = self.look.tally.last.unwrap_or(started).max(started);
        let closing = self.look.selection.meta.then(|| {
            let mut closing = Closing::new(started, ended, account);
            closing.clock = self.watch.last();
            Box::new(closing)
        });
        self.recorded_first = self.recorded_first.or(self.look.tally.first.take());
        self.opened = false;
        boundary.end(&self.look.tally);
        self.send(Chunk::of_turn(Turn::End(closing), self.looked_at))
    }

    /// From time to time: what the card says of its clock.
    fn note_clock(&mut self) -> Result<(), Error> {
        if self.look.format != Format::Erf || !self.opened || !self.look.selection.meta {
            return Ok(());
        }
        let Some(stamp) = self.look.tally.last.or(self.started) else { return Ok(()) };
        let Some(note) = self.watch.due(stamp) else { return Ok(()) };
        let bytes = note.to_bytes().map_err(Repr::Write)?;
        if self.look.limits.size.is_some_and(|size| self.look.exceeds(size, bytes.len() as u64)) {
            return Ok(());
        }
        self.look.tally.bytes += bytes.len() as u64;
        let chunk = Chunk {
            bytes: Bytes::Owned(bytes),
            records: 1,
            packets: 0,
            stamp,
            turn: None,
            done: self.looked_at,
            hold: None,
        };
        self.send(chunk);
        Ok(())
    }

    /// Hands a chunk over, waiting for room. `false`: the writer has failed.
    fn send(&mut self, mut chunk: Chunk) -> bool {
        loop {
            match self.writer.send(chunk) {
                Sent::Yes => return true,
                Sent::Failed => return false,
                Sent::Full(back) => chunk = back,
            }
            self.writer.wait(LOOK);
            // Asked to end meanwhile, the output is to know it: its reader may be what holds this up.
            self.ending();
            self.look_at_card();
            self.tell();
        }
    }

    /// While the writer is waited for: gives back what is written, and sees how full stream memory has become and what the card drops, whose
    /// counter must not wrap unseen.
    fn look_at_card(&mut self) {
        let release = self.writer.releasable(self.looked_at);
        let backend = self.stream.backend();
        let release = release.max(backend.position());
        backend.set_poll_rules(PollRules::non_blocking());
        // A card that fails does so again when records are taken from it, and that ends the recording.
        let _ = backend.advance(release, &self.stop);
        self.look.loss.observe(backend.drops());
    }

    fn tell(&mut self) {
        let backend = self.stream.backend();
        let held = backend.bytes().len() as u64;
        let Tally { chosen, filtered, bytes, .. } = self.look.tally;
        self.progress.set(Snapshot {
            delivered: chosen,
            filtered,
            lost: self.look.loss.so_far(),
            bytes,
            fill_percent: held * 100 / self.memory_len.max(1),
            waiting: self.room.as_ref().is_some_and(Room::is_waiting),
            ..Snapshot::default()
        });
    }
}
