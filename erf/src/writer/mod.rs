//! Writing ERF: whole records only, and it is always known how many of them stand in the file.
//!
//! [`ErfWriter`] takes records, gathers them and hands the sink large pieces that begin and end at
//! record boundaries. [`Output`] is the sink for a path or standard output: it refuses to overwrite,
//! and cuts a file back to its last whole record when a write fails: what a recording wants.
//! [`WholeFile`] is complete or absent: what a conversion wants. [`AnyWriter`] writes whichever format.
//!
//! ```
//! use erf::writer::ErfWriter;
//! use erf_core::{Record, RecordBuilder, RecordType};
//!
//! let mut buf = [0; 64];
//! let len = RecordBuilder::new(RecordType::IPV4).payload(&[0x45; 20]).write_to(&mut buf)?;
//! let record = Record::parse(&buf[..len])?;
//!
//! let mut writer = ErfWriter::new(Vec::new());
//! writer.write_record(&record)?;
//! assert_eq!(writer.finish()?, &buf[..len]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod any;
mod causes;
mod erf_writer;
mod output;
#[cfg(target_os = "linux")]
mod pipe;
mod room;
mod unwritten;
mod whole;
mod whole_file;

#[cfg(test)]
mod tests;

pub use any::AnyWriter;
pub use erf_writer::ErfWriter;
pub use output::{Output, OutputOptions};
pub use room::Room;
pub use unwritten::Unwritten;
pub use whole_file::{WholeFile, give_name};
