//! [`EndWatch`] and [`ended_cleanly`]: did a recording end by itself?

use erf_core::{Defect, Record};

use super::{Account, Closing, Opening};

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// With a closing record: the recording ended by itself, and this is its account.
    Closed(Account),
    /// A recording began and no closing record follows: it was killed, or could not write.
    Open,
    /// The file does not say: recorded without META, or by other software, or something was
    /// appended to it.
    Unmarked,
}

/// Watches a walk for the opening and closing records of a recording.
///
/// Files may be concatenated: what counts is the last recording in them.
#[derive(Debug, Clone, Copy)]
pub struct EndWatch {
    ending: Ending,
}

impl EndWatch {
    /// Before the first record.
    pub const fn new() -> Self {
        Self { ending: Ending::Unmarked }
    }

    /// Takes the next record in file order.
    #[inline]
    pub fn observe(&mut self, record: &Record<'_>) {
        if record.is_meta() {
            self.observe_meta(record);
        } else if let Ending::Closed(_) = self.ending
            && record.is_packet()
        {
            self.ending = Ending::Unmarked;
        }
    }

    fn observe_meta(&mut self, record: &Record<'_>) {
        if let Some(closing) = Closing::from_record(record) {
            self.ending = Ending::Closed(closing.account);
        } else if Opening::from_record(record).is_some() {
            self.ending = Ending::Open;
        }
    }

    /// Takes a defect in file order. One behind a closing record means that the file does not end there.
    pub fn observe_defect(&mut self) {
        if let Ending::Closed(_) = self.ending {
            self.ending = Ending::Unmarked;
        }
    }

    /// How the file ends, if it ends here.
    pub const fn ending(&self) -> Ending {
        self.ending
    }
}

impl Default for EndWatch {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the last recording of a file ended by itself: its closing record is there, and nothing follows
/// it.
pub fn ended_cleanly<'a>(records: impl IntoIterator<Item = Result<Record<'a>, Defect>>) -> bool {
    let mut watch = EndWatch::new();
    for record in records {
        match record {
            Ok(record) => watch.observe(&record),
            Err(_) => watch.observe_defect(),
        }
    }
    matches!(watch.ending(), Ending::Closed(_))
}
