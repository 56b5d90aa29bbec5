//! [`Claim`]: what the paper says, put to the test. The rules stand in `claims.csv`, and were written before anything was measured.

use std::fmt::Write;

use super::Experiment;
use super::describe::{Environment, Stress};
use super::statistic::{Expression, Statistic, Term};
use crate::error::{Error, Repr};

/// The one source of what is claimed and how it is tested.
const SOURCE: &str = include_str!("../../claims.csv");

/// Something that the paper says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Claim {
    /// Its name.
    pub id: String,
    /// What it says.
    pub claim: String,
    /// Its number, in `unit`, where it has one.
    pub paper: Option<f64>,
    /// `us`, `ms`, `%`, `ratio`, or nothing.
    pub unit: String,
    /// The environments that it is of; all of them have to pass.
    pub environments: Vec<Environment>,
    /// The cases of stress that it is of; all of them have to pass.
    pub stresses: Vec<Stress>,
    /// What is compared, as it stands in the file.
    pub statistic: String,
    /// How, as it stands in the file.
    pub rule: String,
    test: Result<(Expression, Rule), String>,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// By its rule it holds here.
    Reproduced,
    /// By its rule it does not.
    Differs,
    /// It cannot be tested here.
    NotTestable,
}

impl Verdict {
    /// The words used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Differs => "differs",
            Self::NotTestable => "not testable here",
        }
    }
}

/// A claim, tested.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// What was claimed.
    pub claim: Claim,
    /// Ours, in the claim's unit: of several cells that which is worst by the rule.
    pub ours: Option<f64>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why it is not testable, or what is to be known of the number.
    pub note: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    /// At most, or below.
    Below { limit: f64, or_equal: bool },
    /// At least, or above.
    Above { limit: f64, or_equal: bool },
    /// By no more than a factor from the paper's number.
    Within { factor: f64, paper: f64 },
    /// From one to another.
    Between { low: f64, high: f64 },
}

impl Rule {
    /// `<= paper`, `>= 2 x paper`, `> 3`, `within 2 x paper`, `from 10 to 30`.
    fn parse(text: &str, paper: Option<f64>) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no rule, or there is no number of the paper for it");
        let limit = |text: &str| {
            let text = text.trim();
            match text.strip_suffix("paper").map(str::trim) {
                Some("") => paper,
                Some(factor) => Some(factor.strip_suffix('x')?.trim().parse::<f64>().ok()? * paper?),
                None => text.parse().ok(),
            }
        };
        let limit = |text| limit(text).ok_or_else(wrong);
        if let Some(rest) = text.strip_prefix("<=") {
            return Ok(Self::Below { limit: limit(rest)?, or_equal: true });
        }
        if let Some(rest) = text.strip_prefix(">=") {
            return Ok(Self::Above { limit: limit(rest)?, or_equal: true });
        }
        if let Some(rest) = text.strip_prefix('<') {
            return Ok(Self::Below { limit: limit(rest)?, or_equal: false });
        }
        if let Some(rest) = text.strip_prefix('>') {
            return Ok(Self::Above { limit: limit(rest)?, or_equal: false });
        }
        if let Some(rest) = text.strip_prefix("within ") {
            let factor = rest.strip_suffix("x paper").and_then(|factor| factor.trim().parse().ok());
            let factor = factor.filter(|factor| *factor >= 1.0).ok_or_else(wrong)?;
            return Ok(Self::Within { factor, paper: paper.filter(|paper| *paper > 0.0).ok_or_else(wrong)? });
        }
        let (low, high) = text.strip_prefix("from ").and_then(|rest| rest.split_once(" to ")).ok_or_else(wrong)?;
        Ok(Self::Between { low: limit(low)?, high: limit(high)? })
    }

    /// How far a number is from passing: it passes from 0 on, and of two the lesser is the worse.
    fn margin(self, ours: f64) -> f64 {
        match self {
            Self::Below { limit, .. } => limit - ours,
            Self::Above { limit, .. } => ours - limit,
            Self::Within { factor, paper } if ours > 0.0 => factor.ln() - (ours / paper).ln().abs(),
            Self::Within { .. } => f64::NEG_INFINITY,
            Self::Between { low, high } => (ours - low).min(high - ours),
        }
    }

    /// Whether the rule says the same of every number from `ours` on.
    fn is_decided_from(self, ours: f64) -> bool {
        match self {
            Self::Above { .. } => self.passes(ours),
            Self::Below { .. } => !self.passes(ours),
            Self::Within { factor, paper } => ours > factor * paper,
            Self::Between { high, .. } => ours > high,
        }
    }

    fn passes(self, ours: f64) -> bool {
        let strict = matches!(self, Self::Below { or_equal: false, .. } | Self::Above { or_equal: false, .. });
        let margin = self.margin(ours);
        if strict { margin > 0.0 } else { margin >= 0.0 }
    }
}

