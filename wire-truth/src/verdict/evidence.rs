//! [`Evidence`]: what is known of one probe without the wire, from its own stamps and from the signals around it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::signals::{SignalLog, Window};
use crate::user_log::UserProbe;

/// Something that tells of delay in the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// What the host has added by the probe's own stamps, in nanoseconds.
    HostShare,
    /// Part of the time in which some task waited for a CPU, from 0 to 1.
    CpuPressure,
    /// Part of the time in which some task waited for I/O.
    IoPressure,
    /// Part of the time in which some task waited for memory.
    MemoryPressure,
    /// Time that threads were ready and did not run, to the time that passed: more than 1 where several wait.
    RunDelay,
    /// Time that the hypervisor took, to the time that passed, of all CPUs together.
    Steal,
    /// Packets dropped before a soft interrupt took them.
    SoftnetDropped,
    /// How often a soft interrupt had to leave packets for later.
    SoftnetSqueezed,
    /// The most bytes in the queue before the wire.
    Backlog,
}

impl Signal {
    /// All of them but the share by stamps: those that are told by a log of signals.
    pub const OF_LOG: [Self; 8] = [
        Self::CpuPressure,
        Self::IoPressure,
        Self::MemoryPressure,
        Self::RunDelay,
        Self::Steal,
        Self::SoftnetDropped,
        Self::SoftnetSqueezed,
        Self::Backlog,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostShare => "host share",
            Self::CpuPressure => "CPU pressure",
            Self::IoPressure => "I/O pressure",
            Self::MemoryPressure => "memory pressure",
            Self::RunDelay => "run delay",
            Self::Steal => "steal",
            Self::SoftnetDropped => "softnet drops",
            Self::SoftnetSqueezed => "softnet squeezes",
            Self::Backlog => "queue before the wire",
        }
    }

    /// A value of it, with its unit.
    pub fn say(self, value: f64) -> String {
        match self {
            Self::HostShare => format!("{:.3} ms", value / 1e6),
            Self::CpuPressure | Self::IoPressure | Self::MemoryPressure | Self::RunDelay | Self::Steal => {
                format!("{:.1} % of the time", value * 100.0)
            }
            Self::SoftnetDropped | Self::SoftnetSqueezed => format!("{value:.0}"),
            Self::Backlog => format!("{value:.0} bytes"),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the host has added to a probe by its own stamps, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostShare {
    /// From the program to the driver.
    pub sending: i64,
    /// Of that, the system call, where the moment is stamped at which it entered the queue.
    pub syscall: Option<i64>,
    /// Of that, in the queue.
    pub queue: Option<i64>,
    /// From the kernel to the program.
    pub wakeup: i64,
    /// From the driver to the kernel: the round trip without all of this.
    pub path: i64,
}

impl HostShare {
    /// From the stamps of a probe. `Ok(None)` where they are not all there.
    ///
    /// # Errors
    ///
    /// When they are not in the order in which a packet meets them, and so cannot be believed.
    pub fn of(probe: &UserProbe) -> Result<Option<Self>, String> {
        let stamps = [
            ("the program sent it", probe.user_send),
            ("it was queued", probe.sched),
            ("the driver had it", probe.snd),
            ("the kernel received", probe.kernel_recv),
            ("the program had it", probe.user_recv),
        ];
        let mut before: Option<(&str, i64)> = None;
        for (name, at) in stamps.into_iter().filter_map(|(name, at)| Some((name, at?))) {
            if let Some((earlier, _)) = before.filter(|(_, time)| *time > at) {
                return Err(format!("its stamps are out of order: {name} before {earlier}"));
            }
            before = Some((name, at));
        }
        let all = (probe.user_send, probe.snd, probe.kernel_recv, probe.user_recv);
        let (Some(send), Some(snd), Some(kernel), Some(recv)) = all else { return Ok(None) };
        Ok(Some(Self {
            sending: snd - send,
            syscall: probe.sched.map(|sched| sched - send),
            queue: probe.sched.map(|sched| snd - sched),
            wakeup: recv - kernel,
            path: kernel - snd,
        }))
    }

    /// All that the host has added, as far as stamps tell.
    pub fn total(&self) -> i64 {
        self.sending.saturating_add(self.wakeup)
    }

    /// The part that is the most of it, with its name.
    pub fn most(&self) -> (&'static str, i64) {
        let parts = match (self.syscall, self.queue) {
            (Some(syscall), Some(queue)) => [("the system call", syscall), ("the queue", queue)],
            _ => [("sending", self.sending), ("sending", self.sending)],
        };
        parts.into_iter().fold(("the wake-up", self.wakeup), |most, part| if part.1 > most.1 { part } else { most })
    }
}

/// What is known of one probe.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Evidence {
    /// By its stamps, where they are all there.
    pub share: Option<HostShare>,
    /// The signals from when it was sent until it was received.
    pub window: Option<Window>,
}

impl Evidence {
    /// Of a probe, and the signals around it.
    ///
    /// # Errors
    ///
    /// When its stamps cannot be believed.
    pub fn of(probe: &UserProbe, signals: Option<&SignalLog>) -> Result<Self, String> {
        let share = HostShare::of(probe)?;
        let span = probe.user_send.zip(probe.user_recv);
        let window = signals.zip(span).and_then(|(log, (from, to))| log.around(from, to));
        Ok(Self { share, window })
    }

    /// The value of a signal, where it is known.
    pub fn value(&self, signal: Signal) -> Option<f64> {
        if signal == Signal::HostShare {
            return Some(self.share?.total() as f64);
        }
        let window = self.window?;
        let total = window.total;
        let part = |ns: Option<i64>, unit: f64| Some(ns? as f64 * unit / window.interval as f64);
        match signal {
            Signal::HostShare => None,
            Signal::CpuPressure => part(total.cpu_some_us, 1e3),
            Signal::IoPressure => part(total.io_some_us, 1e3),
            Signal::MemoryPressure => part(total.memory_some_us, 1e3),
            Signal::RunDelay => part(total.run_delay_ns, 1.0),
            Signal::Steal => part(total.steal_ns, 1.0),
            Signal::SoftnetDropped => Some(total.softnet_dropped? as f64),
            Signal::SoftnetSqueezed => Some(total.softnet_squeezed? as f64),
            Signal::Backlog => Some(total.qdisc_backlog_bytes? as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::signals::SIGNALS_HEADER;
    use proptest::prelude::*;

    fn probe(stamps: [Option<i64>; 5]) -> UserProbe {
        let [user_send, sched, snd, kernel_recv, user_recv] = stamps;
        UserProbe { user_send, sched, snd, kernel_recv, user_recv, ..UserProbe::default() }
    }

    #[test]
    fn the_share_of_the_host_is_what_is_not_between_driver_and_kernel() {
        let share = HostShare::of(&probe([Some(100), Some(110), Some(910), Some(2000), Some(2050)])).unwrap().unwrap();
        assert_eq!((share.total(), share.path, share.most()), (860, 1090, ("the queue", 800)));
        let unqueued = HostShare::of(&probe([Some(100), None, Some(110), Some(2000), Some(2050)])).unwrap().unwrap();
        assert_eq!((unqueued.total(), unqueued.most()), (60, ("the wake-up", 50)));
        for missing in [0, 2, 3, 4] {
            let mut stamps = [Some(100), Some(110), Some(910), Some(2000), Some(2050)];
            stamps[missing] = None;
            assert_eq!(HostShare::of(&probe(stamps)), Ok(None), "{missing}");
        }
        let error = HostShare::of(&probe([Some(100), None, Some(110), Some(2000), Some(1999)])).unwrap_err();
        assert_eq!(error, "its stamps are out of order: the program had it before the kernel received");
    }

    #[test]
    fn signals_are_parts_of_the_time_or_counts() {
        let text =
            format!("{SIGNALS_HEADER}\n1000000,1000,0,0,0,0,0,0,0,500,3\n2000000,1000000,250,,500,1500000,0,2,3,0,0\n");
        let log = SignalLog::parse(&text, "log").unwrap();
        let probe = probe([Some(1_100_000), None, None, None, Some(1_200_000)]);
        let evidence = Evidence::of(&probe, Some(&log)).unwrap();
        let value = |signal| evidence.value(signal);
        assert_eq!((value(Signal::CpuPressure), value(Signal::IoPressure)), (Some(0.25), None));
        assert_eq!((value(Signal::MemoryPressure), value(Signal::RunDelay)), (Some(0.5), Some(1.5)));
        assert_eq!((value(Signal::SoftnetDropped), value(Signal::SoftnetSqueezed)), (Some(2.0), Some(3.0)));
        assert_eq!((value(Signal::Backlog), value(Signal::HostShare)), (Some(500.0), None));
        assert_eq!(Evidence::of(&probe, None).unwrap().value(Signal::Backlog), None);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_round_trip(start in 0i64..1 << 61, parts in proptest::array::uniform4(0i64..1 << 40)) {
            let [a, b, c, d] = parts;
            let probe = probe([Some(start), Some(start + a), Some(start + a + b), Some(start + a + b + c), Some(start + a + b + c + d)]);
            let share = HostShare::of(&probe).unwrap().unwrap();
            prop_assert_eq!(share.total() + share.path, probe.rtt().unwrap());
            prop_assert_eq!(share.syscall.unwrap() + share.queue.unwrap(), share.sending);
        }
    }
}
