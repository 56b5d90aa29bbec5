//! An emulated Endace DAG card, in this process.

mod arrival;
mod card;
mod clock;
mod engine;
mod error;
pub mod faults;
mod feed;
mod ports;
mod receive;
pub mod ring;
mod script;
mod spec;
mod steer;
mod stream;
pub mod tap;
pub mod units;

pub use card::{Card, MODEL};
pub use clock::{Clock, ClockHealth, ClockSettings};
pub use error::{Error, ErrorKind};
pub use feed::replay::{Pace, ReplaySpec};
pub use feed::synthetic;
pub use feed::{FeedCounts, FeedInfo, FeedInterface, StampSource};
pub use ports::{MAX_PORTS, PortCount, Ports};
pub use script::{Script, script};
pub use spec::{CardSpec, FEEDS, FeedSpec, MAX_STREAMS};
pub use stream::Stream;

pub use erf_core;
