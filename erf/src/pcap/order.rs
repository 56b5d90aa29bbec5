//! Fields in the byte order of the machine that wrote the file.

use byteorder::{BigEndian, ByteOrder, LittleEndian};

/// Byte order of a pcap file or a pcapng section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    /// The first two bytes. Callers give at least two.
    pub(super) fn u16(self, bytes: &[u8]) -> u16 {
        match self {
            Order::Big => BigEndian::read_u16(bytes),
            Order::Little => LittleEndian::read_u16(bytes),
        }
    }

    /// The first four bytes. Callers give at least four.
    pub(super) fn u32(self, bytes: &[u8]) -> u32 {
        match self {
            Order::Big => BigEndian::read_u32(bytes),
            Order::Little => LittleEndian::read_u32(bytes),
        }
    }

    /// The first eight bytes. Callers give at least eight.
    pub(super) fn u64(self, bytes: &[u8]) -> u64 {
        match self {
            Order::Big => BigEndian::read_u64(bytes),
            Order::Little => LittleEndian::read_u64(bytes),
        }
    }

    /// Eight bytes that pcapng stores as two 32-bit halves, high one first.
    pub(super) fn split_u64(self, bytes: &[u8]) -> u64 {
        u64::from(self.u32(bytes)) << 32 | u64::from(self.u32(&bytes[4..]))
    }
}
