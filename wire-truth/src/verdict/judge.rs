//! [`judge`]: whether a sample is to be believed, and what it would have been without the host.

use std::fmt;

use super::evidence::{Evidence, HostShare, Signal};
use super::signals::{Queue, SignalLog};
use super::thresholds::{Bound, Limit, Thresholds};
use crate::user_log::UserProbe;

/// Why a sample is suspect.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Reason {
    /// The signal that was too much.
    pub signal: Signal,
    /// How much it was, in the unit of the signal.
    pub value: f64,
    /// How much it may be.
    pub limit: f64,
    /// Of the share by stamps: what most of it was, and its nanoseconds.
    pub most: Option<(&'static str, i64)>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, value, limit, most } = *self;
        write!(f, "{signal} {}, of at most {}", signal.say(value), signal.say(limit))?;
        if limit > 0.0 {
            write!(f, " ({:.1} times)", value / limit)?;
        }
        match most {
            Some((part, ns)) => write!(f, ", most by {part}: {:.3} ms", ns as f64 / 1e6),
            None => Ok(()),
        }
    }
}

/// Whether a sample is to be believed.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The host has added no more than at rest, as far as it sees, and it sees enough.
    Valid,
    /// It has; by what that is known.
    Suspect(Vec<Reason>),
    /// It cannot see enough; what is missing.
    Unknown(String),
}

impl Verdict {
    /// The word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Suspect(_) => "suspect",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Valid => Ok(()),
            Self::Suspect(reasons) => {
                let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
                write!(f, ": {}", reasons.join("; "))
            }
            Self::Unknown(why) => write!(f, ": {why}"),
        }
    }
}

/// A round trip without what the host has added.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Corrected {
    /// Nanoseconds.
    pub rtt: i64,
    /// How far it may be off; none where that was not learned. It is then an upper limit of the round trip on the wire.
    pub bounds: Vec<Bound>,
}

/// The verdict on a sample.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Judgement {
    /// Whether to believe it.
    pub verdict: Verdict,
    /// Where stamps allow it.
    pub corrected: Option<Corrected>,
    /// What the host has added by the stamps, where they are there.
    pub share: Option<HostShare>,
}

/// What of a sample is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Use {
    /// All there is.
    #[default]
    All,
    /// Signals only, as if the probe had no stamps of the kernel.
    Signals,
}

/// The verdict on a sample; `None` where the probe was lost, and there is no sample.
pub fn judge(
    probe: &UserProbe,
    signals: Option<&SignalLog>,
    queue: &Queue,
    thresholds: &Thresholds,
    which: Use,
) -> Option<Judgement> {
    probe.rtt()?;
    let evidence = match Evidence::of(probe, signals) {
        Ok(evidence) if which == Use::Signals => Evidence { share: None, ..evidence },
        Ok(evidence) => evidence,
        Err(why) => return Some(Judgement { verdict: Verdict::Unknown(why), corrected: None, share: None }),
    };
    let share = evidence.share;
    // Of a host that has not looked at this time nothing is known, and other signals may have a limit next time.
    let unseen = signals.is_some() && evidence.window.is_none() && probe.user_send.is_some();
    let verdict = match verdict(&evidence, queue, thresholds.limits(share.is_some())) {
        Verdict::Valid | Verdict::Unknown(_) if unseen && *queue == Queue::Own => {
            Verdict::Unknown("the log of signals does not reach over it".to_owned())
        }
        verdict => verdict,
    };
    // Of a tenant, what lies between its own interface and the wire is not known.
    let path = share.filter(|_| *queue == Queue::Own).map(|share| share.path);
    let corrected = path.map(|path| match &thresholds.correction {
        Some(correction) => {
            Corrected { rtt: path.saturating_sub(correction.constant_ns), bounds: correction.bounds.clone() }
        }
        None => Corrected { rtt: path, bounds: Vec::new() },
    });
    Some(Judgement { verdict, corrected, share })
}

