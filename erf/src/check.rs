//! Every defect of a file: what a walk stumbles over, and what is odd about the records it delivers.
//!
//! A [`Check`] is a [`Piece`]: [`Pieces`](crate::pieces::Pieces) give it a whole file. The codes are those of
//! [`DefectKind::code`](crate::DefectKind::code), the meaning of each is [`DefectKind::meaning`](crate::DefectKind::meaning).
//!
//! ```
//! use erf::check::Check;
//! use erf::pieces::Pieces;
//! use erf::{RecordBuilder, RecordType, Timestamp};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("torn.erf");
//! let stamp = Timestamp::from_parts(1_700_000_000, 0);
//! let mut file = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 60]).to_vec()?.repeat(4);
//! file.truncate(260);
//! std::fs::write(&path, file)?;
//!
//! let check = Pieces::new().visit(path, Check::default, |_| ())?.piece;
//! assert_eq!(check.findings.listed()[0].to_string(), "byte 240: record torn at the end of the data: 20 of 80 bytes, 60 missing [torn-record]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::pieces::Piece;
use crate::summary::Findings;
use crate::{Audit, Defect, Record, Severity};

/// Defects listed, unless chosen; the others are counted.
pub const MOST: usize = 1_000_000;

/// What was found so far.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Check {
    /// Records that could be read.
    pub records: u64,
    /// What is wrong or odd.
    pub findings: Findings,
    audit: Audit,
}

impl Default for Check {
    /// Lists warnings and errors.
    fn default() -> Self {
        Self::new(Severity::Warning, MOST)
    }
}

impl Check {
    /// Of nothing yet. The first `most` defects that are at least as bad as `severity` are listed; all are counted.
    pub const fn new(severity: Severity, most: usize) -> Self {
        Self { records: 0, findings: Findings::keeping(severity, most), audit: Audit::new() }
    }
}

impl Piece for Check {
    #[inline]
    fn record(&mut self, offset: u64, record: &Record<'_>) {
        self.records += 1;
        self.audit.record(offset, record, |defect| self.findings.add(defect));
    }

    fn defect(&mut self, defect: Defect) {
        self.findings.add(defect);
    }

    fn merge(&mut self, next: Self) {
        self.records += next.records;
        let mut between = Vec::new();
        self.audit.join(&next.audit, |defect| between.push(defect));
        self.findings.merge(next.findings, between);
    }
}
