//! The page of a run.

use std::fmt::Write;

use super::claims::{Claim, Outcome, Verdict};
use super::instrument::{self, rounded};
use super::table::{Group, Row, table_1};
use super::{Environment, Experiment, Stress, feedback, figures, tcp};
use crate::page::{self, LIMITS};
use crate::stats::Estimate;
use crate::svg::{escaped, label};

/// What holds of the lab beside the limits of any such measurement.
const LAB_LIMITS: [&str; 3] = [
    "The bottleneck's queue lies on the sending side of the system under test, that of the target is inside of the time on the wire and subtracted: \
     that sending takes longer than receiving follows in part from that layout, in the paper too.",
    "The system under test and its stress have CPUs of their own, apart from those of tap and target; caches, memory and the kernel are shared.",
    "Probes that follow each other resemble each other: intervals by order statistics are too narrow where a queue outlasts the interval of probes.",
];

/// The page of a run: Table 1, Figures 3 to 5, why, what the instrument can tell, and every claim of the paper.
pub fn report(experiment: &Experiment, outcomes: &[Outcome]) -> String {
    let rows = table_1(experiment);
    let title = "Packet delays under virtualization, measured again";
    let mut page = page::begin(title, &headline(experiment, outcomes));
    let (untested, tested): (Vec<&Outcome>, Vec<&Outcome>) =
        outcomes.iter().partition(|outcome| outcome.verdict == Verdict::NotTestable);
    // Of what was not measured there is nothing to show.
    let is_measured = experiment.measured().next().is_some();
    for (heading, body) in [
        ("Table 1, ours beside the paper's", table(&rows)),
        ("Figures", figures::figures(experiment)),
        ("Why", if is_measured { instrument::why(experiment) } else { String::new() }),
        ("TCP's own estimate", if is_measured { tcp::section(experiment) } else { String::new() }),
        ("Verdicts without the wire", if is_measured { feedback::section(experiment) } else { String::new() }),
        ("What the paper says, one by one", claims(&tested)),
        ("Clocks", if is_measured { instrument::clocks(experiment) } else { String::new() }),
        ("The stamp of the wire", if is_measured { instrument::tap(experiment) } else { String::new() }),
        ("Cells, and what they proved", instrument::proofs(experiment)),
        ("What the paper says, and cannot be tested here", claims(&untested)),
    ] {
        if !body.is_empty() {
            let _ = write!(page, "<h2>{heading}</h2>\n{body}");
        }
    }
    page += &page::setup(&setup(experiment));
    page += &limits(experiment);
    page::end(page)
}

fn headline(experiment: &Experiment, outcomes: &[Outcome]) -> String {
    let measured = experiment.measured().count();
    let mut text = String::new();
    let total = |environment, stress| {
        let cell = experiment.cell(environment, stress)?;
        let median = cell.measured()?.analysis.layers.total.percentile(0.5)?;
        Some((place(environment, cell.is_emulated()), median))
    };
    let stressed: Vec<String> = Environment::ALL
        .into_iter()
        .filter_map(|environment| {
            let (name, network) = total(environment, Stress::Network)?;
            let rest = total(environment, Stress::Rest)
                .map_or_else(String::new, |(_, rest)| format!(" (at rest {})", label(rest)));
            Some(format!("{} {name}{rest}", label(network)))
        })
        .collect();
    if !stressed.is_empty() {
        let _ =
            write!(text, "Under network stress the host itself adds to a ping: {} (medians). ", stressed.join(", "));
    }
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
    let _ = write!(
        text,
        "Of {} claims of the paper {} are reproduced, {} differ, and {} cannot be tested here. Of {} cells {measured} were measured.",
        outcomes.len(),
        count(Verdict::Reproduced),
        count(Verdict::Differs),
        count(Verdict::NotTestable),
        experiment.cells.len()
    );
    text
}

/// Where a program was, in words.
const fn place(environment: Environment, emulated: bool) -> &'static str {
    match environment {
        Environment::Host => "on the host",
        Environment::Container => "in a container that shares its stack",
        Environment::Bridge => "in a container behind a bridge",
        Environment::Vm if emulated => "in an emulated guest",
        Environment::Vm => "in a guest",
    }
}

/// A number of ours with its interval, and the paper's.
fn number(ours: Option<Estimate>, paper: Option<f64>) -> String {
    let ms = |ns: f64| format!("{:.3}", ns / 1e6);
    let mut text = "<td>".to_owned();
    if let Some(Estimate { value, low, high }) = ours {
        let least = if high.is_none() { "&#8805; " } else { "" };
        let interval = match (low, high) {
            (Some(low), Some(high)) => format!("{} to {}", ms(low), ms(high)),
            (Some(low), None) => format!("from {}", ms(low)),
            (None, Some(high)) => format!("to {}", ms(high)),
            (None, None) => "no interval".to_owned(),
        };
        let _ = write!(text, "<span class=\"own\">{least}{}</span><small>{interval}</small>", ms(value));
    }
    if let Some(paper) = paper {
        let _ = write!(text, "<small>paper {paper:.3}</small>");
    }
    text + "</td>"
}

