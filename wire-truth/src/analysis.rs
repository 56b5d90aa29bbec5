//! [`Analysis`]: everything that a run of probes tells.

use std::collections::BTreeSet;

use crate::clock::{Method, Point, Relation, points, relate};
use crate::delay::{Clocks, Places, Probe};
use crate::echo::ProbeKey;
use crate::error::{Error, Repr};
use crate::reuse::{self, Aligned};
use crate::same_run;
use crate::stamping;
use crate::stats::Sample;
use crate::user_log::UserLog;
use crate::vantage::Vantage;

/// What is to be analysed, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The identifier of the run; without it that of the log, or the one with the most probes on the wire.
    pub ident: Option<u16>,
    /// Probes at the begin that were sent at rest.
    pub rest_lead: usize,
    /// Probes at the end that were sent at rest.
    pub rest_trail: usize,
    /// A stamp of the program is off by so many nanoseconds at most, where that is known.
    pub user_error_ns: Option<u32>,
}

impl Options {
    fn has_rest(&self) -> bool {
        self.rest_lead > 0 || self.rest_trail > 0
    }
}

/// What sending and receiving delays are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reference {
    /// The mean of the probes at rest: 0 is as at rest.
    Rest,
    /// The fastest packet of that direction.
    Fastest,
}

impl Reference {
    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Fastest => "fastest",
        }
    }
}

/// Samples, layer by layer, in nanoseconds; empty where there is no such place.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Layers {
    /// Round trips on the wire.
    pub wire: Sample,
    /// Round trips of the kernel.
    pub kernel: Sample,
    /// Round trips at the physical side of the host of a guest.
    pub dom0_rtt: Sample,
    /// Round trips of the program.
    pub user_rtt: Sample,
    /// Kernel less wire.
    pub kern: Sample,
    /// Physical side of the host less wire.
    pub dom0: Sample,
    /// Guest less physical side.
    pub domu: Sample,
    /// Program less kernel.
    pub user: Sample,
    /// Program less wire.
    pub total: Sample,
    /// Sending, see [`Analysis::reference`].
    pub send: Sample,
    /// Receiving.
    pub receive: Sample,
    /// Sending: the system call.
    pub syscall: Sample,
    /// Sending: in the queueing discipline.
    pub qdisc: Sample,
    /// Sending: from the driver to the wire, counted as sending is.
    pub driver: Sample,
    /// Receiving: from the kernel to the program.
    pub wakeup: Sample,
}

/// A place that is none of those with a name of their own.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Other {
    /// What it was called.
    pub name: String,
    /// Round trips there.
    pub rtt: Sample,
    /// These less those on the wire.
    pub over_wire: Sample,
    /// The next place towards the wire, of the others in their order or dom0, and round trips here less those there: what lies between has added
    /// so much. `None` where the next is the wire.
    pub over_next: Option<(String, Sample)>,
}

/// A run of probes, analysed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Analysis {
    /// The identifier of the run.
    pub ident: u16,
    /// Probes that were sent: in the log, in the kernel's capture, or on the wire.
    pub probes: u64,
    /// Of these, with request and reply on the wire and at another place at least.
    pub matched: u64,
    /// Of these, without a reply on the wire.
    pub lost: u64,
    /// Packets of the run that came on the wire again.
    pub duplicates: u64,
    /// Probes on the wire with this identifier that are of another run.
    pub foreign: u64,
    /// Replies on the wire behind one of a later probe (RFC 4737).
    pub reordered: u64,
    /// The host's clock and that of the wire; `None` with the reason where they could not be related.
    pub clock: Result<Relation, String>,
    /// The same by every method, for comparison.
    pub fits: Vec<Relation>,
    /// What sending and receiving are counted from.
    pub reference: Reference,
    /// Delays of the probes between those at rest; of all, where none were.
    pub layers: Layers,
    /// Other places.
    pub others: Vec<Other>,
    /// Every probe, in order.
    pub each: Vec<Probe>,
    /// Stamps are those of the last bit of each frame, whichever moment they were taken at: that was told of all captures.
    pub is_at_end: bool,
    /// How far stamps may be off.
    pub errors: StampErrors,
    /// What of it was made up by [`simulate`](crate::simulate): names of places. Nothing then is a measurement.
    pub simulated: Vec<String>,
    /// Probes at rest that are in no delay.
    pub left_out: u64,
    /// What is to be known before any of this is believed.
    pub notes: Vec<String>,
}

