//! Reading pcap or pcapng, whichever it is.

use crate::convert::Unread;
use crate::error::{Error, ErrorKind};
use crate::input::{Input, Source, Window};

use super::{BLOCK, Packet, Reader, ng};

/// A reader of pcap or pcapng, told by the first bytes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Packets {
    /// Classic pcap.
    Pcap(Reader),
    /// pcapng.
    PcapNg(ng::Reader),
}

impl Packets {
    /// Opens a file, standard input or a stream.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownFormat`] when it is neither pcap nor pcapng, and those of the readers.
    pub fn open(source: impl Into<Source>) -> Result<Packets, Error> {
        Packets::from_window(Window::new(Input::open(source)?, BLOCK))
    }

    pub(crate) fn from_window(mut window: Window) -> Result<Packets, Error> {
        window.need(4);
        if Reader::recognises(window.bytes()) {
            Reader::from_window(window).map(Packets::Pcap)
        } else if ng::Reader::recognises(window.bytes()) {
            ng::Reader::from_window(window).map(Packets::PcapNg)
        } else {
            let name = window.input().name().to_owned();
            Err(window.take_error().unwrap_or_else(|| {
                Error::new(ErrorKind::UnknownFormat, "neither pcap nor pcapng, by its first bytes").at(0).in_file(name)
            }))
        }
    }

    /// The next packet, valid until the next call. `None`: the file is over.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next_packet`] and [`ng::Reader::next_packet`].
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, Error> {
        match self {
            Packets::Pcap(reader) => reader.next_packet(),
            Packets::PcapNg(reader) => reader.next_packet(),
        }
    }

    /// As [`next_packet`](Packets::next_packet), with the records between the packets that a file without loss has.
    pub(crate) fn next_item(&mut self) -> Result<Option<ng::Item<'_>>, Error> {
        match self {
            Packets::Pcap(reader) => Ok(reader.next_packet()?.map(ng::Item::Packet)),
            Packets::PcapNg(reader) => reader.next_item(),
        }
    }

    /// Whether bytes behind the packet lent last have been read already, so that the next packet need
    /// probably not be waited for.
    pub(crate) fn has_buffered(&self) -> bool {
        match self {
            Packets::Pcap(reader) => reader.has_buffered(),
            Packets::PcapNg(reader) => reader.has_buffered(),
        }
    }

    /// Parts of a pcapng file that were passed over so far.
    pub(crate) fn unread(&self) -> Unread {
        match self {
            Packets::Pcap(_) => Unread::default(),
            Packets::PcapNg(reader) => reader.unread(),
        }
    }

    /// How messages call this file.
    pub fn name(&self) -> &str {
        match self {
            Packets::Pcap(reader) => reader.name(),
            Packets::PcapNg(reader) => reader.name(),
        }
    }
}
