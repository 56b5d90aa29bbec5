//! Two runs side by side: whether their intervals meet.

use serde_json::{Value, json};

use super::table::Group;
use super::{Cell, Environment, Experiment, Stress};
use crate::stats::{Estimate, Sample};

/// Whether two intervals of 95 % have anything in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meeting {
    /// They have: nothing is shown to differ.
    Overlap,
    /// They have not.
    Differs,
    /// One of them has no numbers.
    Untold,
}

impl Meeting {
    /// The word used in JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Differs => "differs",
            Self::Untold => "-",
        }
    }

    /// A limit that there is none of is anywhere beyond.
    fn of(a: Option<Estimate>, b: Option<Estimate>) -> Self {
        let (Some(a), Some(b)) = (a, b) else { return Self::Untold };
        let low = |of: Estimate| of.low.unwrap_or(f64::NEG_INFINITY);
        let high = |of: Estimate| of.high.unwrap_or(f64::INFINITY);
        if low(a) <= high(b) && low(b) <= high(a) { Self::Overlap } else { Self::Differs }
    }
}

/// One layer of a cell in two runs, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Contrast {
    /// The environment.
    pub environment: Environment,
    /// The stress.
    pub stress: Stress,
    /// The layer, by the paper's name.
    pub layer: &'static str,
    /// Probes in both.
    pub n: [usize; 2],
    /// Both medians.
    pub median: [Option<Estimate>; 2],
    /// Both 99th percentiles.
    pub p99: [Option<Estimate>; 2],
    /// Of the medians.
    pub medians: Meeting,
    /// Of the 99th percentiles.
    pub p99s: Meeting,
}

/// Every layer that either run has measured.
pub fn contrast(a: &Experiment, b: &Experiment) -> Vec<Contrast> {
    let mut found = Vec::new();
    for environment in Environment::ALL {
        for stress in Stress::ALL {
            let cells = [a, b].map(|run| run.cell(environment, stress).filter(|cell| cell.measured().is_some()));
            // An emulated guest is not compared with one that is not.
            let groups = cells.map(|cell| cell.and_then(Group::of));
            if groups[0].zip(groups[1]).is_some_and(|(a, b)| a != b) {
                continue;
            }
            for layer in groups.into_iter().flatten().next().map_or(&[][..], |group| group.layers) {
                found.extend(layer_of(cells, environment, stress, layer));
            }
        }
    }
    found
}

fn layer_of(
    cells: [Option<&Cell>; 2],
    environment: Environment,
    stress: Stress,
    layer: &'static str,
) -> Option<Contrast> {
    let samples = cells.map(|cell| cell.and_then(Cell::measured)?.sample(layer).filter(|sample| !sample.is_empty()));
    let n = samples.map(|sample| sample.map_or(0, Sample::len));
    let [median, p99] = [0.5, 0.99].map(|p| samples.map(|sample| sample.and_then(|sample| sample.estimate(p))));
    let (medians, p99s) = (Meeting::of(median[0], median[1]), Meeting::of(p99[0], p99[1]));
    (n != [0, 0]).then_some(Contrast { environment, stress, layer, n, median, p99, medians, p99s })
}

/// The same as JSON, with the names of `results.json`.
pub fn contrast_json(found: &[Contrast]) -> Value {
    let ns = |of: Option<f64>| of.map(|ns| ns.round() as i64);
    let both = |estimates: [Option<Estimate>; 2]| estimates.map(|of| ns(of.map(|of| of.value)));
    let limits = |estimates: [Option<Estimate>; 2]| estimates.map(|of| of.map(|of| [ns(of.low), ns(of.high)]));
    let layers = found.iter().map(|one| {
        json!({
            "environment": one.environment.name(), "stress": one.stress.name(), "layer": one.layer, "n": one.n,
            "median_ns": both(one.median), "median_ci_ns": limits(one.median), "medians": one.medians.name(),
            "p99_ns": both(one.p99), "p99_ci_ns": limits(one.p99), "p99s": one.p99s.name(),
        })
    });
    json!({ "schema": 1, "layers": layers.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_meet_or_do_not() {
        let of = |low: f64, high: Option<f64>| Some(Estimate { value: low, low: Some(low), high });
        assert_eq!(Meeting::of(of(1.0, Some(2.0)), of(2.0, Some(3.0))), Meeting::Overlap);
        assert_eq!(Meeting::of(of(1.0, Some(2.0)), of(2.1, Some(3.0))), Meeting::Differs);
        assert_eq!(Meeting::of(of(2.1, Some(3.0)), of(1.0, Some(2.0))), Meeting::Differs);
        // It may be anywhere above.
        assert_eq!(Meeting::of(of(1.0, None), of(5.0, Some(6.0))), Meeting::Overlap);
        assert_eq!(Meeting::of(of(7.0, None), of(5.0, Some(6.0))), Meeting::Differs);
        assert_eq!(Meeting::of(None, of(5.0, Some(6.0))), Meeting::Untold);
    }
}
