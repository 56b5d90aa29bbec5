//! Whether two places have stamped the same run, or two runs that have their identifier and their numbers in common.
//!
//! Clocks say little of it: they may be hours apart, run apart and be stepped. What two runs do not have in common is chance. A probe that leaves
//! a little late is late on the wire, too, and so is what comes back; of another run it is as likely to be early there.
//!
//! 1. From each probe to the next, what the earlier place on the way shows is held against what the later one does. If the later one follows, with
//!    a slope above 0 (Theil and Sen, of 99.9 in 100), it is one run. A step of a clock is one such pair of many.
//! 2. Causality: by each probe the clock of the host is ahead by *request: host - wire* at least, and *reply: host - wire* at most. Probes next to each
//!    other cannot contradict each other, but where a clock is stepped between them. Those far apart cannot by more than clocks run apart.
//!
//! It is another run only if nothing follows and probes contradict each other at many places; if nothing follows and nothing contradicts, it
//! cannot be told.

use crate::delay::Places;
use crate::echo::ProbeKey;
use crate::user_log::UserProbe;
use crate::vantage::{Pair, Vantage};

/// What can be said of two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SameRun {
    /// One follows the other.
    Yes,
    /// Neither can be said; why.
    Unknown(String),
    /// They are of two runs; by what that is known.
    No(String),
}

/// A probe at both places: at that nearer to the program, and at the wire.
type Both = (ProbeKey, Pair, Pair);

/// Fewer pairs of probes say nothing.
const LEAST: usize = 8;
/// Pairs of probes that are looked at for whether one follows the other.
const MOST: usize = 400;
/// Normal values are within so many standard deviations in 999 of 1000 cases.
const SURE: f64 = 3.29;
/// Clocks do not run apart by more: what disciplines one slews it by half of that.
const MOST_DRIFT: f64 = 1e-3;
/// Stamps are not off by as much again and again, in nanoseconds, whatever is told of them.
const LARGE: i64 = 5_000_000;
/// A step is one contradiction; so many, and such a part of all, are no steps.
const STEPS: usize = 4;
const PART: usize = 50;
/// A slope of 1 is what one run has. An interval that ends below this does not hold it.
const UNLIKE: f64 = 0.5;
/// Neither does a host hold a packet back for so long, nor does it show it before it is sent, in nanoseconds.
const HELD: i64 = 60_000_000_000;
/// A line of ping is stamped when it is printed, about so much later in nanoseconds; and stamps of one clock differ by less than that.
const PRINTED: i64 = 1_000_000;

/// What is told of the log and of the kernel's capture: what is to be noted.
///
/// # Errors
///
/// What is of another run than which, and how that is known.
pub(crate) fn check(places: &Places<'_>, ident: u16, off_ns: i64) -> Result<Vec<String>, [String; 3]> {
    let mut notes = Vec::new();
    let wire = places.wire;
    if let Some(kernel) = places.kernel {
        let both = places.sent(ident).into_iter().filter_map(|key| Some((key, kernel.get(key)?, wire.get(key)?)));
        if let SameRun::No(what) = same_run(&both.collect::<Vec<_>>(), off_ns, false) {
            return Err([kernel.whole_name(), wire.whole_name(), what]);
        }
    }
    let Some(user) = places.user else { return Ok(notes) };
    let with = |place: &Vantage, pair: fn(&UserProbe) -> Pair| {
        let both = |key: ProbeKey| Some((key, pair(&user.get(key)?), place.get(key)?));
        places.sent(ident).into_iter().filter_map(both).collect::<Vec<Both>>()
    };
    let rounded = user.probes().any(|(_, probe)| probe.rtt_only.is_some());
    let off_ns = if rounded { off_ns + user.resolution() + PRINTED } else { off_ns };
    // The nearer to the wire, the less is between.
    let of_kernel = user.probes().filter(|(_, probe)| probe.snd.is_some() && probe.kernel_recv.is_some()).count();
    let answered = user.probes().filter(|(_, probe)| probe.rtt().is_some()).count();
    let nearest: fn(&UserProbe) -> Pair =
        if of_kernel > 0 && of_kernel * 2 >= answered { by_kernel } else { by_program };
    let of_wire = same_run(&with(wire, nearest), off_ns, rounded);
    let is_of_wire = of_wire == SameRun::Yes;
    match of_wire {
        SameRun::No(what) => return Err([user.name().to_owned(), wire.whole_name(), what]),
        SameRun::Unknown(why) => {
            notes.push(format!("whether the log is of the run on the wire cannot be told: {why}"));
        }
        SameRun::Yes => {}
    }
    if let Some(kernel) = places.kernel {
        let both = with(kernel, by_program);
        let told = same_run(&both, off_ns, rounded);
        let apart = apart(&both);
        match (told, apart) {
            // Two of three are of one run.
            (SameRun::No(what), _) if is_of_wire => return Err([kernel.whole_name(), user.name().to_owned(), what]),
            (SameRun::No(what), _) => return Err([user.name().to_owned(), kernel.whole_name(), what]),
            (SameRun::Yes, Some(by)) => notes.push(format!(
                "the log and the kernel's capture are of one run, and differ by {}: one of them is not stamped by the host's clock",
                seconds(by)
            )),
            (SameRun::Unknown(_), Some(by)) => {
                let what = format!(
                    "they differ by {}, and the clock of a host is the same for its kernel and its programs; of a capture that another clock has \
                     stamped say --at NAME=FILE",
                    seconds(by)
                );
                return Err([user.name().to_owned(), kernel.whole_name(), what]);
            }
            (_, None) => {}
        }
    }
    Ok(notes)
}

