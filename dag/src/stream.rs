//! [`RxStream`]: a receive stream, from attach to close.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{cell::Cell, marker::PhantomData};

use dag_emu::ring::{PollRules, Window};
use erf::Records;

use crate::backend::{Drops, StreamBackend};
use crate::batch::Batch;
use crate::card::Card;
use crate::error::Error;

/// The most bytes a batch has by default, if a quarter of the stream's memory is not less. Where it is not known where it may end its records are
/// walked over, and they are to lie in the cache still when the program walks over them: with 4 MiB a full stream was read at 0.7 of the
/// speed.
const MAX_BATCH: u64 = 256 << 10;

/// Of the ends of windows that are kept.
const MIN_APART: u64 = 4096;

/// A batch is ended where a record is known to begin, if it has this part of the bytes that it may have: giving it back soon costs less than looking
/// for a better end.
const SHORT: u64 = 8;

/// A receive stream that this program owns.
///
/// Attached by [`Card::attach`], then [`start`](Self::start), then [`advance`](Self::advance) again and again. Each call lends a
/// [`Batch`] of records where the card has put them; the **next** call gives them back to the card. Records cannot be kept past
/// that: it does not compile. `Send`, so that a stream can move to the thread that reads it, and not `Sync`: a stream has one
/// reader.
///
/// Dropping a stream stops and detaches it; [`close`](Self::close) does the same and says how it went.
#[derive(Debug)]
pub struct RxStream {
    backend: Box<dyn StreamBackend>,
    /// What the last batch leaves to be released by the next advance. Atomic so that a batch can be shared; only the
    /// batch writes it, and only while it borrows the stream.
    release: AtomicU64,
    max_batch: u64,
    /// Ends of windows that have been seen and lie ahead, ascending: records begin there.
    ends: VecDeque<u64>,
    /// Where the last batch ended.
    lent: u64,
    interrupted: Arc<AtomicBool>,
    number: u16,
    started: bool,
    closed: bool,
    card: Card,
    _not_sync: PhantomData<Cell<()>>,
}

/// Ends a blocking [`RxStream::advance`] from another thread or a signal handler. Clones end the same stream's.
#[derive(Debug, Clone)]
pub struct Interrupter(Arc<AtomicBool>);

impl Interrupter {
    /// Ends the advance that waits now, or the next one that would: it returns what there is, maybe an empty batch.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl RxStream {
    pub(crate) fn new(backend: Box<dyn StreamBackend>, number: u16, card: Card) -> Self {
        let max_batch = MAX_BATCH.min(backend.memory_len() / 4).max(1);
        Self {
            backend,
            release: AtomicU64::new(0),
            max_batch,
            ends: VecDeque::new(),
            lent: 0,
            interrupted: Arc::default(),
            number,
            started: false,
            closed: false,
            card,
            _not_sync: PhantomData,
        }
    }

    /// The stream's number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The card it belongs to.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Lets packets in. Before the start nothing is received, and nothing counted as lost.
    ///
    /// After a [`stop`](Self::stop) this begins anew: what was not read is given up.
    ///
    /// # Errors
    ///
    /// When the card does not answer.
    pub fn start(&mut self) -> Result<(), Error> {
        if !self.started {
            self.backend.start()?;
            self.started = true;
            *self.release.get_mut() = self.backend.position();
            self.ends.clear();
            self.lent = self.backend.position();
        }
        Ok(())
    }

    /// Lets no more packets in. What lies in stream memory can still be read.
    ///
    /// # Errors
    ///
    /// When the card does not answer.
    pub fn stop(&mut self) -> Result<(), Error> {
        if self.started {
            self.backend.stop()?;
            self.started = false;
        }
        Ok(())
    }

    /// The rules by which [`advance`](Self::advance) waits (`libdag-contract.md` section 2.9).
    pub fn poll_rules(&self) -> PollRules {
        self.backend.poll_rules()
    }

    /// Sets the rules by which [`advance`](Self::advance) waits, before or after the start: `mindata` bytes or `maxwait`, whichever
    /// comes first, looking every `poll`; `mindata` 0 never waits, `maxwait` 0 waits without limit.
    pub fn set_poll_rules(&mut self, rules: PollRules) {
        self.backend.set_poll_rules(rules);
    }

    /// Never wait (`mindata` 0), or wait by the default rules again.
    pub fn set_nonblocking(&mut self, on: bool) {
        self.set_poll_rules(if on { PollRules::non_blocking() } else { PollRules::default() });
    }

    /// Sets the most bytes a batch has: by default a quarter of the stream's memory, 256 KiB at most.
    ///
    /// At least one record is always in a batch that is not empty.
    pub fn set_max_batch(&mut self, bytes: u64) {
        self.max_batch = bytes.max(1);
    }

