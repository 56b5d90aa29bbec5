//! The small language of `claims.csv` for one number of a run: `total.p95 / host:total.p95`.
//!
//! ```text
//! expression = term | term "/" term
//! term       = [scope ":"] sample "." statistic        a scope is an environment or a stress; without it, that of the claim
//! statistic  = median | mean | max | p1 ... p99
//!            | between(1ms,10ms)      part of the values from the first to below the second, in %
//!            | steps(10ms,2ms,5ms)    part of the values from the third on that are within the second of a multiple of the first, in %
//!            | mode(2ms)              the middle of the fullest class of this width
//!            | flips(1ms)             of neighbours, how often the first is greater than the second by more than that, in %
//!            | least_p99(10)          the 99th percentile of the least of so many in a row
//! ```

use std::collections::BTreeMap;

use super::describe::{Environment, Stress};
use crate::stats::Sample;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    pub(super) above: Term,
    pub(super) below: Option<Term>,
}

/// A number of one cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    environment: Option<Environment>,
    stress: Option<Stress>,
    pub(super) sample: String,
    pub(super) statistic: Statistic,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    Percentile(f64),
    Mean,
    Max,
    Between(f64, f64),
    Steps { of: f64, near: f64, from: f64 },
    Mode(f64),
    Flips(f64),
    LeastP99(usize),
}

/// The samples that a cell has by name, see [`Measured::sample`](super::Measured::sample).
const SAMPLES: [&str; 21] = [
    "wire",
    "kern",
    "dom0",
    "domu",
    "user",
    "total",
    "send",
    "receive",
    "syscall",
    "qdisc",
    "driver",
    "wakeup",
    "kernel_total",
    "kernel_ping",
    "driver_ping",
    "spacing",
    "tcp_srtt",
    "tcp_excess",
    "error",
    "believed",
    "kept",
];

/// Fewer delays show no steps.
const LEAST_FOR_STEPS: usize = 20;

impl Expression {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (above, below) = match text.split_once('/') {
            Some((above, below)) => (above, Some(Term::parse(below.trim())?)),
            None => (text, None),
        };
        Ok(Self { above: Term::parse(above.trim())?, below })
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, String> {
        let (scope, rest) = text.split_once(':').map_or((None, text), |(scope, rest)| (Some(scope), rest));
        let (sample, statistic) = rest.split_once('.').ok_or_else(|| format!("{text:?} is not SAMPLE.STATISTIC"))?;
        if !SAMPLES.contains(&sample) {
            return Err(format!("there is no sample {sample:?}"));
        }
        let (environment, stress) = (scope.and_then(Environment::named), scope.and_then(Stress::named));
        if scope.is_some() && environment.is_none() && stress.is_none() {
            return Err(format!("{scope:?} is no environment and no stress"));
        }
        Ok(Self { environment, stress, sample: sample.to_owned(), statistic: Statistic::parse(statistic)? })
    }

    /// The cell that it is of, in a claim that is of this environment and stress.
    pub(super) fn cell(&self, environment: Environment, stress: Stress) -> (Environment, Stress) {
        (self.environment.unwrap_or(environment), self.stress.unwrap_or(stress))
    }
}

