//! Each probe's delays, layer by layer (`wire-truth-lab.md` section 2). Differences are taken of each packet first, and percentiles after:
//! of one packet they add up, of percentiles they do not.

use std::collections::BTreeSet;

use crate::clock::{Point, Relation};
use crate::echo::{Leg, ProbeKey};
use crate::user_log::UserLog;
use crate::vantage::{Pair, Vantage};

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The wire, which is the truth.
    pub wire: &'a Vantage,
    /// The kernel of the system that probes; of a guest, where there is one.
    pub kernel: Option<&'a Vantage>,
    /// The physical side of the host of a guest.
    pub dom0: Option<&'a Vantage>,
    /// The program that probes.
    pub user: Option<&'a UserLog>,
    /// Any other places, from the program to the wire.
    pub others: &'a [Vantage],
}

/// Round-trip times of a probe, in nanoseconds. Those of the host are scaled to the clock of the wire where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RoundTrips {
    /// On the wire.
    pub wire: Option<i64>,
    /// Of the kernel.
    pub kernel: Option<i64>,
    /// At the physical side of the host.
    pub dom0: Option<i64>,
    /// Of the program.
    pub user: Option<i64>,
}

/// What each layer has added to a probe, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Delays {
    /// Kernel: kernel less wire. Not where there is a guest.
    pub kern: Option<i64>,
    /// Host of a guest: its physical side less wire.
    pub dom0: Option<i64>,
    /// Guest: its kernel less the host's physical side.
    pub domu: Option<i64>,
    /// Program: its own less the kernel's.
    pub user: Option<i64>,
    /// Program less wire.
    pub total: Option<i64>,
    /// Sending: excess over what was fitted.
    pub send: Option<f64>,
    /// Receiving: excess over what was fitted.
    pub receive: Option<f64>,
    /// Sending: from the program to the queueing discipline, which is the system call.
    pub syscall: Option<i64>,
    /// Sending: in the queueing discipline.
    pub qdisc: Option<i64>,
    /// Sending: from the driver to the wire, excess over what was fitted.
    pub driver: Option<f64>,
    /// Receiving: from the kernel to the program.
    pub wakeup: Option<i64>,
}

/// A probe, taken apart.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Probe {
    /// Which.
    pub key: ProbeKey,
    /// Its stamps on the wire.
    pub wire: Pair,
    /// Its round-trip times, in the clock of the wire.
    pub rtt: RoundTrips,
    /// The same as the clock of each place has shown them.
    pub raw: RoundTrips,
    /// Its delays.
    pub delay: Delays,
}

/// How the clocks of places relate to that of the wire, where it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clocks<'a> {
    /// That of [`Places::host`], by which round trips are scaled.
    pub host: Option<&'a Relation>,
    /// That of [`Places::ends`], from which sending and receiving are told.
    pub ends: Option<&'a Relation>,
    /// That of [`Places::driver`].
    pub driver: Option<&'a Relation>,
}