    pub(crate) fn max_batch(&self) -> u64 {
        self.max_batch
    }

    /// A handle by which another thread ends a wait.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(Arc::clone(&self.interrupted))
    }

    /// Gives the last batch back to the card and lends the next one: whole records, at most
    /// [`set_max_batch`](Self::set_max_batch) bytes, none when the poll rules say so or an [`Interrupter`] was used.
    ///
    /// # Errors
    ///
    /// When the stream was never started, the card is gone, or what feeds an emulated card has failed; that only when
    /// all that came before has been read.
    pub fn advance(&mut self) -> Result<Batch<'_>, Error> {
        let release = *self.release.get_mut();
        let window = self.backend.advance(release, &self.interrupted)?;
        self.interrupted.store(false, Ordering::Relaxed);
        let known = self.known_end(window);
        // Half of it where windows have ended in what is to come, for the reason that known ends are chosen by; but as much as can be where a part
        // was lent before.
        let is_new = window.bottom >= self.lent;
        let wanted = if is_new && !self.ends.is_empty() { (self.max_batch / 2).max(1) } else { self.max_batch };
        let bytes = self.backend.bytes();
        let len = batch_len(bytes, known - window.bottom, wanted, self.max_batch);
        let bytes = bytes.get(..len).unwrap_or(bytes);
        let end = window.bottom + bytes.len() as u64;
        *self.release.get_mut() = end;
        self.lent = end;
        let is_end = self.backend.is_last() && bytes.is_empty();
        Ok(Batch::new(bytes, window.bottom, is_end, &self.release))
    }

    /// A place in `window` at which a record is known to begin and to which a batch is not too long; its bottom, if there is none. Where a reader is
    /// behind, so that more than a batch lies there, that is where an earlier window ended.
    fn known_end(&mut self, window: Window) -> u64 {
        let half = window.bottom.saturating_add(self.max_batch / 2);
        let most = window.bottom.saturating_add(self.max_batch);
        // A batch that ended where the last one did would bring nothing to whoever keeps all of it.
        let behind = window.bottom.max(self.lent);
        while self.ends.front().is_some_and(|end| *end <= behind) {
            self.ends.pop_front();
        }
        // Not each: a reader who holds on to a record is shown many that lie close together.
        let last = self.ends.back().copied().unwrap_or(behind);
        if window.top.saturating_sub(last) >= (self.max_batch / 4).max(MIN_APART) {
            self.ends.push_back(window.top);
        }
        if window.top <= most {
            return window.top;
        }
        // Windows end about as far apart as batches are long, give or take what a card exposes at once. So it is not the last that would do: ends
        // so far apart would often be too far for the next batch.
        let at_half = self.ends.partition_point(|end| *end < half);
        let or_before = at_half.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(at_half).filter(|end| **end <= most).or(or_before);
        end.copied().unwrap_or(window.bottom)
    }

    /// The stream's drop counter since attach; `None` where the card has none.
    pub fn drops(&self) -> Option<Drops> {
        self.backend.drops()
    }

    /// Stops and detaches.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong; the stream is given up all the same.
    pub fn close(mut self) -> Result<(), Error> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let stopped = self.stop();
        stopped.and(self.backend.detach())
    }

    /// The driver below, for those who hold several windows at once.
    pub(crate) fn backend(&mut self) -> &mut dyn StreamBackend {
        &mut *self.backend
    }
}

impl Drop for RxStream {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            log::error!("{} stream {}: {error}", self.card.name(), self.number);
        }
    }
}

/// How many of `bytes` a batch of at most `max` bytes takes, if a record is known to begin at `known`, not beyond `max`. Where that makes a batch
/// of some length it is taken: finding a later end, up to `wanted`, by walking over the records would fetch all of them before the program does.
fn batch_len(bytes: &[u8], known: u64, wanted: u64, max: u64) -> usize {
    // Below the length of the window.
    let at = usize::try_from(known).unwrap_or(usize::MAX);
    if at >= bytes.len() || known >= (max / SHORT).max(1) {
        return at;
    }
    let more = whole_records(bytes.get(at..).unwrap_or_default(), wanted - known);
    // One at least is taken only where there is no other. Damage, which takes all, is left to the next batch.
    if at > 0 && more as u64 > wanted - known { at } else { at + more }
}