/// By how many nanoseconds a stamp of a place is off at most, where that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StampErrors {
    /// On the wire.
    pub wire: Option<u32>,
    /// Of the kernel's capture.
    pub kernel: Option<u32>,
    /// At the physical side of the host of a guest.
    pub dom0: Option<u32>,
    /// Of the program.
    pub user: Option<u32>,
}

impl StampErrors {
    fn of(places: &Places<'_>, options: Options) -> Self {
        let of = |place: Option<&Vantage>| place.and_then(|place| place.stamping().error_ns);
        let rounding = places.user.map(UserLog::resolution).filter(|ns| *ns > 1);
        Self {
            wire: of(Some(places.wire)),
            kernel: of(places.kernel),
            dom0: of(places.dom0),
            user: options.user_error_ns.or_else(|| u32::try_from(rounding?).ok()),
        }
    }

    /// Of one stamp at each of two places, together.
    pub fn between(one: Option<u32>, other: Option<u32>) -> Option<i64> {
        Some(i64::from(one?) + i64::from(other?))
    }
}

/// Analyses the probes of `places`.
///
/// # Errors
///
/// When no probe was seen both on the wire and elsewhere, more are said to be at rest than there are, or a place has stamped another run with the
/// same identifier.
pub fn analyse(places: &Places<'_>, options: Options) -> Result<Analysis, Error> {
    let log_ident = places.user.and_then(|user| Some(user.probes().next()?.0.ident)).filter(|ident| *ident != 0);
    let ident = options.ident.or(log_ident).or_else(|| places.wire.main_ident());
    let ident = ident.ok_or_else(|| Repr::NoEchoes { name: places.wire.name().to_owned() })?;
    let ended = stamping::at_end(places);
    let own = ended.as_ref().ok().and_then(Option::as_ref).map(|ended| ended.places(places));
    let is_at_end = own.is_some();
    let places = own.as_ref().unwrap_or(places);
    let aligned = reuse::align(places, ident);
    let own = aligned.as_ref().map(|aligned| aligned.places(places));
    let places = own.as_ref().unwrap_or(places);
    let errors = StampErrors::of(places, options);
    // What is not known is not allowed for.
    let off = |host: Option<u32>| StampErrors::between(errors.wire.or(Some(0)), host.or(Some(0))).unwrap_or(0);
    let host_error = off(if places.kernel.is_some() { errors.kernel } else { errors.user });
    let of_run = |key: &ProbeKey| key.ident == ident;
    let sent = places.sent(ident);
    if sent.is_empty() {
        return Err(nothing_in_common(places, ident));
    }
    let resting = options.rest_lead.saturating_add(options.rest_trail);
    if resting > 0 && resting >= sent.len() {
        return Err(Repr::AllAtRest { resting, probes: sent.len() }.into());
    }
    let all = points(places.wire, |key| places.host(key).filter(|_| of_run(&key)));
    let at_rest: BTreeSet<ProbeKey> = match options.has_rest() {
        true => {
            let trail = sent.len() - options.rest_trail;
            sent.iter()
                .enumerate()
                .filter(|(at, _)| *at < options.rest_lead || *at >= trail)
                .map(|(_, key)| *key)
                .collect()
        }
        false => sent.iter().copied().collect(),
    };
    // At rest least squares is best; where anything may have been delayed, the median of slopes bears it.
    let method = if options.has_rest() { Method::LeastSquares } else { Method::TheilSen };
    let rest = |point: &Point| at_rest.contains(&point.key);
    let clock = relate(&all, method, host_error, rest).map_err(|error| error.to_string());
    let ends = points(places.wire, |key| places.ends(key).filter(|_| of_run(&key)));
    let directions = relate(&ends, method, off(errors.user), rest).ok();
    let driver = points(places.wire, |key| places.driver(key).filter(|_| of_run(&key)));
    let driver = relate(&driver, method, off(errors.user), rest).ok();
    let fits = [Method::LeastSquares, Method::TheilSen, Method::LowerEnvelope].map(|each| match each == method {
        true => clock.clone(),
        false => relate(&all, each, host_error, rest).map_err(|error| error.to_string()),
    });
    let clocks = Clocks { host: clock.as_ref().ok(), ends: directions.as_ref(), driver: driver.as_ref() };
    let each = places.probes(&sent, clocks);
    let reference = if options.has_rest() { Reference::Rest } else { Reference::Fastest };
    let between = each.iter().filter(|probe| !options.has_rest() || !at_rest.contains(&probe.key));
    let layers = layers(between.clone(), reference);
    let others = others(places, between.clone(), clocks.host);
    let complete = |probe: &&Probe| {
        let elsewhere = [probe.rtt.kernel, probe.rtt.dom0, probe.rtt.user];
        let other = |place: &Vantage| place.get(probe.key).and_then(|pair| pair.rtt()).is_some();
        probe.rtt.wire.is_some() && (elsewhere.iter().any(Option::is_some) || places.others.iter().any(other))
    };
    let matched = each.iter().filter(complete).count() as u64;
    if matched == 0 {
        return Err(nothing_in_common(places, ident));
    }
    // Stamps of captures are rounded to a microsecond, where nothing is told of them.
    let rounding = off(errors.user).max(off(errors.kernel)).saturating_add(2_000);
    let same = same_run::check(places, ident, rounding);
    let same = same.map_err(|[one, other, what]| Repr::OtherRun { one, other, what })?;
    let probes = sent.len() as u64;
    let lost = each.iter().filter(|probe| probe.rtt.wire.is_none()).count() as u64;
    let on_wire = sent.iter().filter(|key| places.wire.get(**key).is_some()).count() as u64;
    let mut notes = notes(places, clock.as_ref().ok(), &layers, probes, on_wire);
    notes.extend(same);
    notes.extend(aligned.as_ref().and_then(reused));
    notes.extend(ended.as_ref().err().map(|unknown| {
        format!("the time that a frame takes to pass is not taken out: --stamps does not tell {}", unknown.join(", "))
    }));
    Ok(Analysis {
        ident,
        probes,
        matched,
        lost,
        duplicates: places.wire.duplicates(ident),
        foreign: aligned.as_ref().map_or(0, |aligned| aligned.foreign),
        reordered: reordered(places.wire, ident),
        clock,
        fits: fits.into_iter().flatten().collect(),
        reference,
        layers,
        others,
        each,
        is_at_end,
        errors,
        simulated: simulated(places),
        left_out: if options.has_rest() { at_rest.len() as u64 } else { 0 },
        notes,
    })
}

