//! An analysis as lines for a person, and as a table of its probes.

use wire_truth::json::{delays, parts, round_trips};
use wire_truth::stats::{Counts, Estimate};
use wire_truth::{Analysis, HEADER, Leg};

/// Nanoseconds, whole.
pub(super) fn whole(ns: f64) -> i64 {
    // Delays, far from the limits of the type.
    ns.round() as i64
}

/// The limits of an estimate, where the sample is large enough for them.
pub(super) fn interval(estimate: Estimate) -> [Option<i64>; 2] {
    [estimate.low.map(whole), estimate.high.map(whole)]
}

pub(super) fn text(analysis: &Analysis) -> String {
    let Analysis { probes, matched, lost, duplicates, ident, .. } = analysis;
    let mut text = match analysis.simulated.as_slice() {
        [] => String::new(),
        made_up => format!("simulated, no measurement: made up were {}\n", made_up.join(", ")),
    };
    text += &format!("identifier {ident}: {probes} probes, {matched} matched, {lost} lost, {duplicates} duplicates");
    text += &match analysis.reordered {
        0 => "\n".to_owned(),
        reordered => format!(", {reordered} reordered\n"),
    };
    text += &match &analysis.clock {
        Ok(relation) => {
            let offset = match (relation.offset_low_ns, relation.offset_high_ns) {
                (Some(low), Some(high)) if low > high => {
                    ", no offset lets all packets arrive after they were sent".to_owned()
                }
                (Some(low), Some(high)) => format!(", ahead by {low} to {high} ns"),
                _ => String::new(),
            };
            format!(
                "host clock: {:+.3} ppm ({:+.3} to {:+.3}){offset}; {}\n",
                relation.drift_ppb / 1e3,
                relation.drift_ci_ppb.0 / 1e3,
                relation.drift_ci_ppb.1 / 1e3,
                relation.method.name()
            )
        }
        Err(reason) => format!("host clock: not related: {reason}\n"),
    };
    if analysis.left_out > 0 {
        text += &format!("{} probes at rest are in these counts, and in none of what follows\n", analysis.left_out);
    }
    text += &format!("\n{:<14} {:>6} {:>11} {:>25} {:>11} {:>11}\n", "", "n", "median", "95 %", "p99", "max");
    let rows = round_trips(analysis).map(|(name, sample)| (format!("rtt {name}"), sample));
    let more = delays(analysis).map(|(name, sample)| (format!("delay {name}"), sample));
    let parts = parts(analysis).map(|(name, sample)| (format!("part {name}"), sample));
    let others = analysis.others.iter().flat_map(|other| {
        let next = other.over_next.as_ref().map(|(next, sample)| (format!("{} - {next}", other.name), sample));
        let own = [(format!("rtt {}", other.name), &other.rtt), (format!("{} - wire", other.name), &other.over_wire)];
        own.into_iter().chain(next)
    });
    for (name, sample) in rows.into_iter().chain(more).chain(parts).chain(others) {
        let (Some(median), Some(p99), Some(max)) = (sample.estimate(0.5), sample.estimate(0.99), sample.max()) else {
            continue;
        };
        let limit = |limit: Option<f64>| limit.map_or("-".to_owned(), time);
        let interval = format!("{} to {}", limit(median.low), limit(median.high));
        // Too few for an upper limit: the true one is at least that.
        let p99 = if p99.high.is_some() { time(p99.value) } else { format!(">= {}", time(p99.value)) };
        text += &format!(
            "{name:<14} {:>6} {:>11} {interval:>25} {p99:>11} {:>11}\n",
            sample.len(),
            time(median.value),
            time(max)
        );
    }
    for note in &analysis.notes {
        text += &format!("note: {note}\n");
    }
    text
}

/// All samples of round trips, delays and their parts, by name, and the stamps on the wire of the first and the last probe.
pub(super) fn samples(analysis: &Analysis) -> (Vec<(String, Counts)>, (i64, i64)) {
    let trips = round_trips(analysis).map(|(name, sample)| (format!("rtt_{name}"), sample));
    let more = delays(analysis).into_iter().chain(parts(analysis)).map(|(name, sample)| (name.to_owned(), sample));
    let others = analysis.others.iter().flat_map(|other| {
        [(format!("rtt_at_{}", other.name), &other.rtt), (format!("over_wire_{}", other.name), &other.over_wire)]
    });
    let all = trips.into_iter().chain(more).chain(others).map(|(name, sample)| (name, Counts::from(sample))).collect();
    let stamps = || analysis.each.iter().filter_map(|probe| probe.wire.leg(Leg::Request));
    (all, stamps().min().zip(stamps().max()).unwrap_or_default())
}

/// A time span in a unit of its size.
pub(super) fn time(ns: f64) -> String {
    match ns.abs() {
        small if small < 1e3 => format!("{ns:.0} ns"),
        micros if micros < 1e6 => format!("{:.1} us", ns / 1e3),
        millis if millis < 1e9 => format!("{:.3} ms", ns / 1e6),
        _ => format!("{:.3} s", ns / 1e9),
    }
}

/// Every probe with its stamps on the wire, its round trips and delays, as CSV. Empty where there is none.
pub(super) fn per_probe(analysis: &Analysis) -> String {
    // Its first two columns are those of a log, so that the two can be joined.
    let key_columns: Vec<&str> = HEADER.split(',').take(2).collect();
    let mut text = key_columns.join(",");
    text += ",wire_request_ns,wire_reply_ns,wire_rtt_ns,kernel_rtt_ns,dom0_rtt_ns,user_rtt_ns,kern_ns,dom0_ns,domu_ns,user_ns,total_ns,send_ns,\
             receive_ns,syscall_ns,qdisc_ns,driver_ns,wakeup_ns,raw_kernel_rtt_ns,raw_dom0_rtt_ns,raw_user_rtt_ns,turn\n";
    let number = |value: Option<i64>| value.map_or_else(String::new, |value| value.to_string());
    for probe in &analysis.each {
        let (pair, rtt, delay) = (probe.wire, probe.rtt, probe.delay);
        let excess = |value: Option<f64>| number(value.map(whole));
        let columns = [
            number(pair.leg(Leg::Request)),
            number(pair.leg(Leg::Reply)),
            number(rtt.wire),
            number(rtt.kernel),
            number(rtt.dom0),
            number(rtt.user),
            number(delay.kern),
            number(delay.dom0),
            number(delay.domu),
            number(delay.user),
            number(delay.total),
            excess(delay.send),
            excess(delay.receive),
            number(delay.syscall),
            number(delay.qdisc),
            excess(delay.driver),
            number(delay.wakeup),
            number(probe.raw.kernel),
            number(probe.raw.dom0),
            number(probe.raw.user),
            probe.key.turn.to_string(),
        ];
        text += &format!("{},{},{}\n", probe.key.ident, probe.key.seq, columns.join(","));
    }
    text
}