/// How many of `bytes` a batch of at most `max` bytes takes: whole records, one at least. Bytes among which the next record
/// cannot be found are taken all.
pub(crate) fn whole_records(bytes: &[u8], max: u64) -> usize {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    if bytes.len() <= max {
        return bytes.len();
    }
    let mut records = Records::new(bytes);
    let mut end = 0;
    while let Some(item) = records.next() {
        // Offsets count from 0 in `bytes`.
        let next = records.offset() as usize;
        if item.is_err_and(|defect| defect.kind.next_record().is_none()) {
            return bytes.len();
        }
        if next > max && end > 0 {
            break;
        }
        end = next;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use erf::{RecordBuilder, RecordType};

    fn records(count: usize) -> Vec<u8> {
        let mut one = [0; 88];
        RecordBuilder::new(RecordType::ETH).payload(&[7; 60]).append_fcs().write_to(&mut one).unwrap();
        one.repeat(count)
    }

    #[test]
    fn batches_are_cut_between_records() {
        let bytes = records(10);
        assert_eq!(whole_records(&bytes, 10_000), 880);
        assert_eq!(whole_records(&bytes, 880), 880);
        assert_eq!(whole_records(&bytes, 879), 792);
        assert_eq!(whole_records(&bytes, 88), 88);
        assert_eq!(whole_records(&bytes, 1), 88, "one record at least");
    }

    #[test]
    fn a_batch_of_a_reader_who_is_behind_ends_where_an_earlier_window_did() {
        let mut stream = Card::open("emu:none").unwrap().attach(0).unwrap();
        stream.set_max_batch(100_000);
        let mut end = |bottom, top| stream.known_end(Window { bottom, top });
        assert_eq!(end(0, 80_000), 80_000, "all of it");
        assert_eq!(end(0, 100_000), 100_000);
        assert_eq!(end(0, 900_000), 80_000, "the window before the last one lay too close to be kept");
        assert_eq!(end(80_000, 900_000), 80_000, "nothing is known to begin there");
        assert_eq!(end(170_000, 1_000_000), 170_000);
        assert_eq!(end(820_000, 1_200_000), 900_000);
        assert_eq!(end(845_000, 1_200_000), 900_000, "the first that makes half a batch");
        assert_eq!(end(899_999, 1_200_000), 900_000, "short as it is");
        assert_eq!(end(900_000, 1_200_000), 1_000_000);
        assert_eq!(end(1_200_000, 1_200_000), 1_200_000, "nothing lies there");
    }

    #[test]
    fn a_known_end_is_taken_unless_it_makes_a_batch_very_short() {
        let bytes = records(100);
        assert_eq!(batch_len(&bytes, 880, 4400, 4400), 880, "a fifth of what it may have");
        assert_eq!(batch_len(&bytes, 528, 4400, 4400), 4400, "an eighth is not reached: walked on from there");
        assert_eq!(batch_len(&bytes, 528, 2200, 4400), 2200);
        assert_eq!(batch_len(&bytes, 0, 4400, 4400), 4400);
        assert_eq!(batch_len(&bytes, 88, 4440, 4440), 4400);
        assert_eq!(batch_len(&bytes, 8800, 8800, 8800), 8800);
        assert_eq!(batch_len(&bytes, 0, 1, 1), 88, "one record at least");
        let mut long = records(1);
        let mut next = vec![0; 1024];
        let len = RecordBuilder::new(RecordType::ETH).payload(&[7; 960]).write_to(&mut next).unwrap();
        long.extend_from_slice(&next[..len]);
        long.extend(records(1));
        assert_eq!(batch_len(&long, 88, 800, 800), 88, "the next one does not fit, and this is one");
        let mut odd = records(10);
        odd[88 + 10..88 + 12].copy_from_slice(&[0, 3]);
        assert_eq!(
            (batch_len(&odd, 88, 800, 800), batch_len(&odd, 0, 800, 800)),
            (88, 880),
            "what leads nowhere takes all"
        );
        let mut last = records(1);
        last.extend_from_slice(&long[88..88 + len]);
        assert_eq!(batch_len(&last, 88, 800, 800), 88, "nor does one that ends the window");
    }

    #[test]
    fn batches_of_a_full_stream_are_whole_records_that_follow_each_other() {
        let card =
            Card::open("emu:synthetic=imix,rate=max,full=wait,payload=template,memory=1MiB,count=60000").unwrap();
        let mut stream = card.attach(0).unwrap();
        stream.set_max_batch(50_000);
        stream.start().unwrap();
        let (mut position, mut packets) = (0, 0);
        loop {
            let batch = stream.advance().unwrap();
            assert_eq!(batch.position(), position);
            assert!(batch.bytes().len() <= 50_000);
            for record in &batch {
                packets += u64::from(record.unwrap().is_packet());
            }
            position += batch.bytes().len() as u64;
            if batch.is_end() {
                break;
            }
        }
        assert_eq!(packets, 60_000);
    }

    #[test]
    fn a_length_that_leads_nowhere_takes_all() {
        let mut bytes = records(10);
        bytes[88 + 11] = 3;
        bytes[88 + 10] = 0;
        assert_eq!(whole_records(&bytes, 100), 880);
    }
}
