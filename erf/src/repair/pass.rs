//! One walk over a file that says of every byte whether it is kept.

use super::Dropped;
use crate::error::Error;
use crate::reader::Reader;
use crate::{Defect, DefectKind, Record};

/// Stretches listed; the others are counted.
const LISTED: usize = 10_000;

/// What a walk kept and dropped.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) kept: u64,
    pub(super) records: u64,
    pub(super) dropped: Vec<Dropped>,
    pub(super) stretches: u64,
    /// Where the walk ended.
    pub(super) end: u64,
    /// What was there of a torn record at the end.
    pub(super) torn: Option<Vec<u8>>,
    pub(super) error: Option<Error>,
    /// All before this offset is accounted for.
    reached: u64,
    /// What is wrong from there on.
    why: Option<DefectKind>,
}

impl Tally {
    /// Every byte was kept, up to the end, and reading did not fail.
    pub(super) fn is_whole(&self) -> bool {
        // A walk that ends at a defect has not dropped what is behind it; nobody has seen it.
        self.stretches == 0 && self.why.is_none() && self.error.is_none()
    }

    fn keep(&mut self, at: u64, record: &Record<'_>) {
        self.drop_up_to(at);
        self.reached = at + u64::from(record.rlen());
        self.kept += u64::from(record.rlen());
        self.records += 1;
    }

    fn defect(&mut self, defect: Defect) {
        // How much was passed over is seen from where the next record is.
        if matches!(defect.kind, DefectKind::Skipped { .. }) && self.why.is_some() {
            return;
        }
        self.drop_up_to(defect.offset);
        self.why = self.why.or(Some(defect.kind));
    }

    /// What lies between the last thing accounted for and `at` is dropped.
    fn drop_up_to(&mut self, at: u64) {
        if at <= self.reached {
            return;
        }
        let bytes = at - self.reached;
        let why = self.why.take().unwrap_or(DefectKind::Skipped { bytes });
        if self.dropped.len() < LISTED {
            self.dropped.push(Dropped { offset: self.reached, bytes, why });
        }
        self.stretches += 1;
        self.reached = at;
    }

    /// The data goes on to `end`.
    pub(super) fn reach(&mut self, end: u64) {
        self.end = self.end.max(end);
        self.drop_up_to(self.end);
    }

    /// Of the stretch that was dropped last, the first `bytes` were kept after all.
    pub(super) fn keep_of_last(&mut self, bytes: u64) {
        self.kept += bytes;
        self.records += 1;
        let Some(last) = self.dropped.last_mut() else { return };
        last.offset += bytes;
        last.bytes -= bytes;
        if last.bytes == 0 {
            self.dropped.pop();
            self.stretches -= 1;
        }
    }
}

/// Walks all of `reader` and gives `keep` what can be read.
pub(super) fn pass(mut reader: Reader, mut keep: impl FnMut(&Record<'_>) -> Result<(), Error>) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    loop {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) => {
                tally.error = Some(error);
                break;
            }
        };
        let mut items = batch.iter();
        let mut torn = None;
        loop {
            let at = items.offset();
            match items.next() {
                Some(Ok(record)) => {
                    keep(&record)?;
                    tally.keep(at, &record);
                    torn = None;
                }
                Some(Err(defect)) => {
                    tally.defect(defect);
                    torn = Some(defect).filter(|defect| defect.kind.is_torn());
                }
                None => break,
            }
        }
        if let Some(defect) = torn {
            let from = usize::try_from(defect.offset - batch.offset()).unwrap_or(usize::MAX);
            tally.torn = batch.bytes().get(from..).map(<[u8]>::to_vec);
        }
    }
    tally.reach(reader.offset());
    Ok(tally)
}
