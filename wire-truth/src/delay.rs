//! Each probe's delays, layer by layer (`wire-truth-lab.md` section 2). Differences are taken of each packet first, and percentiles after:
//! of one packet they add up, of percentiles they do not.

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
}

/// A probe, taken apart.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Probe {
    /// Which.
    pub key: ProbeKey,
    /// Its round-trip times.
    pub rtt: RoundTrips,
    /// Its delays.
    pub delay: Delays,
}

impl Places<'_> {
    /// The stamps of the host that are nearest to the wire and of its own clock: of the kernel, else of the program.
    pub fn host(&self, key: ProbeKey) -> Option<Pair> {
        match (self.kernel, self.user) {
            (Some(kernel), _) => kernel.get(key),
            (None, Some(user)) => {
                let probe = user.get(key)?;
                Some(Pair { request: probe.user_send, reply: probe.user_recv })
            }
            (None, None) => None,
        }
    }

    /// The stamps of the host that are farthest from the wire: of the program where it has some, else of the kernel. Sending and receiving delay
    /// is between these and the wire.
    pub fn ends(&self, key: ProbeKey) -> Option<Pair> {
        let user = self.user.and_then(|user| user.get(key));
        let pair = user.map(|probe| Pair { request: probe.user_send, reply: probe.user_recv });
        pair.filter(|pair| pair.request.is_some()).or_else(|| self.kernel?.get(key))
    }

    /// Takes the probes of identifier `ident` apart: those seen on the wire, lost ones too. `relation` is that of the host's clock to the wire's,
    /// and `directions` that of [`ends`](Self::ends), from which sending and receiving are told.
    pub fn probes(&self, ident: u16, relation: Option<&Relation>, directions: Option<&Relation>) -> Vec<Probe> {
        let of_run = self.wire.probes().filter(|(key, _)| key.ident == ident);
        of_run.map(|(key, pair)| self.probe(key, pair, relation, directions)).collect()
    }

    fn probe(&self, key: ProbeKey, wire: Pair, relation: Option<&Relation>, directions: Option<&Relation>) -> Probe {
        let scaled = |rtt: i64| relation.map_or(rtt, |relation| relation.to_wire_ns(rtt));
        let at = |place: Option<&Vantage>| place?.get(key)?.rtt().map(scaled);
        let rtt = RoundTrips {
            wire: wire.rtt(),
            kernel: at(self.kernel),
            dom0: at(self.dom0),
            user: self.user.and_then(|user| user.get(key)?.rtt()).map(scaled),
        };
        let less = |one: Option<i64>, other: Option<i64>| Some(one? - other?);
        let excess = |leg: Leg| {
            let (wire, host) = (wire.leg(leg)?, self.ends(key)?.leg(leg)?);
            directions?.excess_ns(&Point { key, leg, wire, difference: host - wire })
        };
        let has_guest = self.dom0.is_some();
        let delay = Delays {
            kern: if has_guest { None } else { less(rtt.kernel, rtt.wire) },
            dom0: less(rtt.dom0, rtt.wire),
            domu: if has_guest { less(rtt.kernel, rtt.dom0) } else { None },
            user: less(rtt.user, rtt.kernel),
            total: less(rtt.user, rtt.wire),
            send: excess(Leg::Request),
            receive: excess(Leg::Reply),
        };
        Probe { key, rtt, delay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_log::HEADER;
    use proptest::prelude::*;

    fn key(seq: u16) -> ProbeKey {
        ProbeKey { ident: 7, seq }
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
        let plain = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: Some(&user) };
        let [probe] = plain.probes(7, None, None).try_into().unwrap();
        assert_eq!(probe.delay, Delays { kern: Some(500), user: Some(1500), total: Some(2000), ..Delays::default() });
        let guest = Places { dom0: Some(&dom0), ..plain };
        let [probe] = guest.probes(7, None, None).try_into().unwrap();
        let expected =
            Delays { dom0: Some(150), domu: Some(350), user: Some(1500), total: Some(2000), ..Delays::default() };
        assert_eq!(probe.delay, expected);
        assert!(plain.probes(8, None, None).is_empty(), "the probes of another run");
    }

    #[test]
    fn what_was_not_seen_has_no_delay() {
        let mut wire = place(&[(1, 1000, 3000)]);
        wire.stamp(key(2), Leg::Request, 5000);
        let kernel = place(&[(1, 900, 3400)]);
        let places = Places { wire: &wire, kernel: Some(&kernel), dom0: None, user: None };
        let [one, two] = places.probes(7, None, None).try_into().unwrap();
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
            let places = Places { wire: &on_wire, kernel: Some(&kernel), dom0: Some(&dom0), user: Some(&user) };
            let delay = places.probes(7, None, None)[0].delay;
            prop_assert_eq!(delay.dom0.unwrap() + delay.domu.unwrap() + delay.user.unwrap(), delay.total.unwrap());
            prop_assert_eq!((delay.dom0, delay.domu, delay.user), (Some(a + b), Some(c + d), Some(e + f)));
        }
    }
}