fn by_kernel(probe: &UserProbe) -> Pair {
    Pair { request: probe.snd, reply: probe.kernel_recv }
}

/// Of ping, when its line was printed, and the round trip before that.
fn by_program(probe: &UserProbe) -> Pair {
    let printed = probe.about.zip(probe.rtt_only).map(|(about, rtt)| about.saturating_add(rtt));
    Pair { request: probe.user_send.or(probe.about), reply: probe.user_recv.or(printed) }
}

fn seconds(ns: i64) -> String {
    match ns.unsigned_abs() {
        small if small < 1_000_000_000 => format!("{:.3} ms", ns as f64 / 1e6),
        _ => format!("{:.3} s", ns as f64 / 1e9),
    }
}

/// By how much the clocks of two places of one host differ, if most probes say that they do: a host has one.
fn apart(both: &[Both]) -> Option<i64> {
    let mut differences = Vec::new();
    let mut wrong = 0;
    for (_, near, far) in both {
        let Some((send, sent)) = near.request.zip(far.request) else { continue };
        // On the way out the program is earlier.
        let behind = sent.saturating_sub(send);
        wrong += usize::from(!(-PRINTED..HELD).contains(&behind));
        differences.push(-behind);
    }
    let middle = differences.len() / 2;
    (wrong > middle).then(|| *differences.select_nth_unstable(middle).1)
}

/// A probe with both stamps at both places.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    at: i64,
    /// The clock of the host is ahead by so much at least, and at most.
    low: i64,
    high: i64,
}

fn same_run(both: &[Both], off_ns: i64, rounded: bool) -> SameRun {
    let steps = |of: &dyn Fn(&Both) -> Option<(i64, i64)>| steps(both, of);
    let sent = steps(&|(_, near, far)| near.request.zip(far.request));
    let received = steps(&|(_, near, far)| far.reply.zip(near.reply));
    let round = steps(&|(_, near, far)| far.rtt().zip(near.rtt()));
    let legs = [&sent, &received, &round].map(|steps| slope(steps));
    // A round trip has less in it than two directions, and of ping it is all that is exact.
    let follows = legs.iter().take(if rounded { 3 } else { 2 }).flatten().any(|(low, _)| *low > 0.0);
    if follows {
        return SameRun::Yes;
    }
    if sent.len().max(received.len()).max(round.len()) < LEAST {
        return SameRun::Unknown(format!("only {} probes are at both", both.len()));
    }
    let bounds: Vec<Bounds> = both
        .iter()
        .filter_map(|(_, near, far)| {
            let (out, back) = (near.request.zip(far.request)?, near.reply.zip(far.reply)?);
            let ahead = |(near, far): (i64, i64)| near.saturating_sub(far);
            Some(Bounds { at: far.request?, low: ahead(out), high: ahead(back) })
        })
        .collect();
    if let Some(what) = spaced(both, &bounds, off_ns) {
        return SameRun::No(what);
    }
    let drift = drift(&bounds);
    let early: Vec<i64> = bounds.windows(2).map(|two| contradiction(two[0], two[1], drift)).collect();
    let many = |limit: i64| {
        let over: Vec<i64> = early.iter().copied().filter(|by| *by > limit).collect();
        (over.len() >= STEPS.max(early.len() / PART)).then_some(over)
    };
    // What is sent is stamped exactly, whatever the wire's stamps are off by: if it is not followed, that is none.
    let unlike = !rounded && legs[0].is_some_and(|(_, high)| high < UNLIKE);
    let found = many(LARGE.saturating_add(off_ns)).or_else(|| many(off_ns).filter(|_| unlike));
    match found {
        Some(mut over) => {
            let middle = over.len() / 2;
            let median = *over.select_nth_unstable(middle).1;
            SameRun::No(format!(
                "at {} of {} probes one of them is received before it was on the wire or sent after it, by {} in the median, however far apart \
                 the clocks are; and what of it is early or late in one is not in the other",
                over.len(),
                early.len() + 1,
                seconds(median)
            ))
        }
        None => SameRun::Unknown(
            "from probe to probe its stamps neither follow those of the wire nor contradict them".to_owned(),
        ),
    }
}

