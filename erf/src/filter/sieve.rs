//! [`Sieve`]: many records, of which few match.

use erf_core::{HEADER_LEN, Record};

use super::Filter;
use super::nodes::{First, Nodes};
use super::window::{MOST_CHOSEN, Window};
use crate::convert::{FcsPolicy, PlainRun, ethernet_frame};
use crate::error::{Error, ErrorKind};
use crate::reader::BatchIter;

/// Packets that wait at most.
const PLACES: usize = 128;

/// Bytes of headers before a frame, without extension headers.
const HEADERS: usize = HEADER_LEN + 2;

/// Bytes of FCS that a frame may be counted with.
const MOST_FCS: u16 = 4;

/// A [`Filter`] that looks at records in two turns, which is faster than looking at each to the end.
///
/// What costs most about a filter is that a processor cannot guess what the next packet is. So packets that are [put](Self::put_plain) in are looked
/// at as far as that goes without a branch: most are out by then, and the others wait until there are many of them, which are much alike.
///
/// ```
/// use erf::convert::FcsPolicy;
/// use erf::filter::{Filter, FilterOptions, Sieve};
/// use erf::{Reader, RecordBuilder, RecordType, Timestamp};
///
/// let mut file = Vec::new();
/// for length in [60, 600, 60, 900] {
///     let stamp = Timestamp::from_parts(1_700_000_000, 0);
///     let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp);
///     file.extend(record.payload(&vec![7; length]).append_fcs().to_vec()?);
/// }
/// let filter = Filter::new("greater 100", FilterOptions::default())?;
/// let mut reader = Reader::from_read(std::io::Cursor::new(file))?;
/// let mut lengths = Vec::new();
/// while let Some(batch) = reader.next_batch()? {
///     let mut sieve = Sieve::new(filter.clone(), FcsPolicy::Strip);
///     let mut records = batch.iter();
///     loop {
///         sieve.put_plain(&mut records);
///         // It is full, or something else comes next, or nothing.
///         sieve.sift(|record| lengths.push(record.wire_len()));
///         let Some(item) = records.next() else { break };
///         sieve.put(&item?)?;
///     }
/// }
/// assert_eq!(lengths, [604, 904]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sieve<'r> {
    filter: Filter,
    fcs: FcsPolicy,
    waiting: Box<[Waiting<'r>; PLACES]>,
    count: usize,
}

/// A packet of which more is to be said.
#[derive(Clone, Copy)]
struct Waiting<'r> {
    bytes: &'r [u8],
    /// Where its run goes on. `None`: it matches.
    at: Option<u16>,
}

/// What [`Sieve::put_run`] does with a program that begins with a window.
fn put_with<'r, const N: usize>(mut target: Target<'_, 'r>, run: &'r [u8], window: &Window<N>) -> PlainRun {
    let chooser = window.chooser(HEADERS);
    match chooser.has_two() {
        true => target.put(run, |record, len| chooser.choose::<2>(record, len)),
        false => target.put(run, |record, len| chooser.choose::<MOST_CHOSEN>(record, len)),
    }
}

/// Where packets are put.
struct Target<'s, 'r> {
    nodes: &'s Nodes,
    waiting: &'s mut [Waiting<'r>],
    count: &'s mut usize,
}

impl<'r> Target<'_, 'r> {
    /// Puts in the plain records at the start of `run`. `choose` says how far a program comes with the packet in a record that has so many
    /// bytes at least, as long as they are stored.
    #[inline(always)]
    fn put(&mut self, run: &'r [u8], choose: impl Fn(&[u8], usize) -> Option<u16>) -> PlainRun {
        let mut rest = run;
        let (mut seen, mut used) = (0, *self.count);
        while let Some(place) = self.waiting.get_mut(used)
            && let Some(record) = Record::parse_plain_ethernet(rest)
        {
            let bytes = record.bytes();
            // So many bytes a frame has whatever it ends in; it is made when more is to be known of it.
            let len = usize::from(record.wire_len().saturating_sub(MOST_FCS));
            let at = choose(bytes, len).unwrap_or(self.nodes.start());
            // Written over by the next one if it is out.
            *place = Waiting { bytes, at: Some(at) };
            used += usize::from(!self.nodes.is_rejected(at));
            rest = rest.get(bytes.len()..).unwrap_or_default();
            seen += 1;
        }
        *self.count = used;
        PlainRun { records: seen, bytes: run.len() - rest.len() }
    }
}