fn verdict(evidence: &Evidence, queue: &Queue, limits: &[Limit]) -> Verdict {
    let reason = |limit: &Limit| {
        let value = evidence.value(limit.signal).filter(|value| *value > limit.above)?;
        let most = evidence.share.filter(|_| limit.signal == Signal::HostShare).map(|share| share.most());
        Some(Reason { signal: limit.signal, value, limit: limit.above, most })
    };
    let reasons: Vec<Reason> = limits.iter().filter_map(reason).collect();
    if let Queue::Hidden(why) = queue {
        // What its own stamps show is so, whatever else is not seen.
        let own: Vec<Reason> = reasons.into_iter().filter(|reason| reason.signal == Signal::HostShare).collect();
        return if own.is_empty() { Verdict::Unknown(why.clone()) } else { Verdict::Suspect(own) };
    }
    if !reasons.is_empty() {
        return Verdict::Suspect(reasons);
    }
    let blind: Vec<&str> = limits
        .iter()
        .map(|limit| limit.signal)
        .filter(|signal| evidence.value(*signal).is_none())
        .map(Signal::name)
        .collect();
    match (limits.is_empty(), blind.is_empty()) {
        (true, _) if evidence.share.is_some() => {
            Verdict::Unknown("nothing was learned of samples with stamps".to_owned())
        }
        (true, _) => Verdict::Unknown("nothing was learned of samples without stamps of the kernel".to_owned()),
        (false, true) => Verdict::Valid,
        (false, false) => Verdict::Unknown(format!("not seen: {}", blind.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::signals::SIGNALS_HEADER;

    fn probe(queue: i64) -> UserProbe {
        let sent = 1_000_000_000_000;
        UserProbe {
            user_send: Some(sent),
            sched: Some(sent + 5_000),
            snd: Some(sent + 5_000 + queue),
            kernel_recv: Some(sent + 205_000 + queue),
            user_recv: Some(sent + 225_000 + queue),
            ..UserProbe::default()
        }
    }

    fn without(mut probe: UserProbe) -> UserProbe {
        (probe.sched, probe.snd, probe.kernel_recv) = (None, None, None);
        probe
    }

    fn log(line: &str) -> SignalLog {
        SignalLog::parse(&format!("{SIGNALS_HEADER}\n1000050000000,100000000,{line}\n"), "log").unwrap()
    }

    const CALM: &str = "0,0,0,0,0,0,0,0,0";

    fn judged(probe: &UserProbe, signals: Option<&SignalLog>, queue: &Queue) -> Judgement {
        judge(probe, signals, queue, &Thresholds::default(), Use::All).unwrap()
    }

    #[test]
    fn what_is_over_a_limit_is_suspect_and_says_by_how_much() {
        assert_eq!(judged(&probe(3_000), None, &Queue::Own).verdict, Verdict::Valid);
        let late = judged(&probe(9_000_000), None, &Queue::Own).verdict;
        assert_eq!(
            late.to_string(),
            "suspect: host share 9.025 ms, of at most 0.300 ms (30.1 times), most by the queue: 9.000 ms"
        );
        let calm = without(probe(3_000));
        assert_eq!(judged(&calm, Some(&log(CALM)), &Queue::Own).verdict, Verdict::Valid);
        let queued = judged(&calm, Some(&log("0,0,0,0,0,0,0,15140,10")), &Queue::Own).verdict;
        assert_eq!(queued.to_string(), "suspect: queue before the wire 15140 bytes, of at most 0 bytes");
        let pressed = judged(&calm, Some(&log("50000,0,0,2000000,0,0,0,0,0")), &Queue::Own).verdict;
        let words = pressed.to_string();
        assert!(words.contains("CPU pressure 50.0 % of the time") && words.contains("; run delay 2.0 %"), "{words}");
    }

    #[test]
    fn who_cannot_see_says_so() {
        let unknown = |judgement: Judgement| match judgement.verdict {
            Verdict::Unknown(why) => why,
            other => panic!("{other}"),
        };
        let bare = without(probe(0));
        assert!(unknown(judged(&bare, None, &Queue::Own)).starts_with("not seen: CPU pressure, run delay, steal"));
        // A log that does not reach over the probe, and one in which something is missing.
        let over = SignalLog::parse(&format!("{SIGNALS_HEADER}\n1000,100,{CALM}\n"), "log").unwrap();
        assert_eq!(unknown(judged(&bare, Some(&over), &Queue::Own)), "the log of signals does not reach over it");
        // Nor is that valid of which the stamps say nothing ill.
        assert_eq!(unknown(judged(&probe(0), Some(&over), &Queue::Own)), "the log of signals does not reach over it");
        assert_eq!(judged(&probe(9_000_000), Some(&over), &Queue::Own).verdict.name(), "suspect");
        assert_eq!(unknown(judged(&bare, Some(&log("0,0,0,,0,0,0,0,0")), &Queue::Own)), "not seen: run delay");
        let nothing = Thresholds { without_stamps: Vec::new(), ..Thresholds::default() };
        let judgement = judge(&bare, Some(&log(CALM)), &Queue::Own, &nothing, Use::All).unwrap();
        assert!(unknown(judgement).starts_with("nothing was learned"));
        // Stamps that cannot be.
        let mut odd = probe(0);
        odd.kernel_recv = odd.user_recv.map(|at| at + 1);
        let odd = judged(&odd, Some(&log(CALM)), &Queue::Own);
        assert_eq!(odd.corrected, None);
        assert!(unknown(odd).starts_with("its stamps are out of order"));
        let mut lost = probe(0);
        lost.user_recv = None;
        assert_eq!(judge(&lost, None, &Queue::Own, &Thresholds::default(), Use::All), None);
    }

    #[test]
    fn a_tenant_is_never_valid_and_claims_no_correction() {
        let hidden = Queue::Hidden("s0 is a veth".to_owned());
        let calm = judged(&probe(3_000), Some(&log(CALM)), &hidden);
        assert_eq!((calm.verdict, calm.corrected), (Verdict::Unknown("s0 is a veth".to_owned()), None));
        // What its own stamps show is true all the same; what is seen of a queue that is not the last is not.
        let late = judged(&probe(9_000_000), Some(&log(CALM)), &hidden);
        assert_eq!((late.verdict.name(), late.corrected), ("suspect", None));
        let busy = judged(&without(probe(0)), Some(&log("50000,0,0,0,0,0,0,9,1")), &hidden);
        assert_eq!(busy.verdict.name(), "unknown");
    }

    #[test]
    fn a_correction_takes_off_what_was_learned() {
        let corrected = |thresholds: &Thresholds, which| {
            judge(&probe(9_000_000), Some(&log(CALM)), &Queue::Own, thresholds, which).unwrap().corrected
        };
        let mut thresholds = Thresholds::default();
        let plain = Corrected { rtt: 200_000, bounds: Vec::new() };
        assert_eq!(corrected(&thresholds, Use::All), Some(plain), "nothing is claimed of what was not learned");
        assert_eq!(corrected(&thresholds, Use::Signals), None);
        let bounds = vec![Bound { holds: 0.95, within_ns: 9 }];
        thresholds.correction =
            Some(super::super::Correction { constant_ns: 4_000, bounds: bounds.clone(), samples: 100 });
        assert_eq!(corrected(&thresholds, Use::All), Some(Corrected { rtt: 196_000, bounds }));
    }
}