/// From each probe to the next, each of them in one such pair: how much later it was at the first and at the second of two places.
fn steps(both: &[Both], of: &dyn Fn(&Both) -> Option<(i64, i64)>) -> Vec<(f64, f64)> {
    let number = |(key, ..): &Both| u64::from(key.turn) << 16 | u64::from(key.seq);
    let mut steps = Vec::new();
    let mut last: Option<(u64, (i64, i64))> = None;
    for one in both {
        let Some(here) = of(one) else { continue };
        match last {
            Some((before, there)) if before + 1 == number(one) => {
                let later = |now: i64, then: i64| now.saturating_sub(then) as f64;
                steps.push((later(here.0, there.0), later(here.1, there.1)));
                // Differences that have a stamp in common hang together.
                last = None;
            }
            _ => last = Some((number(one), here)),
        }
    }
    let every = steps.len().div_ceil(MOST).max(1);
    steps.into_iter().step_by(every).collect()
}

/// How much of a change at the first place the second shows: in 999 of 1000 cases the slope lies between these. `None` where too little is known.
fn slope(steps: &[(f64, f64)]) -> Option<(f64, f64)> {
    if steps.len() < LEAST {
        return None;
    }
    let mut slopes = Vec::new();
    for (at, (x, y)) in steps.iter().enumerate() {
        slopes.extend(
            steps[at + 1..].iter().filter(|(later, _)| later != x).map(|(later, value)| (value - y) / (later - x)),
        );
    }
    let n = steps.len() as f64;
    // Where some are alike, as large a part of those that are not.
    let known = slopes.len() as f64 / (n * (n - 1.0) / 2.0);
    let margin = SURE * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt() * known;
    let middle = slopes.len() as f64 / 2.0;
    // Few that are not alike say nothing.
    if known < 0.5 || margin / 2.0 >= middle {
        return None;
    }
    let last = slopes.len() - 1;
    let mut at = |rank: f64| *slopes.select_nth_unstable_by((rank as usize).min(last), f64::total_cmp).1;
    Some((at(middle - margin / 2.0), at((middle + margin / 2.0).ceil())))
}

/// By how much more the host's clock moves than the wire's, of one: in the middle of all steps from probe to probe.
fn drift(bounds: &[Bounds]) -> f64 {
    let ratio = |two: &[Bounds]| {
        let passed = two[1].at.saturating_sub(two[0].at);
        (passed > 0).then(|| two[1].low.saturating_sub(two[0].low) as f64 / passed as f64)
    };
    let mut ratios: Vec<f64> = bounds.windows(2).filter_map(ratio).collect();
    let middle = ratios.len() / 2;
    if ratios.is_empty() {
        return 0.0;
    }
    let median = *ratios.select_nth_unstable_by(middle, f64::total_cmp).1;
    // Delays make more of it where probes are close to each other.
    if median.abs() < MOST_DRIFT { median } else { 0.0 }
}

/// By how much two probes contradict each other, in nanoseconds; below 0 they do not.
fn contradiction(one: Bounds, other: Bounds, drift: f64) -> i64 {
    let drifted = (other.at.saturating_sub(one.at) as f64 * drift) as i64;
    let (low, high) = (other.low.saturating_sub(drifted), other.high.saturating_sub(drifted));
    low.saturating_sub(one.high).max(one.low.saturating_sub(high)).max(one.low.saturating_sub(one.high))
}

