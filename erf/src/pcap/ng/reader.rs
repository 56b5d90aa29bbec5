//! Reading pcapng.

use crate::error::{Error, ErrorKind};
use crate::input::{Input, Source, Window};

use super::super::order::Order;
use super::super::{BLOCK, MAX_PACKET, Packet};
use super::options::Options;
use super::section::Section;
use super::{BYTE_ORDER_MAGIC, Interface, Statistics, block, code, lossless};
use crate::convert::Unread;

/// Smallest block: type, length, length again.
const MIN_BLOCK: u32 = 12;

/// Interfaces kept for a section. Memory would otherwise be the file's to choose.
const MAX_INTERFACES: usize = 65_536;

/// What a file holds for ERF, one after another.
pub(crate) enum Item<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// A record that is no packet, from a custom block of ours.
    Record(&'a [u8]),
    /// A custom block of ours that is damaged.
    Damaged,
}

/// A reader of pcapng. Memory does not grow with the file, except by the interfaces of a section, of
/// which it keeps 65 536.
///
/// ```no_run
/// let mut reader = erf::pcapng::Reader::open(std::path::Path::new("wire.pcapng"))?;
/// while let Some(packet) = reader.next_packet()? {
///     println!("{:?} {} bytes", packet.timestamp, packet.captured.len());
/// }
/// # Ok::<(), erf::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    window: Window,
    order: Order,
    section: Section,
    interfaces: Vec<Interface>,
    /// Section headers so far.
    sections: u64,
    unread: Unread,
    /// Block that the caller looks at now, to be passed over by the next call.
    lent: usize,
    over: bool,
}

/// What a block that is lent holds.
enum Part {
    Packet(Found),
    /// A custom block, and where its body lies.
    Custom(std::ops::Range<usize>),
}

/// Where the parts of a packet block lie: what is found before the block is lent.
struct Found {
    interface: u32,
    units: Option<u64>,
    captured: std::ops::Range<usize>,
    original_len: u32,
    options: std::ops::Range<usize>,
    drop_count: Option<u64>,
}

impl Reader {
    /// Opens a file, standard input or a stream.
    ///
    /// # Errors
    ///
    /// Those of [`Input::open`] and of [`new`](Reader::new).
    pub fn open(source: impl Into<Source>) -> Result<Reader, Error> {
        Reader::new(Input::open(source)?)
    }

    /// Reads the first section header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownFormat`] when there is none, [`ErrorKind::Malformed`] when it is damaged, and
    /// those of the input.
    pub fn new(input: Input) -> Result<Reader, Error> {
        Reader::from_window(Window::new(input, BLOCK))
    }

    /// Whether these first bytes of a file are those of a pcapng file.
    pub fn recognises(first: &[u8]) -> bool {
        // The same in both byte orders.
        first.starts_with(&block::SECTION.to_be_bytes())
    }

    pub(crate) fn from_window(mut window: Window) -> Result<Reader, Error> {
        window.need(4);
        let name = window.input().name().to_owned();
        if !Reader::recognises(window.bytes()) {
            return Err(window.take_error().unwrap_or_else(|| {
                Error::new(ErrorKind::UnknownFormat, "not a pcapng file: it does not begin with a section header")
                    .at(0)
                    .in_file(name)
            }));
        }
        let mut reader = Reader {
            window,
            order: Order::Little,
            section: Section::default(),
            interfaces: Vec::new(),
            sections: 0,
            unread: Unread::default(),
            lent: 0,
            over: false,
        };
        let first = reader.next_block().and_then(|block| match block {
            Some((kind, length)) => reader.look_at(kind, length).map(|_| length),
            None => Err(reader.error(ErrorKind::Truncated, "pcapng file of no bytes")),
        });
        match first {
            Ok(length) => {
                reader.lent = length;
                Ok(reader)
            }
            Err(error) => Err(error.in_file(name)),
        }
    }

    /// Interfaces of the current section so far, by their number.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The current section's header.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// Blocks that were passed over so far, by their kind.
    pub fn unread(&self) -> Unread {
        self.unread
    }

    /// How messages call this file.
    pub fn name(&self) -> &str {
        self.window.input().name()
    }