fn simulated(places: &Places<'_>) -> Vec<String> {
    let captures = [Some(places.wire), places.kernel, places.dom0].into_iter().flatten().chain(places.others);
    let captures = captures.filter(|place| place.is_simulated()).map(Vantage::whole_name);
    captures.chain(places.user.filter(|user| user.is_simulated()).map(|user| user.name().to_owned())).collect()
}

fn layers<'a>(probes: impl Iterator<Item = &'a Probe> + Clone, reference: Reference) -> Layers {
    let of =
        |value: fn(&Probe) -> Option<i64>| probes.clone().filter_map(value).map(|ns| ns as f64).collect::<Sample>();
    let excess = |value: fn(&Probe) -> Option<f64>| {
        let sample: Sample = probes.clone().filter_map(value).collect();
        let zero = if reference == Reference::Fastest { sample.min().unwrap_or(0.0) } else { 0.0 };
        probes.clone().filter_map(value).map(|ns| ns - zero).collect::<Sample>()
    };
    Layers {
        wire: of(|probe| probe.rtt.wire),
        kernel: of(|probe| probe.rtt.kernel),
        dom0_rtt: of(|probe| probe.rtt.dom0),
        user_rtt: of(|probe| probe.rtt.user),
        kern: of(|probe| probe.delay.kern),
        dom0: of(|probe| probe.delay.dom0),
        domu: of(|probe| probe.delay.domu),
        user: of(|probe| probe.delay.user),
        total: of(|probe| probe.delay.total),
        send: excess(|probe| probe.delay.send),
        receive: excess(|probe| probe.delay.receive),
        syscall: of(|probe| probe.delay.syscall),
        qdisc: of(|probe| probe.delay.qdisc),
        driver: excess(|probe| probe.delay.driver),
        wakeup: of(|probe| probe.delay.wakeup),
    }
}

