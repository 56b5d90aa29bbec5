//! Sections of the page of a run that say why, and how far the instrument itself can be trusted.

use std::fmt::Write;

use super::measured::{Measured, is_check};
use super::{Cell, Experiment, Stress};
use crate::stats::Sample;
use crate::svg::{escaped, label};

/// Median and 99th percentile, or that there is none.
pub(super) fn pair(sample: &Sample) -> String {
    let Some((median, p99)) = sample.percentile(0.5).zip(sample.estimate(0.99)) else { return "-".to_owned() };
    // Too few for an upper limit.
    let least = if p99.high.is_none() { "&#8805; " } else { "" };
    format!("{} / {least}{}", label(median), label(p99.value))
}

/// Parts of what sending takes, which are means, as those add up; of a system whose clock is that of the wire.
struct Parts {
    syscall: f64,
    queue: f64,
    behind: f64,
}

impl Parts {
    fn of(cell: &Cell, measured: &Measured) -> Option<Self> {
        let layers = &measured.analysis.layers;
        let one_clock = is_check(cell.environment) && measured.one_clock()?.offset;
        let all = [&layers.syscall, &layers.qdisc, &measured.derived.behind_driver].map(Sample::mean);
        let [Some(syscall), Some(queue), Some(behind)] = all else { return None };
        (one_clock && behind >= 0.0).then_some(Self { syscall, queue, behind })
    }

    fn percent(&self, part: f64) -> f64 {
        100.0 * part / (self.syscall + self.queue + self.behind)
    }
}

/// Where in the host a probe waits, by the stamps that the kernel takes when sending.
pub(super) fn why(experiment: &Experiment) -> String {
    let mut text = "<div class=\"wide\"><table>\n<tr><th>median / p99</th><th>system call</th><th>queue</th><th>driver<br/>to wire</th>\
                    <th>virtual interface<br/>to uplink</th><th>kernel<br/>to program</th></tr>\n"
        .to_owned();
    let mut found = String::new();
    for (cell, measured) in experiment.measured() {
        let layers = &measured.analysis.layers;
        let crossing = measured.analysis.others.iter().filter(|other| other.name == "vif");
        let crossing = crossing.filter_map(|other| other.over_next.as_ref()).map(|(_, sample)| pair(sample)).next();
        let parts = Parts::of(cell, measured);
        // As it is where the clocks are one, else what is beyond that at rest.
        let driver = if parts.is_some() { &measured.derived.behind_driver } else { &layers.driver };
        let beyond = if parts.is_none() && !driver.is_empty() { "<small>beyond rest</small>" } else { "" };
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}{beyond}</td><td>{}</td><td>{}</td></tr>",
            cell.name(),
            pair(&layers.syscall),
            pair(&layers.qdisc),
            pair(driver),
            crossing.unwrap_or_else(|| "-".to_owned()),
            pair(&layers.wakeup)
        );
        if let Some(parts) = parts.filter(|_| cell.stress == Stress::Network) {
            let behind = match cell.environment.has_virtual_interface() {
                true => "behind its own interface, in the host, which no stamp of its own shows",
                false => "from the driver to the wire",
            };
            let _ = writeln!(
                found,
                "<li>{}: {:.1} % of what sending takes is queue sojourn, {:.1} % the system call, {:.1} % {behind} (means, {} in all).</li>",
                cell.name(),
                parts.percent(parts.queue),
                parts.percent(parts.syscall),
                parts.percent(parts.behind),
                label(parts.syscall + parts.queue + parts.behind)
            );
        }
    }
    text += "</table></div>\n<p>From the program to the stamp of the queue (SCHED) is the system call; from there to that of the driver (SND) the \
             queue. The stamps are those of the interface that the program sends by: of a container with a virtual interface, or a guest, its own. \
             From the virtual interface to the uplink both directions count.</p>\n";
    if found.is_empty() { text } else { text + "<ul>\n" + &found + "</ul>\n" }
}

