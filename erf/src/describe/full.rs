//! Everything that is in a record.

use std::fmt;

use super::{Tags, extension, letters, sub_header, utc};
use crate::meta::Meta;
use crate::{Ext, Fcs, Record};

/// Some lines: header, extension headers, sub-header, what is stored, and the tags of a META record.
#[derive(Debug, Clone, Copy)]
pub struct Full<'a> {
    /// Where the record stands.
    pub offset: u64,
    /// The record.
    pub record: &'a Record<'a>,
}

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record;
        let record_type = record.record_type();
        writeln!(f, "byte {}: {record_type} ({}), {} bytes", self.offset, record_type.number(), record.rlen())?;
        writeln!(f, "  stamp {} = {:#018x}", utc(record.timestamp()), record.timestamp().raw())?;
        let flags = record.flags();
        writeln!(f, "  flags {:#04x} {}, interface {}", flags.bits(), letters(flags), record.interface())?;
        let counter = if record.color().is_some() { "colour" } else { "lost before it" };
        writeln!(f, "  {counter} {}", record.lctr_raw())?;
        for header in record.ext_headers() {
            write!(f, "  {} {:016x}", header.kind(), header.to_u64())?;
            match header.view() {
                Ext::Opaque(_) => writeln!(f)?,
                _ => writeln!(f, " {}", extension(header))?,
            }
        }
        if !record.sub_header_bytes().is_empty() {
            writeln!(f, "  sub-header {}", sub_header(record.sub_header()))?;
        }
        write!(f, "  {} bytes on the wire, {} stored", record.wire_len(), record.captured_len())?;
        match record.fcs() {
            Fcs::NotStored => write!(f, ", FCS not stored")?,
            _ if record.is_snapped() => write!(f, ", snapped")?,
            _ => {}
        }
        if let Some(right) = record.verify_fcs() {
            write!(f, ", FCS {}", if right { "right" } else { "wrong or none" })?;
        }
        writeln!(f, ", {} of padding", record.padding().len())?;
        if record.is_meta() { write!(f, "{}", Tags(Meta::new(record.payload()))) } else { Ok(()) }
    }
}

/// Bytes as lines of sixteen, in hexadecimal and as text.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in (0..).step_by(16).zip(self.0.chunks(16)) {
            write!(f, "    {at:04x} ")?;
            for column in 0..16 {
                match line.get(column) {
                    Some(byte) => write!(f, " {byte:02x}")?,
                    None => f.write_str("   ")?,
                }
            }
            let text = line.iter().map(|&byte| if matches!(byte, 0x20..0x7F) { char::from(byte) } else { '.' });
            writeln!(f, "  {}", text.collect::<String>())?;
        }
        Ok(())
    }
}
