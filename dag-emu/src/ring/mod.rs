//! The ring of one stream: a card at one end, its owner at the other, and stream memory in between.
//!
//! ```
//! # // Two ends of one ring, driven by hand.
//! use dag_emu::ring::{self, Allocation, Driver, PollRules, Turn};
//! use std::sync::{Arc, Mutex};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (producer, share) = ring::create(1 << 20, Allocation::OnDemand)?;
//! let producer = Arc::new(Mutex::new(producer));
//! let other_end = Arc::clone(&producer);
//! let share = share.with_driver(Driver::new(move |_| {
//!     other_end.lock().unwrap().service();
//!     Turn::Idle
//! }));
//!
//! let mut consumer = share.attach()?;
//! consumer.start()?;
//! {
//!     let mut card = producer.lock().unwrap();
//!     let mut slot = card.reserve(16).ok_or("full")?;
//!     slot.copy_from(b"a whole record..")?;
//!     card.commit(16)?;
//!     card.publish();
//! }
//! let window = consumer.wait(0, &PollRules::default(), None)?;
//! assert_eq!(consumer.bytes(), b"a whole record..");
//! consumer.advance(window.top)?;
//! # Ok(())
//! # }
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`create`], [`Producer`], [`Slot`], [`Share`], [`Consumer`] | what one uses |
//! | [`create_transmit`], [`Taker`], [`Writer`] | the same for transmit streams: the owner writes, the card takes |
//! | [`StreamMemory`], [`Mapping`] | the bytes: a sealed memory file, mapped twice in a row |
//! | `registers`, `page` | the words the two ends share, and where they lie |
//! | `protocol` | who may do what when; [`Window`], [`Event`], [`Driver`] |
//! | [`PollRules`] | how long a consumer waits |
//! | `doorbell`, `sync` | sleeping and waking; atomics, generic so that `loom` can check all this |
//!
//! The producer needs no thread of its own: it runs wherever [`Producer::service`] is called, see [`Driver`].

mod doorbell;
mod memory;
mod page;
mod poll;
mod protocol;
mod registers;
mod stream;
mod sync;
mod transmit;

pub use memory::{Access, Allocation, Mapping, MemoryError, StreamMemory};
pub use poll::PollRules;
pub use protocol::{AdvanceError, Driver, Drops, Event, Need, Overrun, RequestError, Turn, Window};
pub use registers::{Command, State};
pub use stream::{Consumer, Producer, Share, Slot, create};
pub use transmit::{Taker, Writer, create_transmit};

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, loom))]
mod loom_transmit;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
