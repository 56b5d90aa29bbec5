//! [`Damage`]: places in stream memory that were no records.

use erf::{Defect, DefectKind};

/// As many are logged one by one.
const SHOWN: u64 = 5;

/// Counts them.
#[derive(Debug)]
pub(super) struct Damage {
    /// Whose memory it is, for the log.
    place: String,
    pub(super) defects: u64,
    last: Option<u64>,
}

impl Damage {
    /// In `place`.
    pub(super) fn of(place: impl Into<String>) -> Self {
        Self { place: place.into(), defects: 0, last: None }
    }

    /// Bytes that are no record: something is lost, and how much is not known.
    pub(super) fn note(&mut self, defect: Defect) {
        // What is skipped belongs to the defect before it; and the first one is met again when it is looked for a way on.
        let again = self.last.replace(defect.offset) == Some(defect.offset);
        if again || matches!(defect.kind, DefectKind::Skipped { .. }) {
            return;
        }
        self.defects += 1;
        let place = &self.place;
        match self.defects {
            1..=SHOWN => log::warn!("in {place}: {defect}"),
            n if n == SHOWN + 1 => log::warn!("in {place}: more such places, from here on only counted"),
            _ => {}
        }
    }
}
