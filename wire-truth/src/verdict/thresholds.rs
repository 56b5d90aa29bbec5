//! [`Thresholds`]: from when on a signal is too much, what is taken off a round trip, and what both were learned from. One JSON object.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::evidence::Signal;
use crate::error::{Error, Repr};
use crate::text;

/// A signal above this makes a sample suspect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Which.
    pub signal: Signal,
    /// In the unit of the [signal](Signal).
    pub above: f64,
}

/// A bound that was learned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// How often it is said to hold, from 0 to 1.
    pub holds: f64,
    /// Nanoseconds on either side.
    pub within_ns: i64,
}

/// What makes a round trip of the wire out of one from the driver to the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// Taken off: what lies between the driver and the wire, and between the wire and the kernel, in the median at rest. Nanoseconds.
    pub constant_ns: i64,
    /// How far what is left was off, in growing order; those only that the number of samples allows.
    pub bounds: Vec<Bound>,
    /// Samples that the bounds were learned from.
    pub samples: usize,
}

/// A step of learning.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The limit that was added.
    pub limit: Limit,
    /// Samples off by more than twice what is good that it has caught and those before had not.
    pub caught: usize,
    /// Good samples that it has cost.
    pub cost: usize,
}

/// What was learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learning {
    /// Samples with a round trip on the wire.
    pub samples: usize,
    /// Of these, at rest: they say what is good.
    pub at_rest: usize,
    /// Good ones.
    pub good: usize,
    /// The others.
    pub bad: usize,
    /// How limits for samples with stamps were found.
    pub with_stamps: Vec<Step>,
    /// How limits for samples without stamps were found.
    pub without_stamps: Vec<Step>,
    /// What is to be known before they are believed.
    pub notes: Vec<String>,
}

/// What a verdict is made by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// 1.
    pub schema: u32,
    /// A sample is good if it is off by so many nanoseconds at most: the 99th percentile at rest.
    pub good_ns: i64,
    /// What the host adds beside what stamps tell, in the median at rest: nanoseconds.
    pub remainder_ns: i64,
    /// For a sample with all stamps.
    pub with_stamps: Vec<Limit>,
    /// For a sample without.
    pub without_stamps: Vec<Limit>,
    /// What is taken off, where it was learned.
    pub correction: Option<Correction>,
    /// From one sample of signals to the next, when it was learned, in nanoseconds.
    pub sampled_every_ns: Option<i64>,
    /// What it was learned from; defaults are learned from nothing.
    pub learning: Option<Learning>,
}

impl Default for Thresholds {
    /// Where nothing was learned: strict ones, so that what is called valid is. Suspect is what the host has delayed by more than 0.3 ms by its own
    /// stamps; without stamps, all that was sent while something waited for a CPU for more than a twentieth of the time, ready threads of the
    /// program did, the hypervisor took time, soft interrupts did not keep up, or there was a queue. Nothing is taken off, and no bound is claimed.
    fn default() -> Self {
        let limit = |signal, above| Limit { signal, above };
        Self {
            schema: 1,
            good_ns: 300_000,
            remainder_ns: 0,
            with_stamps: vec![limit(Signal::HostShare, 300_000.0)],
            without_stamps: vec![
                limit(Signal::CpuPressure, 0.05),
                limit(Signal::RunDelay, 0.01),
                limit(Signal::Steal, 0.0),
                limit(Signal::SoftnetDropped, 0.0),
                limit(Signal::SoftnetSqueezed, 0.0),
                limit(Signal::Backlog, 0.0),
            ],
            correction: None,
            sampled_every_ns: None,
            learning: None,
        }
    }
}

impl Thresholds {
    /// Reads what [`to_json`](Self::to_json) has written.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let text = text::read(path, text::DESCRIPTION)?;
        Self::parse(&text, &name)
    }

    /// Reads the text of it; `path` is for messages.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn parse(text: &str, path: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::from(Repr::Thresholds { path: path.to_owned(), what });
        let found: Self = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if found.schema != 1 {
            return Err(wrong(format!("its schema is {} and not 1", found.schema)));
        }
        let no_time = |ns: i64| !(0..1 << 62).contains(&ns);
        let bounds = found.correction.iter().flat_map(|correction| &correction.bounds);
        if no_time(found.good_ns) || bounds.clone().any(|bound| no_time(bound.within_ns)) {
            return Err(wrong("a time in it is less than nothing, or more than a hundred years".to_owned()));
        }
        // Beyond this, differences of stamps and of it would not fit.
        let constants = found.correction.iter().map(|correction| correction.constant_ns).chain([found.remainder_ns]);
        if constants.into_iter().any(|ns| ns.unsigned_abs() >= 1 << 60) {
            return Err(wrong("what it takes off is more than a year".to_owned()));
        }
        if bounds.into_iter().any(|bound| !(bound.holds > 0.0 && bound.holds < 1.0)) {
            return Err(wrong("a bound in it holds never or always".to_owned()));
        }
        Ok(found)
    }

    /// One JSON object.
    pub fn to_json(&self) -> String {
        // Numbers, names and lists: there is nothing in it that JSON has not.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Those for a sample with all stamps, or without.
    pub fn limits(&self, has_stamps: bool) -> &[Limit] {
        if has_stamps { &self.with_stamps } else { &self.without_stamps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_other_things_are_refused() {
        let mut some = Thresholds::default();
        let bounds = vec![Bound { holds: 0.95, within_ns: 7 }];
        some.correction = Some(Correction { constant_ns: -3, bounds, samples: 9 });
        let text = some.to_json();
        assert_eq!(Thresholds::parse(&text, "t").unwrap(), some);
        for (from, to, words) in [
            ("\"schema\": 1", "\"schema\": 2", "its schema is 2 and not 1"),
            ("\"good_ns\"", "\"godo_ns\"", "unknown field `godo_ns`"),
            ("\"good_ns\": 300000", "\"good_ns\": -1", "less than nothing"),
            ("\"holds\": 0.95", "\"holds\": 1.0", "holds never or always"),
            ("-3", "2000000000000000000", "more than a year"),
            ("host_share", "host_shore", "unknown variant `host_shore`"),
            ("{", "", ""),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Thresholds::parse(&text.replacen(from, to, 1), "t.json").unwrap_err().to_string();
            assert!(error.starts_with("t.json has no thresholds") && error.contains(words), "{error}");
        }
    }
}
