//! [`Findings`]: defects counted by code, and the first of them with their places.

use std::collections::BTreeMap;

use crate::{Defect, Severity};

/// Defects kept with their places, unless chosen.
const KEPT: usize = 1000;

/// What is wrong or odd with a file. All of it is counted; the first [of some severity](Self::listed) are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    from: Severity,
    most: usize,
    listed: Vec<Defect>,
    counts: BTreeMap<&'static str, (Severity, u64)>,
}

impl Default for Findings {
    fn default() -> Self {
        Self::new()
    }
}

impl Findings {
    /// Nothing yet; the first thousand warnings and errors are kept.
    pub const fn new() -> Self {
        Self::keeping(Severity::Warning, KEPT)
    }

    /// Nothing yet; the first `most` that are at least as bad as `from` are kept.
    pub const fn keeping(from: Severity, most: usize) -> Self {
        Self { from, most, listed: Vec::new(), counts: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, defect: Defect) {
        self.count_one(defect);
        if defect.kind.severity() >= self.from && self.listed.len() < self.most {
            self.listed.push(defect);
        }
    }

    fn count_one(&mut self, defect: Defect) {
        self.counts.entry(defect.kind.code()).or_insert((defect.kind.severity(), 0)).1 += 1;
    }

    /// Takes in what follows, and what lies between.
    pub(crate) fn merge(&mut self, next: Self, between: Vec<Defect>) {
        for (code, (severity, count)) in next.counts {
            self.counts.entry(code).or_insert((severity, 0)).1 += count;
        }
        let here = self.listed.len();
        self.listed.extend(next.listed);
        for defect in between {
            self.count_one(defect);
            if defect.kind.severity() >= self.from {
                let behind = self.listed[here..].partition_point(|listed| listed.offset <= defect.offset);
                self.listed.insert(here + behind, defect);
            }
        }
        self.listed.truncate(self.most);
    }

    /// The first of the severity that is kept, in the order of the file; there may be [more](Self::at_least).
    pub fn listed(&self) -> &[Defect] {
        &self.listed
    }

    /// Warnings and errors, those not listed among them.
    pub fn defects(&self) -> u64 {
        self.at_least(Severity::Warning)
    }

    /// How many are at least as bad as `severity`.
    pub fn at_least(&self, severity: Severity) -> u64 {
        self.counts.values().filter(|(found, _)| *found >= severity).map(|(_, count)| count).sum()
    }

    /// What was found under this code.
    pub fn count(&self, code: &str) -> u64 {
        self.counts.get(code).map_or(0, |&(_, count)| count)
    }

    /// Every code that was found, how bad it is and how often.
    pub fn by_code(&self) -> impl Iterator<Item = (&'static str, Severity, u64)> + '_ {
        self.counts.iter().map(|(&code, &(severity, count))| (code, severity, count))
    }
}
