//! What is said at the end: what `ping` would say, and what the stamps say of it.

use wire_truth::UserProbe;
use wire_truth::stats::Sample;

use super::table::Counts;

/// The spans of the probes that were answered, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Spans {
    user: Vec<f64>,
    kernel: Vec<f64>,
    syscall: Vec<f64>,
    qdisc: Vec<f64>,
    wakeup: Vec<f64>,
    /// When each was sent, and when it was due.
    sends: Vec<(i64, i64)>,
}

impl Spans {
    pub(super) fn note(&mut self, probe: &UserProbe) {
        let span = |from: Option<i64>, to: Option<i64>| from.zip(to).map(|(from, to)| (to - from) as f64);
        self.user.extend(probe.rtt().map(|rtt| rtt as f64));
        self.kernel.extend(span(probe.snd, probe.kernel_recv));
        self.syscall.extend(span(probe.user_send, probe.sched));
        self.qdisc.extend(span(probe.sched, probe.snd));
        self.wakeup.extend(span(probe.kernel_recv, probe.user_recv));
    }

    /// A probe was sent at this moment of the even clock, and was due at that.
    pub(super) fn sent(&mut self, at: i64, due: i64) {
        self.sends.push((at, due));
    }

    /// How far the spaces between probes were from what they were to be, in the mean, in nanoseconds. `None` for fewer than two.
    fn spacing_error(&self) -> Option<f64> {
        let late: Vec<i64> = self.sends.iter().map(|(at, due)| at - due).collect();
        let errors: Vec<f64> = late.windows(2).map(|pair| ((pair[1] - pair[0]) as f64).abs()).collect();
        (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
    }
}

/// Milliseconds, to the microsecond.
fn ms(ns: f64) -> String {
    format!("{:.3}", ns / 1e6)
}

fn line(name: &str, sample: &Sample) -> String {
    let at = |p| sample.percentile(p).map_or_else(String::new, ms);
    format!("{name} min/median/p99/max = {}/{}/{}/{} ms\n", at(0.0), at(0.5), at(0.99), at(1.0))
}

/// The last lines.
pub(super) fn text(host: &str, counts: Counts, spans: &Spans) -> String {
    let Counts { sent, answered, lost, duplicates, late, forged, unsent, unreachable, undelivered } = counts;
    let share = f64::from(lost) * 100.0 / f64::from(sent.max(1));
    let mut text =
        format!("--- {host} tping statistics ---\n{sent} probes sent, {answered} answered, {lost} lost ({share:.1} %)");
    for (count, name) in [
        (duplicates, "duplicates"),
        (late, "late"),
        (forged, "forged"),
        (unsent, "not sent"),
        (unreachable, "of the answers: port unreachable"),
        (undelivered, "not delivered, by ICMP errors"),
    ] {
        if count > 0 {
            text += &format!(", {count} {name}");
        }
    }
    text += "\n";
    if let Some(error) = spans.spacing_error() {
        text += &format!("space between probes: off by {} ms in the mean\n", ms(error));
    }
    let sample = |values: &Vec<f64>| values.iter().copied().collect::<Sample>();
    let (user, kernel) = (sample(&spans.user), sample(&spans.kernel));
    let Some(said) = user.percentile(0.5) else { return text };
    text += &line("program to program:", &user);
    let Some(took) = kernel.percentile(0.5) else {
        text += "no stamps of the kernel came: what the host has added cannot be told\n";
        return text;
    };
    text += &line("driver to kernel:  ", &kernel);
    let median = |values| sample(values).percentile(0.5).map_or_else(|| "unknown".to_owned(), |ns| ms(ns) + " ms");
    text += &format!(
        "of the host, medians: system call {}, queue {}, wake-up {}\n",
        median(&spans.syscall),
        median(&spans.qdisc),
        median(&spans.wakeup)
    );
    text += &format!(
        "ping would say {} ms; from the driver to the kernel it took {} ms (medians; the wire itself is told by a capture of it)\n",
        ms(said),
        ms(took)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_ping_would_and_what_the_stamps_do() {
        let mut spans = Spans::default();
        let mut probe = UserProbe::default();
        (probe.user_send, probe.sched, probe.snd) = (Some(1_000), Some(5_000), Some(9_005_000));
        (probe.kernel_recv, probe.user_recv) = (Some(9_205_000), Some(9_255_000));
        for (at, due) in [(0, 0), (260_000_000, 250_000_000), (500_000_000, 500_000_000)] {
            spans.note(&probe);
            spans.sent(at, due);
        }
        let counts = Counts { sent: 4, answered: 3, lost: 1, forged: 2, ..Counts::default() };
        let text = text("h", counts, &spans);
        for words in [
            "4 probes sent, 3 answered, 1 lost (25.0 %), 2 forged\n",
            "off by 10.000 ms in the mean",
            "program to program: min/median/p99/max = 9.254/9.254/9.254/9.254 ms",
            "system call 0.004 ms, queue 9.000 ms, wake-up 0.050 ms",
            "ping would say 9.254 ms; from the driver to the kernel it took 0.200 ms",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
    }

    #[test]
    fn without_stamps_it_says_so() {
        let mut spans = Spans::default();
        let mut probe = UserProbe::default();
        (probe.user_send, probe.user_recv) = (Some(0), Some(5));
        spans.note(&probe);
        let told = text("h", Counts { sent: 1, answered: 1, ..Counts::default() }, &spans);
        assert!(told.contains("no stamps of the kernel came"), "{told}");
        assert!(!text("h", Counts::default(), &Spans::default()).contains("min/"));
    }
}
