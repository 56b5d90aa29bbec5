//! How much of a measured delay is the network's, and how much the measuring host's own.
//!
//! The system of "Explaining Packet Delays under Virtualization" (Whiteaker, Schneider, Teixeira, CCR 2011): the same probe is stamped on
//! the wire, by the kernel and by the program, and the stamps are compared, packet by packet first and in percentiles after.
//!
//! ```text
//!  user send   kernel          wire                     wire          kernel   user receive
//!     us ------- ks ------------ ws ...... network ...... wr ------------ kr ------- ur
//!      \___ host, sending ______/                          \___ host, receiving ____/
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`ProbeKey`], [`Leg`], [`Echo`], [`echo_of`] | which probe a packet belongs to |
//! | [`message`] | probes as they are sent, and replies told from forgeries |
//! | [`Vantage`] | stamps of probes at one place, read from a capture |
//! | [`Stamping`] | what is known of the stamps of a place: the moment of a frame that they are of, the rate of the link, their error |
//! | [`UserLog`] | those that a probing program has written down |
//! | [`analyse`] | all of it together |
//! | [`clock`] | two clocks related: one drift, two directions, what causality says of the offset |
//! | [`digest`], [`compare`] | any packet known again at another place, and the one-way delays of all that two captures share |
//! | [`delay`] | each probe's delays, layer by layer |
//! | [`paper`] | what the paper measured |
//! | [`hdr`] | distributions for the tools of HdrHistogram |
//! | [`svg`], [`report`] | distributions, drawn; an analysis as a page |
//! | [`json`] | an analysis for other programs |
//! | [`experiment`] | many cells, one environment under one stress each: tables, figures, claims, a page |
//! | [`verdict`] | what a host can tell of its own probes without the wire: which to believe, and what to take off |
//! | [`simulate`] | an experiment made up, with the truth about it |
//! | `lab` | the paper's experiment on one machine (Linux) |
//! | [`stats`] | percentiles by one rule, with their intervals |
//!
//! Stamps are integers, nanoseconds since 1970: a float of that size has a step of 256 ns. Floats hold differences only.

#![forbid(unsafe_code)]

mod analysis;
pub mod clock;
pub mod compare;
pub mod delay;
pub mod digest;
mod echo;
mod error;
pub mod experiment;
pub mod hdr;
pub mod json;
#[cfg(target_os = "linux")]
pub mod lab;
pub mod message;
mod page;
pub mod paper;
mod regular;
pub mod report;
mod reuse;
mod same_run;
pub mod simulate;
mod stamping;
pub mod stats;
pub mod svg;
mod text;
mod user_log;
mod vantage;
pub mod verdict;

pub use analysis::{Analysis, Layers, Options, Other, Reference, StampErrors, analyse};
pub use echo::{Echo, Leg, ProbeKey, echo_of};
pub use error::{Error, ErrorKind};
pub use stamping::{StampPoint, Stamping};
pub use user_log::{HEADER, UserLog, UserProbe};
pub use vantage::{Pair, Vantage, VantageCount};
