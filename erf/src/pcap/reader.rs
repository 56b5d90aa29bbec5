//! Reading classic pcap.

use crate::error::{Error, ErrorKind};
use crate::input::{Input, Source, Window};

use super::order::Order;
use super::{BLOCK, LinkType, MAX_PACKET, Packet, Resolution};

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// In Kuznetzov's modification, interface index, protocol and packet type follow the four usual fields.
const MODIFIED_PACKET_HEADER: usize = 24;

/// What tools accept at least, whatever the file's own snap length says: libpcap's largest snap length.
const LENIENT_SNAPLEN: u32 = 262_144;

/// Which of the classic formats the first four bytes announce.
#[derive(Clone, Copy)]
struct Magic {
    order: Order,
    resolution: Resolution,
    packet_header: usize,
}

impl Magic {
    fn of(first: &[u8]) -> Option<Magic> {
        let first: &[u8; 4] = first.first_chunk()?;
        [Order::Big, Order::Little].into_iter().find_map(|order| {
            let (resolution, packet_header) = match order.u32(first) {
                0xA1B2_C3D4 => (Resolution::MICROS, PACKET_HEADER),
                0xA1B2_3C4D => (Resolution::NANOS, PACKET_HEADER),
                0xA1B2_CD34 => (Resolution::MICROS, MODIFIED_PACKET_HEADER),
                _ => return None,
            };
            Some(Magic { order, resolution, packet_header })
        })
    }
}

/// A reader of classic pcap: microseconds or nanoseconds, either byte order, and Kuznetzov's modified
/// form (magic 0xA1B2CD34). Constant memory.
///
/// ```
/// # let file = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0\
/// #   \x01\0\0\0\x02\0\0\0\x03\0\0\0\x40\0\0\0abc";
/// use erf::input::{Input, Source};
///
/// let mut reader = erf::pcap::Reader::new(Input::open(Source::from_read(&file[..]))?)?;
/// while let Some(packet) = reader.next_packet()? {
///     assert_eq!((packet.captured, packet.original_len), (&b"abc"[..], 64));
/// }
/// # Ok::<(), erf::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    window: Window,
    order: Order,
    resolution: Resolution,
    packet_header: usize,
    snaplen: u32,
    link_type: LinkType,
    fcs_len: Option<u8>,
    /// Header and packet that the caller looks at now, to be passed over by the next call.
    lent: usize,
    over: bool,
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

    /// Reads the file header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownFormat`] when it is none, [`ErrorKind::Truncated`] when it is cut short, and
    /// those of the input.
    pub fn new(input: Input) -> Result<Reader, Error> {
        Reader::from_window(Window::new(input, BLOCK))
    }

    /// Whether these first bytes of a file are those of a classic pcap file.
    pub fn recognises(first: &[u8]) -> bool {
        Magic::of(first).is_some()
    }

    pub(crate) fn from_window(mut window: Window) -> Result<Reader, Error> {
        let complete = window.need(FILE_HEADER);
        let name = window.input().name().to_owned();
        let head = window.bytes();
        let Some(magic) = Magic::of(head) else {
            return Err(window.take_error().unwrap_or_else(|| {
                Error::new(ErrorKind::UnknownFormat, "not a pcap file: it has no pcap magic").at(0).in_file(name)
            }));
        };
        if !complete {
            let have = head.len();
            return Err(window.take_error().unwrap_or_else(|| {
                Error::new(ErrorKind::Truncated, format!("pcap file header cut short: {have} of {FILE_HEADER} bytes"))
                    .in_file(name)
            }));
        }
        let order = magic.order;
        let snaplen = order.u32(&head[16..]);
        let network = order.u32(&head[20..]);
        // Bit 26 says that the four bits above it count the FCS in units of 16 bits.
        let fcs_len = (network & 0x0400_0000 != 0).then_some((network >> 28) as u8 * 2);
        let (major, minor) = (order.u16(&head[4..]), order.u16(&head[6..]));
        if major != 2 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("pcap version {major}.{minor} is not known, only version 2 is"),
            )
            .at(4)
            .in_file(name));
        }
        window.consume(FILE_HEADER);
        Ok(Reader {
            window,
            order,
            resolution: magic.resolution,
            packet_header: magic.packet_header,
            snaplen,
            link_type: LinkType(network & 0xFFFF),
            fcs_len,
            lent: 0,
            over: false,
        })
    }

    /// What every packet of this file begins with.
    pub fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// Unit of the stamps: microseconds or nanoseconds.
    pub fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// Snap length in bytes as the file header states it.
    pub fn snaplen(&self) -> u32 {
        self.snaplen
    }

    /// Bytes of frame check sequence on every packet, where the file header says so.
    pub fn fcs_len(&self) -> Option<u8> {
        self.fcs_len
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
    /// [`ErrorKind::Malformed`] for lengths that cannot be, [`ErrorKind::Truncated`] when the file ends
    /// inside a packet, and those of the input. After an error there is nothing more.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, Error> {
        if self.over {
            return Ok(None);
        }
        self.window.consume(std::mem::take(&mut self.lent));
        match self.measure() {
            Ok(Some(total)) => {
                self.lent = total;
                Ok(Some(self.packet(total)))
            }
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

    /// Brings the next packet into the window; its length with its header.
    fn measure(&mut self) -> Result<Option<usize>, Error> {
        let offset = self.window.offset();
        if !self.window.need(self.packet_header) {
            if let Some(error) = self.window.take_error() {
                return Err(error);
            }
            let have = self.window.bytes().len();
            if have == 0 {
                return Ok(None);
            }
            return Err(Error::new(
                ErrorKind::Truncated,
                format!("pcap file ends inside a packet header ({have} of {} bytes)", self.packet_header),
            )
            .at(offset));
        }
        let captured = self.order.u32(&self.window.bytes()[8..]);
        let limit = self.snaplen.clamp(LENIENT_SNAPLEN, MAX_PACKET);
        if captured > limit {
            return Err(Error::new(
                ErrorKind::Malformed,
                format!(
                    "pcap packet claims {captured} captured bytes, over the limit of {limit}; \
                     the file is damaged from here on"
                ),
            )
            .at(offset));
        }
        let total = self.packet_header + captured as usize;
        if !self.window.need(total) {
            if let Some(error) = self.window.take_error() {
                return Err(error);
            }
            let have = self.window.bytes().len();
            return Err(Error::new(
                ErrorKind::Truncated,
                format!("pcap file ends inside a packet ({have} of {total} bytes)"),
            )
            .at(offset));
        }
        Ok(Some(total))
    }

    /// The packet at the start of the window, which holds its `total` bytes.
    fn packet(&self, total: usize) -> Packet<'_> {
        let bytes = &self.window.bytes()[..total];
        let order = self.order;
        // Fractions of a second and more occur in bad files; in one number they carry as they should.
        let units = u64::from(order.u32(bytes)) * self.resolution.per_second() + u64::from(order.u32(&bytes[4..]));
        Packet {
            timestamp: self.resolution.to_timestamp(units, 0),
            original_len: order.u32(&bytes[12..]),
            fcs_len: self.fcs_len,
            offset: self.window.offset(),
            ..Packet::new(self.link_type, &bytes[self.packet_header..])
        }
    }
}
