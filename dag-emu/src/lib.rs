//! An emulated Endace DAG card, in this process: for tests, for examples, for machines without a card.
//!
//! It plays the hardware's side: packets reach a port, the card's clock stamps them, records are put into stream memory, and
//! whoever owns the stream reads them there. It never waits for a slow reader: it drops and counts, as a wire does. The crate
//! `endace-dag` is how programs read a card; this one knows nothing of it.
//!
//! ```
//! use dag_emu::erf_core::Records;
//!
//! let card = dag_emu::Card::open(&"synthetic=imix,rate=2Mpps,count=5000,drift=-350".parse()?)?;
//! let mut stream = card.attach(0)?;
//! stream.start()?;
//! let mut seen = 0;
//! loop {
//!     let window = stream.advance(stream.window().top, None)?;
//!     seen += Records::new(stream.bytes()).flatten().count();
//!     if window.is_empty() && stream.is_last() {
//!         break;
//!     }
//! }
//! assert_eq!(seen as u64 + u64::from(stream.drops().total), 5000);
//! # Ok::<(), dag_emu::Error>(())
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`CardSpec`] | a card described in one line: feed, ports, streams, memory, clock, faults |
//! | [`Card`], [`Stream`], [`TxStream`] | the card, and its streams |
//! | [`Script`], [`script`] | a card for unit tests: no thread, no sleep, a clock that the test moves |
//! | [`Clock`], [`Ports`] | what can be set while it runs: clock errors, links, snap length |
//! | [`synthetic`], [`tap`], [`faults`] | where packets come from, and what goes wrong on purpose |
//! | `serve` | a card for other processes (Linux) |
//! | [`ring`] | stream memory and the protocol between card and reader |
//!
//! ```text
//! feed -> arrival at a port -> clock stamp, faults, snap length -> record in stream memory -> reader
//!                                                 no room: dropped, counted, told by the next record
//! ```

mod arrival;
mod card;
mod clock;
mod engine;
mod error;
pub mod faults;
mod feed;
mod pattern;
mod ports;
mod receive;
pub mod ring;
mod script;
#[cfg(all(not(miri), target_os = "linux"))]
pub mod serve;
#[cfg(miri)]
#[path = "serve/nothing.rs"]
pub mod serve;
mod spec;
mod steer;
mod stream;
pub mod tap;
mod transmit;
mod tx_stream;
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
pub use transmit::{TxCount, TxSpec};
pub use tx_stream::TxStream;

pub use erf_core;
