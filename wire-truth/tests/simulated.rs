//! What an analysis finds in an experiment that was made up is what was put in.

use std::collections::BTreeMap;
use std::path::Path;

use wire_truth::clock::Relation;
use wire_truth::delay::{Places, Probe};
use wire_truth::paper::{TABLE_1, cell};
use wire_truth::simulate::{Coupling, Experiment, HostClock, Margin, Scenario, Stack, Truth, simulate};
use wire_truth::stats::Sample;
use wire_truth::{Analysis, Options, UserLog, Vantage, analyse};

/// A tick of a card.
const TICK_NS: i64 = 15;

fn margin(median_ms: f64, p99_ms: f64) -> Margin {
    Margin::new(median_ms * 1e6, p99_ms * 1e6).unwrap()
}

/// Written into files, and read from them as from those of a real experiment.
fn analysed(experiment: &Experiment, options: Options) -> Analysis {
    let dir = tempfile::tempdir().unwrap();
    experiment.write(dir.path()).unwrap();
    let at = |name: &str| dir.path().join(name);
    let read = |path: &Path| path.exists().then(|| Vantage::read("x", path).unwrap());
    let (wire, kernel) = (read(&at("wire.erf")).unwrap(), read(&at("kernel.pcap")));
    let (dom0, user) = (read(&at("dom0.pcap")), UserLog::read(&at("user.csv")).unwrap());
    let places = Places { wire: &wire, kernel: kernel.as_ref(), dom0: dom0.as_ref(), user: Some(&user), others: &[] };
    analyse(&places, options).unwrap()
}

fn with_rest(scenario: &Scenario) -> Options {
    let mut options = Options::default();
    (options.rest_lead, options.rest_trail) = (scenario.rest_lead as usize, scenario.rest_trail as usize);
    options
}

/// How wrong a span of the host may be: by what the drift may be off, three times its 95 % limit for ten thousand probes, and by what is
/// rounded.
fn bound(clock: &Relation, span: i64, stamps: i64) -> i64 {
    let (low, high) = clock.drift_ci_ppb;
    let wrong = (clock.drift_ppb - low).max(high - clock.drift_ppb);
    stamps + 2 + (span as f64 * 3.0 * wrong / 1e9).ceil() as i64
}

fn near(found: Option<i64>, truth: Option<i64>, bound: i64, what: &str, probe: &Probe) {
    match (found, truth) {
        (Some(found), Some(truth)) => {
            assert!((found - truth).abs() <= bound, "{what}: {found} and not {truth} +- {bound}: {probe:?}");
        }
        (found, truth) => assert_eq!(found.is_some(), truth.is_some(), "{what}: {probe:?}"),
    }
}

fn compare(experiment: &Experiment, analysis: &Analysis, guest: bool) {
    let clock = analysis.clock.as_ref().unwrap();
    let truths: BTreeMap<_, &Truth> = experiment.truth.iter().map(|truth| (truth.key, truth)).collect();
    assert_eq!(analysis.each.len(), experiment.truth.len(), "every probe once");
    for probe in &analysis.each {
        let truth = truths[&probe.key];
        let trip = |from: Option<i64>, to: Option<i64>| Some(to? - from?);
        let wire = trip(truth.wire_send, truth.wire_recv);
        let kernel = trip(Some(truth.kernel_send), truth.kernel_recv);
        let dom0 = trip(Some(truth.dom0_send), truth.dom0_recv);
        let user = trip(Some(truth.user_send), truth.user_recv);
        let less = |one: Option<i64>, other: Option<i64>| Some(one? - other?);
        let own = bound(clock, user.unwrap_or(0), 2);
        let across = bound(clock, user.unwrap_or(0), 2 * TICK_NS);
        near(probe.rtt.wire, wire, 2 * TICK_NS, "wire", probe);
        near(probe.delay.user, less(user, kernel), own, "user", probe);
        near(probe.delay.total, less(user, wire), across, "total", probe);
        let queued = truth.snd - truth.sched;
        near(probe.delay.qdisc, Some(queued), bound(clock, queued, 2), "qdisc", probe);
        if guest {
            near(probe.delay.domu, less(kernel, dom0), own, "domu", probe);
            near(probe.delay.dom0, less(dom0, wire), across, "dom0", probe);
        } else {
            near(probe.delay.kern, less(kernel, wire), across, "kern", probe);
        }
    }
}

