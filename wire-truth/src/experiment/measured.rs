//! [`Measured`]: the delays of a cell, and what they say of the instrument.

use std::path::Path;

use super::describe::{CellInfo, Environment};
use super::feedback::{Feedback, Known};
use super::tcp::TcpEstimate;
use crate::analysis::{Analysis, Options, analyse};
use crate::delay::{Places, Probe};
use crate::error::{Error, Repr};
use crate::stamping::Stamping;
use crate::stats::Sample;
use crate::user_log::UserLog;
use crate::vantage::{Pair, Vantage};
use crate::verdict::Thresholds;
use crate::verdict::signals::SignalLog;

/// The delays of a cell.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// All that its captures and its log tell.
    pub analysis: Analysis,
    /// What is derived from that, of the probes under stress.
    pub derived: Derived,
    /// How far the stamps of the wire are off.
    pub tap: Result<Tap, String>,
    /// What the host could tell of the probes without the wire; why not.
    pub feedback: Result<Feedback, String>,
    /// What TCP thought of the round trip meanwhile, where that was asked for.
    pub tcp: Option<TcpEstimate>,
}

/// Samples that follow from the stamps of each probe under stress, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Derived {
    /// Round trips of the kernel, of a guest if there is one, less those on the wire.
    pub kernel_total: Sample,
    /// The error of a ping that takes the program's stamp when sending and the kernel's when receiving.
    pub kernel_ping: Sample,
    /// The error of a ping that takes the driver's stamp when sending and the kernel's when receiving.
    pub driver_ping: Sample,
    /// From the driver to the wire, as the clocks show it: a delay where they are one.
    pub behind_driver: Sample,
    /// By how much the distance of two probes in a row on the wire is not that at which they were sent.
    pub spacing: Sample,
}

/// Stamps of the wire beside those of the host that are nearest to it: of one packet each, by one clock, so that they bound the error of the wire's
/// stamp from above. In nanoseconds.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Tap {
    /// What the host's stamps are of.
    pub beside: &'static str,
    /// From the host to the wire, at rest.
    pub out_rest: Sample,
    /// From the host to the wire, under stress.
    pub out_stress: Sample,
    /// From the wire to the host, at rest.
    pub in_rest: Sample,
    /// From the wire to the host, under stress.
    pub in_stress: Sample,
}

impl Tap {
    /// By how much a stamp of the wire is off at most, in nanoseconds: what lies between it and the host's, at rest, of 99 packets in 100.
    pub fn error_ns(&self) -> Option<u32> {
        let most = [&self.out_rest, &self.in_rest].map(|sample| sample.percentile(0.99)).into_iter().flatten();
        let most = most.max_by(f64::total_cmp).filter(|most| (0.0..f64::from(u32::MAX)).contains(most))?;
        // Within the type.
        Some(most.ceil() as u32)
    }
}

/// A stamp may seem so much earlier than what was before it, in nanoseconds: ticks of a card and roundings.
const JITTER: f64 = 1_000.0;

impl Measured {
    pub(super) fn read(folder: &Path, info: &CellInfo, thresholds: Option<&Thresholds>) -> Result<Self, Error> {
        let read = |name: &str| {
            info.place(name).map(|file| Vantage::read(format!("the {name}"), &folder.join(file))).transpose()
        };
        let wire = read("wire")?.unwrap_or_default();
        let (kernel, dom0) = (read("kernel")?, read("dom0")?);
        let named = ["wire", "kernel", "dom0"];
        let others = info.places.iter().filter(|place| !named.contains(&place.name.as_str()));
        let others: Vec<Vantage> =
            others.map(|place| Vantage::read(&place.name, &folder.join(&place.file))).collect::<Result<_, _>>()?;
        let user = info.user.as_ref().map(|file| UserLog::read(&folder.join(file))).transpose()?;
        let places =
            Places { wire: &wire, kernel: kernel.as_ref(), dom0: dom0.as_ref(), user: user.as_ref(), others: &others };
        let (rest_lead, rest_trail) = (info.rest_lead as usize, info.rest_trail as usize);
        let options = Options { ident: info.ident, rest_lead, rest_trail, ..Options::default() };
        let blind = analyse(&places, options)?;
        let tap = tap(&blind.each, stressed(&blind.each, info).len(), info, &places);
        // What the wire's stamps are off by is known now, and allowed for.
        let told = tap.as_ref().ok().and_then(Tap::error_ns);
        let wire =
            told.map(|error_ns| wire.clone().with_stamping(Stamping { error_ns: Some(error_ns), ..wire.stamping() }));
        let analysis = match &wire {
            Some(wire) => analyse(&Places { wire, ..places }, options)?,
            None => blind,
        };
        let derived = derived(stressed(&analysis.each, info), user.as_ref());
        let tcp = info.tcp.as_ref();
        let tcp = tcp.map(|file| TcpEstimate::read(&folder.join(file), stressed(&analysis.each, info))).transpose()?;
        let feedback = match (user, &info.signals) {
            (Some(user), Some(file)) => SignalLog::read(&folder.join(file))
                .map_err(|error| error.to_string())
                .and_then(|signals| Feedback::of(&Known::of(&analysis, info, user, signals), thresholds)),
            _ => Err("no signals of the host were sampled".to_owned()),
        };
        Ok(Self { analysis, derived, tap, feedback, tcp })
    }