/// The places beside those with a name of their own. That their clocks are the host's is all that can be said of them.
fn others<'a>(
    places: &Places<'_>,
    probes: impl Iterator<Item = &'a Probe> + Clone,
    clock: Option<&Relation>,
) -> Vec<Other> {
    let scaled = |rtt: i64| clock.map_or(rtt, |relation| relation.to_wire_ns(rtt));
    let at = |place: &Vantage, key: ProbeKey| place.get(key).and_then(|pair| pair.rtt()).map(scaled);
    let of = |place: &Vantage, less: &dyn Fn(&Probe) -> Option<i64>| {
        probes.clone().filter_map(|probe| Some((at(place, probe.key)? - less(probe)?) as f64)).collect::<Sample>()
    };
    let next = |number: usize| match (places.others.get(number + 1), places.dom0) {
        (Some(other), _) => Some((other.name().to_owned(), of(&places.others[number], &|probe| at(other, probe.key)))),
        (None, Some(_)) => Some(("dom0".to_owned(), of(&places.others[number], &|probe| probe.rtt.dom0))),
        (None, None) => None,
    };
    let each = places.others.iter().enumerate().map(|(number, place)| Other {
        name: place.name().to_owned(),
        rtt: of(place, &|_| Some(0)),
        over_wire: of(place, &|probe| probe.rtt.wire),
        over_next: next(number),
    });
    each.collect()
}

/// Replies that came behind one of a later probe.
fn reordered(wire: &Vantage, ident: u16) -> u64 {
    let of_run = wire.probes().filter(|(key, _)| key.ident == ident);
    let mut replies: Vec<(i64, i64)> = of_run.filter_map(|(_, pair)| Some((pair.reply?, pair.request?))).collect();
    replies.sort_unstable();
    let mut latest = i64::MIN;
    let behind = replies.iter().filter(|(_, request)| {
        latest = latest.max(*request);
        *request < latest
    });
    behind.count() as u64
}

fn nothing_in_common(places: &Places<'_>, ident: u16) -> Error {
    let idents = |keys: &mut dyn Iterator<Item = ProbeKey>| {
        let idents: BTreeSet<u16> = keys.map(|key| key.ident).collect();
        match idents.len() {
            0 => "none".to_owned(),
            1..=8 => idents.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
            many => format!("{many} of them"),
        }
    };
    let mut seen =
        vec![format!("{} has identifiers {}", places.wire.name(), idents(&mut places.wire.probes().map(|one| one.0)))];
    for place in [places.kernel, places.dom0].into_iter().flatten().chain(places.others) {
        seen.push(format!("{} has {}", place.name(), idents(&mut place.probes().map(|one| one.0))));
    }
    if let Some(user) = places.user {
        seen.push(format!("the log has {}", idents(&mut user.probes().map(|one| one.0))));
    }
    Repr::NothingInCommon { ident, seen: seen.join("; ") }.into()
}

fn reused(aligned: &Aligned) -> Option<String> {
    if aligned.doubtful {
        return Some(
            "several runs with this identifier fit; that is taken in which the clocks differ the least".to_owned(),
        );
    }
    (aligned.foreign > 0).then(|| {
        format!("{} probes on the wire have this identifier and are of another run: they are left out", aligned.foreign)
    })
}