/// Everything that can happen, by drift, offset and seed.
fn wild(drift_ppb: f64, offset_ns: i64, seed: u64) -> Scenario {
    Scenario {
        probes: 10_000,
        seed,
        rest_lead: 200,
        rest_trail: 200,
        interval_ns: 20_000_000,
        stress: Stack { kern: margin(0.5, 6.0), guest: None, user: margin(2.0, 12.0) },
        clock: HostClock { offset_ns, drift_ppb, step: None },
        loss: 0.01,
        duplicates: 0.01,
        reordered: 0.005,
        other: 1,
        ..Scenario::default()
    }
}

#[test]
fn every_difference_of_every_packet_is_the_truth() {
    const HOUR: i64 = 3_600_000_000_000;
    for (drift, offset, seed) in
        [(0.0, 0, 1), (100_000.0, 3 * HOUR, 2), (-100_000.0, -2 * HOUR - 123, 3), (37.0, 37_000_000_000, 4)]
    {
        let scenario = wild(drift, offset, seed);
        let experiment = simulate(&scenario).unwrap();
        let analysis = analysed(&experiment, with_rest(&scenario));
        assert_eq!(analysis.probes, 10_000);
        let answered = experiment.truth.iter().filter(|truth| truth.wire_recv.is_some()).count() as u64;
        assert_eq!((analysis.matched, analysis.lost), (answered, 10_000 - answered));
        assert!((50..150).contains(&analysis.lost), "{} of 10 000", analysis.lost);
        let copies = experiment.truth.iter().filter(|truth| truth.duplicated && truth.wire_recv.is_some()).count();
        assert_eq!(analysis.duplicates, copies as u64);
        assert!((25..75).contains(&analysis.reordered), "{} of 10 000", analysis.reordered);
        compare(&experiment, &analysis, false);
        let clock = analysis.clock.as_ref().unwrap();
        assert!((clock.drift_ppb - drift).abs() < 1_000.0, "{} and not {drift}", clock.drift_ppb);
        let (low, high) = (clock.offset_low_ns.unwrap(), clock.offset_high_ns.unwrap());
        // What it is at the first packet, to which the drift has hardly added anything.
        assert!((low - 1000..=high + 1000).contains(&offset), "{low} {offset} {high}");
        if offset == 37_000_000_000 {
            assert!(analysis.notes.iter().any(|note| note.contains("37 whole seconds, which is what TAI")));
        }
    }
}

#[test]
fn a_guest_is_told_from_its_host() {
    let guest = |kern, domu, user| Stack { kern, guest: Some(domu), user };
    let scenario = Scenario {
        rest: guest(margin(0.15, 0.2), margin(0.3, 0.4), margin(0.14, 0.2)),
        stress: guest(margin(0.2, 0.5), margin(10.0, 25.0), margin(0.3, 2.0)),
        coupling: Coupling::Comonotone,
        clock: HostClock { offset_ns: -5_000_000, drift_ppb: 12_000.0, step: None },
        ..wild(0.0, 0, 9)
    };
    let experiment = simulate(&scenario).unwrap();
    compare(&experiment, &analysed(&experiment, with_rest(&scenario)), true);
}