impl Statistic {
    fn parse(text: &str) -> Result<Self, String> {
        let none = || format!("{text:?} is no statistic");
        let (name, arguments) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, arguments)) => (name, arguments.split(',').collect()),
            None => (text, Vec::new()),
        };
        let nanos = |at: usize| arguments.get(at).copied().and_then(nanos).ok_or_else(none);
        Ok(match (name, arguments.len()) {
            ("median", 0) => Self::Percentile(0.5),
            ("mean", 0) => Self::Mean,
            ("max", 0) => Self::Max,
            ("between", 2) => Self::Between(nanos(0)?, nanos(1)?),
            ("steps", 3) => Self::Steps { of: nanos(0)?, near: nanos(1)?, from: nanos(2)? },
            ("mode", 1) => Self::Mode(nanos(0)?),
            ("flips", 1) => Self::Flips(nanos(0)?),
            ("least_p99", 1) => {
                let number = arguments.first().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                Self::LeastP99(number.ok_or_else(none)?)
            }
            _ => {
                let percent = text.strip_prefix('p').and_then(|number| number.parse::<u8>().ok());
                let percent = percent.filter(|percent| (1..=99).contains(percent)).ok_or_else(none)?;
                Self::Percentile(f64::from(percent) / 100.0)
            }
        })
    }

    /// Its value: in nanoseconds, or in percent; or why there is none.
    pub(super) fn of(self, sample: &Sample) -> Result<f64, String> {
        let empty = || "there are no values".to_owned();
        let n = sample.len() as f64;
        let part = |count: usize| if sample.is_empty() { Err(empty()) } else { Ok(100.0 * count as f64 / n) };
        let values = sample.sorted();
        match self {
            Self::Percentile(p) => sample.percentile(p).ok_or_else(empty),
            Self::Mean => sample.mean().ok_or_else(empty),
            Self::Max => sample.max().ok_or_else(empty),
            Self::Between(from, to) => part(values.iter().filter(|value| (from..to).contains(*value)).count()),
            Self::Steps { of, near, from } => {
                let far: Vec<f64> = values.iter().copied().filter(|value| *value >= from).collect();
                if far.len() < LEAST_FOR_STEPS {
                    let few = far.len();
                    return Err(format!(
                        "only {few} delays are that long, and {LEAST_FOR_STEPS} are needed to see steps"
                    ));
                }
                let at_step = far.iter().filter(|value| (*value / of - (*value / of).round()).abs() * of <= near);
                Ok(100.0 * at_step.count() as f64 / far.len() as f64)
            }
            Self::Mode(width) => {
                let mut classes: BTreeMap<i64, usize> = BTreeMap::new();
                for value in values {
                    *classes.entry((value / width).floor() as i64).or_default() += 1;
                }
                // Of classes that are as full, the first.
                let fullest = classes.iter().rev().max_by_key(|(_, count)| **count);
                fullest.map(|(class, _)| (*class as f64 + 0.5) * width).ok_or_else(empty)
            }
            Self::Flips(by) => {
                let pairs = sample.variation();
                let flips = pairs.sorted().iter().filter(|step| **step < -by).count();
                if pairs.is_empty() { Err(empty()) } else { Ok(100.0 * flips as f64 / pairs.len() as f64) }
            }
            Self::LeastP99(number) => {
                let least =
                    sample.series().windows(number).map(|row| row.iter().copied().fold(f64::INFINITY, f64::min));
                least.collect::<Sample>().percentile(0.99).ok_or_else(empty)
            }
        }
    }
}

/// `2ms` in nanoseconds.
fn nanos(text: &str) -> Option<f64> {
    let units = [("us", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (number, unit) = units.into_iter().find_map(|(name, ns)| Some((text.strip_suffix(name)?, ns)))?;
    number.parse::<f64>().ok().filter(|number| *number > 0.0).map(|number| number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, values: &[f64]) -> Result<f64, String> {
        Expression::parse(&format!("total.{text}")).unwrap().above.statistic.of(&values.iter().copied().collect())
    }

    #[test]
    fn statistics_are_what_they_say() {
        let ms = |values: &[f64]| values.iter().map(|value| value * 1e6).collect::<Vec<f64>>();
        let few = ms(&[1.0, 30.0, 2.0, 3.0]);
        assert_eq!(value("median", &few), Ok(2.5e6));
        assert_eq!(value("max", &few), Ok(30e6));
        assert_eq!(value("mean", &few), Ok(9e6));
        assert_eq!(value("between(1ms,3ms)", &few), Ok(50.0));
        // 30 before 2; 2 before 3 is the other way round.
        assert!((value("flips(1ms)", &few).unwrap() - 100.0 / 3.0).abs() < 1e-9);
        assert_eq!(value("least_p99(4)", &few), Ok(1e6));
        assert_eq!(value("mode(2ms)", &few), Ok(3e6));
        let stairs: Vec<f64> = (0..40).map(|at| 10.0 * f64::from(at % 4 + 1) + 1.0).collect();
        assert_eq!(value("steps(10ms,2ms,5ms)", &ms(&stairs)), Ok(100.0));
        let even: Vec<f64> = (0..400).map(|at| 5.0 + f64::from(at) / 10.0).collect();
        assert!((39.0..42.0).contains(&value("steps(10ms,2ms,5ms)", &ms(&even)).unwrap()));
        assert!(value("steps(10ms,2ms,5ms)", &few).unwrap_err().starts_with("only 1 delays are that long"));
        for nothing in ["median", "mean", "max", "between(1ms,2ms)", "mode(1ms)", "flips(1ms)", "least_p99(2)"] {
            assert_eq!(value(nothing, &[]), Err("there are no values".to_owned()), "{nothing}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "",
            "total",
            "totals.p99",
            "total.p0",
            "total.p100",
            "x:total.p99",
            "total.between(1ms)",
            "total.mode(0ms)",
            "total.least_p99(0)",
            "total.p99 / ",
            "total.median(1)",
            "total.mode(2)",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
        let ratio = Expression::parse("total.p95 / rest:total.p95").unwrap();
        assert_eq!(ratio.below.unwrap().cell(Environment::Vm, Stress::Cpu), (Environment::Vm, Stress::Rest));
    }
}