    /// The sample of this name, as in JSON, and those that are derived: `kernel_total`, `kernel_ping`, `driver_ping`, `spacing`; `tcp_srtt` and
    /// `tcp_excess` ([`TcpEstimate`]); `error` of all probes that were judged, `believed` of those that are valid by signals of the host alone, and
    /// `kept`, which of each good one is 100 if it is valid by these, else 0.
    pub fn sample(&self, name: &str) -> Option<&Sample> {
        let (layers, derived) = (&self.analysis.layers, &self.derived);
        let by_signals = self.feedback.as_ref().map(|feedback| &feedback.scores[1]);
        Some(match name {
            "wire" => &layers.wire,
            "kern" => &layers.kern,
            "dom0" => &layers.dom0,
            "domu" | "domU" => &layers.domu,
            "user" => &layers.user,
            "total" => &layers.total,
            "send" => &layers.send,
            "receive" => &layers.receive,
            "syscall" => &layers.syscall,
            "qdisc" => &layers.qdisc,
            "driver" => &layers.driver,
            "wakeup" => &layers.wakeup,
            "kernel_total" => &derived.kernel_total,
            "kernel_ping" => &derived.kernel_ping,
            "driver_ping" => &derived.driver_ping,
            "spacing" => &derived.spacing,
            "tcp_srtt" => &self.tcp.as_ref()?.srtt,
            "tcp_excess" => &self.tcp.as_ref()?.excess,
            "error" => &by_signals.ok()?.unfiltered,
            "believed" => &by_signals.ok()?.filtered,
            "kept" => &self.feedback.as_ref().ok()?.kept,
            _ => return None,
        })
    }

    /// Whether the clocks of host and wire are one, as those of namespaces are: the fitted drift is 0 within its interval, and causality allows an
    /// offset of 0. `None` where they could not be related.
    pub fn one_clock(&self) -> Option<OneClock> {
        let clock = self.analysis.clock.as_ref().ok()?;
        let (low, high) = clock.drift_ci_ppb;
        let offset = clock.offset_low_ns? <= 0 && clock.offset_high_ns? >= 0;
        Some(OneClock { drift: low <= 0.0 && high >= 0.0, offset })
    }
}

/// The probes of the cell in `folder` with the truth about them, and the signals beside them.
///
/// # Errors
///
/// When a file of it cannot be read, or there are no signals.
pub fn known(folder: &Path) -> Result<Known, Error> {
    let info = CellInfo::read(&folder.join("cell.json"))?;
    let wrong = |what: String| Error::from(Repr::Described { path: folder.display().to_string(), what });
    if let Some(why) = info.invalid() {
        return Err(wrong(format!("it is not valid: {}", why.join("; "))));
    }
    let (Some(user), Some(signals)) = (&info.user, &info.signals) else {
        return Err(wrong("it has no log of probes, or none of signals".to_owned()));
    };
    let measured = Measured::read(folder, &info, None)?;
    let (user, signals) = (UserLog::read(&folder.join(user))?, SignalLog::read(&folder.join(signals))?);
    Ok(Known::of(&measured.analysis, &info, user, signals))
}

/// Whether two clocks are one, by what was fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OneClock {
    /// The drift is 0 within its interval of 95 %.
    pub drift: bool,
    /// An offset of 0 is allowed by causality.
    pub offset: bool,
}

