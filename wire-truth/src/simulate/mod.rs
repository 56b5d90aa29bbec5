//! A synthetic experiment: captures and a log as a real one leaves them, with the truth about every delay beside them.
//!
//! The truth is drawn in time that flows evenly; only what the host writes down goes through the host's clock, with its offset, drift and
//! steps. So whatever an analysis finds can be compared with what was put in.
//!
//! ```
//! use wire_truth::simulate::{Scenario, simulate};
//!
//! let experiment = simulate(&Scenario { probes: 100, ..Scenario::default() })?;
//! assert_eq!(experiment.truth.len(), 100);
//! # Ok::<(), wire_truth::Error>(())
//! ```

mod files;
mod margin;
mod scenario;

pub(crate) use files::{MARK, SIMULATED};

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

pub use margin::{Coupling, Margin};
pub use scenario::{HostClock, Scenario, Stack};

use crate::echo::{Leg, ProbeKey};
use crate::error::Error;
use margin::draw;

/// What befell a probe, by the even flow of time: nanoseconds since 1970. A place that it did not reach has no stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Truth {
    /// Which.
    pub key: ProbeKey,
    /// Sent at rest: before or after the stress.
    pub at_rest: bool,
    /// The program sends it.
    pub user_send: i64,
    /// It enters the queueing discipline.
    pub sched: i64,
    /// The kernel's capture sees it.
    pub kernel_send: i64,
    /// It is given to the driver.
    pub snd: i64,
    /// It leaves the physical side of a guest's host; without a guest as `snd`.
    pub dom0_send: i64,
    /// It is on the wire; `None` if the host has dropped it.
    pub wire_send: Option<i64>,
    /// The reply is on the wire; `None` if it was lost.
    pub wire_recv: Option<i64>,
    /// It comes to the physical side of a guest's host; without a guest as on the wire.
    pub dom0_recv: Option<i64>,
    /// The kernel receives it.
    pub kernel_recv: Option<i64>,
    /// The program has it.
    pub user_recv: Option<i64>,
    /// The reply came twice.
    pub duplicated: bool,
}

/// A packet as a capture has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sight {
    /// By the clock of the place.
    nanos: i64,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Echo {
        seq: u16,
        leg: Leg,
    },
    /// A datagram of others, with so many bytes.
    Other {
        number: u32,
        bytes: u16,
    },
}

/// An experiment, made up.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Experiment {
    /// What befell each probe.
    pub truth: Vec<Truth>,
    scenario: Scenario,
    wire: Vec<Sight>,
    kernel: Vec<Sight>,
    dom0: Vec<Sight>,
}

