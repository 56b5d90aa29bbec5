//! The flight recorder for libdag: what a program asked a card's library for and what it answered, and whether the emulated card would
//! have answered the same.
//!
//! A library that calls itself `libdag.so.5` stands in front of the real one, passes every call on, and writes a line of JSON for each:
//! arguments, result, `errno`, lengths, offsets and times, never a byte of a packet. With such a log of a real card anybody can see
//! whether the emulated card, and with it the [contract](https://docs.rs/dag-sys), is right: the same calls go to the emulated card,
//! under the same recorder, and the two logs are compared.
//!
//! ```text
//! program -> recorder (dag-trace/abi) -> libdag of a real card      : a log
//! drive   -> recorder (dag-trace/abi) -> libdag of the emulated card: another one      compare: what differs
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`Line`], [`Log`] | the log, written and read |
//! | [`exercise`] | calls that answer what the contract leaves open, for whoever has a card |
//! | [`drive`] | makes the calls of a log again |
//! | [`compare()`] | what differs between two logs of the same calls |
//! | [`emulated_card`] | the emulated card that is most like the one of a log |

mod compare;
mod drive;
mod emulated;
mod exercise;
mod line;
mod log;
mod wait;

pub use compare::{Difference, compare};
pub use drive::{drive, is_driven};
pub use emulated::emulated_card;
pub use exercise::{Exercise, ExerciseError, exercise};
pub use line::{Call, CardSeen, FORMAT, Line, Opening, Window};
pub use log::{Log, LogError};