impl Places<'_> {
    /// Without a capture of the kernel its stamps may be in the log: given to the driver, and received.
    pub fn kernel_is_in_log(&self) -> bool {
        self.kernel.is_none() && self.user.is_some_and(UserLog::has_kernel_stamps)
    }

    /// The stamps of the kernel: of its capture, else those in the log.
    pub fn kernel_pair(&self, key: ProbeKey) -> Option<Pair> {
        match self.kernel {
            Some(kernel) => kernel.get(key),
            None => self.user?.get(key).map(|probe| Pair { request: probe.snd, reply: probe.kernel_recv }),
        }
    }

    /// The stamps of the host that are nearest to the wire and of its own clock: of the kernel, else of the program.
    pub fn host(&self, key: ProbeKey) -> Option<Pair> {
        if self.kernel.is_some() || self.kernel_is_in_log() {
            return self.kernel_pair(key);
        }
        let probe = self.user?.get(key)?;
        Some(Pair { request: probe.user_send, reply: probe.user_recv })
    }

    /// The stamps of the driver: given to it, and received by the kernel.
    pub fn driver(&self, key: ProbeKey) -> Option<Pair> {
        let probe = self.user?.get(key)?;
        Some(Pair { request: probe.snd, reply: probe.kernel_recv })
    }

    /// The stamps of the host that are farthest from the wire: of the program where it has some, else of the kernel. Sending and receiving delay
    /// is between these and the wire.
    pub fn ends(&self, key: ProbeKey) -> Option<Pair> {
        let user = self.user.and_then(|user| user.get(key));
        let pair = user.map(|probe| Pair { request: probe.user_send, reply: probe.user_recv });
        pair.filter(|pair| pair.request.is_some()).or_else(|| self.kernel?.get(key))
    }

    /// The probes of identifier `ident` that were sent, in order: in the log, in the kernel's capture, or on the wire.
    pub fn sent(&self, ident: u16) -> Vec<ProbeKey> {
        let captured = [Some(self.wire), self.kernel].into_iter().flatten().flat_map(Vantage::probes);
        let captured = captured.map(|(key, _)| key).filter(|key| key.ident == ident);
        let logged = self.user.into_iter().flat_map(UserLog::probes).filter_map(|(key, probe)| {
            // ping tells no identifier.
            let unnamed = key.ident == 0 && probe.rtt_only.is_some();
            (key.ident == ident || unnamed).then_some(ProbeKey { ident, ..key })
        });
        captured.chain(logged).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Takes probes apart.
    pub fn probes(&self, keys: &[ProbeKey], clocks: Clocks<'_>) -> Vec<Probe> {
        keys.iter().map(|key| self.probe(*key, self.wire.get(*key).unwrap_or_default(), clocks)).collect()
    }

    fn probe(&self, key: ProbeKey, wire: Pair, clocks: Clocks<'_>) -> Probe {
        let scaled = |rtt: i64| clocks.host.map_or(rtt, |relation| relation.to_wire_ns(rtt));
        let at = |pair: Option<Pair>| pair?.rtt();
        let user = self.user.and_then(|user| user.get(key));
        let raw = RoundTrips {
            wire: wire.rtt(),
            kernel: at(self.kernel_pair(key)),
            dom0: at(self.dom0.and_then(|dom0| dom0.get(key))),
            user: user.and_then(|probe| probe.rtt()),
        };
        let rtt = RoundTrips {
            wire: raw.wire,
            kernel: raw.kernel.map(scaled),
            dom0: raw.dom0.map(scaled),
            user: raw.user.map(scaled),
        };
        let less = |one: Option<i64>, other: Option<i64>| Some(one? - other?);
        let excess = |relation: Option<&Relation>, pair: Option<Pair>, leg: Leg| {
            let (wire, host) = (wire.leg(leg)?, pair?.leg(leg)?);
            relation?.excess_ns(&Point { key, leg, wire, difference: host - wire })
        };
        let span = |from: Option<i64>, to: Option<i64>| less(to, from).map(scaled);
        let ends = self.ends(key);
        let has_guest = self.dom0.is_some();
        let delay = Delays {
            kern: if has_guest { None } else { less(rtt.kernel, rtt.wire) },
            dom0: less(rtt.dom0, rtt.wire),
            domu: if has_guest { less(rtt.kernel, rtt.dom0) } else { None },
            user: less(rtt.user, rtt.kernel),
            total: less(rtt.user, rtt.wire),
            send: excess(clocks.ends, ends, Leg::Request),
            receive: excess(clocks.ends, ends, Leg::Reply),
            syscall: user.and_then(|probe| span(probe.user_send, probe.sched)),
            qdisc: user.and_then(|probe| span(probe.sched, probe.snd)),
            driver: excess(clocks.driver, self.driver(key), Leg::Request),
            wakeup: user.and_then(|probe| span(probe.kernel_recv, probe.user_recv)),
        };
        Probe { key, wire, rtt, raw, delay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_log::HEADER;
    use proptest::prelude::*;

    fn key(seq: u16) -> ProbeKey {
        ProbeKey::new(7, seq)
    }

    fn place(stamps: &[(u16, i64, i64)]) -> Vantage {
        let mut vantage = Vantage::new("x");
        for (seq, request, reply) in stamps {
            vantage.stamp(key(*seq), Leg::Request, *request);
            vantage.stamp(key(*seq), Leg::Reply, *reply);
        }
        vantage
    }

    fn log(stamps: &[(u16, i64, i64)]) -> UserLog {
        let lines: String = stamps.iter().map(|(seq, send, recv)| format!("7,{seq},100,{send},,,,,{recv}\n")).collect();
        UserLog::parse(&format!("{HEADER}\n{lines}"), "log").unwrap()
    }

    #[test]
    fn layers_are_told_apart_as_defined() {
        let (wire, kernel) = (place(&[(1, 1000, 3000)]), place(&[(1, 900, 3400)]));
        let (dom0, user) = (place(&[(1, 950, 3100)]), log(&[(1, 500, 4500)]));
        let plain = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: Some(&user), others: &[] };
        let [probe] = plain.probes(&plain.sent(7), Clocks::default()).try_into().unwrap();
        assert_eq!(probe.delay, Delays { kern: Some(500), user: Some(1500), total: Some(2000), ..Delays::default() });
        let guest = Places { dom0: Some(&dom0), ..plain };
        let [probe] = guest.probes(&guest.sent(7), Clocks::default()).try_into().unwrap();
        let expected =
            Delays { dom0: Some(150), domu: Some(350), user: Some(1500), total: Some(2000), ..Delays::default() };
        assert_eq!(probe.delay, expected);
        assert!(plain.sent(8).is_empty(), "the probes of another run");
    }

    #[test]
    fn what_was_not_seen_has_no_delay() {
        let mut wire = place(&[(1, 1000, 3000)]);
        wire.stamp(key(2), Leg::Request, 5000);
        let kernel = place(&[(1, 900, 3400)]);
        let places = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: None, others: &[] };
        let [one, two] = places.probes(&places.sent(7), Clocks::default()).try_into().unwrap();
        assert_eq!((one.delay.kern, one.delay.total), (Some(500), None));
        assert_eq!((two.rtt.wire, two.delay), (None, Delays::default()), "a lost one");
    }

    proptest! {
        #[test]
        fn layers_of_a_packet_add_up(
            wire in 0i64..1_000_000_000,
            added in proptest::array::uniform6(0i64..100_000_000),
        ) {
            let [a, b, c, d, e, f] = added;
            let start = 1_700_000_000_000_000_000;
            let on_wire = place(&[(1, start, start + wire)]);
            let dom0 = place(&[(1, start - a, start + wire + b)]);
            let kernel = place(&[(1, start - a - c, start + wire + b + d)]);
            let user = log(&[(1, start - a - c - e, start + wire + b + d + f)]);
            let places = Places { wire: &on_wire, kernel: Some(&kernel), dom0: Some(&dom0), user: Some(&user), others: &[] };
            let delay = places.probes(&places.sent(7), Clocks::default())[0].delay;
            prop_assert_eq!(delay.dom0.unwrap() + delay.domu.unwrap() + delay.user.unwrap(), delay.total.unwrap());
            prop_assert_eq!((delay.dom0, delay.domu, delay.user), (Some(a + b), Some(c + d), Some(e + f)));
        }
    }
}