/// Units of numbers that are nanoseconds or percents.
fn nanos_of(unit: &str) -> f64 {
    match unit {
        "us" => 1e3,
        "ms" => 1e6,
        _ => 1.0,
    }
}

impl Claim {
    fn of(row: &csv::StringRecord) -> Result<Self, String> {
        let [id, claim, paper, unit, environments, stresses, statistic, rule] =
            std::array::from_fn(|at| row.get(at).unwrap_or_default());
        let paper = match paper {
            "" => None,
            number => Some(number.parse().map_err(|_| format!("{number:?} is no number"))?),
        };
        let environments = environments
            .split_whitespace()
            .map(|name| Environment::named(name).ok_or_else(|| format!("{name:?} is no environment")));
        let stresses =
            stresses.split_whitespace().map(|name| Stress::named(name).ok_or_else(|| format!("{name:?} is no stress")));
        let test = match rule.strip_prefix("not here:") {
            Some(reason) => Err(reason.trim().to_owned()),
            None => Ok((Expression::parse(statistic)?, Rule::parse(rule, paper)?)),
        };
        Ok(Self {
            id: id.to_owned(),
            claim: claim.to_owned(),
            paper,
            unit: unit.to_owned(),
            environments: environments.collect::<Result<_, _>>()?,
            stresses: stresses.collect::<Result<_, _>>()?,
            statistic: statistic.to_owned(),
            rule: rule.to_owned(),
            test,
        })
    }

    /// All, in the order of the file.
    ///
    /// # Errors
    ///
    /// When the file that this was built with is none; its tests see to it that it is.
    pub fn all() -> Result<Vec<Self>, Error> {
        Self::read(SOURCE)
    }

    fn read(source: &str) -> Result<Vec<Self>, Error> {
        let wrong = |what: String| Error::from(Repr::Described { path: "claims.csv".to_owned(), what });
        let mut reader = csv::Reader::from_reader(source.as_bytes());
        let rows = reader.records().map(|row| {
            let row = row.map_err(|error| wrong(error.to_string()))?;
            Self::of(&row).map_err(|what| wrong(format!("{}: {what}", row.get(0).unwrap_or_default())))
        });
        rows.collect()
    }

    /// Tests it.
    pub fn test(&self, experiment: &Experiment) -> Outcome {
        let outcome = |ours: Option<f64>, verdict, note: String| Outcome { claim: self.clone(), ours, verdict, note };
        let (expression, rule) = match &self.test {
            Ok(test) => test,
            Err(reason) => return outcome(None, Verdict::NotTestable, reason.clone()),
        };
        let mut worst: Option<(f64, String)> = None;
        let mut untold: Option<String> = None;
        let several = self.environments.len() * self.stresses.len() > 1;
        for environment in &self.environments {
            for stress in &self.stresses {
                let (ours, mut note) = match self.number(experiment, expression, *environment, *stress) {
                    Ok(found) => found,
                    Err(reason) => {
                        untold.get_or_insert(reason);
                        continue;
                    }
                };
                if several {
                    let _ = write!(note, "{}worst: {}-{}", sep(&note), environment.name(), stress.name());
                }
                if worst.as_ref().is_none_or(|(other, _)| rule.margin(ours) < rule.margin(*other)) {
                    worst = Some((ours, note));
                }
            }
        }
        // One that fails is enough to fail; to hold, all are needed.
        match (worst, untold) {
            // The true one is that or more; of a ratio not even that is known.
            (Some((ours, note)), _)
                if note.contains(AT_LEAST) && (expression.below.is_some() || !rule.is_decided_from(ours)) =>
            {
                outcome(Some(ours), Verdict::NotTestable, format!("too few probes: {note}"))
            }
            (Some((ours, note)), _) if !rule.passes(ours) => outcome(Some(ours), Verdict::Differs, note),
            (_, Some(reason)) => outcome(None, Verdict::NotTestable, reason),
            (Some((ours, note)), None) => outcome(Some(ours), Verdict::Reproduced, note),
            (None, None) => outcome(None, Verdict::NotTestable, "it is of no cell".to_owned()),
        }
    }

    /// Our number for one cell, in the claim's unit, and what is to be known of it.
    fn number(
        &self,
        experiment: &Experiment,
        expression: &Expression,
        environment: Environment,
        stress: Stress,
    ) -> Result<(f64, String), String> {
        let (above, mut note) = term(experiment, &expression.above, environment, stress)?;
        let Some(below) = &expression.below else { return Ok((above / nanos_of(&self.unit), note)) };
        let (below, more) = term(experiment, below, environment, stress)?;
        if !more.is_empty() {
            let _ = write!(note, "{}{more}", sep(&note));
        }
        if below > 0.0 {
            return Ok((above / below, note));
        }
        // An excess may be none at all.
        if above > 0.0 {
            let _ = write!(note, "{}what it is divided by is not above 0", sep(&note));
            return Ok((f64::INFINITY, note));
        }
        Err("neither is above 0, so there is no ratio".to_owned())
    }
}