fn notes(places: &Places<'_>, clock: Option<&Relation>, layers: &Layers, probes: u64, on_wire: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if probes > on_wire {
        notes.push(format!("{} probes that were sent were not seen on the wire", probes - on_wire));
    }
    if places.wire.count().defects > 0 {
        notes.push(format!(
            "{} has {} damaged places: probes may be missing",
            places.wire.name(),
            places.wire.count().defects
        ));
    }
    let layers = [("the program", &layers.total), ("the kernel", &layers.kern)];
    for (name, sample) in layers {
        let early = sample.sorted().iter().filter(|ns| **ns < 0.0).count();
        if early * 10 > sample.len() {
            notes.push(format!(
                "{early} of {} round trips were shorter for {name} than on the wire: places are swapped, or files are of different runs",
                sample.len()
            ));
        }
    }
    if let Some(user) = places.user.filter(|user| user.resolution() > 1) {
        notes.push(format!("round trips of the log are rounded to {} ns", user.resolution()));
    }
    if places.kernel_is_in_log() {
        notes.push(
            "without a capture of the kernel its stamps are those in the log: given to the driver, and received"
                .to_owned(),
        );
    }
    let Some(clock) = clock else { return notes };
    if let Some(step) = clock.step {
        notes.push(format!(
            "a clock was stepped, between the wire's stamps {2} and {3}: from there on the host's is at least {0} ns further {1} than before; neither the \
             drift nor any delay is to be trusted",
            step.by_at_least_ns.abs(),
            if step.by_at_least_ns > 0 { "ahead" } else { "behind" },
            step.after_wire,
            step.before_wire
        ));
    }
    if clock.contradiction_ns() > 0 {
        notes.push(format!(
            "a reply was received {} ns before it was on the wire, or a request sent after it: a clock was stepped, or a stamp is of another \
             place",
            clock.contradiction_ns()
        ));
    }
    if let Some(seconds) = clock.whole_seconds() {
        let tai = if seconds.abs() == 37 { ", which is what TAI is ahead of UTC" } else { "" };
        notes.push(format!("the clocks differ by {seconds} whole seconds{tai}"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::{Echo, Leg};
    use crate::stamping::{StampPoint, Stamping};
    use crate::user_log::{HEADER, UserLog};

    const START: i64 = 1_700_000_000_000_000_000;

    /// A run of 120 probes, of which the middle 80 wait 9 ms in the host when sent; the host is an hour ahead and 20 ppm too fast. Each twentieth is
    /// lost.
    fn run() -> (Vantage, Vantage, UserLog) {
        let (mut wire, mut kernel) = (Vantage::new("wire"), Vantage::new("kernel"));
        let mut lines = format!("{HEADER}\n");
        let host = |time: i64| time + 3_600_000_000_000 + ((time - START) as f64 * 20e-6).round() as i64;
        for seq in 0..120u16 {
            let key = ProbeKey::new(9, seq);
            let sent = START + i64::from(seq) * 250_000_000 + i64::from(seq % 7) * 500;
            let waits = if (20..100).contains(&seq) { 9_000_000 } else { 0 };
            let (ws, wr) = (sent + 50_000 + waits, sent + 350_000 + waits);
            wire.stamp(key, Leg::Request, ws);
            kernel.stamp(key, Leg::Request, host(ws - 5_000));
            let mut recv = String::new();
            if seq % 20 != 10 {
                wire.stamp(key, Leg::Reply, wr);
                kernel.stamp(key, Leg::Reply, host(wr + 10_000));
                recv = host(wr + 60_000).to_string();
            }
            lines += &format!("9,{seq},100,{},,,,,{recv}\n", host(sent));
        }
        (wire, kernel, UserLog::parse(&lines, "log").unwrap())
    }

    fn near(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() < 2_000.0)
    }

    #[test]
    fn a_run_is_taken_apart() {
        let (wire, kernel, user) = run();
        let places = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: Some(&user), others: &[] };
        let options = Options { rest_lead: 20, rest_trail: 20, ..Options::default() };
        let analysis = analyse(&places, options).unwrap();
        assert_eq!((analysis.ident, analysis.probes, analysis.matched, analysis.lost), (9, 120, 114, 6));
        let layers = &analysis.layers;
        assert_eq!(layers.kern.len(), 76, "those between the ones at rest, without the lost");
        assert!(near(layers.kern.percentile(0.5), 15_000.0), "{:?}", layers.kern.percentile(0.5));
        assert!(near(layers.user.percentile(0.5), 9_095_000.0));
        assert!(near(layers.total.percentile(0.5), 9_110_000.0));
        assert!(near(layers.send.percentile(0.5), 9_000_000.0), "{:?}", layers.send.percentile(0.5));
        assert!(near(layers.receive.percentile(0.5), 0.0));
        let clock = analysis.clock.as_ref().unwrap();
        assert!((clock.drift_ppb - 20_000.0).abs() < 100.0, "{}", clock.drift_ppb);
        let (low, high) = (clock.offset_low_ns.unwrap(), clock.offset_high_ns.unwrap());
        assert!((low..=high).contains(&3_600_000_050_000) || (low..=high).contains(&3_600_000_000_000), "{low} {high}");
        assert!(analysis.notes.iter().any(|note| note.contains("3600 whole seconds")), "{:?}", analysis.notes);

        // Without knowing which were at rest: the fastest are 0.
        let analysis = analyse(&places, Options::default()).unwrap();
        assert_eq!((analysis.reference, analysis.layers.kern.len()), (Reference::Fastest, 114));
        assert!(near(analysis.layers.send.min(), 0.0) && near(analysis.layers.send.percentile(0.5), 9_000_000.0));
    }

    #[test]
    fn runs_that_do_not_belong_together_are_told_apart() {
        let (wire, kernel, _) = run();
        let other = UserLog::parse(&format!("{HEADER}\n8,1,100,5,,,,,9\n"), "log").unwrap();
        let places = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: Some(&other), others: &[] };
        let error = analyse(&places, Options::default()).unwrap_err().to_string();
        assert!(error.contains("wire has identifiers 9") && error.contains("the log has 8"), "{error}");
        let empty = Vantage::new("wire");
        let places = Places { wire: &empty, kernel: Some(&kernel), dom0: None, user: None, others: &[] };
        assert!(analyse(&places, Options::default()).unwrap_err().to_string().contains("no probe in it"));
        let places = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: None, others: &[] };
        let options = Options { rest_lead: 60, rest_trail: 60, ..Options::default() };
        assert!(analyse(&places, options).unwrap_err().to_string().contains("120 probes are said to be at rest"));
    }

    /// A run on a link of 100 Mb/s: requests of 64 bytes, replies of 1518; the wire is stamped at the begin of a frame, the kernel as kernels do.
    /// Both are at the same place.
    fn at_one_place() -> (Vantage, Vantage) {
        let rate = std::num::NonZeroU64::new(100_000_000);
        let known = |request, reply| Stamping { request, reply, bits_per_second: rate, error_ns: None };
        let (start, end) = (Some(StampPoint::Start), Some(StampPoint::End));
        let mut wire = Vantage::new("wire").with_stamping(known(start, start));
        let mut kernel = Vantage::new("kernel").with_stamping(known(start, end));
        for seq in 0..50u16 {
            let sent = START + i64::from(seq) * 250_000_000;
            let echo = |leg, bytes| Echo { ident: 9, seq, leg, content: 0, identification: None, cut: false, bytes };
            for (place, late) in [(&mut wire, 0), (&mut kernel, 121_440)] {
                place.note(echo(Leg::Request, 64), sent);
                place.note(echo(Leg::Reply, 1518), sent + 300_000 + late);
            }
        }
        (wire, kernel)
    }

    #[test]
    fn the_time_of_a_frame_is_taken_out_where_it_is_known_of_all_places() {
        let (wire, kernel) = at_one_place();
        let of = |wire: &Vantage, kernel: &Vantage| {
            let places = Places { wire, kernel: Some(kernel), dom0: None, user: None, others: &[] };
            analyse(&places, Options::default()).unwrap()
        };
        let known = of(&wire, &kernel);
        assert!(known.is_at_end && known.notes.is_empty(), "{:?}", known.notes);
        assert_eq!((known.layers.kern.min(), known.layers.kern.max()), (Some(0.0), Some(0.0)), "the same place");
        // The reply is longer than the request by 1454 bytes.
        assert_eq!(known.layers.wire.min(), Some(300_000.0 + 1_454.0 * 80.0));
        let unknown = of(&wire, &kernel.clone().with_stamping(Stamping::default()));
        assert!(!unknown.is_at_end);
        assert_eq!((unknown.layers.kern.min(), unknown.layers.wire.min()), (Some(121_440.0), Some(300_000.0)));
        assert_eq!(
            unknown.notes,
            [
                "the time that a frame takes to pass is not taken out: --stamps does not tell the moment (start or end) of kernel"
            ]
        );
        // Of nothing anything is told: nothing is to be said.
        let plain = |place: &Vantage| place.clone().with_stamping(Stamping::default());
        assert!(of(&plain(&wire), &plain(&kernel)).notes.is_empty());
    }

    #[test]
    fn stamps_that_may_be_off_contradict_nothing_within_that() {
        let (wire, kernel) = at_one_place();
        let off = |place: &Vantage, error_ns| place.clone().with_stamping(Stamping { error_ns, ..Stamping::default() });
        // Requests seem to be on the wire 5 us before they are sent: these and replies would have the clock be both ahead and behind.
        let mut early = Vantage::new("kernel");
        for (key, pair) in kernel.probes() {
            early.stamp(key, Leg::Request, pair.request.unwrap() + 5_000);
            early.stamp(key, Leg::Reply, pair.reply.unwrap() - 121_440);
        }
        let of = |wire_error, kernel_error| {
            let (wire, kernel) = (off(&wire, wire_error), off(&early, kernel_error));
            let places = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: None, others: &[] };
            analyse(&places, Options::default()).unwrap()
        };
        let relation = |error| of(error, error).clock.unwrap();
        assert_eq!((relation(None).contradiction_ns(), relation(Some(1_000)).contradiction_ns()), (5_000, 1_000));
        let relation = relation(Some(2_000));
        assert_eq!(relation.contradiction_ns(), 0);
        assert_eq!((relation.offset_low_ns, relation.offset_high_ns), (Some(1_000), Some(4_000)));
        assert_eq!(of(Some(1), None).errors.wire, Some(1));
    }

    #[test]
    fn other_places_are_a_chain_towards_the_wire() {
        let (mut wire, mut far, mut near, mut dom0) =
            (Vantage::new("wire"), Vantage::new("far"), Vantage::new("near"), Vantage::new("dom0"));
        for seq in 0..9u16 {
            let sent = START + i64::from(seq) * 250_000_000;
            for (place, out) in [(&mut wire, 0), (&mut dom0, 10), (&mut near, 300), (&mut far, 4_000)] {
                place.stamp(ProbeKey::new(9, seq), Leg::Request, sent - out);
                place.stamp(ProbeKey::new(9, seq), Leg::Reply, sent + 50_000);
            }
        }
        let all = [far, near];
        let places = Places { wire: &wire, kernel: None, dom0: None, user: None, others: &all };
        let found = analyse(&places, Options::default()).unwrap().others;
        let next = |other: &Other| other.over_next.clone().map(|(name, sample)| (name, sample.min().unwrap()));
        assert_eq!((found[0].over_wire.min(), next(&found[0])), (Some(4_000.0), Some(("near".to_owned(), 3_700.0))));
        assert_eq!((found[1].over_wire.min(), next(&found[1])), (Some(300.0), None));
        let found = analyse(&Places { dom0: Some(&dom0), ..places }, Options::default()).unwrap().others;
        assert_eq!(next(&found[1]), Some(("dom0".to_owned(), 290.0)));
    }
}
