//! Writing pcapng from ERF records.

mod options;
mod plain;

use std::collections::HashMap;
use std::io::Write;

use erf_core::identity::Identity;
use erf_core::{Record, Timestamp};

use super::super::writer::{PIECE, drain, failed};
use super::super::{LinkType, Resolution};
use super::known::Known;
use super::lossless;
use super::options::{MAX_TEXT, cut, put, put_end, put_text};
use super::{BYTE_ORDER_MAGIC, block, code};
use crate::convert::{Encapsulation, FcsPolicy, Outcome, PacketOptions, Skip, SkipCounts, WirePacket, to_packet};
use crate::error::Error;
pub use options::WriterOptions;

/// Interfaces kept. Their number is the input's to choose, memory is not.
const MAX_INTERFACES: usize = 65_536;

/// Bytes of blocks that wait for the first interface at most: META goes with packets, and is not all there is.
const MAX_EARLY: usize = 4 * 1024 * 1024;

/// Writes ERF records as a pcapng file of one section, little-endian.
///
/// * An interface for every (Host ID, Source ID, port, link type), described just before its first packet
///   with what META records have said about the port by then: name, description, speed, filter, address. Names that come
///   later than the first packets are known in time to who shows them all to a [`Known`] before
///   ([`with_known`](Writer::with_known)).
/// * Comments that META gives to a packet through an anchor are comments of the packet; others that are known before the first
///   packet, or [beforehand](Writer::with_known), are comments of the section, with the part before them that they are about.
/// * The loss counter of a record is the packet's `epb_dropcount`; at the end an interface statistics
///   block for each interface has the packets received and the sum of drops. Counters of records that are
///   skipped count for the next packet of the port.
/// * PAD is dropped, META is no packet; with [`lossless`](WriterOptions::lossless) both stand in custom blocks.
///
/// ```
/// use erf::{Record, RecordBuilder, RecordType};
///
/// let mut buffer = [0; 128];
/// let length = RecordBuilder::new(RecordType::ETH).payload(&[7; 60]).append_fcs().write_to(&mut buffer)?;
/// let mut writer = erf::pcapng::Writer::new(Vec::new(), Default::default());
/// writer.write_record(&Record::parse(&buffer[..length])?)?;
/// let file = writer.finish()?;
/// let mut reader = erf::pcapng::Reader::open(erf::input::Source::from_read(std::io::Cursor::new(file)))?;
/// assert_eq!(reader.next_packet()?.map(|packet| packet.captured.len()), Some(60));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    name: String,
    options: WriterOptions,
    known: Known,
    /// There is no more to be known.
    all_known: bool,
    interfaces: Vec<Counted>,
    numbers: HashMap<Key, u32>,
    /// The last key of each port and its number: packets of a few ports take turns.
    recent: [Option<(Key, u32)>; 8],
    /// The interface of each port that packets without extension headers have come from.
    plain: [Option<u32>; 8],
    /// Losses stated by skipped records, for the next packet of the port.
    carried: [u64; 8],
    /// Blocks on their way out, written in pieces of about [`PIECE`] bytes.
    block: Vec<u8>,
    /// Where in it the last block begins.
    start: usize,
    /// Custom blocks that came before the first interface, behind which they are written: editcap and mergecap refuse a file that
    /// has others before it.
    early: Vec<u8>,
    section_written: bool,
    /// Comments on the file that its header has.
    comments: u64,
    position: u64,
    written: u64,
    beside: u64,
    lost: u64,
    skipped: SkipCounts,
}

type Key = (Identity, LinkType);

/// What the statistics block at the end says of an interface.
#[derive(Debug, Default)]
struct Counted {
    received: u64,
    dropped: u64,
    first: Timestamp,
    last: Timestamp,
}

impl<W: Write> Writer<W> {
    /// A writer of one file, to which it writes in large pieces. Nothing is written before the first record or
    /// [`finish`](Writer::finish), and what is not [flushed](Writer::flush) or finished is lost.
    pub fn new(out: W, options: WriterOptions) -> Writer<W> {
        let resolution = if options.lossless { Resolution::ERF } else { options.resolution };
        let options = WriterOptions { resolution, ..options };
        Writer {
            out,
            name: "pcapng output".to_owned(),
            options,
            known: Known::default(),
            all_known: false,
            interfaces: Vec::new(),
            numbers: HashMap::new(),
            recent: [None; 8],
            plain: [None; 8],
            carried: [0; 8],
            block: Vec::new(),
            start: 0,
            early: Vec::new(),
            section_written: false,
            comments: 0,
            position: 0,
            written: 0,
            beside: 0,
            lost: 0,
            skipped: SkipCounts::default(),
        }
    }

    /// How error messages shall call the output.
    pub fn named(mut self, name: impl Into<String>) -> Writer<W> {
        self.name = name.into();
        self
    }

