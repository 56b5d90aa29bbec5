//! Table 1 of the paper, and what was measured here beside it.

use super::Experiment;
use super::cell::Cell;
use super::describe::{Environment, Stress};
use crate::paper;
use crate::stats::Estimate;

/// A group of columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// Where it was measured.
    pub environment: Environment,
    /// In emulated guests.
    pub emulated: bool,
    /// The word in files.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// The environment of the paper that it is compared with.
    pub paper: Option<&'static str>,
    /// Its layers, by the paper's names.
    pub layers: &'static [&'static str],
}

const SHARED: &[&str] = &["kern", "user", "total"];
const VIRTUAL: &[&str] = &["dom0", "domU", "user", "total"];

impl Group {
    /// All, in the order of the paper's columns; behind them those that it has not.
    pub const ALL: [Self; 5] = [
        Self {
            environment: Environment::Host,
            emulated: false,
            name: "host",
            title: "Host (the paper's vanilla Linux)",
            paper: Some("vanilla"),
            layers: SHARED,
        },
        Self {
            environment: Environment::Container,
            emulated: false,
            name: "container",
            title: "Container that shares the host's stack (the paper's VServer)",
            paper: Some("vserver"),
            layers: SHARED,
        },
        Self {
            environment: Environment::Vm,
            emulated: false,
            name: "vm",
            title: "Guest (the paper's Xen)",
            paper: Some("xen"),
            layers: VIRTUAL,
        },
        Self {
            environment: Environment::Bridge,
            emulated: false,
            name: "bridge",
            title: "Container with a virtual interface and a bridge (OpenVZ, of which the paper's table has no column)",
            paper: None,
            layers: VIRTUAL,
        },
        Self {
            environment: Environment::Vm,
            emulated: true,
            name: "vm-emulated",
            title: "Guest, emulated, not comparable with Xen",
            paper: None,
            layers: VIRTUAL,
        },
    ];

    /// That of a cell.
    pub fn of(cell: &Cell) -> Option<Self> {
        let of = |group: &Self| group.environment == cell.environment && group.emulated == cell.is_emulated();
        // Nothing but guests is compared with Xen, so nothing else is a worse one for being emulated.
        Self::ALL.into_iter().find(of).or_else(|| Self::ALL.into_iter().find(|one| one.environment == cell.environment))
    }

    /// The cell of this group under a stress, where it was measured.
    pub(super) fn cell<'a>(&self, experiment: &'a Experiment, stress: Stress) -> Option<&'a Cell> {
        let cell = experiment.cell(self.environment, stress)?;
        (cell.measured().is_some() && Self::of(cell)? == *self).then_some(cell)
    }
}

/// One layer of an environment under one stress: ours, the paper's, or both. Ours is in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// The group of columns.
    pub group: Group,
    /// The layer, by the paper's name.
    pub layer: &'static str,
    /// The stress.
    pub stress: Stress,
    /// Probes that were measured; 0 where there are none.
    pub n: usize,
    /// Our median.
    pub median: Option<Estimate>,
    /// Our 99th percentile; it is "at least" that much where it has no upper limit.
    pub p99: Option<Estimate>,
    /// The paper's median and 99th percentile, in milliseconds.
    pub paper: Option<(f64, f64)>,
}

/// The table, group by group, layer by layer: all that the paper has, and all that was measured.
pub fn table_1(experiment: &Experiment) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in Group::ALL {
        for layer in group.layers {
            for stress in Stress::ALL {
                let paper = group.paper.and_then(|name| paper::cell(name, layer, stress.of_paper()));
                let cell = group.cell(experiment, stress).and_then(Cell::measured);
                let sample = cell.and_then(|cell| cell.sample(layer)).filter(|sample| !sample.is_empty());
                if paper.is_none() && sample.is_none() {
                    continue;
                }
                let estimate = |p| sample.and_then(|sample| sample.estimate(p));
                let n = sample.map_or(0, |sample| sample.len());
                rows.push(Row { group, layer, stress, n, median: estimate(0.5), p99: estimate(0.99), paper });
            }
        }
    }
    rows
}
