//! `tping --feedback`: a verdict on each sample while it runs, by its stamps and what the host says of itself meanwhile.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::IpAddr;

use serde_json::{Value, json};
use wire_truth::UserProbe;
use wire_truth::stats::Sample;
use wire_truth::verdict::signals::{Queue, RunDelayOf, Sampling, SignalLog, Watch, interface_named, interface_to};
use wire_truth::verdict::{Bound, Judgement, Thresholds, Use, Verdict, judge};

use super::Failure;
use super::args::Args;

/// Signals beside the probes, and verdicts if they are wanted.
#[derive(Debug)]
pub(super) struct Feedback {
    sampling: Option<Sampling>,
    log: SignalLog,
    judging: Option<Judging>,
}

/// A probe that is done.
pub(super) type Done = (u16, UserProbe);

#[derive(Debug)]
struct Judging {
    thresholds: Thresholds,
    queue: Queue,
    /// Done, and not told: signals of their time are to come.
    waiting: VecDeque<Done>,
    counts: [u32; 3],
    said: Vec<f64>,
    valid: Vec<f64>,
    corrected: Vec<f64>,
    bounds: Vec<Bound>,
}

impl Feedback {
    /// Begins to sample, if the arguments want that; `to` is where probes go.
    pub(super) fn start(args: &Args, to: IpAddr) -> Result<Option<Self>, Failure> {
        if !args.feedback && args.signals.is_none() {
            return Ok(None);
        }
        let named =
            |name: &String| interface_named(name).map_err(|cause| Failure::Usage(format!("--uplink {name}: {cause}")));
        let watch = Watch {
            run_delay: RunDelayOf::Process(std::process::id()),
            // Where the kernel does not tell, nothing is known of the queue, which is what will be said.
            interface: interface_to(to).ok(),
            uplink: args.uplink.as_ref().map(named).transpose()?,
        };
        let queue = watch.queue();
        let thresholds = args.thresholds.as_ref().map(|path| Thresholds::read(path)).transpose()?.unwrap_or_default();
        let file = args.signals.as_ref().map(|path| file(path, args.force)).transpose()?;
        let sampling =
            Sampling::start(watch, args.signals_interval, file, args.feedback).map_err(|cause| failed(args, cause))?;
        let log = SignalLog::new(sampling.context().clone());
        let judging = args.feedback.then(|| Judging {
            thresholds,
            queue,
            waiting: VecDeque::new(),
            counts: [0; 3],
            said: Vec::new(),
            valid: Vec::new(),
            corrected: Vec::new(),
            bounds: Vec::new(),
        });
        Ok(Some(Self { sampling: Some(sampling), log, judging }))
    }

    /// A probe is done. Gives it back where no verdict is wanted.
    pub(super) fn note(&mut self, done: Done) -> Option<Done> {
        match &mut self.judging {
            Some(judging) => {
                judging.waiting.push_back(done);
                None
            }
            None => Some(done),
        }
    }

    /// The next probe, in the order in which they were done, of which a verdict can be made now.
    pub(super) fn next(&mut self) -> Option<(Done, Option<Judgement>)> {
        let judging = self.judging.as_mut()?;
        if let Some(sampling) = &self.sampling {
            sampling.hear(&mut self.log);
        }
        let (_, probe) = judging.waiting.front()?;
        // Where no more will come, what is there must do.
        let goes_on = self.sampling.as_ref().is_some_and(|sampling| !sampling.has_failed());
        if goes_on && probe.user_recv.is_some_and(|at| self.log.until().is_none_or(|until| until < at)) {
            return None;
        }
        let done = judging.waiting.pop_front()?;
        let judgement = judge(&done.1, Some(&self.log), &judging.queue, &judging.thresholds, Use::All);
        if let Some(judgement) = &judgement {
            judging.count(&done.1, judgement);
        }
        // One that waits still may have been sent before this one.
        let earliest = judging.waiting.iter().filter_map(|(_, probe)| probe.user_send).min();
        if let Some(sent) = done.1.user_send {
            self.log.forget_before(earliest.unwrap_or(sent).min(sent).saturating_sub(KEEP));
        }
        Some((done, judgement))
    }

    /// Ends sampling, after a last sample.
    pub(super) fn stop(&mut self, args: &Args) -> Result<(), Failure> {
        let Some(sampling) = self.sampling.take() else { return Ok(()) };
        sampling.stop(self.judging.is_some().then_some(&mut self.log)).map_err(|cause| failed(args, cause))?;
        Ok(())
    }

    /// The last lines, if verdicts were wanted.
    pub(super) fn summary(&self) -> Option<String> {
        self.judging.as_ref().map(Judging::summary)
    }
}

/// Signals are kept for so long before the last probe, for those that were under way at the same time: of one that is answered later, what the
/// host has said is forgotten.
const KEEP: i64 = 60_000_000_000;

fn file(path: &std::path::Path, force: bool) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    let options = options.write(true);
    let options = if force { options.create(true).truncate(true) } else { options.create_new(true) };
    options.open(path).map_err(|cause| Failure::writing(path, cause))
}

fn failed(args: &Args, cause: io::Error) -> Failure {
    match &args.signals {
        Some(path) => Failure::writing(path, cause),
        None => Failure::Usage(format!("host signals: {cause}")),
    }
}

impl Judging {
    fn count(&mut self, probe: &UserProbe, judgement: &Judgement) {
        let rtt = probe.rtt().map(|ns| ns as f64);
        let [valid, suspect, unknown] = &mut self.counts;
        match judgement.verdict {
            Verdict::Valid => {
                *valid += 1;
                self.valid.extend(rtt);
            }
            Verdict::Suspect(_) => *suspect += 1,
            Verdict::Unknown(_) => *unknown += 1,
        }
        self.said.extend(rtt);
        if let Some(corrected) = &judgement.corrected {
            self.corrected.push(corrected.rtt as f64);
            self.bounds.clone_from(&corrected.bounds);
        }
    }