    /// With what is known beforehand, for example from a first pass over the file: names that come later than the first
    /// packets are known in time then.
    pub fn with_known(mut self, known: Known) -> Writer<W> {
        self.known = known;
        self
    }

    /// With all that there is to be known: what records say is not taken in any more.
    pub(crate) fn with_all_known(mut self, known: Known) -> Writer<W> {
        self.all_known = true;
        self.with_known(known)
    }

    /// What is known by now.
    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    /// Writes a record as a packet, or says why it has no place in this file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`](crate::ErrorKind::Write) when the output fails. The file is then valid up to
    /// what got out, an incomplete last block aside.
    pub fn write_record(&mut self, record: &Record<'_>) -> Result<Outcome, Error> {
        self.write_commented(record, None)
    }

    /// As [`write_record`](Writer::write_record), with a comment on the packet, of which up to 65 532
    /// bytes are kept.
    ///
    /// # Errors
    ///
    /// As [`write_record`](Writer::write_record).
    pub fn write_commented(&mut self, record: &Record<'_>, comment: Option<&str>) -> Result<Outcome, Error> {
        let loss = u64::from(record.loss().unwrap_or(0));
        self.lost += loss;
        let port = usize::from(record.interface() & 7);
        let carried = self.carried.get(port).copied().unwrap_or(0);
        let dropped = carried.saturating_add(loss);
        if !self.all_known {
            self.known.observe(record);
        }
        match self.try_write(record, dropped, comment)? {
            Outcome::Written => {
                self.carry(port, 0);
                self.written += 1;
                Ok(Outcome::Written)
            }
            Outcome::Beside(skip) => {
                self.carry(port, dropped);
                self.beside += 1;
                Ok(Outcome::Beside(skip))
            }
            skipped => {
                self.carry(port, dropped);
                self.skipped.add(record.record_type());
                Ok(skipped)
            }
        }
    }

    fn carry(&mut self, port: usize, dropped: u64) {
        if let Some(carried) = self.carried.get_mut(port) {
            *carried = dropped;
        }
    }

    fn try_write(&mut self, record: &Record<'_>, dropped: u64, comment: Option<&str>) -> Result<Outcome, Error> {
        let packet = match self.packet(record) {
            Ok(packet) => packet,
            Err(skip) => return self.write_beside(record, skip),
        };
        let identity = Identity::new(record.ext_headers(), record.interface());
        let Some(number) = self.interface((identity, packet.link_type))? else {
            return self.write_beside(record, Skip::TooManyInterfaces);
        };
        let timestamp = record.timestamp();
        if let Some(counted) = self.interfaces.get_mut(number as usize) {
            if counted.received == 0 {
                counted.first = timestamp;
            }
            counted.last = counted.last.max(timestamp);
            counted.received += 1;
            counted.dropped = counted.dropped.saturating_add(dropped);
        }
        if !record.has_ext_headers()
            && let Some(plain) = self.plain.get_mut(usize::from(record.interface()))
        {
            *plain = (packet.link_type == LinkType::ETHERNET).then_some(number);
        }
        self.write_packet(record, number, &packet, dropped, comment)?;
        Ok(Outcome::Written)
    }