    pub(crate) fn has_buffered(&self) -> bool {
        self.window.bytes().len() > self.lent
    }

    /// The next packet, valid until the next call. `None`: the file is over.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] for lengths that cannot be, such as a block over 256 MiB, or an interface that was not described,
    /// [`ErrorKind::Limit`] for the 65 537th interface, [`ErrorKind::Truncated`] when the file ends inside a
    /// block, and those of the input. After an error there is nothing more.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, Error> {
        loop {
            match self.next_part()? {
                Some(Part::Packet(found)) => return Ok(Some(self.packet(found))),
                Some(Part::Custom(_)) => self.unread.custom += 1,
                None => return Ok(None),
            }
        }
    }

    /// As [`next_packet`](Reader::next_packet), with the records between the packets that a file without loss has.
    pub(crate) fn next_item(&mut self) -> Result<Option<Item<'_>>, Error> {
        loop {
            match self.next_part()? {
                Some(Part::Packet(found)) => return Ok(Some(Item::Packet(self.packet(found)))),
                Some(Part::Custom(body)) => {
                    let bytes = self.window.bytes().get(body.clone()).unwrap_or_default();
                    if lossless::record_of(bytes, self.order).is_none() {
                        self.unread.custom += 1;
                        continue;
                    }
                    let bytes = self.window.bytes().get(body).unwrap_or_default();
                    let record = lossless::record_of(bytes, self.order).flatten();
                    return Ok(Some(record.map_or(Item::Damaged, Item::Record)));
                }
                None => return Ok(None),
            }
        }
    }

    /// How many section headers have been read: interfaces are numbered from 0 in each.
    pub(crate) fn sections(&self) -> u64 {
        self.sections
    }

    fn next_part(&mut self) -> Result<Option<Part>, Error> {
        if self.over {
            return Ok(None);
        }
        match self.next_found() {
            Ok(Some(part)) => Ok(Some(part)),
            Ok(None) => {
                self.over = true;
                Ok(None)
            }
            Err(error) => {
                self.over = true;
                Err(error.in_file(self.name()))
            }
        }
    }

    fn next_found(&mut self) -> Result<Option<Part>, Error> {
        loop {
            self.window.consume(std::mem::take(&mut self.lent));
            let Some((kind, length)) = self.next_block()? else {
                return Ok(None);
            };
            let found = self.look_at(kind, length)?;
            if is_read(kind, length) {
                self.lent = length;
            } else {
                self.pass_over(length)?;
                let count = match kind {
                    block::NAME_RESOLUTION => &mut self.unread.name_resolution,
                    block::DECRYPTION_SECRETS => &mut self.unread.decryption_secrets,
                    block::CUSTOM | block::CUSTOM_NO_COPY => &mut self.unread.custom,
                    _ => &mut self.unread.other_blocks,
                };
                *count += 1;
            }
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn error(&self, kind: ErrorKind, what: impl Into<String>) -> Error {
        Error::new(kind, what).at(self.window.offset())
    }

    fn malformed(&self, what: impl Into<String>) -> Error {
        self.error(ErrorKind::Malformed, what)
    }

    /// The input ended before `wanted` bytes of a block.
    fn cut_short(&mut self, wanted: usize) -> Error {
        self.window.take_error().unwrap_or_else(|| {
            let have = self.window.bytes().len();
            self.error(ErrorKind::Truncated, format!("pcapng file ends inside a block ({have} of {wanted} bytes)"))
        })
    }

    /// Type and length of the next block; brings it into the window if it is one that is read.
    fn next_block(&mut self) -> Result<Option<(u32, usize)>, Error> {
        if !self.window.need(MIN_BLOCK as usize) {
            if self.window.bytes().is_empty() {
                return self.window.take_error().map_or(Ok(None), Err);
            }
            return Err(self.cut_short(MIN_BLOCK as usize));
        }
        let head = self.window.bytes();
        if Reader::recognises(head) {
            self.order = if Order::Little.u32(&head[8..]) == BYTE_ORDER_MAGIC {
                Order::Little
            } else if Order::Big.u32(&head[8..]) == BYTE_ORDER_MAGIC {
                Order::Big
            } else {
                return Err(self.malformed("pcapng section header has no byte-order magic"));
            };
        }
        let kind = self.order.u32(head);
        let length = self.order.u32(&head[4..]);
        if length < MIN_BLOCK || !length.is_multiple_of(4) {
            return Err(self.malformed(format!(
                "pcapng block of type {kind:#x} claims {length} bytes, no multiple of 4 of at least 12; \
                 the file is damaged from here on"
            )));
        }
        if length > MAX_PACKET {
            return Err(self.malformed(format!(
                "pcapng block of type {kind:#x} claims {length} bytes, more than the {MAX_PACKET} accepted; \
                 the file is damaged from here on"
            )));
        }
        let total = length as usize;
        if is_read(kind, total) {
            if !self.window.need(total) {
                return Err(self.cut_short(total));
            }
            self.check_trailer(&self.window.bytes()[total - 4..total], length)?;
        }
        Ok(Some((kind, total)))
    }

    fn check_trailer(&self, trailer: &[u8], length: u32) -> Result<(), Error> {
        let behind = self.order.u32(trailer);
        if behind == length {
            return Ok(());
        }
        Err(self.malformed(format!(
            "pcapng block says {length} bytes in front and {behind} behind; the file is damaged here"
        )))
    }

    /// Passes over a block that is not in the window as a whole.
    fn pass_over(&mut self, total: usize) -> Result<(), Error> {
        if !self.window.skip((total - 4) as u64) || !self.window.need(4) {
            return Err(self.cut_short(4));
        }
        self.check_trailer(&self.window.bytes()[..4], total as u32)?;
        self.window.consume(4);
        Ok(())
    }

    /// Takes in a block of `total` bytes at the start of the window; `Some` when it is a packet.
    fn look_at(&mut self, kind: u32, total: usize) -> Result<Option<Part>, Error> {
        if !is_read(kind, total) {
            return Ok(None);
        }
        let order = self.order;
        let body = &self.window.bytes()[8..total - 4];
        let needed = match kind {
            block::SECTION => 16,
            block::INTERFACE => 8,
            block::ENHANCED_PACKET | block::OBSOLETE_PACKET => 20,
            block::STATISTICS => 12,
            block::CUSTOM | block::CUSTOM_NO_COPY => 0,
            _ => 4,
        };
        if body.len() < needed {
            return Err(self.malformed(format!(
                "pcapng block of type {kind:#x} has {} bytes where its fields take {needed}",
                body.len()
            )));
        }
        match kind {
            block::SECTION => {
                let (major, minor) = (order.u16(&body[4..]), order.u16(&body[6..]));
                if major != 1 {
                    return Err(self.error(
                        ErrorKind::Unsupported,
                        format!("pcapng version {major}.{minor} is not known, only version 1 is"),
                    ));
                }
                self.section = Section::of(Options::new(&body[16..], order));
                self.interfaces.clear();
                self.sections += 1;
            }
            block::INTERFACE => {
                if self.interfaces.len() == MAX_INTERFACES {
                    return Err(self.error(
                        ErrorKind::Limit,
                        format!("more than {MAX_INTERFACES} interfaces in a pcapng section"),
                    ));
                }
                match Interface::parse(body, order) {
                    Some(interface) => self.interfaces.push(interface),
                    None => {
                        return Err(self.malformed("pcapng interface has a stamp unit too small for 64 bits"));
                    }
                }
            }
            block::STATISTICS => {
                let number = order.u32(body) as usize;
                let statistics = Statistics::parse(Options::new(&body[12..], order), order);
                // Statistics of an interface that was not described are nobody's; ours are made of the records.
                let interface = self.interfaces.get_mut(number);
                self.unread.statistics += u64::from(interface.as_ref().is_none_or(|of| of.identity.is_none()));
                if let Some(interface) = interface {
                    interface.statistics = Some(statistics);
                }
            }
            block::CUSTOM | block::CUSTOM_NO_COPY => return Ok(Some(Part::Custom(8..total - 4))),
            block::SIMPLE_PACKET => return self.simple(total).map(|found| Some(Part::Packet(found))),
            _ => return self.enhanced(kind, total).map(|found| Some(Part::Packet(found))),
        }
        Ok(None)
    }

    fn interface(&self, number: u32) -> Result<&Interface, Error> {
        self.interfaces.get(number as usize).ok_or_else(|| {
            self.malformed(format!(
                "pcapng packet names interface {number}, but the section has described {}",
                self.interfaces.len()
            ))
        })
    }

    fn simple(&self, total: usize) -> Result<Found, Error> {
        let snaplen = self.interface(0)?.snaplen;
        let original_len = self.order.u32(&self.window.bytes()[8..]);
        let limit = if snaplen == 0 { u32::MAX } else { snaplen };
        let stored = total - 4 - 12;
        let captured = stored.min(original_len.min(limit) as usize);
        Ok(Found {
            interface: 0,
            units: None,
            captured: 12..12 + captured,
            original_len,
            options: 0..0,
            drop_count: None,
        })
    }

    /// Enhanced packets and their obsolete forerunner, which has a 16-bit interface and a drop count.
    fn enhanced(&self, kind: u32, total: usize) -> Result<Found, Error> {
        let order = self.order;
        let block = &self.window.bytes()[..total];
        let (interface, drop_count) = if kind == block::ENHANCED_PACKET {
            (order.u32(&block[8..]), None)
        } else {
            let drops = order.u16(&block[10..]);
            // 0xFFFF is "not known".
            let known = (drops != u16::MAX).then_some(u64::from(drops));
            (u32::from(order.u16(&block[8..])), known)
        };
        self.interface(interface)?;
        let captured = order.u32(&block[20..]) as usize;
        let end = captured.checked_add(28).filter(|&end| end <= total - 4).ok_or_else(|| {
            self.malformed(format!("pcapng packet claims {captured} captured bytes in a block of {total}"))
        })?;
        Ok(Found {
            interface,
            units: Some(order.split_u64(&block[12..])),
            captured: 28..end,
            original_len: order.u32(&block[24..]),
            options: end.next_multiple_of(4).min(total - 4)..total - 4,
            drop_count,
        })
    }

    /// The packet found in the block at the start of the window.
    fn packet(&self, found: Found) -> Packet<'_> {
        let bytes = self.window.bytes();
        let mut packet = Packet {
            interface: found.interface,
            original_len: found.original_len,
            drop_count: found.drop_count,
            offset: self.window.offset(),
            ..Packet::new(super::super::LinkType(0), bytes.get(found.captured).unwrap_or_default())
        };
        packet.options = bytes.get(found.options).unwrap_or_default();
        packet.order = self.order;
        for (code, value) in Options::new(packet.options, self.order) {
            match (code, value.len()) {
                (code::COMMENT, _) if packet.comment.is_none() => {
                    packet.comment = std::str::from_utf8(value).ok();
                }
                (code::PACKET_FLAGS, 4) => packet.flags = Some(self.order.u32(value)),
                (code::PACKET_DROP_COUNT, 8) => packet.drop_count = Some(self.order.u64(value)),
                _ => {}
            }
        }
        // Checked when the block was taken in.
        if let Some(interface) = self.interfaces.get(found.interface as usize) {
            packet.link_type = interface.link_type;
            packet.identity = interface.identity;
            packet.timestamp =
                found.units.and_then(|units| interface.resolution.to_timestamp(units, interface.time_offset));
            // Bits 5 to 8 of the flags: FCS length in bytes, 0 where not stated.
            packet.fcs_len = match packet.flags.map(|flags| (flags >> 5 & 0xF) as u8) {
                Some(bytes @ 1..) => Some(bytes),
                _ => interface.fcs_len,
            };
        }
        packet
    }
}

/// Blocks that are looked at; all others are passed over without being brought into memory.
fn is_read(kind: u32, total: usize) -> bool {
    if matches!(kind, block::CUSTOM | block::CUSTOM_NO_COPY) {
        // What is longer is not ours.
        return total <= lossless::MAX_BLOCK;
    }
    matches!(
        kind,
        block::SECTION
            | block::INTERFACE
            | block::OBSOLETE_PACKET
            | block::SIMPLE_PACKET
            | block::STATISTICS
            | block::ENHANCED_PACKET
    )
}
