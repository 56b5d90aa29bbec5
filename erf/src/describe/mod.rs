//! Records in words: one line each, or everything that is in them.
//!
//! ```
//! use erf::describe::{Full, Line, utc};
//! use erf::{Record, RecordBuilder, RecordType, Timestamp};
//!
//! let stamp = Timestamp::from_parts(1_700_000_000, 0x4000_0000);
//! let packet = RecordBuilder::new(RecordType::ETH).timestamp(stamp).interface(1).payload(&[7; 60]).append_fcs().to_vec()?;
//! let record = Record::parse(&packet)?;
//! assert_eq!(utc(stamp).to_string(), "2023-11-14T22:13:20.250000000Z");
//! let line = Line { offset: 0, record: &record }.to_string();
//! assert_eq!(line, "         0 2023-11-14T22:13:20.250000000Z ETH            1    64/64    v---- lost 0");
//! assert!(Full { offset: 0, record: &record }.to_string().contains("FCS right"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod extension;
mod full;
mod plain;
mod tags;
mod time;

use std::fmt;

pub use extension::{Extension, SubHeaderWords, extension, sub_header};
pub use full::{Full, Hex};
pub use plain::{Plain, plain};
pub use tags::{Tags, Words, words};
pub use time::{Utc, utc};

use crate::{Flags, Record};

/// One line: offset, time, type, interface, bytes on the wire and stored, flags, loss or colour, extension headers.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Where the record stands.
    pub offset: u64,
    /// The record.
    pub record: &'a Record<'a>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record;
        write!(
            f,
            "{:>10} {} {:<14} {} {:>5}/{:<5} {} {} {}",
            self.offset,
            utc(record.timestamp()),
            record.record_type().to_string(),
            record.interface(),
            record.wire_len(),
            record.captured_len(),
            letters(record.flags()),
            if record.color().is_some() { "colour" } else { "lost" },
            record.lctr_raw(),
        )?;
        for header in record.ext_headers() {
            write!(f, " [{}]", header.kind())?;
        }
        Ok(())
    }
}

/// The flags that are set, as letters in fixed places: varying length, truncated, RX error, DS error, reserved.
pub fn letters(flags: Flags) -> String {
    let letters = [
        ('v', flags.varying_length()),
        ('t', flags.truncated()),
        ('r', flags.rx_error()),
        ('d', flags.ds_error()),
        ('x', flags.reserved()),
    ];
    letters.iter().map(|&(letter, set)| if set { letter } else { '-' }).collect()
}