const fn sep(note: &str) -> &'static str {
    if note.is_empty() { "" } else { "; " }
}

/// What is said of a percentile that a sample is too small for.
const AT_LEAST: &str = "at least that";

/// A number of a cell, in nanoseconds or percent, and what is to be known of it.
fn term(
    experiment: &Experiment,
    term: &Term,
    environment: Environment,
    stress: Stress,
) -> Result<(f64, String), String> {
    let (environment, stress) = term.cell(environment, stress);
    let name = format!("{}-{}", environment.name(), stress.name());
    let cell = experiment.cell(environment, stress).ok_or_else(|| format!("there is no cell {name}"))?;
    let measured = cell.measured().ok_or_else(|| format!("the cell {name} is {}", cell.state_name()))?;
    if cell.is_emulated() {
        return Err("the guest is emulated, which is not comparable with Xen".to_owned());
    }
    let sample = measured.sample(&term.sample).filter(|sample| !sample.is_empty());
    let sample = sample.ok_or_else(|| format!("the cell {name} has no {}", term.sample))?;
    let value = term.statistic.of(sample).map_err(|reason| format!("{name}: {reason}"))?;
    let note = match term.statistic {
        Statistic::Percentile(p) if sample.estimate(p).is_some_and(|estimate| estimate.high.is_none()) => {
            format!("{name}: {AT_LEAST}, of {} probes", sample.len())
        }
        _ => String::new(),
    };
    Ok((value, note))
}

/// Every claim, tested.
///
/// # Errors
///
/// As for [`Claim::all`].
pub fn claims(experiment: &Experiment) -> Result<Vec<Outcome>, Error> {
    Ok(Claim::all()?.iter().map(|claim| claim.test(experiment)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_least_so_much_decides_only_what_more_would_not_change() {
        let rule = |text| Rule::parse(text, Some(6.0)).unwrap();
        for (text, undecided, decided) in [
            ("within 2 x paper", 0.03, 12.1),
            ("<= paper", 5.0, 6.1),
            (">= paper", 5.0, 6.0),
            ("from 1 to 3", 2.0, 3.1),
        ] {
            assert!(!rule(text).is_decided_from(undecided) && rule(text).is_decided_from(decided), "{text}");
        }
    }

    #[test]
    fn every_claim_can_be_read_and_has_a_name_of_its_own() {
        let all = Claim::all().unwrap();
        let mut names: Vec<&str> = all.iter().map(|claim| claim.id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(all.len() >= 40, "{}", all.len());
        for claim in &all {
            assert!(["us", "ms", "%", "ratio", ""].contains(&claim.unit.as_str()), "{claim:?}");
            assert!(!claim.environments.is_empty() && !claim.stresses.is_empty(), "{claim:?}");
        }
    }

    #[test]
    fn rules_are_as_they_read() {
        let rule = |text: &str| Rule::parse(text, Some(6.0)).unwrap();
        for (text, passing, failing) in [
            ("<= paper", 6.0, 6.1),
            ("< paper", 5.9, 6.0),
            (">= 2 x paper", 12.0, 11.9),
            ("> 3", 3.1, 3.0),
            ("within 2 x paper", 3.0001, 2.9999),
            ("within 2 x paper", 11.9999, 12.0001),
            ("from 10 to 30", 30.0, 9.9),
        ] {
            assert!(rule(text).passes(passing) && !rule(text).passes(failing), "{text}");
        }
        assert!(!rule("within 2 x paper").passes(-6.0) && !rule("within 2 x paper").passes(f64::INFINITY));
        assert!(rule("> 3").passes(f64::INFINITY));
        for text in ["", "paper", "<= x paper", "within x", "from 10", "within 0.5 x paper", "= 3"] {
            assert!(Rule::parse(text, Some(6.0)).is_err(), "{text}");
        }
        assert!(Rule::parse("<= paper", None).is_err());
    }

    #[test]
    fn what_is_wrong_with_the_file_is_told() {
        let head = "id,claim,paper,unit,environment,stress,statistic,rule\n";
        for (row, words) in [
            ("a,b,x,ms,host,rest,total.p99,<= paper", "a: \"x\" is no number"),
            ("a,b,1,ms,hosts,rest,total.p99,<= paper", "\"hosts\" is no environment"),
            ("a,b,1,ms,host,rest,total.p99,= paper", "is no rule"),
            ("a,b", "claims.csv: CSV error"),
        ] {
            let error = Claim::read(&format!("{head}{row}\n")).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
