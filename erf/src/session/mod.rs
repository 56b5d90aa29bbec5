//! What a recording says about itself: an opening META record about host, card and clock, and a
//! closing one with the [`Account`] of every packet.
//!
//! [`Opening`] stands first in a file and [`Closing`] last. A recording that was killed, or whose
//! disk was full, has no closing record: [`ended_cleanly`] tells, and [`EndWatch`] does so along a
//! walk made for something else.
//!
//! Neither record carries extension headers, hence no Host ID: they speak about the implicit host, to
//! which the packets of a recording without Host ID headers belong, and never decide which host
//! that is (`erf-format.md` section 5.1). Facts that the format has no tag for stand in `attribute`
//! tags as `key=value`.
//!
//! ```
//! use erf::session::{Account, Closing, Opening, StampSource, ended_cleanly};
//! use erf::writer::ErfWriter;
//! use erf_core::{Records, Timestamp};
//!
//! let start = Timestamp::from_parts(1_700_000_000, 0);
//! let mut opening = Opening::new(start);
//! opening.card.device = "dag0".into();
//! opening.card.stamp_source = Some(StampSource::Card);
//!
//! let mut writer = ErfWriter::new(Vec::new());
//! opening.write_to(&mut writer)?;
//! // ... the packets ...
//! Closing::new(start, start, Account::default()).write_to(&mut writer)?;
//!
//! let file = writer.finish()?;
//! assert!(ended_cleanly(Records::new(&file)));
//! # Ok::<(), erf::Error>(())
//! ```

mod account;
mod attributes;
mod clock;
mod closing;
mod ending;
mod meta_record;
mod opening;
mod parts;
mod read_opening;
mod words;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use clock::{ClockInfo, ClockNote};
pub use closing::Closing;
pub use ending::{EndWatch, Ending, ended_cleanly};
pub use opening::Opening;
pub use parts::{Application, CardInfo, EMULATED_MODEL, HostInfo, InterfaceInfo, StreamInfo};
pub use words::{StampSource, StoppedBy, UnknownWord};
