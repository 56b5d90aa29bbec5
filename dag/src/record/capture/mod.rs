//! The capture thread: takes records from the stream, lets them be chosen, and hands over to the writer.

mod finish;

pub(super) use finish::unread;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use erf::filter::Filter;
use erf::session::{Closing, StoppedBy};
use erf::writer::Room;
use erf::{Records, Tick, Timestamp};

use crate::card::Card;
use crate::error::{Error, Repr};
use crate::record::chunk::{Bytes, CHUNK, Chunk, Lent, Turn};
use crate::record::look::{Look, Piece};
use crate::record::merge::{Plan, Shares};
use crate::record::opening::opening;
use crate::record::parts::{Parts, Rotated};
use crate::record::progress::{Progress, Snapshot};
use crate::record::rotation::Boundary;
use crate::record::sink::{Format, Sink, Target};
use crate::record::source::{Clocks, Source, cards};
use crate::record::tally::Tally;
use crate::record::writer::{Sent, Writer};
use crate::record::{OnFull, PATIENCE, Recorder, Recording, To};

/// How long a wait for data lasts at most, so that limits and the stop flag are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Records a stream; see [`Recorder::run`].
pub(super) fn run(recorder: Recorder) -> Recording {
    let Recorder {
        streams,
        cpus,
        merge_wait,
        stream_progress,
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
    let cards = cards(&streams);
    let names: Vec<(String, u16)> = streams.iter().map(|s| (s.card().name().to_owned(), s.number())).collect();
    let Some(info) = cards.first().map(Card::info) else {
        return Recording::failed(Error::state("there is no stream to record"), None);
    };
    let words = match (selection.words(), &filter) {
        (Some(ports), Some(filter)) => Some(format!("{filter} (of {ports})")),
        (ports, filter) => ports.or(filter.as_ref().map(Filter::to_string)),
    };
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
    // Only what goes past the page cache has filler.
    let may_be_straight = reserve > 0;
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
    let count = streams.len();
    let plan = Plan {
        streams,
        cpus,
        wait: merge_wait,
        selection,
        filter: filter.clone(),
        progress: stream_progress.into_iter().chain(std::iter::repeat_with(Arc::default)).take(count).collect(),
    };
    let mut source = match Source::start(plan) {
        Ok(source) => source,
        Err(error) => return failed(error),
    };
    let (clocks, clock) = Clocks::begin(&cards, clock_interval);
    let looked_at = source.position();
    let mut look = Look::new(format, limits, selection, filter);
    look.boundary = boundary;
    if count > 1 {
        look.shares = Some(Shares::of(count));
        progress.remember();
    }
    let chunk_len = if may_be_straight { source.straight_len() } else { CHUNK };
    let mut capture = Capture {
        look,
        chunk_len,
        writer,
        looked_at,
        opening: selection
            .meta
            .then(|| Box::new(move |start| opening(&info, clock, &names, &application, words.clone(), start)) as _),
        clocks,
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
        source,
    };
    capture.account_for_opening();
    let (stopped_by, error) = capture.record(drain);
    let ended = Arc::clone(&capture.progress);
    let recording = capture.finish(stopped_by, error);
    ended.over();
    recording
}

/// Makes the opening META record from its stamp.
type MakeOpening = Box<dyn Fn(Timestamp) -> Result<Vec<u8>, erf::Error>>;

struct Capture {
    source: Source,
    writer: Writer,
    /// Position up to which records have been looked at.
    looked_at: u64,
    look: Look,
    /// Makes the opening META record, once the first stamp is known.
    opening: Option<MakeOpening>,
    /// The file has its opening.
    opened: bool,
    /// Active bits of the card's clock, if it tells.
    tick_bits: Option<u8>,
    clocks: Clocks,
    /// Raised by whoever wants the recording to end.
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
    /// Bytes of one chunk, about.
    chunk_len: usize,
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

impl Capture {
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
                    && let Err(error) = self.source.stop()
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
                // A feed that broke is over, too: what it had given by then is recorded, and its end is an error.
                let is_last = self.source.is_last();
                if is_last && let Some(failure) = self.source.failure() {
                    return (StoppedBy::Error, Some(failure));
                }
                if let Some(reason) = ended {
                    return (reason, None);
                }
                if is_last {
                    let failed = self.source.has_failed();
                    return (if failed { StoppedBy::Error } else { StoppedBy::End }, None);
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
        let released = self.source.position();
        let releasable = |writer: &Writer, source: &Source| {
            source.releasable(writer.releasable(self.looked_at), self.looked_at).max(released)
        };
        let mut release = releasable(&self.writer, &self.source);
        if self.looked_at - release > self.source.room() / 2 {
            // The wait below would not wait: more than half of the memory is full of what the writer has yet to write.
            self.writer.wait(LOOK);
            release = releasable(&self.writer, &self.source);
        }
        let left = self.look.limits.duration.map_or(LOOK, |limit| LOOK.min(limit.max(Duration::from_millis(1))));
        let left = (!at_once).then_some(left);
        self.source.advance(release, self.looked_at, left, &self.stop, &mut self.look)
    }

    /// Looks at the records that are new, and hands those chosen to the writer, chunk by chunk.
    fn take_in(&mut self) -> Result<(), Error> {
        // What comes while the writer is waited for is for the next round: between two it is looked whether to stop.
        let top = self.source.position() + self.source.bytes().len() as u64;
        while self.look.full.is_none() {
            // The window begins at what was released, at or before what has been looked at.
            let bottom = self.source.position();
            let from_bottom = |position: u64| usize::try_from(position - bottom).unwrap_or(usize::MAX);
            let bytes = self.source.bytes().get(from_bottom(self.looked_at)..from_bottom(top)).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            self.look.overhead = self.reserve + self.progress.padding();
            let piece = Piece::choose(bytes, self.looked_at, self.chunk_len, &mut self.look);
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
        let bytes = match (piece.runs.as_slice(), self.source.memory()) {
            ([], _) => return None,
            ([(start, end)], Some(memory)) => {
                let (start, len) = (self.looked_at + *start as u64, end - start);
                // SAFETY: the run lies in the window just taken. `Writer::releasable` goes past `done`, which lies behind the
                // run, only when nobody holds the chunk any more; and the writer is joined and the file given up before the stream is
                // detached. A block of several streams' records is not changed while anybody holds its memory, whatever is released.
                Bytes::Lent(unsafe { Lent::new(memory, start, len, self.source.stays()) })
            }
            (runs, _) => {
                let mut buffer = self.writer.buffer();
                let skip = usize::try_from(self.looked_at - self.source.position()).unwrap_or(usize::MAX);
                let bytes = self.source.bytes().get(skip..).unwrap_or_default();
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
        account.clock_synchronised = self.clocks.synchronised();
        let ended = self.look.tally.last.unwrap_or(started).max(started);
        let closing = self.look.selection.meta.then(|| {
            let mut closing = Closing::new(started, ended, account);
            closing.clock = self.clocks.last();
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
        let notes: Vec<_> = self.clocks.watches().filter_map(|watch| watch.due(stamp)).collect();
        for note in notes {
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
        }
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
        self.source.observe(release, &self.stop, &mut self.look);
    }

    fn tell(&mut self) {
        if let Some(shares) = &mut self.look.shares {
            shares.settle(&self.progress);
        }
        let (level, lost) = self.source.fill_and_loss(&self.look);
        let Tally { chosen, filtered, bytes, .. } = self.look.tally;
        self.progress.set(Snapshot {
            delivered: chosen,
            filtered,
            lost,
            bytes,
            fill_percent: level.fill_percent,
            arrived_bytes: level.arrived,
            free_bytes: level.free,
            waiting: self.room.as_ref().is_some_and(Room::is_waiting),
            ..Snapshot::default()
        });
    }
}
