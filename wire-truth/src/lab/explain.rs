//! Why there is delay: a cell with it, and the same with one named cause after another taken away.

use std::sync::atomic::AtomicBool;

use super::plan::{Cell, Plan, Variant};
use super::run::{Progress, run};
use crate::error::Error;
use crate::experiment::{self, Experiment};
use crate::stats::Sample;

/// A cell with something done otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// What.
    pub variant: Variant,
    /// Its delays, or why there are none.
    pub measured: Result<Delays, String>,
}

/// Delays of a cell, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delays {
    /// Program less wire.
    pub total: Sample,
    /// Sending.
    pub send: Sample,
    /// Receiving.
    pub receive: Sample,
}

impl Delays {
    /// Which part of the delay of another cell is not here any more, from 0 to 1; below 0, there is more.
    pub fn gone(&self, plain: &Self) -> Option<f64> {
        let median = |sample: &Sample| sample.percentile(0.5);
        Some(1.0 - median(&self.total)? / median(&plain.total).filter(|plain| *plain > 0.0)?)
    }
}

/// Measures the cells of `plan` as they are, and again with each of `variants`, each in a folder of its own in that of the plan. What is there is
/// not measured again.
///
/// # Errors
///
/// When nothing can be run at all. A cell that fails is kept with the reason.
pub fn explain(
    plan: &Plan,
    cell: Cell,
    variants: &[Variant],
    stop: &AtomicBool,
    mut tell: impl FnMut(Variant, &Progress),
) -> Result<Vec<Explained>, Error> {
    let mut explained = Vec::new();
    for variant in variants {
        let out = plan.out.join(variant.name());
        let plan = Plan { cells: vec![Cell { variant: *variant, ..cell }], out, ..plan.clone() };
        let mut failed = None;
        run(&plan, stop, |progress| {
            if let Progress::Failed(_, reason) = progress {
                failed = Some(reason.clone());
            }
            tell(*variant, progress);
        })?;
        let measured = match failed {
            Some(reason) => Err(reason),
            None => delays(&Experiment::read(&plan.out)?, cell),
        };
        explained.push(Explained { variant: *variant, measured });
    }
    Ok(explained)
}

fn delays(experiment: &Experiment, cell: Cell) -> Result<Delays, String> {
    let found: Option<&experiment::Cell> = experiment.cell(cell.environment, cell.stress);
    let found = found.ok_or("it was not run")?;
    let Some(measured) = found.measured() else { return Err(found.reason().unwrap_or_default()) };
    let layers = &measured.analysis.layers;
    Ok(Delays { total: layers.total.clone(), send: layers.send.clone(), receive: layers.receive.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_a_part_of_what_was_there() {
        let of = |total: f64| Delays { total: [total].into_iter().collect(), ..Delays::default() };
        assert_eq!(of(1e6).gone(&of(1e7)), Some(0.9));
        assert_eq!(of(2e7).gone(&of(1e7)), Some(-1.0));
        assert_eq!(of(1e6).gone(&Delays::default()), None);
        assert_eq!(of(1e6).gone(&of(0.0)), None);
    }
}
