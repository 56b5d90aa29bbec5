//! The paper's experiment on one machine: a system under test, a tap and a target, in network namespaces of their own.
//!
//! ```text
//!  system under test                    tap                              target
//!  (guests)  s0 10.77.0.1  <--veth-->  a   b  <--veth-->  g0 10.77.0.2
//!            queue, 100 Mb/s           the emulated card      queue, 100 Mb/s
//! ```
//!
//! Every cell of the experiment (an environment under a stress) has namespaces of its own, which nothing but its processes hold: all of those are in
//! one process namespace, whose first process ends when the one that started it does. So nothing stays, however a run ends. What the kernel does
//! not clean up by itself, cgroups, a [`guardian`] does.

mod capture;
mod cell;
mod cgroup;
mod check;
mod clean;
mod control;
mod explain;
mod feedback;
mod generator;
pub mod guest;
mod pace;
mod plan;
mod room;
mod run;
mod space;
mod spells;
mod stress;
mod tcp_watch;
mod tool;
mod topology;
mod vm;

pub use cell::run_cell;
pub use cgroup::guardian;
pub use check::{Finding, check};
pub use clean::clean;
pub use control::check_congestion_control;
pub use explain::{Delays, Explained, explain};
pub use feedback::{Goal, Step, Trial, Tried, feedback};
pub use generator::{Load, generate};
pub use plan::{Cell, CellTask, Image, Plan, Programs, Switching, Variant};
pub use run::{Progress, run};
