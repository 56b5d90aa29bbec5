//! Read, write and convert ERF capture files.

// The mapped reader is the one exception, and says why it may.
#![deny(unsafe_code)]

pub mod convert;
mod error;
pub mod input;
pub mod pcap;
pub mod reader;
pub mod session;
pub mod writer;

pub use erf_core as core;
pub use erf_core::*;
pub use error::{Error, ErrorKind};
pub use pcap::ng as pcapng;
pub use reader::{Access, Batch, BatchIter, FileFormat, Reader, ReaderBuilder};
pub use writer::ErfWriter;