/// Whether clocks are one where they have to be.
pub(super) fn clocks(experiment: &Experiment) -> String {
    let mut text = "<div class=\"wide\"><table>\n<tr><th></th><th>drift</th><th>its 95 %</th><th>0 is in it</th><th>offset by causality</th>\
                    <th>0 is in it</th><th>one clock</th></tr>\n"
        .to_owned();
    let (mut checked, mut drifts, mut offsets) = (0, 0, 0);
    for (cell, measured) in experiment.measured() {
        let clock = match &measured.analysis.clock {
            Ok(clock) => clock,
            Err(reason) => {
                let _ = writeln!(text, "<tr><td>{}</td><td colspan=\"6\">{}</td></tr>", cell.name(), escaped(reason));
                continue;
            }
        };
        let one = measured.one_clock();
        let check = is_check(cell.environment);
        if let Some(one) = one.filter(|_| check) {
            checked += 1;
            drifts += u32::from(one.drift);
            offsets += u32::from(one.offset);
        }
        let said = |holds: Option<bool>| match holds {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        let verdict = match (check, one) {
            (false, _) => "not expected: a guest's own",
            (true, Some(one)) if one.holds() => "holds",
            (true, Some(_)) => "does not hold",
            (true, None) => "-",
        };
        let limit = |of: Option<i64>| of.map_or_else(|| "-".to_owned(), |ns| label(ns as f64));
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{:+.3} ppm</td><td>{:+.3} to {:+.3}</td><td>{}</td><td>{} to {}</td><td>{}</td><td>{verdict}</td></tr>",
            cell.name(),
            clock.drift_ppb / 1e3,
            clock.drift_ci_ppb.0 / 1e3,
            clock.drift_ci_ppb.1 / 1e3,
            said(one.map(|one| one.drift)),
            limit(clock.offset_low_ns),
            limit(clock.offset_high_ns),
            said(one.map(|one| one.offset))
        );
    }
    text += "</table></div>\n";
    if checked > 0 {
        let _ = writeln!(
            text,
            "<p>Namespaces of one machine share its clock, so that all of this is known beforehand and a check of what relates clocks: the drift is 0 \
             within its interval in {drifts} of {checked} cells (one in twenty may miss it by chance), and an offset of 0 is allowed in {offsets} of \
             {checked}.</p>"
        );
    }
    text
}

/// How far the stamp of the wire is off, from the data.
pub(super) fn tap(experiment: &Experiment) -> String {
    let mut text = "<p>The wire is stamped by a software tap on the same host, not by a card. The two stamps of one packet, by one clock, bound its \
                    error from above: from the last stamp of the host to the wire, and from the wire to the first stamp of the host. (Median / p99.)</p>\n\
                    <div class=\"wide\"><table>\n<tr><th></th><th>to the wire,<br/>at rest</th><th>to the wire,<br/>under stress</th><th>from the wire,<br/>at rest</th>\
                    <th>from the wire,<br/>under stress</th><th>beside</th></tr>\n"
        .to_owned();
    for (cell, measured) in experiment.measured() {
        let name = cell.name();
        let _ = match &measured.tap {
            Ok(tap) => {
                let [out_rest, out_stress, in_rest, in_stress] =
                    [&tap.out_rest, &tap.out_stress, &tap.in_rest, &tap.in_stress].map(pair);
                writeln!(
                    text,
                    "<tr><td>{name}</td><td>{out_rest}</td><td>{out_stress}</td><td>{in_rest}</td><td>{in_stress}</td><td>{}</td></tr>",
                    tap.beside
                )
            }
            Err(reason) => writeln!(text, "<tr><td>{name}</td><td colspan=\"5\">{}</td></tr>", escaped(reason)),
        };
    }
    text + "</table></div>\n"
}

/// What each cell has proved of its stress, and which have no numbers, and why.
pub(super) fn proofs(experiment: &Experiment) -> String {
    let mut text =
        "<div class=\"wide\"><table class=\"names last proofs\">\n<tr><th></th><th>state</th><th>proof of its stress</th></tr>\n"
            .to_owned();
    for cell in &experiment.cells {
        let mut lines: Vec<String> = cell.reason().into_iter().collect();
        for proof in cell.info.iter().flat_map(|info| &info.proof) {
            let (scale, unit) = scaled(&proof.unit);
            let least = proof.at_least.map(|least| format!(" (at least {})", rounded(least / scale)));
            let failed = if proof.ok { "" } else { ": failed" };
            let value = format!("{} {unit}", rounded(proof.value / scale));
            lines.push(format!("{}: {}{}{failed}", proof.what, value.trim_end(), least.unwrap_or_default()));
        }
        if let Some(control) = cell.info.as_ref().and_then(|info| info.congestion_control.as_ref()) {
            lines.push(format!("congestion control {control}"));
        }
        let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
        let said = if lines.is_empty() { "-".to_owned() } else { lines.join("<br/>") };
        let _ = writeln!(text, "<tr><td>{}</td><td>{}</td><td>{said}</td></tr>", cell.name(), cell.state_name());
    }
    text + "</table></div>\n"
}

/// A unit in which a proof is read easily, and how many of its own that is.
fn scaled(unit: &str) -> (f64, &str) {
    match unit {
        "bit/s" => (1e6, "Mbit/s"),
        "bytes in a second" => (1e6, "MB/s"),
        unit => (1.0, unit),
    }
}

/// Four digits, which is more than any proof needs.
pub(super) fn rounded(value: f64) -> String {
    let digits = if value.abs() >= 100.0 { 1 } else { 3 };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    // What is below 0 by less than that.
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
