//! A contest as a table, and its targets judged.

use std::fmt::Write;

use super::contest::{Against, Contest, Contestant, LIBTRACE_4, Measure, Outcome, Reached, Role, Target};

/// The table of a contest that was held, in Markdown, and what was missed.
pub(super) fn outcome(contest: &Contest) -> Outcome {
    let mut text = format!("### {}\n\n{}\n\n", contest.title, contest.about);
    let unit = contest.unit;
    let _ = writeln!(text, "| what | {unit} | least | most | {unit} per CPU second | peak RSS, MiB | of the limit |");
    let _ = writeln!(text, "|---|---|---|---|---|---|---|");
    let limit = best(contest, Against::Limits, Measure::Wall);
    for contestant in &contest.contestants {
        let Some(reached) = contestant.reached() else { continue };
        let of_limit =
            limit.as_ref().map_or_else(String::new, |(_, limit)| format!("{:.2}", reached.rate.median / limit));
        let name = match contestant.role {
            Role::Ours => format!("**{}**", contestant.name),
            Role::Peer(_) => contestant.name.clone(),
            Role::Limit => format!("*{}*", contestant.name),
        };
        let Reached { rate, per_cpu, resident } = reached;
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {resident:.0} | {of_limit} |",
            number(rate.median),
            number(rate.least),
            number(rate.most),
            number(per_cpu)
        );
    }
    text.push('\n');
    let mut missed = Vec::new();
    for target in &contest.targets {
        let Some(judged) = judge(contest, target) else { continue };
        let _ = writeln!(text, "- {}: {}", if judged.is_met { "met" } else { "**missed**" }, judged.words);
        if !judged.is_met {
            missed.push(format!("{}: {}", contest.title, judged.words));
        }
    }
    for contestant in &contest.contestants {
        for remark in &contestant.remarks {
            let _ = writeln!(text, "- {}: {remark}", contestant.name);
        }
        if let Some(failure) = contestant.failure() {
            let _ = writeln!(text, "- {} did not take part: {failure}", contestant.name);
        }
    }
    if !contest.absent.is_empty() {
        let _ = writeln!(text, "- not installed, and so not measured: {}", contest.absent.join(", "));
    }
    Outcome { text, missed }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

struct Judged {
    is_met: bool,
    words: String,
}

/// `None` where one side of the ratio did not run.
fn judge(contest: &Contest, target: &Target) -> Option<Judged> {
    let ours = contest.contestants.iter().find(|contestant| contestant.name == target.ours)?;
    let ours_value = value(ours, target.measure)?;
    let (other, other_value) = best(contest, target.against, target.measure)?;
    let ratio = ours_value / other_value;
    let is_met = ratio >= target.least;
    let of = if target.measure == Measure::Cpu { ", per CPU second" } else { "" };
    let words = format!("{} is {ratio:.2} times {other}{of}; wanted {:.2}", target.ours, target.least);
    Some(Judged { is_met, words })
}

/// The best of those that a ratio is to: its name in words, and its value, in which what a peer's successor would do is reckoned.
fn best(contest: &Contest, against: Against, measure: Measure) -> Option<(String, f64)> {
    let is_meant = |one: &&Contestant| match against {
        Against::Peers => matches!(one.role, Role::Peer(_)),
        Against::Limits => one.role == Role::Limit,
        Against::One(name) => one.name == name,
    };
    let all = contest.contestants.iter().filter(is_meant).filter_map(|one| {
        let value = value(one, measure)?;
        Some(match one.role {
            Role::Peer(factor) if factor != 1.0 => {
                (format!("{} times {LIBTRACE_4} (for libtrace 4)", one.name), value * factor)
            }
            _ => (one.name.clone(), value),
        })
    });
    all.max_by(|(_, one), (_, other)| one.total_cmp(other))
}

fn value(contestant: &Contestant, measure: Measure) -> Option<f64> {
    let reached = contestant.reached()?;
    Some(match measure {
        Measure::Wall => reached.rate.median,
        Measure::Cpu => reached.per_cpu,
    })
}

#[cfg(test)]
mod tests {
    use super::super::contest::Amount;
    use super::*;

    /// Ours at 10 millions a second, a peer at 5, libtrace at 4, the limit at 20.
    fn contest() -> Contest {
        let mut contest = Contest::new("Race", "About it.", Amount::Packets(10_000_000));
        for (name, role, runs) in [
            ("ours", Role::Ours, &[(1.0, 0.5), (2.0, 2.0), (0.5, 0.5)][..]),
            ("peer", Role::Peer(1.0), &[(2.0, 2.0)][..]),
            ("tracestats", Role::Peer(LIBTRACE_4), &[(2.5, 2.5)][..]),
            ("plain", Role::Limit, &[(0.5, 0.5)][..]),
            ("absent", Role::Peer(1.0), &[][..]),
        ] {
            contest.contestants.push(Contestant::for_test(name, role).with_runs(runs));
        }
        contest
    }

    #[test]
    fn rates_are_medians_with_their_spread_and_the_part_of_the_limit() {
        let text = outcome(&contest()).text;
        assert!(text.contains("| **ours** | 10.0 | 5.00 | 20.0 | 20.0 | 1 | 0.50 |"), "{text}");
        assert!(text.contains("| *plain* | 20.0 |"), "{text}");
        assert!(!text.contains("absent"), "{text}");
    }

    #[test]
    fn targets_are_judged_beside_the_best_peer_and_what_libtrace_4_would_do() {
        let mut contest = contest();
        contest.want("ours", Against::Peers, Measure::Wall, 1.5);
        contest.want("ours", Against::Peers, Measure::Wall, 1.6);
        contest.want("ours", Against::Limits, Measure::Cpu, 1.0);
        contest.want("ours", Against::One("peer"), Measure::Wall, 2.0);
        contest.want("ours", Against::One("absent"), Measure::Wall, 2.0);
        let outcome = outcome(&contest);
        // libtrace 3 at 4 stands for libtrace 4 at 6.4, which is more than the other peer's 5.
        assert!(outcome.text.contains("- met: ours is 1.56 times tracestats times 1.6 (for libtrace 4); wanted 1.50"));
        assert!(outcome.text.contains("- **missed**: ours is 1.56 times tracestats"));
        assert!(outcome.text.contains("- met: ours is 1.00 times plain, per CPU second; wanted 1.00"));
        assert!(outcome.text.contains("- met: ours is 2.00 times peer; wanted 2.00"));
        assert_eq!(outcome.missed.len(), 1, "{:?}", outcome.missed);
    }
}
