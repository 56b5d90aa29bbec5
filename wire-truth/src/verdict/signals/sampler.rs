//! [`Sampler`]: reads the signals of this host. It keeps its files open, and asks for nothing that walks through memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

use super::log::{SignalContext, SignalSample};
use super::netlink::Netlink;
use super::proc::{self, Softnet};
use super::queue::{Interface, Queue};
use super::run_delay::RunDelays;

/// Bytes that are read of a file. `/proc/stat` has what is wanted in its first line.
const MOST: usize = 1 << 14;

/// Whose run delay is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunDelayOf {
    /// All threads of a process, but for the one that samples.
    Process(u32),
    /// All threads that are seen in `/proc`. That costs some microseconds for each of them.
    Visible,
}

/// What is to be sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Whose run delay is counted, and whose cgroup's pressure.
    pub run_delay: RunDelayOf,
    /// The interface that probes leave by; without one no queue is seen.
    pub interface: Option<Interface>,
    /// The user says that this interface is the last before the wire: its queue is what is sampled.
    pub uplink: Option<Interface>,
}

impl Watch {
    /// The last queue before the wire, as far as it is known.
    pub fn queue(&self) -> Queue {
        let is_guest = || fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| proc::has_hypervisor(&text));
        match (&self.uplink, &self.interface) {
            (Some(_), _) => Queue::Own,
            (None, Some(interface)) => interface.queue(is_guest()),
            (None, None) => Queue::Hidden("the interface that probes leave by is not known".to_owned()),
        }
    }
}

/// Reads the signals of this host, each time what was added since the last time.
#[derive(Debug)]
pub struct Sampler {
    watch: Watch,
    pressure: [Option<File>; 3],
    pressure_of: String,
    stat: Option<File>,
    softnet: Option<File>,
    netlink: Option<Netlink>,
    ns_per_tick: i64,
    run_delays: RunDelays,
    before: Reading,
    text: Vec<u8>,
}

/// Counters as they are read.
#[derive(Debug, Default)]
struct Reading {
    at: i64,
    even: i64,
    pressure: [Option<u64>; 3],
    steal: Option<u64>,
    softnet: Option<Vec<Softnet>>,
}

impl Sampler {
    /// Opens what there is, in the namespace of the thread that calls. What is not there is empty in each sample, and named in
    /// the [context](Self::context).
    pub fn new(watch: Watch) -> Self {
        let (folder, pressure_of) = pressure(&watch);
        let pressure = folder.map(|path| File::open(path).ok());
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().filter(|ticks| *ticks > 0).unwrap_or(100);
        let mut sampler = Self {
            watch,
            pressure,
            pressure_of,
            stat: steal_is_counted().then(|| File::open("/proc/stat").ok()).flatten(),
            // Of this thread, which may be in another namespace than the first of the process.
            softnet: File::open("/proc/thread-self/net/softnet_stat").ok(),
            netlink: Netlink::open().ok(),
            ns_per_tick: 1_000_000_000 / ticks,
            run_delays: RunDelays::default(),
            before: Reading::default(),
            text: vec![0; MOST],
        };
        sampler.sample();
        sampler
    }

    /// The lines at the head of a log.
    pub fn context(&self) -> SignalContext {
        let mut context = SignalContext::default();
        let name = |interface: &Option<Interface>| interface.as_ref().map(|interface| interface.name.clone());
        if let Some(interface) = &self.watch.interface {
            context.add("interface", &interface.name);
            context.add("interface kind", interface.what());
        }
        if let Some(uplink) = name(&self.watch.uplink) {
            context.add("uplink", uplink);
        }
        context.add("queue", self.watch.queue());
        context.add("pressure", &self.pressure_of);
        context.add(
            "run delay",
            match self.watch.run_delay {
                RunDelayOf::Process(pid) => format!("of process {pid}"),
                RunDelayOf::Visible => "of all threads that are seen".to_owned(),
            },
        );
        let seen = [
            ("cpu pressure", self.before.pressure[0].is_some()),
            ("I/O pressure", self.before.pressure[1].is_some()),
            ("memory pressure", self.before.pressure[2].is_some()),
            ("steal", self.before.steal.is_some()),
            ("softnet", self.before.softnet.is_some()),
            ("qdisc backlog", self.netlink.is_some() && self.queue_index().is_some()),
        ];
        let missing: Vec<&str> = seen.into_iter().filter(|(_, seen)| !seen).map(|(name, _)| name).collect();
        if !missing.is_empty() {
            context.add("not seen", missing.join(", "));
        }
        context
    }

    fn queue_index(&self) -> Option<u32> {
        self.watch.uplink.as_ref().or(self.watch.interface.as_ref()).map(|interface| interface.index)
    }

    /// What was added since the last time.
    pub fn sample(&mut self) -> SignalSample {
        let now = self.read();
        let before = std::mem::replace(&mut self.before, now);
        let now = &self.before;
        let (at, interval) = (now.at, now.even - before.even);
        let process = match self.watch.run_delay {
            RunDelayOf::Process(pid) => Some(pid),
            RunDelayOf::Visible => None,
        };
        let added = |now: Option<u64>, before: Option<u64>| i64::try_from(now?.saturating_sub(before?)).ok();
        let [cpu, io, memory] = [0, 1, 2].map(|each| added(now.pressure[each], before.pressure[each]));
        let steal = added(now.steal, before.steal).map(|ticks| ticks.saturating_mul(self.ns_per_tick));
        let softnet = softnet_added(now.softnet.as_deref(), before.softnet.as_deref());
        let backlog = match (self.queue_index(), &mut self.netlink) {
            (Some(index), Some(netlink)) => netlink.backlog(index).ok(),
            _ => None,
        };
        SignalSample {
            at,
            interval,
            cpu_some_us: cpu,
            io_some_us: io,
            memory_some_us: memory,
            run_delay_ns: self.run_delays.since(process),
            steal_ns: steal,
            softnet_dropped: softnet.map(|(dropped, _)| dropped),
            softnet_squeezed: softnet.map(|(_, squeezed)| squeezed),
            qdisc_backlog_bytes: backlog.map(|(bytes, _)| bytes),
            qdisc_backlog_packets: backlog.map(|(_, packets)| packets),
        }
    }