/// Whether most probes that are far apart contradict each other by more than clocks run apart, as those of runs with another interval do.
fn spaced(both: &[Both], bounds: &[Bounds], off_ns: i64) -> Option<String> {
    let far = (bounds.len() / 8).max(1);
    let over = |one: &Bounds, other: &Bounds| {
        let room = (other.at.saturating_sub(one.at) as f64 * MOST_DRIFT).abs() as i64;
        contradiction(*one, *other, 0.0) > room.saturating_add(off_ns)
    };
    let pairs = bounds.len().saturating_sub(far);
    let wrong = bounds.iter().zip(bounds.iter().skip(far)).filter(|(one, other)| over(one, other)).count();
    if pairs < LEAST || wrong * 2 <= pairs {
        return None;
    }
    let every = steps(both, &|(_, near, far)| near.request.zip(far.request));
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = every.iter().map(of).collect();
        let middle = values.len() / 2;
        if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f64::total_cmp).1 }
    };
    let (near, far) = (median(|two| two.0), median(|two| two.1));
    Some(if (near - far).abs() > 0.05 * far.abs() {
        format!("its probes are {:.3} ms apart, and the other's {:.3} ms", near / 1e6, far / 1e6)
    } else {
        format!("at {wrong} of {pairs} pairs of probes what is between the two changes by more than clocks run apart")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyse};
    use crate::echo::Leg;
    use crate::user_log::{HEADER, UserLog};
    use proptest::prelude::*;
    use rand_core::{RngCore, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    const START: i64 = 1_700_000_000_000_000_000;
    const HOUR: i64 = 3_600_000_000_000;
    /// Runs of each kind.
    const SEEDS: u64 = 10;

    /// What befalls the probes of a run. Times are means of what is drawn, in nanoseconds.
    #[derive(Debug, Clone, Copy)]
    struct Kind {
        probes: u16,
        interval: i64,
        /// The program is late by so much, and the host takes so much to send and to receive.
        late: f64,
        send: f64,
        receive: f64,
        /// The host's clock is ahead and too fast, and is stepped each so many probes.
        offset: i64,
        drift: f64,
        step: Option<(u16, i64)>,
        loss: f64,
        /// Stamps of the wire are off by so much.
        tap: f64,
        /// The log has stamps of the kernel.
        stamped: bool,
    }

    /// At rest: what a Linux host does to probes of 250 ms.
    const REST: Kind = Kind {
        probes: 200,
        interval: 250_000_000,
        late: 60e3,
        send: 20e3,
        receive: 30e3,
        offset: 0,
        drift: 0.0,
        step: None,
        loss: 0.0,
        tap: 0.0,
        stamped: false,
    };

    struct Run {
        wire: Vantage,
        kernel: Vantage,
        user: UserLog,
    }

    fn run(kind: Kind, seed: u64) -> Run {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut uniform = move || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let (mut wire, mut kernel) = (Vantage::new("the wire"), Vantage::new("the kernel"));
        let mut lines = format!("{HEADER}\n");
        for seq in 0..kind.probes {
            // Long tails, as such delays have.
            let mut draw = |mean: f64| (-mean * (1.0 - uniform()).ln()) as i64;
            let send = START + i64::from(seq) * kind.interval + draw(kind.late);
            let seen = send + 5_000 + draw(kind.send);
            let ws = seen + 8_000 + draw(kind.send / 10.0);
            let wr = ws + 200_000 + draw(40e3);
            let back = wr + 10_000 + draw(kind.receive / 10.0);
            let recv = back + 6_000 + draw(kind.receive);
            let off = [draw(kind.tap), draw(kind.tap)];
            let step = kind.step.map_or(0, |(every, by)| i64::from(seq / every) * by);
            let host = |time: i64| time + kind.offset + ((time - START) as f64 * kind.drift) as i64 + step;
            let key = ProbeKey::new(9, seq);
            let (sent, answered) = (uniform() >= kind.loss / 2.0, uniform() >= kind.loss / 2.0);
            kernel.stamp(key, Leg::Request, host(seen));
            if sent {
                wire.stamp(key, Leg::Request, ws + off[0]);
            }
            let mut received = [String::new(), String::new()];
            if sent && answered {
                wire.stamp(key, Leg::Reply, wr + off[1]);
                kernel.stamp(key, Leg::Reply, host(back));
                received = [if kind.stamped { host(back).to_string() } else { String::new() }, host(recv).to_string()];
            }
            let snd = if kind.stamped { host(seen + 1_000).to_string() } else { String::new() };
            lines += &format!("9,{seq},100,{},,{snd},,{},{}\n", host(send), received[0], received[1]);
        }
        Run { wire, kernel, user: UserLog::parse(&lines, "user.csv").unwrap() }
    }

    fn of(wire: &Run, user: &Run, kernel: Option<&Run>) -> Result<Vec<String>, [String; 3]> {
        let kernel = kernel.map(|run| &run.kernel);
        let places = Places { wire: &wire.wire, kernel, dom0: None, user: Some(&user.user), others: &[] };
        check(&places, 9, 2_000)
    }

    /// What a run may be like, whatever is said of its log.
    fn kinds() -> Vec<Kind> {
        let mut kinds = vec![
            REST,
            Kind { offset: 7 * HOUR, drift: 100e-6, ..REST },
            Kind { offset: -7 * HOUR, drift: -100e-6, ..REST },
            Kind { step: Some((100, 5_000_000)), ..REST },
            Kind { step: Some((100, -HOUR)), drift: 50e-6, ..REST },
            Kind { step: Some((50, 40_000_000)), ..REST },
            Kind { send: 100e6, ..REST },
            Kind { receive: 100e6, ..REST },
            Kind { send: 30e6, receive: 30e6, loss: 0.3, ..REST },
            Kind { loss: 0.6, ..REST },
            // A schedule that is kept to the nanosecond, and one that is not kept.
            Kind { late: 0.0, receive: 100e6, ..REST },
            Kind { late: 50e6, ..REST },
            // Stamps of the wire that are worse than all there is to be seen.
            Kind { tap: 300e3, ..REST },
            Kind { interval: 1_000_000, ..REST },
            Kind { interval: 1_000_000, send: 100e6, drift: 100e-6, ..REST },
        ];
        for probes in [1, 3, 9, 20, 40] {
            kinds.push(Kind { probes, ..REST });
            kinds.push(Kind { probes, send: 100e6, offset: HOUR, ..REST });
        }
        kinds
    }

    #[test]
    fn the_log_of_a_run_is_never_taken_for_one_of_another() {
        for kind in kinds() {
            for stamped in [false, true] {
                let kind = Kind { stamped, ..kind };
                let mut known = 0u64;
                for seed in 0..SEEDS {
                    let run = run(kind, seed);
                    let notes =
                        of(&run, &run, Some(&run)).unwrap_or_else(|error| panic!("{kind:?}, {seed}: {error:?}"));
                    known += u64::from(notes.is_empty());
                }
                // With stamps of the kernel it can always be told, and of a run of some size nearly always.
                let hidden = kind.tap > 0.0 || kind.late == 0.0 && !stamped;
                let least = if kind.probes < 40 || hidden || kind.loss > 0.5 { 0 } else { SEEDS * 9 / 10 };
                assert!(known >= least, "{kind:?}: {known} of {SEEDS}");
            }
        }
    }

    #[test]
    fn the_log_of_another_run_is_found() {
        let busy = Kind { late: 2e6, send: 9e6, ..REST };
        for (kind, other) in [
            (REST, REST),
            (Kind { offset: HOUR, drift: 50e-6, ..REST }, REST),
            (REST, Kind { interval: 100_000_000, ..REST }),
            (Kind { interval: 200_000_000, ..REST }, busy),
            (busy, busy),
            (REST, busy),
            (busy, Kind { loss: 0.1, ..REST }),
            (Kind { stamped: true, ..REST }, REST),
            (Kind { stamped: true, send: 9e6, ..REST }, Kind { send: 9e6, ..REST }),
            // Both stepped at the same probe.
            (Kind { step: Some((100, 50_000_000)), ..busy }, Kind { step: Some((100, 50_000_000)), ..busy }),
        ] {
            let mut found = 0u64;
            for seed in 0..SEEDS {
                let (one, two) = (run(kind, seed), run(other, seed + 1_000));
                match of(&two, &one, None) {
                    Err([log, wire, what]) => {
                        assert_eq!((log.as_str(), wire.as_str()), ("user.csv", "the wire"), "{what}");
                        found += 1;
                    }
                    // It is not said that it fits.
                    Ok(notes) => assert!(notes[0].contains("cannot be told"), "{notes:?}"),
                }
            }
            assert!(found >= SEEDS * 9 / 10, "{kind:?}, {other:?}: {found} of {SEEDS}");
        }
    }

    #[test]
    fn the_kernel_has_the_clock_of_the_log_or_is_of_another_run() {
        let (one, late) = (run(REST, 1), run(Kind { offset: HOUR, ..REST }, 1));
        let few = |offset| run(Kind { probes: 5, offset, ..REST }, 1);
        let other = run(REST, 2);
        // That of which the two others are not.
        assert_eq!(of(&one, &one, Some(&other)).unwrap_err()[0], "the kernel");
        // One run, as the stamps show, and another clock all the same.
        let notes = of(&one, &one, Some(&late)).unwrap();
        assert!(notes[0].contains("differ by -3600.000 s"), "{notes:?}");
        // Of so few nothing shows it.
        let [log, kernel, what] = of(&few(0), &few(0), Some(&few(-HOUR))).unwrap_err();
        assert_eq!((log.as_str(), kernel.as_str()), ("user.csv", "the kernel"));
        assert!(what.contains("differ by 3600.000 s") && what.contains("--at NAME=FILE"), "{what}");
        assert!(of(&few(0), &few(0), Some(&few(0))).unwrap()[0].contains("only 5 probes are at both"));
    }

    #[test]
    fn ping_is_held_against_the_wire_as_it_prints() {
        let printed = |run: &Run| {
            let line = |(key, probe): (ProbeKey, UserProbe)| {
                let (rtt, at) = (probe.rtt()?, probe.user_recv? + 20_000);
                let (seconds, micros) = (at / 1_000_000_000, at % 1_000_000_000 / 1_000);
                let ms = rtt as f64 / 1e6;
                Some(format!(
                    "[{seconds}.{micros:06}] 64 bytes from 10.0.0.2: icmp_seq={} ttl=64 time={ms:.3} ms\n",
                    key.seq
                ))
            };
            let text: String = run.user.probes().filter_map(line).collect();
            UserLog::parse(&text, "ping.txt").unwrap()
        };
        let busy = Kind { late: 5e6, send: 20e6, ..REST };
        for kind in [REST, busy] {
            let (mut own, mut other) = (0u64, 0u64);
            for seed in 0..SEEDS {
                let (one, two) = (run(kind, seed), run(kind, seed + 1_000));
                let user = printed(&one);
                let against =
                    |wire| check(&Places { wire, kernel: None, dom0: None, user: Some(&user), others: &[] }, 9, 2_000);
                own += u64::from(against(&one.wire).unwrap().is_empty());
                other += u64::from(against(&two.wire).is_err());
            }
            // At rest nothing contradicts that is not as small as printing takes.
            assert!(own >= SEEDS * 9 / 10 && (other >= SEEDS * 9 / 10 || kind.late < 1e6), "{kind:?}: {own}, {other}");
        }
    }

    #[test]
    fn an_analysis_of_two_runs_is_refused() {
        let (one, two) = (run(REST, 1), run(REST, 2));
        let places = |wire| Places { wire, kernel: None, dom0: None, user: Some(&one.user), others: &[] };
        let error = analyse(&places(&two.wire), Options::default()).unwrap_err().to_string();
        assert!(error.starts_with("user.csv is of another run than the wire, with the same identifier: "), "{error}");
        assert!(error.ends_with("give what was written at the same time, each as the place that it is of"), "{error}");
        let analysis = analyse(&places(&one.wire), Options::default()).unwrap();
        assert!(analysis.notes.iter().all(|note| !note.contains("cannot be told")), "{:?}", analysis.notes);
    }

    proptest! {
        #[test]
        fn no_stamps_make_it_panic(stamps in proptest::collection::vec(proptest::array::uniform4(proptest::option::of(any::<i64>())), 0..40)) {
            let both: Vec<Both> = stamps.iter().zip(0..).map(|([a, b, c, d], seq)| {
                (ProbeKey::new(1, seq), Pair { request: *a, reply: *b }, Pair { request: *c, reply: *d })
            }).collect();
            // The difference of a round trip fits where stamps do, which readers see to.
            let both: Vec<Both> = both.into_iter().map(|(key, near, far)| {
                let small = |pair: Pair| Pair { request: pair.request.map(|ns| ns / 4), reply: pair.reply.map(|ns| ns / 4) };
                (key, small(near), small(far))
            }).collect();
            let _ = (same_run(&both, 2_000, false), same_run(&both, 2_000, true), apart(&both));
        }
    }
}
