//! What the programs share: options, messages, signals, exit codes. No unsafe, no format knowledge, no arithmetic on packets.

#![forbid(unsafe_code)]

pub mod account;
pub mod dagcap;
pub mod dagctl;
pub mod dagemu;
pub mod erf;
pub mod exit;
pub mod libraries;
pub mod live;
pub mod messages;
pub mod metrics;
pub mod notify;
pub mod numbers;
pub mod report;
pub mod shell;
pub mod signals;
pub mod template;
pub mod tping;
pub mod values;
pub mod wiretruth;