/// A number from 0 to below 1.
fn uniform(rng: &mut Pcg64Mcg) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Parts of the way that take always about the same, in nanoseconds: a system call, and between a capture and the driver (lab document
/// sections 3.2 and 7).
const SYSTEM_CALL: i64 = 4_000;
const TO_CAPTURE: i64 = 2_000;

/// Makes an experiment up. The same scenario gives the same one, to the byte.
///
/// # Errors
///
/// When the scenario contradicts itself: more probes than sequence numbers, shares outside 0 to 1, nothing between those at rest.
pub fn simulate(scenario: &Scenario) -> Result<Experiment, Error> {
    scenario.check()?;
    let mut rng = Pcg64Mcg::seed_from_u64(scenario.seed);
    let mut experiment = Experiment {
        truth: Vec::new(),
        scenario: scenario.clone(),
        wire: Vec::new(),
        kernel: Vec::new(),
        dom0: Vec::new(),
    };
    for number in 0..scenario.probes {
        let truth = probe(scenario, &mut rng, number);
        experiment.see(&truth);
        experiment.truth.push(truth);
        for other in 0..scenario.other {
            let nanos = truth.user_send + (uniform(&mut rng) * scenario.interval_ns as f64) as i64;
            let bytes = 18 + (uniform(&mut rng) * 1454.0) as u16;
            let what = What::Other { number: number * scenario.other + other, bytes };
            experiment.wire.push(Sight { nanos, what });
            experiment.kernel.push(Sight { nanos: scenario.clock.at(scenario.start_ns, nanos, number), what });
        }
    }
    // As captures have it: in the order of their own clock, which is that of time unless it was stepped back.
    for place in [&mut experiment.wire, &mut experiment.kernel, &mut experiment.dom0] {
        place.sort_unstable();
    }
    Ok(experiment)
}

fn probe(scenario: &Scenario, rng: &mut Pcg64Mcg, number: u32) -> Truth {
    let at_rest = scenario.is_at_rest(number);
    let stack = if at_rest { &scenario.rest } else { &scenario.stress };
    let user_send = scenario.start_ns + i64::from(number) * scenario.interval_ns;
    let guest = stack.guest.unwrap_or(stack.kern);
    let [network, kern, domu, user] = draw(rng, [scenario.network, stack.kern, guest, stack.user], scenario.coupling);
    // Of each layer's delay so much when sending, the rest when receiving.
    let split = |delay: i64| {
        let sending = (delay as f64 * scenario.send_share).round() as i64;
        (sending, delay - sending)
    };
    let ((kern_out, kern_in), (user_out, user_in)) = (split(kern), split(user));
    let (domu_out, domu_in) = if stack.guest.is_some() { split(domu) } else { (0, 0) };
    let kernel_send = user_send + user_out;
    // In between lies the queue.
    let sched = user_send + SYSTEM_CALL.min(user_out);
    let dom0_send = kernel_send + domu_out;
    let wire = dom0_send + kern_out;
    let snd = kernel_send + TO_CAPTURE.min(domu_out + kern_out);
    let (dropped, lost) = (uniform(rng) < scenario.loss / 2.0, uniform(rng) < scenario.loss / 2.0);
    // Overtaken by the replies of the next probe.
    let late = if uniform(rng) < scenario.reordered { scenario.interval_ns * 3 / 2 } else { 0 };
    let wire_send = (!dropped).then_some(wire);
    let wire_recv = wire_send.filter(|_| !lost).map(|sent| sent + network + late);
    let dom0_recv = wire_recv.map(|at| at + kern_in);
    let kernel_recv = dom0_recv.map(|at| at + domu_in);
    Truth {
        key: ProbeKey::new(scenario.ident, number as u16),
        at_rest,
        user_send,
        sched,
        kernel_send,
        snd,
        dom0_send,
        wire_send,
        wire_recv,
        dom0_recv,
        kernel_recv,
        user_recv: kernel_recv.map(|at| at + user_in),
        duplicated: uniform(rng) < scenario.duplicates,
    }
}

/// A second copy comes so much later, in nanoseconds.
const COPY_AFTER: i64 = 30_000;

impl Experiment {
    /// What is written into the captures of a probe.
    fn see(&mut self, truth: &Truth) {
        let number = u32::from(truth.key.seq);
        let host = |nanos: i64| self.scenario.clock.at(self.scenario.start_ns, nanos, number);
        let copies = if truth.duplicated { 2 } else { 1 };
        let echo = |leg| What::Echo { seq: truth.key.seq, leg };
        self.kernel.push(Sight { nanos: host(truth.kernel_send), what: echo(Leg::Request) });
        if let Some(nanos) = truth.wire_send {
            self.wire.push(Sight { nanos, what: echo(Leg::Request) });
            self.dom0.push(Sight { nanos: host(truth.dom0_send), what: echo(Leg::Request) });
        }
        for copy in 0..copies {
            let see = |place: &mut Vec<Sight>, at: Option<i64>, by_host: bool| {
                let Some(nanos) = at.map(|at| at + copy * COPY_AFTER) else { return };
                place.push(Sight { nanos: if by_host { host(nanos) } else { nanos }, what: echo(Leg::Reply) });
            };
            see(&mut self.wire, truth.wire_recv, false);
            see(&mut self.dom0, truth.dom0_recv, true);
            see(&mut self.kernel, truth.kernel_recv, true);
        }
    }
}