    /// What the record is as a packet of this file.
    fn packet<'a>(&self, record: &Record<'a>) -> Result<WirePacket<'a>, Skip> {
        let packet = to_packet(record, &self.options.packets);
        if !self.options.lossless {
            return packet;
        }
        let packet = match packet {
            Ok(_) if record.is_meta() => return Err(Skip::Meta),
            // Wireshark 4.0 knows no LINKTYPE_INFINIBAND, and rewrites no file that has packets of it.
            Ok(WirePacket { link_type: LinkType::INFINIBAND, .. }) | Err(Skip::NoLinkType(_)) => {
                let whole = PacketOptions { encapsulation: Encapsulation::Erf, ..self.options.packets };
                to_packet(record, &whole)?
            }
            packet => packet?,
        };
        if lossless::fits(record, &packet) { Ok(packet) } else { Err(Skip::TooLongForOptions) }
    }

    /// Without loss, what is no packet of the file stands in a block of its own.
    fn write_beside(&mut self, record: &Record<'_>, skip: Skip) -> Result<Outcome, Error> {
        if !self.options.lossless {
            return Ok(Outcome::Skipped(skip));
        }
        if self.interfaces.is_empty() && self.early.len() >= MAX_EARLY {
            self.first_interface()?;
        }
        let is_early = self.interfaces.is_empty();
        if is_early {
            std::mem::swap(&mut self.block, &mut self.early);
        }
        // PAD fills a place in the original file, and means nothing in one that was changed.
        self.begin(if record.is_pad() { block::CUSTOM_NO_COPY } else { block::CUSTOM });
        lossless::put_block(&mut self.block, record);
        self.close();
        if is_early {
            std::mem::swap(&mut self.block, &mut self.early);
        }
        self.drain_pieces()?;
        Ok(Outcome::Beside(skip))
    }

    /// An interface for a file that has no packets, or none yet.
    fn first_interface(&mut self) -> Result<(), Error> {
        let link_type = match self.options.packets.encapsulation {
            Encapsulation::Native => LinkType::ETHERNET,
            Encapsulation::Erf => LinkType::ERF,
        };
        self.interface((Identity::default(), link_type)).map(|_| ())
    }

    /// The number of an interface, which is described in the file first where it is new.
    fn interface(&mut self, key: Key) -> Result<Option<u32>, Error> {
        let port = usize::from(key.0.interface & 7);
        if let Some((recent, number)) = self.recent[port]
            && recent == key
        {
            return Ok(Some(number));
        }
        let number = match self.numbers.get(&key) {
            Some(&number) => number,
            None if self.interfaces.len() == MAX_INTERFACES => return Ok(None),
            None => {
                let number = self.interfaces.len() as u32;
                self.write_interface(key)?;
                self.block.append(&mut self.early);
                self.drain_pieces()?;
                self.interfaces.push(Counted::default());
                self.numbers.insert(key, number);
                number
            }
        };
        self.recent[port] = Some((key, number));
        Ok(Some(number))
    }

    fn write_section(&mut self) -> Result<(), Error> {
        if self.section_written {
            return Ok(());
        }
        self.begin(block::SECTION);
        self.block.extend_from_slice(&BYTE_ORDER_MAGIC.to_le_bytes());
        self.block.extend_from_slice(&1u16.to_le_bytes());
        self.block.extend_from_slice(&0u16.to_le_bytes());
        self.block.extend_from_slice(&(-1i64).to_le_bytes()); // length not stated
        let known = &self.known;
        self.options.section.put_options(known.described.section(), known.remarks.texts(), &mut self.block);
        self.comments = known.remarks.kept();
        self.end()?;
        self.section_written = true;
        Ok(())
    }

    fn write_interface(&mut self, (identity, link_type): Key) -> Result<(), Error> {
        self.write_section()?;
        self.begin(block::INTERFACE);
        // The field has 16 bits; every link type made here fits.
        self.block.extend_from_slice(&(link_type.0 as u16).to_le_bytes());
        self.block.extend_from_slice(&[0; 2]);
        self.block.extend_from_slice(&self.options.snaplen.to_le_bytes());
        let port = self.known.described.port(identity);
        put_text(&mut self.block, code::IF_NAME, &port.name);
        put_text(&mut self.block, code::IF_DESCRIPTION, &port.description);
        if let Some(mac) = port.mac {
            put(&mut self.block, code::IF_MAC, &mac);
        }
        if let Some(speed) = port.speed {
            put(&mut self.block, code::IF_SPEED, &speed.to_le_bytes());
        }
        put(&mut self.block, code::IF_TSRESOL, &[self.options.resolution.byte()]);
        if !port.filter.is_empty() {
            // A filter option is a kind, 0 for text, and the filter.
            let filter = [&[0], port.filter.as_bytes()].concat();
            put(&mut self.block, code::IF_FILTER, &filter);
        }
        if self.options.packets.fcs == FcsPolicy::Keep && link_type == LinkType::ETHERNET {
            put(&mut self.block, code::IF_FCSLEN, &[32]);
        }
        if self.options.lossless {
            lossless::put_identity(&mut self.block, identity);
        }
        put_end(&mut self.block);
        self.end()
    }

    fn write_packet(
        &mut self,
        record: &Record<'_>,
        interface: u32,
        packet: &WirePacket<'_>,
        dropped: u64,
        comment: Option<&str>,
    ) -> Result<(), Error> {
        let units = self.units(record.timestamp());
        self.begin(block::ENHANCED_PACKET);
        self.block.extend_from_slice(&interface.to_le_bytes());
        self.put_units(units);
        self.block.extend_from_slice(&packet.captured_len().to_le_bytes());
        self.block.extend_from_slice(&packet.original_len.to_le_bytes());
        for part in packet.parts() {
            self.block.extend_from_slice(part);
        }
        // A block begins at a multiple of 4 of the buffer, as it does in the file.
        self.block.resize(self.block.len().next_multiple_of(4), 0);
        let before = self.block.len();
        let mut comments = 0u8;
        for comment in
            comment.into_iter().chain(self.known.comments.of(record)).filter(|comment| !comment.is_empty()).take(255)
        {
            put_text(&mut self.block, code::COMMENT, cut(comment, MAX_TEXT));
            comments += 1;
        }
        if self.options.lossless {
            lossless::put_option(&mut self.block, record, packet, comments);
        }
        let crc_error = self.options.rx_error_is_crc_error && record.flags().rx_error();
        let flags = u32::from(packet.fcs_len) << 5 | u32::from(crc_error) << 24;
        if flags != 0 {
            put(&mut self.block, code::PACKET_FLAGS, &flags.to_le_bytes());
        }
        if dropped > 0 {
            put(&mut self.block, code::PACKET_DROP_COUNT, &dropped.to_le_bytes());
        }
        if self.block.len() > before {
            put_end(&mut self.block);
        }
        self.end()
    }

    fn write_statistics(&mut self, number: u32, counted: &Counted) -> Result<(), Error> {
        self.begin(block::STATISTICS);
        self.block.extend_from_slice(&number.to_le_bytes());
        self.put_units(self.units(counted.last));
        for (code, timestamp) in [(code::ISB_START, counted.first), (code::ISB_END, counted.last)] {
            let value = split(self.units(timestamp));
            put(&mut self.block, code, &value);
        }
        // Received by the interface: the ones dropped behind it too.
        let received = counted.received.saturating_add(counted.dropped);
        put(&mut self.block, code::ISB_RECEIVED, &received.to_le_bytes());
        put(&mut self.block, code::ISB_DROPPED, &counted.dropped.to_le_bytes());
        put_end(&mut self.block);
        self.end()
    }

    #[inline]
    fn units(&self, timestamp: Timestamp) -> u64 {
        self.options.resolution.rounded(timestamp, self.options.rounding)
    }

    fn put_units(&mut self, units: u64) {
        self.block.extend_from_slice(&split(units));
    }

    /// Starts a block; its length is filled in by [`end`](Writer::end).
    fn begin(&mut self, kind: u32) {
        self.start = self.block.len();
        self.block.extend_from_slice(&kind.to_le_bytes());
        self.block.extend_from_slice(&[0; 4]);
    }

    /// Ends a block, and writes it when there is enough to be written.
    fn end(&mut self) -> Result<(), Error> {
        self.close();
        self.drain_pieces()
    }

    /// Fills in the length of the block, in front and behind.
    fn close(&mut self) {
        // Below 32 MiB: a record, its comments and a few options.
        let bytes = self.block.len() - self.start + 4;
        let length = (bytes as u32).to_le_bytes();
        if let Some(field) = self.block.get_mut(self.start + 4..self.start + 8) {
            field.copy_from_slice(&length);
        }
        self.block.extend_from_slice(&length);
        self.position += bytes as u64;
    }

    fn drain_pieces(&mut self) -> Result<(), Error> {
        if self.block.len() >= PIECE { self.drain() } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<(), Error> {
        drain(&mut self.out, &mut self.block).map_err(|cause| failed(&self.name, self.position, cause))
    }

    /// Hands what is buffered to the output.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`](crate::ErrorKind::Write) when the output fails.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.drain()?;
        self.out.flush().map_err(|cause| failed(&self.name, self.position, cause))
    }

    /// Completes the file with the statistics of its interfaces and gives the output back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`](crate::ErrorKind::Write) when the output fails.
    pub fn finish(mut self) -> Result<W, Error> {
        if self.interfaces.is_empty() {
            // libpcap and Wireshark's editors accept no file without an interface.
            self.first_interface()?;
        }
        for (number, counted) in (0..).zip(std::mem::take(&mut self.interfaces)) {
            self.write_statistics(number, &counted)?;
        }
        self.flush()?;
        Ok(self.out)
    }

    /// Packets in the file.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Records that stand beside the packets, in blocks of their own ([`lossless`](WriterOptions::lossless)).
    pub fn beside(&self) -> u64 {
        self.beside
    }

    /// Bytes of the file so far, buffered ones included.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Packets that the loss counters of all records given, skipped ones included, say were lost. A
    /// counter at 65 535 means at least that many.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Comments of META on the capture or parts of it that came too late for the header of the file, or are more than it
    /// holds: 256, of 1 MiB together.
    pub fn comments_left_out(&self) -> u64 {
        let written = if self.section_written { self.comments } else { self.known.remarks.kept() };
        self.known.remarks.count().saturating_sub(written)
    }

    /// Records that are not in the file, by type.
    pub fn skipped(&self) -> &SkipCounts {
        &self.skipped
    }
}

/// A stamp as pcapng stores it: two 32-bit halves, high one first.
fn split(units: u64) -> [u8; 8] {
    let mut bytes = [0; 8];
    for (to, half) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(halves(units)) {
        *to = half.to_le_bytes();
    }
    bytes
}

#[inline]
const fn halves(units: u64) -> [u32; 2] {
    [(units >> 32) as u32, units as u32]
}