/// Group by group, as all columns together are wider than a page: what was measured, and the paper's beside it.
fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let is_measured = |stress| rows.iter().any(|row| row.group == group && row.stress == stress && row.n > 0);
        let own: Vec<&Row> = rows.iter().filter(|row| row.group == group && is_measured(row.stress)).collect();
        if own.is_empty() {
            continue;
        }
        let _ =
            write!(text, "<h3>{}</h3>\n<div class=\"wide\"><table>\n<tr><th>ms</th><th>n</th>", escaped(group.title));
        for layer in group.layers {
            let _ = write!(text, "<th>{layer}<br/>median</th><th><br/>p99</th>");
        }
        text += "</tr>\n";
        for stress in Stress::ALL {
            let row: Vec<&Row> = own.iter().copied().filter(|row| row.stress == stress).collect();
            if row.is_empty() {
                continue;
            }
            let n = row.iter().map(|row| row.n).max().unwrap_or(0);
            let _ = write!(text, "<tr><td>{}</td><td>{n}</td>", stress.name());
            for layer in group.layers {
                let found = row.iter().find(|row| row.layer == *layer);
                let paper = found.and_then(|row| row.paper);
                text += &number(found.and_then(|row| row.median), paper.map(|paper| paper.0));
                text += &number(found.and_then(|row| row.p99), paper.map(|paper| paper.1));
            }
            text += "</tr>\n";
        }
        text += "</table></div>\n";
    }
    if text.is_empty() {
        return text;
    }
    text + "<p>In bold what was measured here, with its 95 % interval; below it the paper's number. In n are the probes under stress that came back: those at \
            rest before and after, and those that were lost, are not. &#8805;, at least: there were too few probes for an upper limit of p99, which takes 368. A total is that of each packet, so that layers do not add up to it. The delay between a virtual interface and the \
            host's own is in domU.</p>\n"
}

fn claims(outcomes: &[&Outcome]) -> String {
    if outcomes.is_empty() {
        return String::new();
    }
    let mut text = "<div class=\"wide\"><table class=\"names claims last\">\n<tr><th>verdict</th><th>claim, and how it is tested</th><th>paper</th><th>ours\
                    </th><th>note</th></tr>\n"
        .to_owned();
    for Outcome { claim, ours, verdict, note } in outcomes {
        let with_unit = |value: f64| {
            let unit = match claim.unit.as_str() {
                "ratio" => "",
                "us" => "\u{b5}s",
                unit => unit,
            };
            format!("{} {unit}", rounded(value)).trim().to_owned()
        };
        let ours = match ours {
            Some(ours) if ours.is_finite() => with_unit(*ours),
            Some(_) => "beyond any".to_owned(),
            None => "-".to_owned(),
        };
        let paper = claim.paper.map_or_else(|| "-".to_owned(), with_unit);
        let [said, tested, note] = [&claim.claim, &tested(claim), note].map(|text| escaped(text));
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{said}<small>{tested}</small></td><td>{paper}</td><td>{ours}</td><td>{note}</td></tr>",
            verdict.name()
        );
    }
    text + "</table></div>\n<p>The rules were written down before anything was measured. Of several cells all have to pass, and the worst is shown. Where \
            the paper tells no number, that in the rule is ours. A number is compared as it is; where it is \"at least\" so much, the note says so.</p>\n"
}

/// How a claim is tested, where it can be.
fn tested(claim: &Claim) -> String {
    if claim.statistic.is_empty() {
        return "by nothing that a run has".to_owned();
    }
    let environments: Vec<&str> = claim.environments.iter().copied().map(Environment::name).collect();
    let stresses: Vec<&str> = claim.stresses.iter().copied().map(Stress::name).collect();
    format!("{}; {}: {} {}", environments.join(", "), stresses.join(", "), claim.statistic, claim.rule)
}

fn setup(experiment: &Experiment) -> Vec<(String, String)> {
    let mut lines = experiment.info.setup();
    for (cell, measured) in experiment.measured() {
        let analysis = &measured.analysis;
        let rest = cell.info.as_ref().map_or((0, 0), |info| (info.rest_lead, info.rest_trail));
        lines.push((
            cell.name(),
            format!(
                "identifier {}, {} probes, {} of them at rest before and {} after; {} lost, {} duplicates",
                analysis.ident, analysis.probes, rest.0, rest.1, analysis.lost, analysis.duplicates
            ),
        ));
    }
    lines
}

fn limits(experiment: &Experiment) -> String {
    let notes = experiment.measured().flat_map(|(cell, measured)| {
        measured.analysis.notes.iter().map(move |note| format!("{}: {note}", cell.name()))
    });
    let emulated = experiment.cells.iter().any(|cell| cell.is_emulated());
    let emulated = emulated.then(|| {
        "Guests were emulated: what they add is in part the emulator's, and none of it is comparable with Xen."
            .to_owned()
    });
    let own: Vec<String> = emulated.into_iter().chain(notes).collect();
    page::limits(LIMITS.iter().chain(&LAB_LIMITS).copied().chain(own.iter().map(String::as_str)))
}