#[cold]
fn full() -> Error {
    Error::new(ErrorKind::InvalidInput, "a record was put into a sieve that is full")
}

impl<'r> Sieve<'r> {
    /// With nothing in it. Ethernet frames end in what `fcs` says, whatever the [options](super::FilterOptions::packets) of the filter say.
    pub fn new(filter: Filter, fcs: FcsPolicy) -> Sieve<'r> {
        let nothing = Waiting { bytes: &[], at: None };
        Sieve { filter, fcs, waiting: Box::new([nothing; PLACES]), count: 0 }
    }

    /// Whether there is no more room.
    pub const fn is_full(&self) -> bool {
        self.count >= PLACES
    }

    /// Puts a record in. `true`: there is no more room, and the next thing to do is to [`sift`](Self::sift).
    ///
    /// # Errors
    ///
    /// As [`Filter::matches`], and [`ErrorKind::InvalidInput`] where there is no room; those put in before are still there.
    pub fn put(&mut self, record: &Record<'r>) -> Result<bool, Error> {
        if record.record_type().is_ethernet()
            && let Some(program) = self.filter.for_ethernet()
        {
            let Some(place) = self.waiting.get_mut(self.count) else { return Err(full()) };
            *place = Waiting { bytes: record.bytes(), at: Some(program.nodes().start()) };
            self.count += 1;
            return Ok(self.is_full());
        }
        self.put_any(*record)
    }

    /// Puts in the records that come next as long as they are Ethernet, nothing is odd about them, and there is room; returns how many. What
    /// is odd is what [`Audit::oddities`](erf_core::Audit::oddities) tells. Most of them are out at once.
    pub fn put_plain(&mut self, records: &mut BatchIter<'r>) -> u64 {
        let done = self.put_run(records.plain_rest().unwrap_or_default());
        records.pass(done.bytes);
        done.records
    }

    /// The same with records that lie one after another at the start of `run`.
    pub fn put_run(&mut self, run: &'r [u8]) -> PlainRun {
        let Some(program) = self.filter.for_ethernet() else { return PlainRun::default() };
        let nodes = program.nodes();
        let mut target = Target { nodes, waiting: &mut self.waiting[..], count: &mut self.count };
        match nodes.first() {
            First::One(window) => put_with(target, run, window),
            First::Two(window) => put_with(target, run, window),
            First::Four(window) => put_with(target, run, window),
            First::None => target.put(run, |_, _| None),
        }
    }

    #[inline(never)]
    fn put_any(&mut self, record: Record<'r>) -> Result<bool, Error> {
        if self.filter.matches_with_fcs(&record, self.fcs)? {
            let Some(place) = self.waiting.get_mut(self.count) else { return Err(full()) };
            *place = Waiting { bytes: record.bytes(), at: None };
            self.count += 1;
        }
        Ok(self.is_full())
    }

    /// Gives the records that match to `each`, in the order in which they were put in; there is nothing in it then.
    pub fn sift(&mut self, mut each: impl FnMut(&Record<'r>)) {
        let Ok(()) = self.try_sift(|record| {
            each(record);
            Ok::<_, std::convert::Infallible>(())
        });
    }

    /// The same with something that may fail. Those behind the one with which it does are lost.
    ///
    /// # Errors
    ///
    /// What `each` returns.
    pub fn try_sift<E>(&mut self, mut each: impl FnMut(&Record<'r>) -> Result<(), E>) -> Result<(), E> {
        let program = self.filter.for_ethernet();
        for waiting in self.waiting.iter().take(std::mem::take(&mut self.count)) {
            let Ok(record) = Record::parse(waiting.bytes) else { continue };
            let is_match = match (waiting.at, program) {
                (Some(at), Some(program)) => {
                    let frame = ethernet_frame(&record, self.fcs);
                    program.run_on(at, frame.body(), frame.original_len) != 0
                }
                // Without a program it would not be here.
                (None, _) | (_, None) => true,
            };
            if is_match {
                each(&record)?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Sieve<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sieve").field("filter", &self.filter).field("waiting", &self.count).finish_non_exhaustive()
    }
}