#[test]
fn table_1_fed_in_comes_out_again() {
    for (seed, (stress_name, _)) in (1..).zip(TABLE_1) {
        for environment in ["vanilla", "vserver", "xen"] {
            let cell = |layer| cell(environment, layer, stress_name).map(|(median, p99)| margin(median, p99));
            let user = cell("user").unwrap();
            let stress = match (cell("kern"), cell("dom0")) {
                (Some(kern), _) => Stack { kern, guest: None, user },
                (None, Some(dom0)) => Stack { kern: dom0, guest: cell("domU"), user },
                (None, None) => panic!("{environment} has neither"),
            };
            let clock = HostClock { offset_ns: 1, drift_ppb: 50_000.0, step: None };
            let (probes, rest_lead, rest_trail, coupling) = (10_000, 100, 100, Coupling::Comonotone);
            let rest = Stack { guest: stress.guest.map(|_| margin(0.1, 0.2)), ..Scenario::default().rest };
            let scenario =
                Scenario { probes, seed, rest, stress, coupling, clock, rest_lead, rest_trail, ..Scenario::default() };
            let analysis = analysed(&simulate(&scenario).unwrap(), with_rest(&scenario));
            let layers = &analysis.layers;
            let kern = if stress.guest.is_some() { &layers.dom0 } else { &layers.kern };
            let mut found = vec![(kern, stress.kern), (&layers.user, user)];
            found.extend(stress.guest.map(|guest| (&layers.domu, guest)));
            for (sample, margin) in &found {
                assert_eq!(sample.len(), 9_800);
                for (p, truth) in [(0.5, margin.median_ns()), (0.99, margin.p99_ns())] {
                    let value = sample.percentile(p).unwrap();
                    // Four standard errors of the 99th percentile of the widest, which spans three decades, and what a tick is of the smallest.
                    let most = if p > 0.9 { 0.25 } else { 0.12 };
                    assert!(
                        (value / truth - 1.0).abs() < most,
                        "{environment} {stress_name} {p}: {value} and not {truth}"
                    );
                }
            }
            // Percentiles add up, because layers hang together here.
            let sum: f64 = found.iter().map(|(sample, _)| sample.percentile(0.99).unwrap()).sum();
            let total = layers.total.percentile(0.99).unwrap();
            assert!((total / sum - 1.0).abs() < 1e-3, "{environment} {stress_name}: {total} {sum}");
        }
    }
}

#[test]
fn percentiles_do_not_add_up_unless_layers_hang_together() {
    let scenario = Scenario { probes: 10_000, rest_lead: 100, rest_trail: 100, ..Scenario::default() };
    let layers = analysed(&simulate(&scenario).unwrap(), with_rest(&scenario)).layers;
    let sum = [&layers.kern, &layers.user].map(|sample| sample.percentile(0.99).unwrap()).iter().sum::<f64>();
    assert!(layers.total.percentile(0.99).unwrap() < 0.99 * sum);
}

#[test]
fn drift_intervals_hold_the_truth_as_often_as_they_say() {
    let (mut held, mut close, mut worst) = (0, 0, 0.0f64);
    for seed in 0..200u64 {
        // 40 at rest of a minute, with noise of 10 us.
        let drift_ppb = (seed as f64 - 100.0) * 1_000.0;
        let rest = Stack { kern: margin(0.051, 0.08), guest: None, user: margin(0.082, 0.1) };
        let clock = HostClock { offset_ns: 86_400_000_000_000, drift_ppb, step: None };
        let scenario = Scenario { seed, rest, clock, ..Scenario::default() };
        let analysis = analysed(&simulate(&scenario).unwrap(), with_rest(&scenario));
        let clock = analysis.clock.as_ref().unwrap();
        held += u32::from(clock.drift_ci_ppb.0 <= drift_ppb && drift_ppb <= clock.drift_ci_ppb.1);
        worst = worst.max((clock.drift_ppb - drift_ppb).abs());
        close += u32::from((clock.drift_ppb - drift_ppb).abs() < 100.0);
    }
    // A tenth of a part per million is two standard errors and more.
    assert!(close >= 190, "{close} of 200 within 0.1 ppm");
    assert!((181..=199).contains(&held), "{held} of 200");
    assert!(worst < 200.0, "{worst} ppb");
}

#[test]
fn send_and_receive_medians_lie_in_their_intervals() {
    let stress = Stack { kern: margin(0.5, 2.0), guest: None, user: margin(9.0, 20.0) };
    let rest = Stack { kern: margin(0.05, 0.06), guest: None, user: margin(0.08, 0.09) };
    let of = |probes, seed| {
        let (rest_lead, rest_trail) = (50, 50);
        Scenario { probes, seed, stress, rest, rest_lead, rest_trail, ..Scenario::default() }
    };
    // What is sampled, from very many.
    let many = simulate(&of(60_000, 999)).unwrap();
    let way = |truth: &Truth, leg: usize| match leg {
        0 => Some(truth.wire_send? - truth.user_send),
        _ => Some(truth.user_recv? - truth.wire_recv?),
    };
    let sample = |at_rest: bool, leg: usize| {
        let chosen = many.truth.iter().filter(move |truth| truth.at_rest == at_rest);
        chosen.filter_map(|truth| way(truth, leg)).map(|ns| ns as f64).collect::<Sample>()
    };
    let truth = [0, 1].map(|leg| sample(false, leg).percentile(0.5).unwrap() - sample(true, leg).mean().unwrap());
    let (mut held, runs) = ([0; 2], 100);
    for seed in 0..runs {
        let clock = HostClock { offset_ns: 3_600_000_000_000, drift_ppb: 20_000.0, step: None };
        let scenario = Scenario { clock, ..of(300, seed) };
        let analysis = analysed(&simulate(&scenario).unwrap(), with_rest(&scenario));
        let found = [&analysis.layers.send, &analysis.layers.receive];
        for ((held, sample), truth) in held.iter_mut().zip(found).zip(truth) {
            let estimate = sample.estimate(0.5).unwrap();
            *held += i32::from(estimate.low.unwrap() <= truth && truth <= estimate.high.unwrap());
        }
    }
    assert!(held.iter().all(|held| (88..=100).contains(held)), "{held:?} of {runs}");
}

