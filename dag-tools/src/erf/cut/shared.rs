//! Filtering one file with several threads: each looks at a stretch of it, and what they take is written in order.

use std::convert::Infallible;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

use erf::convert::FcsPolicy;
use erf::filter::{Filter, Sieve};
use erf::pieces::{Piece, Pieces};
use erf::{Defect, Error, Record};

use super::super::Failure;
use super::super::defects::Found;
use super::super::pass::Pass;
use super::{Cut, found_fcs};

/// More threads wait for the one that writes.
const THREADS: usize = 4;

/// Bytes of a stretch. What is taken of it waits in memory for its turn.
const CHUNK: u64 = 2 << 20;

/// Cuts out of the input what `filter` matches. `false`: threads cannot share it, and nothing has been done.
pub(super) fn filtered(cut: &mut Cut, pass: &mut Pass, filter: &Filter) -> Result<bool, Failure> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS);
    let pieces = Pieces::new().threads(threads).chunk(CHUNK);
    if !pass.can_be_shared(&pieces) {
        return Ok(false);
    }
    let fcs = pass.look(found_fcs)?.unwrap_or_default();
    // What has been written is filled again: fresh memory costs as much as what is done with it.
    let rooms = Mutex::new(Vec::<Vec<u8>>::new());
    let rooms = || rooms.lock().unwrap_or_else(PoisonError::into_inner);
    let selector = cut.selector.clone();
    let make = || Share {
        filter: filter.counting_apart(),
        fcs,
        cut: Cut::new(selector.clone()),
        out: rooms().pop().unwrap_or_default(),
        found: Found::default(),
        failed: None,
    };
    pass.each_piece(&pieces, make, |share, told, sink| {
        let Share { filter: asked, cut: part, mut out, found, failed, .. } = share;
        filter.count_in(&asked);
        cut.add(&part);
        told.hear_all(&found);
        sink.write_run(&out, part.taken)?;
        out.clear();
        rooms().push(out);
        failed.map_or(Ok(()), |error| Err(error.into()))
    })?;
    Ok(true)
}

/// What one thread takes of a stretch.
struct Share {
    /// Of its own, as what a thread looks at may not count.
    filter: Filter,
    fcs: FcsPolicy,
    cut: Cut,
    /// Records that are wanted, one after another.
    out: Vec<u8>,
    found: Found,
    /// Nothing is looked at behind it.
    failed: Option<Error>,
}

impl Share {
    /// As [`run`](Piece::run), with what is wrong.
    fn sift(&mut self, offset: u64, run: &[u8]) -> (usize, Result<(), Error>) {
        let Self { filter, fcs, cut, out, found, .. } = self;
        let mut take = |cut: &mut Cut, record: &Record<'_>| {
            let Ok(()) = cut.take(record, |record| {
                out.extend_from_slice(record.bytes());
                Ok::<_, Infallible>(())
            });
        };
        let is_open = cut.selector.is_open();
        let mut sieve = Sieve::new(filter.clone(), *fcs);
        let mut rest = run;
        loop {
            if is_open {
                let done = sieve.put_run(rest);
                cut.seen += done.records;
                rest = rest.get(done.bytes..).unwrap_or_default();
                if sieve.is_full() {
                    sieve.sift(|record| take(cut, record));
                    continue;
                }
            }
            // The walk knows what to do about what is none.
            let Ok(record) = Record::parse(rest) else { break };
            found.audit(offset + (run.len() - rest.len()) as u64, &record);
            rest = rest.get(record.bytes().len()..).unwrap_or_default();
            cut.seen += 1;
            if cut.selector.fits(&record) {
                match sieve.put(&record) {
                    Ok(false) => {}
                    Ok(true) => sieve.sift(|record| take(cut, record)),
                    Err(error) => return (run.len() - rest.len(), Err(error)),
                }
            } else {
                if record.is_meta() {
                    // It is written, and those before it come before it.
                    sieve.sift(|record| take(cut, record));
                }
                take(cut, &record);
            }
        }
        sieve.sift(|record| take(cut, record));
        (run.len() - rest.len(), Ok(()))
    }
}

impl Piece for Share {
    fn run(&mut self, offset: u64, run: &[u8]) -> usize {
        if self.failed.is_some() {
            return 0;
        }
        let (taken, done) = self.sift(offset, run);
        self.failed = done.err();
        taken
    }

    fn record(&mut self, offset: u64, record: &Record<'_>) {
        if self.failed.is_some() {
            return;
        }
        let Self { filter, fcs, cut, out, found, .. } = self;
        found.audit(offset, record);
        cut.seen += 1;
        if cut.selector.fits(record) {
            match filter.matches_with_fcs(record, *fcs) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.failed = Some(error);
                    return;
                }
            }
        }
        let Ok(()) = cut.take(record, |record| {
            out.extend_from_slice(record.bytes());
            Ok::<_, Infallible>(())
        });
    }

    fn defect(&mut self, defect: Defect) {
        self.found.tell(defect);
    }
}