    fn summary(&self) -> String {
        let [valid, suspect, unknown] = self.counts;
        let median = |values: &[f64]| values.iter().copied().collect::<Sample>().percentile(0.5);
        let mut text = format!("feedback: {valid} valid, {suspect} suspect, {unknown} unknown");
        if let Queue::Hidden(why) = &self.queue {
            text += &format!(" ({why}; where that is the last before the wire all the same, say so with --uplink)");
        }
        let Some(said) = median(&self.said) else { return text };
        text += &format!("\nping would say {:.3} ms", said / 1e6);
        if let Some(valid) = median(&self.valid) {
            text += &format!("; valid ones {:.3} ms", valid / 1e6);
        }
        match (median(&self.corrected), self.bounds.first()) {
            (None, _) => text += "; nothing could be corrected",
            (Some(ns), None) => {
                text +=
                    &format!("; corrected at most {:.3} ms: what is left of the host in it was not learned", ns / 1e6);
            }
            (Some(ns), Some(bound)) => {
                text += &format!(
                    "; corrected {:.3} +- {:.3} ms, which holds for {:.0} of 100 samples",
                    ns / 1e6,
                    bound.within_ns as f64 / 1e6,
                    bound.holds * 100.0
                );
            }
        }
        text + " (medians)"
    }
}

/// What a line says behind the round trip.
pub(super) fn words(judgement: &Judgement) -> String {
    let corrected = judgement.corrected.as_ref().map(|corrected| match corrected.bounds.first() {
        Some(bound) => {
            format!(", corrected {:.3} +- {:.3} ms", corrected.rtt as f64 / 1e6, bound.within_ns as f64 / 1e6)
        }
        None => format!(", corrected at most {:.3} ms", corrected.rtt as f64 / 1e6),
    });
    format!("{}; {}", corrected.unwrap_or_default(), judgement.verdict)
}

/// Puts it into the object of a probe.
pub(super) fn add(object: &mut Value, judgement: &Judgement) {
    object["verdict"] = json!(judgement.verdict.name());
    object["why"] = match &judgement.verdict {
        Verdict::Valid => json!([]),
        Verdict::Suspect(reasons) => json!(reasons.iter().map(ToString::to_string).collect::<Vec<_>>()),
        Verdict::Unknown(why) => json!([why]),
    };
    let corrected = judgement.corrected.as_ref();
    object["corrected_ns"] = json!(corrected.map(|corrected| corrected.rtt));
    let bounds = corrected.into_iter().flat_map(|corrected| &corrected.bounds);
    object["bounds"] =
        bounds.map(|bound| json!({ "holds": bound.holds, "within_ns": bound.within_ns })).collect::<Vec<_>>().into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire_truth::verdict::Correction;

    fn judging(queue: Queue) -> Judging {
        let mut thresholds = Thresholds::default();
        let bounds = vec![Bound { holds: 0.95, within_ns: 12_000 }];
        thresholds.correction = Some(Correction { constant_ns: 4_000, bounds, samples: 100 });
        let (said, valid, corrected) = (Vec::new(), Vec::new(), Vec::new());
        let waiting = VecDeque::new();
        Judging { thresholds, queue, waiting, counts: [0; 3], said, valid, corrected, bounds: Vec::new() }
    }

    fn probe(queue: i64) -> UserProbe {
        let mut probe = UserProbe::default();
        (probe.user_send, probe.sched, probe.snd) = (Some(0), Some(5_000), Some(5_000 + queue));
        (probe.kernel_recv, probe.user_recv) = (Some(205_000 + queue), Some(225_000 + queue));
        probe
    }

    #[test]
    fn the_last_lines_say_what_to_believe() {
        let mut judging = judging(Queue::Own);
        assert_eq!(judging.summary(), "feedback: 0 valid, 0 suspect, 0 unknown");
        for queue in [0, 9_000_000, 9_000_000] {
            let probe = probe(queue);
            let judgement = judge(&probe, None, &judging.queue, &judging.thresholds, Use::All).unwrap();
            judging.count(&probe, &judgement);
            let line = words(&judgement);
            assert!(line.starts_with(", corrected 0.196 +- 0.012 ms; "), "{line}");
            let mut object = json!({});
            add(&mut object, &judgement);
            assert_eq!(
                (&object["verdict"], &object["corrected_ns"]),
                (&json!(judgement.verdict.name()), &json!(196_000))
            );
            assert_eq!(object["why"].as_array().unwrap().len(), usize::from(queue > 0));
        }
        assert_eq!(
            judging.summary(),
            "feedback: 1 valid, 2 suspect, 0 unknown\nping would say 9.225 ms; valid ones 0.225 ms; \
             corrected 0.196 +- 0.012 ms, which holds for 95 of 100 samples (medians)"
        );
    }

    #[test]
    fn a_tenant_says_that_it_cannot_see() {
        let mut judging = judging(Queue::Hidden("s0 is a veth".to_owned()));
        let judgement = judge(&probe(0), None, &judging.queue, &judging.thresholds, Use::All).unwrap();
        judging.count(&probe(0), &judgement);
        assert_eq!(words(&judgement), "; unknown: s0 is a veth");
        let told = judging.summary();
        assert!(told.contains("1 unknown (s0 is a veth; ") && told.contains("nothing could be corrected"), "{told}");
    }
}
