//! Runs that are made up for tests, with the cause of every delay.

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::learn::Case;
use super::signals::{SIGNALS_HEADER, SignalLog};
use crate::echo::ProbeKey;
use crate::user_log::UserProbe;

/// What delays a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The queue before the wire, by 5 to 15 ms; stamps and backlog tell.
    Queue,
    /// The program is woken late, by 2 to 6 ms; stamps and run delay tell.
    WakeUp,
    /// Something behind the driver, by 3 to 9 ms; steal tells.
    BehindTheDriver,
    /// Something that nothing tells of, by 3 to 9 ms.
    Unseen,
}

/// A run: in the second third of it each cause is there for ten probes in turn, one of which is spared.
pub(super) struct Run {
    pub(super) cases: Vec<Case>,
    pub(super) signals: SignalLog,
    /// Of each probe.
    pub(super) causes: Vec<Option<Cause>>,
}

/// From one probe to the next.
const APART: i64 = 20_000_000;
/// All are back after so long.
const BACK: i64 = 16_000_000;

impl Run {
    pub(super) fn new(seed: u64, probes: usize, causes: &[Cause]) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut from_to = move |from: i64, to: i64| from + (rng.next_u64() % (to - from) as u64) as i64;
        let mut run = Self { cases: Vec::new(), signals: SignalLog::default(), causes: Vec::new() };
        let mut lines = format!("# queue: own\n# sampled every: {BACK} ns\n{SIGNALS_HEADER}\n");
        for number in 0..probes {
            let at_rest = number < probes / 3 || number >= probes * 2 / 3;
            let turn = number / 10 % (causes.len() + 1);
            let cause = causes.get(turn).copied().filter(|_| !at_rest && number % 10 != 9);
            let start = 1_000_000_000_000 + number as i64 * APART;
            let (syscall, queue) = (from_to(5_000, 10_000), from_to(1_000, 3_000));
            let (driver, back) = (from_to(2_500, 3_500), from_to(500, 1_500));
            let (wire, wakeup) = (from_to(150_000, 250_000), from_to(20_000, 43_000));
            let mut added = [0; 3];
            let (mut run_delay, mut steal, mut backlog) = (from_to(0, 50_000), 0, 0);
            match cause {
                Some(Cause::Queue) => {
                    added[0] = from_to(5_000_000, 15_000_000);
                    backlog = added[0] / 800;
                }
                Some(Cause::WakeUp) => {
                    added[2] = from_to(2_000_000, 6_000_000);
                    run_delay += added[2];
                }
                Some(Cause::BehindTheDriver) => {
                    added[1] = from_to(3_000_000, 9_000_000);
                    steal = 10_000_000;
                }
                Some(Cause::Unseen) => added[1] = from_to(3_000_000, 9_000_000),
                None => {}
            }
            let sched = start + syscall;
            let snd = sched + queue + added[0];
            let kernel_recv = snd + driver + added[1] + wire + back;
            let probe = UserProbe {
                user_send: Some(start),
                sched: Some(sched),
                snd: Some(snd),
                kernel_recv: Some(kernel_recv),
                user_recv: Some(kernel_recv + wakeup + added[2]),
                ..UserProbe::default()
            };
            let error = probe.rtt().unwrap() - wire;
            let key = ProbeKey::new(7, number as u16);
            run.cases.push(Case { key, probe, wire, error, at_rest, scale: 0 });
            run.causes.push(cause);
            // One sample when the probe is back, and one when all has gone.
            let packets = backlog / 1514;
            lines += &format!(
                "{},{BACK},0,0,0,{run_delay},{steal},0,0,{backlog},{packets}\n{},{},0,0,0,0,0,0,0,0,0\n",
                start + BACK,
                start + APART,
                APART - BACK
            );
        }
        lines += "# end: all\n";
        run.signals = SignalLog::parse(&lines, "made up").unwrap();
        run
    }
}
