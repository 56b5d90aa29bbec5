//! `--clock`: what the stamps say about their clock.

use std::path::Path;

use erf::clock::{Comparison, Grid, Matcher};
use erf::meta::SectionType;
use erf::summary::Summary;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::input::Reading;

/// Packets of each place that are compared at most.
const COMPARED: usize = 1_000_000;

/// Tags of a Module section that speak of its clock begin so.
const CLOCK_TAGS: &str = "clk_";

pub(super) struct Clock {
    grid: Grid,
    /// With what, and how it compares; `None` where too few packets are in both.
    against: Option<(String, Option<Comparison>, u64)>,
}

impl Clock {
    /// Of the stamps in `file`, compared with those of `against`.
    pub(super) fn of(grid: Grid, file: &Path, against: Option<&Path>, reading: Reading) -> Result<Self, Failure> {
        let Some(against) = against else { return Ok(Self { grid, against: None }) };
        let interface = against.to_str().and_then(|text| text.parse::<u8>().ok()).filter(|&n| n < 8);
        if file == Path::new("-") || against == Path::new("-") {
            let what = "standard input is read once, and to compare packets takes a second look: name a file";
            return Err(Failure::Usage(what.to_owned()));
        }
        let mut matcher = Matcher::new(COMPARED);
        each(reading, file, |record| match interface {
            Some(interface) if record.interface() == interface => matcher.reference(record),
            _ => matcher.other(record),
        })?;
        let name = match interface {
            Some(interface) => format!("interface {interface}"),
            None => {
                each(reading, against, |record| matcher.reference(record))?;
                against.display().to_string()
            }
        };
        Ok(Self { grid, against: Some((name, Comparison::of(&matcher.offsets()), matcher.left_out)) })
    }

    /// Lines for people.
    pub(super) fn rows(&self, summary: &Summary) -> Vec<Vec<String>> {
        let mut rows = vec![vec!["stamps".to_owned(), self.grid.likeness().to_string()]];
        for (module, facts) in discipline(summary) {
            let facts: Vec<String> = facts.iter().map(|(tag, value)| format!("{tag} {value}")).collect();
            rows.push(vec!["discipline".to_owned(), format!("card {module}: {}", facts.join(", "))]);
        }
        let Some((name, compared, _)) = &self.against else { return rows };
        let Some(compared) = compared else {
            rows.push(vec!["against".to_owned(), format!("{name}: fewer than two packets are in both")]);
            return rows;
        };
        let (least, median, greatest) = (compared.least, compared.median, compared.greatest);
        rows.push(vec![
            "against".to_owned(),
            format!(
                "{name}: {} packets in both; later by {least} s least, {median} median, {greatest} greatest",
                compared.matched
            ),
        ]);
        rows.push(vec![
            "drift".to_owned(),
            format!("{:.6} ppm, {:.1} ns from the line through all offsets", compared.drift_ppm, compared.residual_ns),
        ]);
        let allan = compared.allan.iter().map(|allan| format!("{:.1e} over {:.3} s", allan.deviation, allan.tau));
        let allan: Vec<String> = allan.collect();
        let text = if allan.is_empty() { "too few packets, or gaps between them".to_owned() } else { allan.join(", ") };
        rows.push(vec!["Allan deviation".to_owned(), format!("of mean offsets: {text}")]);
        rows
    }

    /// The same for programs.
    pub(super) fn json(&self, summary: &Summary) -> Value {
        let likeness = self.grid.likeness();
        let discipline: Vec<Value> = discipline(summary)
            .into_iter()
            .map(|(module, facts)| {
                let facts: serde_json::Map<String, Value> =
                    facts.into_iter().map(|(tag, value)| (tag, value.into())).collect();
                json!({ "module": module, "tags": facts })
            })
            .collect();
        json!({
            "stamps": self.grid.stamps,
            "whole_seconds": self.grid.whole_seconds,
            "multiples_of_a_microsecond": self.grid.microseconds,
            "multiples_of_a_nanosecond": self.grid.nanoseconds,
            "made_by": likeness.to_string(),
            "confidence": likeness.word(),
            "by_chance_log10": likeness.chance,
            "discipline": discipline,
            "against": self.against.as_ref().map(|(name, compared, left_out)| json!({
                "reference": name,
                "left_out": left_out,
                "comparison": compared.as_ref().map(comparison),
            })),
        })
    }
}

fn comparison(compared: &Comparison) -> Value {
    let allan: Vec<Value> =
        compared.allan.iter().map(|allan| json!({ "tau_s": allan.tau, "deviation": allan.deviation })).collect();
    json!({
        "matched": compared.matched,
        "least_ns": compared.least.to_nanos(),
        "median_ns": compared.median.to_nanos(),
        "greatest_ns": compared.greatest.to_nanos(),
        "drift_ppm": compared.drift_ppm,
        "residual_ns": compared.residual_ns,
        "allan_of_mean_offsets": allan,
    })
}

/// What META records say of the clock of each card.
fn discipline(summary: &Summary) -> Vec<(u16, Vec<(String, String)>)> {
    let modules = summary.described.objects.iter().filter(|object| object.section.section_type == SectionType::MODULE);
    let facts = modules.map(|object| {
        let tags = object.tags.iter().map(|(tag, value)| (tag.to_string(), value.clone()));
        (object.section.id.number(), tags.filter(|(tag, _)| tag.starts_with(CLOCK_TAGS)).collect())
    });
    facts.filter(|(_, tags): &(u16, Vec<_>)| !tags.is_empty()).collect()
}

/// Gives every record of `file` that can be read to `visit`.
fn each(reading: Reading, file: &Path, mut visit: impl FnMut(&erf::Record<'_>)) -> Result<(), Failure> {
    let mut reader = reading.open(file)?;
    while let Some(batch) = reader.next_batch()? {
        batch.iter().flatten().for_each(|record| visit(&record));
    }
    Ok(())
}
