//! Writing classic pcap from ERF records.

use std::io::Write;

use byteorder::{ByteOrder, LittleEndian};
use erf_core::{Record, Rounding, Timestamp};

use super::LinkType;
use crate::convert::{
    Encapsulation, FcsPolicy, Outcome, PacketOptions, PlainFrame, PlainRun, Skip, SkipCounts, WirePacket, to_packet,
};
use crate::error::{Error, ErrorKind};

const MAGIC_MICROS: u32 = 0xA1B2_C3D4;
const MAGIC_NANOS: u32 = 0xA1B2_3C4D;

/// What a classic pcap file shall look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterOptions {
    /// How records become packets.
    pub packets: PacketOptions,
    /// Microseconds instead of nanoseconds, for readers from before 2012.
    pub micros: bool,
    /// How stamps become units of the file.
    pub rounding: Rounding,
    /// Snap length to state in the file header, in bytes.
    pub snaplen: u32,
}

impl Default for WriterOptions {
    fn default() -> WriterOptions {
        WriterOptions {
            packets: PacketOptions::default(),
            micros: false,
            rounding: Rounding::HalfUp,
            // No record is longer.
            snaplen: 65_535,
        }
    }
}

/// Writes ERF records as a classic pcap file, little-endian, nanoseconds unless asked otherwise.
///
/// A pcap file has one link type: that of the first record that has one. Records of another are
/// skipped and counted; [`pcapng`](crate::pcapng) can hold them all. Loss counters have no place in
/// pcap: [`lost`](Writer::lost) is there to be reported.
///
/// ```
/// use erf::{Record, RecordBuilder, RecordType};
///
/// let mut buffer = [0; 128];
/// let length = RecordBuilder::new(RecordType::ETH).payload(&[7; 60]).append_fcs().write_to(&mut buffer)?;
/// let mut writer = erf::pcap::Writer::new(Vec::new(), Default::default());
/// writer.write_record(&Record::parse(&buffer[..length])?)?;
/// let file = writer.finish()?;
/// assert_eq!(file.len(), 24 + 16 + 60);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    /// Written in pieces of about [`PIECE`] bytes.
    buffer: Vec<u8>,
    name: String,
    options: WriterOptions,
    /// Set by the first packet; the file header is written then.
    link_type: Option<LinkType>,
    position: u64,
    written: u64,
    lost: u64,
    skipped: SkipCounts,
}

impl<W: Write> Writer<W> {
    /// A writer of one file, to which it writes in large pieces. Nothing is written before the first packet or
    /// [`finish`](Writer::finish), and what is not [flushed](Writer::flush) or finished is lost.
    pub fn new(out: W, options: WriterOptions) -> Writer<W> {
        Writer {
            out,
            buffer: Vec::new(),
            name: "pcap output".to_owned(),
            options,
            link_type: None,
            position: 0,
            written: 0,
            lost: 0,
            skipped: SkipCounts::default(),
        }
    }

    /// How error messages shall call the output.
    pub fn named(mut self, name: impl Into<String>) -> Writer<W> {
        self.name = name.into();
        self
    }

    /// Writes a record as a packet, or says why it has no place in this file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the output fails. The file is then valid up to what got out.
    pub fn write_record(&mut self, record: &Record<'_>) -> Result<Outcome, Error> {
        self.lost += u64::from(record.loss().unwrap_or(0));
        let packet = match to_packet(record, &self.options.packets) {
            Ok(packet) => packet,
            Err(skip) => return Ok(self.skip(record, skip)),
        };
        match self.link_type {
            None => self.write_header(packet.link_type)?,
            Some(file) if file != packet.link_type => {
                let skip = Skip::OtherLinkType { file, packet: packet.link_type };
                return Ok(self.skip(record, skip));
            }
            Some(_) => {}
        }
        self.write_packet(record, &packet)?;
        self.written += 1;
        Ok(Outcome::Written)
    }

    /// Writes the records at the start of `run` that are plain, as [`write_record`](Writer::write_record) would, once the file has begun.
    pub(crate) fn write_plain(&mut self, run: &[u8]) -> Result<PlainRun, Error> {
        let PacketOptions { encapsulation, fcs, .. } = self.options.packets;
        let mut done = PlainRun::default();
        if self.link_type != Some(LinkType::ETHERNET) || encapsulation != Encapsulation::Native {
            return Ok(done);
        }
        let tail = if fcs == FcsPolicy::Strip { 4 } else { 0 };
        let mut rest = run;
        while let Some(plain) = PlainFrame::ahead(rest, tail) {
            let header = self.header(plain.stamp, plain.frame.len() as u32, plain.original_len);
            self.buffer.extend_from_slice(&header);
            self.put_beside(header.len(), plain.frame)?;
            rest = plain.rest;
            done.records += 1;
        }
        self.written += done.records;
        done.bytes = run.len() - rest.len();
        Ok(done)
    }

