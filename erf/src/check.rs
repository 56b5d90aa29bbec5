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

use crate::convert::PlainFrame;
use crate::pieces::{Mergeable, Piece};
use crate::summary::Findings;
use crate::{Audit, Defect, Error, Flags, Record, Severity};

/// A file that breaks off, or is damaged, below the records: a compressed stream that ends early, a torn pcap file. All records before
/// that have been read.
///
/// It is an error among the defects, with a code like theirs, but no [`Defect`]: its place is one in the stored bytes, not among the records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// The file.
    pub file: String,
    /// Where, as [`Error::offset`] counts.
    pub offset: u64,
    /// What is wrong, with file and place.
    pub text: String,
}

impl Broken {
    /// Stands where others have [`DefectKind::code`](crate::DefectKind::code).
    pub const CODE: &'static str = "broken-file";

    /// How bad it is.
    pub const SEVERITY: Severity = Severity::Error;

    /// What it means, in words.
    pub const MEANING: &'static str = "The file breaks off or is damaged below the records: a compressed stream that ends early or whose \
        checksum is wrong, a pcap or pcapng file that is torn or whose lengths lead nowhere. All records before that are good; there may have \
        been more.";

    /// `None` where `error` is no [damage](Error::is_damage).
    pub fn of(error: &Error) -> Option<Self> {
        let (file, offset) = (error.file().unwrap_or_default().to_owned(), error.offset().unwrap_or(0));
        error.is_damage().then(|| Self { file, offset, text: error.to_string() })
    }
}

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

    fn run(&mut self, _offset: u64, run: &[u8]) -> usize {
        let mut rest = run;
        while let Some(plain) = PlainFrame::ahead(rest, 0)
            && self.audit.goes_on(Flags::from_bits(plain.flags).interface(), plain.stamp)
        {
            self.records += 1;
            rest = plain.rest;
        }
        run.len() - rest.len()
    }

    fn defect(&mut self, defect: Defect) {
        self.findings.add(defect);
    }
}

impl Mergeable for Check {
    fn merge(&mut self, next: Self) {
        self.records += next.records;
        let mut between = Vec::new();
        self.audit.join(&next.audit, |defect| between.push(defect));
        self.findings.merge(next.findings, between);
    }
}