#[test]
fn a_step_of_the_clock_is_found_where_it_was() {
    for by in [50_000_000, -50_000_000] {
        let clock = HostClock { offset_ns: 0, drift_ppb: 0.0, step: Some((120, by)) };
        let rest = Scenario::default().rest;
        let scenario = Scenario { clock, stress: rest, rest_lead: 0, rest_trail: 0, ..Scenario::default() };
        let experiment = simulate(&scenario).unwrap();
        let analysis = analysed(&experiment, with_rest(&scenario));
        let step = analysis.clock.as_ref().unwrap().step.unwrap();
        assert_eq!(step.by_at_least_ns > 0, by > 0);
        let at = experiment.truth[120].wire_send.unwrap();
        assert!(step.after_wire < at && at < step.before_wire + 1_000, "{at} and not {step:?}");
        assert!(step.before_wire - step.after_wire < 1_000_000_000, "{step:?}");
        assert!(analysis.notes.iter().any(|note| note.contains("a clock was stepped")), "{:?}", analysis.notes);
    }
}

#[test]
fn without_a_capture_of_the_kernel_its_stamps_are_those_of_the_log() {
    let scenario = Scenario { probes: 500, ..Scenario::default() };
    let experiment = simulate(&scenario).unwrap();
    let dir = tempfile::tempdir().unwrap();
    experiment.write(dir.path()).unwrap();
    let wire = Vantage::read("wire", &dir.path().join("wire.erf")).unwrap();
    let user = UserLog::read(&dir.path().join("user.csv")).unwrap();
    let places = Places { wire: &wire, kernel: None, dom0: None, user: Some(&user), others: &[] };
    let analysis = analyse(&places, with_rest(&scenario)).unwrap();
    // Given to the driver two microseconds after the capture would have seen it.
    let kern = analysis.layers.kern.percentile(0.5).unwrap();
    assert!((0.3e6..0.45e6).contains(&kern), "{kern}");
    assert!(analysis.notes.iter().any(|note| note.contains("its stamps are those in the log")));
    assert_eq!(analysis.layers.wakeup.len(), analysis.layers.kern.len());
}

#[test]
fn scenarios_that_cannot_be_are_refused_by_name() {
    let base = Scenario::default;
    for (scenario, words) in [
        (Scenario { probes: 65_537, ..base() }, "65537 probes cannot be told apart"),
        (Scenario { probes: 0, ..base() }, "0 probes"),
        (Scenario { probes: 40, ..base() }, "40 probes are to be at rest, and there are 40"),
        (Scenario { interval_ns: 0, ..base() }, "an interval of 0 ns"),
        (Scenario { probes: 65_536, other: 100, ..base() }, "100 packets of others"),
        (Scenario { loss: 1.5, ..base() }, "a share"),
        (Scenario { clock: HostClock { drift_ppb: f64::NAN, ..Default::default() }, ..base() }, "a drift of NaN"),
        (Scenario { clock: HostClock { offset_ns: i64::MIN, ..Default::default() }, ..base() }, "from 1970 to 2106"),
        (Scenario { start_ns: -1, ..base() }, "from 1970 to 2106"),
    ] {
        let error = simulate(&scenario).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let experiment = simulate(&base()).unwrap();
    experiment.write(dir.path()).unwrap();
    let again = experiment.write(dir.path()).unwrap_err().to_string();
    assert!(again.contains("wire.erf is there already"), "{again}");
    assert_eq!(simulate(&base()).unwrap(), experiment, "the same again");
}