impl OneClock {
    /// Both.
    pub const fn holds(self) -> bool {
        self.drift && self.offset
    }
}

/// The probes between those at rest.
fn stressed<'a>(each: &'a [Probe], info: &CellInfo) -> &'a [Probe] {
    let to = each.len().saturating_sub(info.rest_trail as usize);
    each.get(info.rest_lead as usize..to).unwrap_or_default()
}

fn derived(probes: &[Probe], user: Option<&UserLog>) -> Derived {
    let of =
        |value: &dyn Fn(&Probe) -> Option<i64>| probes.iter().filter_map(value).map(|ns| ns as f64).collect::<Sample>();
    let logged = |probe: &Probe| user.and_then(|user| user.get(probe.key));
    let sending = |probe: &Probe| Some(probe.wire.request? - logged(probe)?.user_send?);
    let spacing = probes.windows(2).filter_map(|pair| {
        let [one, next] = pair else { return None };
        Some((sending(next)? - sending(one)?).abs() as f64)
    });
    Derived {
        kernel_total: of(&|probe| Some(probe.rtt.kernel? - probe.rtt.wire?)),
        kernel_ping: of(&|probe| Some(probe.delay.total? - probe.delay.wakeup?)),
        driver_ping: of(&|probe| {
            let logged = logged(probe)?;
            Some(logged.kernel_recv? - logged.snd? - probe.rtt.wire?)
        }),
        behind_driver: of(&|probe| Some(probe.wire.request? - logged(probe)?.snd?)),
        spacing: spacing.collect(),
    }
}

/// The stamps of the host that are nearest to the wire: of a cell with a virtual interface those at the host's own, else of driver and kernel.
fn tap(each: &[Probe], stressed: usize, info: &CellInfo, places: &Places<'_>) -> Result<Tap, String> {
    let virtual_one = info.environment.has_virtual_interface();
    let beside = if virtual_one { "uplink of the host" } else { "driver, kernel" };
    let nearest = |probe: &Probe| -> Option<Pair> {
        if virtual_one {
            return places.dom0?.get(probe.key);
        }
        let logged = places.user.and_then(|user| user.get(probe.key));
        let captured = places.kernel.and_then(|kernel| kernel.get(probe.key));
        let request = logged.and_then(|probe| probe.snd);
        let reply = captured.and_then(|pair| pair.reply).or_else(|| logged.and_then(|probe| probe.kernel_recv));
        Some(Pair { request, reply })
    };
    let (lead, mut tap) = (info.rest_lead as usize, Tap { beside, ..Tap::default() });
    let [mut out_rest, mut out_stress, mut in_rest, mut in_stress] = [const { Vec::new() }; 4];
    for (at, probe) in each.iter().enumerate() {
        let Some(host) = nearest(probe) else { continue };
        // A cell at rest is at rest all along, and is told as what it stands for.
        let (out, back) = match (lead..lead + stressed).contains(&at) {
            true => (&mut out_stress, &mut in_stress),
            false => (&mut out_rest, &mut in_rest),
        };
        out.extend(probe.wire.request.zip(host.request).map(|(wire, host)| (wire - host) as f64));
        back.extend(host.reply.zip(probe.wire.reply).map(|(host, wire)| (host - wire) as f64));
    }
    (tap.out_rest, tap.out_stress) = (out_rest.into_iter().collect(), out_stress.into_iter().collect());
    (tap.in_rest, tap.in_stress) = (in_rest.into_iter().collect(), in_stress.into_iter().collect());
    let all = [&tap.out_rest, &tap.out_stress, &tap.in_rest, &tap.in_stress];
    if all.iter().all(|sample| sample.is_empty()) {
        return Err(format!("there are no stamps beside it ({beside})"));
    }
    // A packet is nowhere before it was sent, by one clock.
    if all.iter().any(|sample| sample.min().is_some_and(|least| least < -JITTER)) {
        return Err("the clocks of host and wire are not one, or a stamp is of another place".to_owned());
    }
    Ok(tap)
}

/// Whether the clocks of an environment are to be one: whether [`Measured::one_clock`] is a check of the instrument there.
pub(super) const fn is_check(environment: Environment) -> bool {
    environment.shares_clock()
}
