//! Records to packets and packets to records: the rules between ERF and pcap.
//!
//! [`to_packet`] says what a record is as a pcap packet, without copying it; [`ToRecord`] writes a pcap
//! packet as a record into a caller's buffer. Both follow `erf-format.md` sections 9 and 10. The writers
//! in [`pcap`](crate::pcap) and [`pcapng`](crate::pcapng) and the [`Reader`](crate::Reader) are built
//! on them. [`Converter`] takes whole files and gives an account of what has no place in the other format; [`verify`] reads
//! both again and compares.

mod about;
mod account;
mod fcs_found;
mod file;
#[cfg(test)]
mod lossless_tests;
mod plain;
#[cfg(test)]
mod plain_tests;
mod skipped;
mod survey;
#[cfg(test)]
mod survey_tests;
#[cfg(test)]
mod tests;
mod to_packet;
mod to_record;
mod unread;
mod verify;

pub(crate) use about::About;
pub use account::{Left, Summary, Uncarried};
pub use fcs_found::{FcsChoice, FcsGround};
pub use file::{Converter, FileOptions};
pub(crate) use plain::PlainFrame;
pub use plain::PlainRun;
#[cfg(test)]
pub(crate) use plain_tests::nearly_plain;
pub use skipped::{Outcome, Skip, SkipCounts};
pub use survey::Survey;
pub(crate) use to_packet::ethernet_frame;
pub use to_packet::{Encapsulation, FcsPolicy, Hdlc, PacketOptions, WirePacket, to_packet};
pub use to_record::{Cut, FcsRule, RecordOptions, Refusal, Restorations, ToRecord};
pub use unread::Unread;
pub use verify::{Difference, verify};
