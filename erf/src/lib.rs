//! Read, write and convert ERF capture files, on any system, without a card.
//!
//! **Reading.** Plain or compressed, from a path, standard input or any stream; what it is is decided by content.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("wire.erf");
//! # let stamp = erf::Timestamp::from_parts(1_700_000_000, 0);
//! # std::fs::write(&path, erf::RecordBuilder::new(erf::RecordType::ETH).timestamp(stamp).payload(&[7; 60]).to_vec()?)?;
//! let mut reader = erf::Reader::open_path(&path)?;
//! while let Some(batch) = reader.next_batch()? {
//!     for item in &batch {
//!         match item {
//!             Ok(record) => println!("{} port {} {} bytes", record.timestamp(), record.interface(), record.wire_len()),
//!             Err(defect) => eprintln!("{}: {defect}", path.display()),
//!         }
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Writing.** Whole records only; a file stays valid up to its last whole record, also when the disk is full.
//!
//! ```
//! use erf::writer::{ErfWriter, Output, OutputOptions};
//! use erf::{Record, RecordBuilder, RecordType, Timestamp};
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("made.erf");
//!
//! let packet = RecordBuilder::new(RecordType::ETH)
//!     .timestamp(Timestamp::now())
//!     .interface(1)
//!     .payload(&[0x55; 60])
//!     .append_fcs()
//!     .to_vec()?;
//! let mut writer = ErfWriter::for_output(Output::create(&path, OutputOptions::new())?);
//! writer.write_record(&Record::parse(&packet)?)?;
//! writer.finish()?.sync()?;
//! # assert_eq!(std::fs::metadata(&path)?.len(), 88);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Converting.** pcap and pcapng are read as if they were ERF, and written from it.
//!
//! ```
//! # let mut capture = erf::pcap::Writer::new(Vec::new(), erf::pcap::WriterOptions::default());
//! # let record = erf::RecordBuilder::new(erf::RecordType::ETH).payload(&[7; 60]).append_fcs().to_vec()?;
//! # capture.write_record(&erf::Record::parse(&record)?)?;
//! # let capture = std::io::Cursor::new(capture.finish()?);
//! let mut reader = erf::Reader::from_read(capture)?; // a pcap file
//! let mut writer = erf::pcapng::Writer::new(Vec::new(), erf::pcapng::WriterOptions::default());
//! while let Some(item) = reader.next_record()? {
//!     writer.write_record(&item?)?;
//! }
//! println!("{} packets", writer.written());
//! # assert_eq!(writer.written(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`Reader`], [`reader`] | records from files, by block or by map |
//! | [`writer`] | records into files, never half a one |
//! | [`session`] | who recorded, and where every packet went: META records around a recording |
//! | [`summary`] | what is in a file: counts, times, loss, who captured |
//! | [`pieces`] | one file walked by several threads, to the result of one |
//! | [`check`], [`repair`] | what is wrong with a file, and what can be kept of it |
//! | [`describe`] | records in words |
//! | [`clock`] | what stamps say about the clock that made them |
//! | [`select`] | which records are wanted: by time, interface, type, length, number |
//! | [`merge`], [`sort`], [`split`] | files put together, in order, apart |
//! | [`shift`], [`resize`], [`dedup`] | stamps corrected, records aligned and snapped, packets that came twice |
//! | [`diff`], [`gaps`] | two files compared; times between packets, and bursts |
//! | [`provenance`] | META records made, changed, left out |
//! | [`pcap`], [`pcapng`] | the other formats |
//! | [`convert`] | one packet from one to the other: link types, FCS, time |
//! | [`filter`](mod@filter) | which records: expressions in the language of tcpdump |
//! | [`input`] | where bytes come from, and what they are compressed with |
//! | [`compress`] | what is written, compressed on threads of its own |
//! | [`core`] | the format itself: the crate [`erf_core`], re-exported here |

// The mapped reader and the caller of libpcap are the exceptions, and say why they may.
#![deny(unsafe_code)]

pub mod check;
pub mod clock;
pub mod compress;
pub mod convert;
pub mod dedup;
pub mod describe;
pub mod diff;
mod error;
pub mod filter;
pub mod gaps;
pub mod input;
pub mod merge;
pub mod pcap;
pub mod pieces;
pub mod provenance;
pub mod reader;
pub mod repair;
pub mod resize;
pub mod select;
pub mod session;
pub mod shift;
pub mod sort;
pub mod split;
pub mod summary;
mod totals;
pub mod writer;

pub use erf_core as core;
pub use erf_core::*;
pub use error::{Error, ErrorKind};
pub use pcap::ng as pcapng;
pub use reader::{Access, Batch, BatchIter, FileFormat, Reader, ReaderBuilder};
pub use totals::Totals;
pub use writer::ErfWriter;
