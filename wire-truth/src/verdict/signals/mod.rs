//! What a host says of itself while probes are under way: pressure, run delay, steal, soft interrupts, and the queue before the wire.
//!
//! | part | what |
//! |---|---|
//! | [`SignalSample`], [`SignalLog`], [`SignalWriter`] | a log of them, written and read anywhere |
//! | [`Interface`], [`Queue`] | whether the queue that is seen is the last before the wire |
//! | `Sampler`, `Sampling` (Linux) | reading them beside the probes |

mod log;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod proc;
mod queue;
#[cfg(target_os = "linux")]
mod run_delay;
#[cfg(target_os = "linux")]
mod sampler;
#[cfg(target_os = "linux")]
mod sampling;

pub use log::{SIGNALS_HEADER, SignalContext, SignalLog, SignalSample, SignalWriter, Window};
#[cfg(target_os = "linux")]
pub use netlink::{interface_named, interface_to};
pub use queue::{Interface, Queue};
#[cfg(target_os = "linux")]
pub use sampler::{RunDelayOf, Sampler, Watch};
#[cfg(target_os = "linux")]
pub use sampling::{Sampling, Taken};