    fn skip(&mut self, record: &Record<'_>, skip: Skip) -> Outcome {
        self.skipped.add(record.record_type());
        Outcome::Skipped(skip)
    }

    fn write_header(&mut self, link_type: LinkType) -> Result<(), Error> {
        let mut header = [0; 24];
        let magic = if self.options.micros { MAGIC_MICROS } else { MAGIC_NANOS };
        LittleEndian::write_u32(&mut header[0..], magic);
        LittleEndian::write_u16(&mut header[4..], 2);
        LittleEndian::write_u16(&mut header[6..], 4);
        LittleEndian::write_u32(&mut header[16..], self.options.snaplen);
        LittleEndian::write_u32(&mut header[20..], link_type.0 | self.fcs_bits(link_type));
        self.put(&header)?;
        self.link_type = Some(link_type);
        Ok(())
    }

    /// Bit 26 says that the four bits from 28 on count the FCS in units of 16 bits.
    fn fcs_bits(&self, link_type: LinkType) -> u32 {
        let kept = self.options.packets.fcs == FcsPolicy::Keep
            && self.options.packets.encapsulation == Encapsulation::Native
            && link_type == LinkType::ETHERNET;
        if kept { 0x0400_0000 | 2 << 28 } else { 0 }
    }

    fn write_packet(&mut self, record: &Record<'_>, packet: &WirePacket<'_>) -> Result<(), Error> {
        let header = self.header(record.timestamp(), packet.captured_len(), packet.original_len);
        let [rewritten, body] = packet.parts();
        self.buffer.reserve(header.len() + rewritten.len() + body.len());
        self.buffer.extend_from_slice(&header);
        if !rewritten.is_empty() {
            self.buffer.extend_from_slice(rewritten);
        }
        self.put_beside(header.len() + rewritten.len(), body)
    }

    /// What stands before a packet.
    #[inline]
    fn header(&self, stamp: Timestamp, captured_len: u32, original_len: u32) -> [u8; 16] {
        let (seconds, fraction) = self.stamp(stamp);
        let mut header = [0; 16];
        LittleEndian::write_u32(&mut header[0..], seconds);
        LittleEndian::write_u32(&mut header[4..], fraction);
        LittleEndian::write_u32(&mut header[8..], captured_len);
        LittleEndian::write_u32(&mut header[12..], original_len);
        header
    }

    /// Seconds and units of a fraction, without the division that a count of units since 1970 would take.
    #[inline]
    fn stamp(&self, stamp: Timestamp) -> (u32, u32) {
        let per_second: u32 = if self.options.micros { 1_000_000 } else { 1_000_000_000 };
        let half = if self.options.rounding == Rounding::HalfUp { 1 << 31 } else { 0 };
        let fraction = ((u64::from(stamp.frac()) * u64::from(per_second) + half) >> 32) as u32;
        match (fraction == per_second, stamp.secs().checked_add(1)) {
            (false, _) => (stamp.secs(), fraction),
            (true, Some(next)) => (next, 0),
            // Rounding up carries past the last second that a pcap header can say.
            (true, None) => (u32::MAX, per_second - 1),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.put_beside(0, bytes)
    }

    /// Puts `bytes` behind `beside` bytes that were put into the buffer just now.
    #[inline]
    fn put_beside(&mut self, beside: usize, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        self.position += (beside + bytes.len()) as u64;
        if self.buffer.len() >= PIECE { self.drain() } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<(), Error> {
        drain(&mut self.out, &mut self.buffer).map_err(|cause| failed(&self.name, self.position, cause))
    }

    /// Hands what is buffered to the output.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the output fails.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.drain()?;
        self.out.flush().map_err(|cause| failed(&self.name, self.position, cause))
    }

    /// Completes the file, which without any packet is a header of link type Ethernet, and gives the
    /// output back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the output fails.
    pub fn finish(mut self) -> Result<W, Error> {
        if self.link_type.is_none() {
            let link_type = match self.options.packets.encapsulation {
                Encapsulation::Native => LinkType::ETHERNET,
                Encapsulation::Erf => LinkType::ERF,
            };
            self.write_header(link_type)?;
        }
        self.flush()?;
        Ok(self.out)
    }

    /// Packets in the file.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes of the file so far, buffered ones included.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Packets that the loss counters of all records given, skipped ones included, say were lost before
    /// the recording. A counter at 65 535 means at least that many.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Records that are not in the file, by type.
    pub fn skipped(&self) -> &SkipCounts {
        &self.skipped
    }

    /// What the file's packets begin with, once the first one has decided it.
    pub fn link_type(&self) -> Option<LinkType> {
        self.link_type
    }
}

/// Bytes gathered before they go to the output.
pub(super) const PIECE: usize = 256 * 1024;

/// Writes what was gathered. It is gone afterwards, written or not.
pub(super) fn drain(out: &mut impl Write, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    let result = out.write_all(buffer);
    buffer.clear();
    result
}

pub(super) fn failed(name: &str, position: u64, cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Write, "write failed").at(position).in_file(name).because(cause)
}