    fn read(&mut self) -> Reading {
        let text = &mut self.text;
        let (at, even) = both_clocks();
        let pressure = self.pressure.each_ref().map(|file| proc::pressure_some(reread(file.as_ref(), text)?));
        let steal = reread(self.stat.as_ref(), text).and_then(proc::steal_ticks);
        let softnet = reread(self.softnet.as_ref(), text).and_then(proc::softnet);
        Reading { at, even, pressure, steal, softnet }
    }
}

fn steal_is_counted() -> bool {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let clocks = read("/sys/devices/system/clocksource/clocksource0/available_clocksource");
    let ticks = proc::steal_ticks(&read("/proc/stat")).unwrap_or(0);
    proc::counts_steal(proc::has_hypervisor(&read("/proc/cpuinfo")), &clocks, ticks)
}

/// The time of day and the even clock, of one moment: a thread may be stopped between the two, and then asks again.
fn both_clocks() -> (i64, i64) {
    let mut both = (0, 0);
    for _ in 0..5 {
        let before = clock(ClockId::CLOCK_MONOTONIC);
        both = (clock(ClockId::CLOCK_REALTIME), before);
        if clock(ClockId::CLOCK_MONOTONIC) - before < 50_000 {
            break;
        }
    }
    both
}

fn clock(clock: ClockId) -> i64 {
    // Until the year 2262.
    clock_gettime(clock).map_or(0, |time| time.tv_sec().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec()))
}

/// The begin of a file of `/proc`, which is made anew for each reader that starts at its begin.
fn reread<'a>(file: Option<&File>, text: &'a mut [u8]) -> Option<&'a str> {
    let len = file?.read_at(text, 0).ok()?;
    std::str::from_utf8(text.get(..len)?).ok()
}

fn softnet_added(now: Option<&[Softnet]>, before: Option<&[Softnet]>) -> Option<(i64, i64)> {
    let (now, before) = (now?, before?);
    // A CPU was taken away or added: what belongs together is not known.
    let pairs = (now.len() == before.len()).then(|| now.iter().zip(before))?;
    Some(pairs.fold((0, 0), |(dropped, squeezed), (now, before)| {
        let added = |now: u32, before: u32| i64::from(now.wrapping_sub(before));
        (dropped + added(now.dropped, before.dropped), squeezed + added(now.squeezed, before.squeezed))
    }))
}

/// The files of pressure, and whose that is: of the cgroup of the process, where it has one with files of its own, else of the machine.
fn pressure(watch: &Watch) -> ([PathBuf; 3], String) {
    let own = match watch.run_delay {
        RunDelayOf::Process(pid) => own_cgroup(pid),
        RunDelayOf::Visible => None,
    };
    let names = ["cpu", "io", "memory"];
    match own {
        Some((folder, name)) => {
            (names.map(|each| folder.join(format!("{each}.pressure"))), format!("of the cgroup {name}"))
        }
        None => (names.map(|each| Path::new("/proc/pressure").join(each)), "of the machine".to_owned()),
    }
}

fn own_cgroup(pid: u32) -> Option<(PathBuf, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    // That at the root is all of the machine.
    let name = proc::cgroup2(&text).filter(|name| *name != "/")?;
    let mount = proc::cgroup2_mount(&fs::read_to_string("/proc/self/mountinfo").ok()?)?;
    let folder = mount.join(name.trim_start_matches('/'));
    folder.join("cpu.pressure").is_file().then(|| (folder, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::signals::interface_named;

    #[test]
    fn counters_turn_over_and_cpus_come_and_go() {
        let cpu = |dropped, squeezed| Softnet { dropped, squeezed };
        let (before, now) = ([cpu(u32::MAX, 5), cpu(0, 0)], [cpu(1, 5), cpu(0, 3)]);
        assert_eq!(softnet_added(Some(&now), Some(&before)), Some((2, 3)));
        assert_eq!(softnet_added(Some(&now[..1]), Some(&before)), None);
        assert_eq!(softnet_added(None, Some(&before)), None);
    }

    #[test]
    fn this_host_has_signals() {
        let lo = interface_named("lo").unwrap();
        let watch = Watch { run_delay: RunDelayOf::Process(std::process::id()), interface: Some(lo), uplink: None };
        let mut sampler = Sampler::new(watch);
        let one = sampler.sample();
        let two = sampler.sample();
        assert!(two.at > one.at && two.interval > 0 && one.interval > 0);
        let text = two.to_csv();
        assert_eq!(text.split(',').count(), 11, "{text}");
        assert!(two.run_delay_ns.is_some() && two.qdisc_backlog_bytes == Some(0), "{text}");
        let context = sampler.context();
        assert_eq!((context.interface(), context.queue()), (Some("lo"), Some(Queue::Own)));
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let mut sampler = Sampler::new(Watch { run_delay: RunDelayOf::Process(0), interface: None, uplink: None });
        let sample = sampler.sample();
        assert_eq!((sample.run_delay_ns, sample.qdisc_backlog_bytes), (None, None));
        let context = sampler.context();
        assert!(context.get("not seen").is_some_and(|names| names.contains("qdisc backlog")), "{context:?}");
        assert!(matches!(context.queue(), Some(Queue::Hidden(_))));
    }
}
