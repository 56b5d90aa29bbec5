//! The receive ring that the kernel shares with a packet socket: TPACKET_V3.
//!
//! The ring is a circle of blocks. The kernel fills a block with frames, each behind a header of
//! its own, and hands it over when it is full or its timeout has passed; from then on it does not
//! touch the block until it is given back. Blocks are handed over and given back in order. When the
//! next block has not been given back, the kernel drops frames and counts them. (Linux
//! `Documentation/networking/packet_mmap.rst`, `linux/if_packet.h`.)

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{sockaddr_ll, tpacket_block_desc, tpacket_hdr_v1, tpacket_hdr_variant1, tpacket_req3, tpacket3_hdr};

use super::error::TapError;
use super::socket::set_option;

/// Size and pace of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingSpec {
    /// Bytes of one block, a multiple of the page size that holds the longest frame.
    pub block_size: u32,
    /// Number of blocks, two or more. An idle interface uses up one block for each burst, so this
    /// bounds how long the reader may pause (`blocks * block_timeout` at a low rate), and `blocks *
    /// block_size` does at a high one.
    pub blocks: u32,
    /// How long the kernel keeps frames in a block that is not full: the tap's latency at a low
    /// rate. Whole milliseconds, 1 to 1000. Before Linux 6.18 the kernel rounds it up to its own
    /// tick (1 to 10 ms), and one more tick may pass.
    pub block_timeout: Duration,
}

impl Default for RingSpec {
    /// 32 MiB for each interface in 128 blocks of 256 KiB, handed over after 2 ms at the latest.
    fn default() -> Self {
        RingSpec { block_size: 256 << 10, blocks: 128, block_timeout: Duration::from_millis(2) }
    }
}

/// Room in a block that is not frame data: the block's header, one frame header with its socket
/// address, alignment.
const BLOCK_OVERHEAD: u32 = 256;

impl RingSpec {
    /// # Errors
    ///
    /// [`TapError::BadRing`] if the kernel would refuse this ring or cut frames of `longest` bytes.
    pub(super) fn check(&self, longest: u32) -> Result<(), TapError> {
        let bad = |what, why| Err(TapError::BadRing { what, why });
        // SAFETY: sysconf takes a constant and touches no memory of ours.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = u32::try_from(page).unwrap_or(4096);
        let millis = self.block_timeout.as_millis();
        if self.block_size == 0 || !self.block_size.is_multiple_of(page) {
            return bad(format!("of blocks of {} bytes", self.block_size), "a block is a multiple of the page size");
        }
        if self.block_size < longest.saturating_add(BLOCK_OVERHEAD) {
            return bad(
                format!("of blocks of {} bytes", self.block_size),
                "a block holds the longest frame and its headers",
            );
        }
        if self.blocks < 2 {
            return bad(format!("of {} blocks", self.blocks), "the kernel fills one while another is read");
        }
        // The kernel counts frames of the ring in 32 bits, and a ring is memory that is never
        // swapped.
        if self.bytes() > u64::from(u32::MAX) || usize::try_from(self.bytes()).is_err() {
            return bad(format!("of {} bytes", self.bytes()), "a ring is smaller than 4 GiB");
        }
        if !(1..=1000).contains(&millis) || !self.block_timeout.subsec_nanos().is_multiple_of(1_000_000) {
            return bad(
                format!("handed over every {:?}", self.block_timeout),
                "a block's timeout is 1 to 1000 whole milliseconds",
            );
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.block_size) * u64::from(self.blocks)
    }
}

/// A mapped ring and the block of it that is being read.
#[derive(Debug)]
pub(super) struct Ring {
    base: NonNull<u8>,
    len: usize,
    block_size: usize,
    blocks: usize,
    /// The block that is being read, or is handed over next.
    at: usize,
    current: Option<Block>,
}

// SAFETY: the mapping belongs to this value alone, and nothing about it is bound to the thread that
// made it.
unsafe impl Send for Ring {}

/// A block that has been handed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// Frames in the block.
    pub(super) frames: u32,
    /// Offset of the first one's header.
    pub(super) first: usize,
    /// The kernel has dropped frames that nobody has asked about yet.
    pub(super) losing: bool,
    /// Valid bytes, never more than the block's size.
    len: usize,
}

/// A frame of the current block: the fields of its header, host byte order, with offsets that have
/// been checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// Offset of the next frame's header in the block.
    pub(super) next: usize,
    /// Nanoseconds since 1970-01-01 UTC.
    pub(super) ns: u64,
    /// Length of the packet as the kernel holds it: without FCS and without a stripped tag.
    pub(super) len: u32,
    pub(super) status: u32,
    pub(super) vlan_tci: u32,
    pub(super) vlan_tpid: u16,
    /// `PACKET_HOST` .. `PACKET_OUTGOING`.
    pub(super) packet_type: u8,
    /// Start and end of the frame in the block.
    pub(super) data: (usize, usize),
}

/// Offset of the block header proper behind version and private area.
const BLOCK_HEADER: usize = offset_of!(tpacket_block_desc, hdr);
const BLOCK_HEADER_END: usize = BLOCK_HEADER + size_of::<tpacket_hdr_v1>();
const STATUS: usize = BLOCK_HEADER + offset_of!(tpacket_hdr_v1, block_status);
/// A frame's socket address stands behind its header, aligned to `TPACKET_ALIGNMENT`, 16.
const SOCKET_ADDRESS: usize = size_of::<tpacket3_hdr>().next_multiple_of(16);
const HEADER_LEN: usize = SOCKET_ADDRESS + size_of::<sockaddr_ll>();

impl Ring {
    /// Asks the kernel for a ring on `socket` and maps it. The socket must not receive yet.
    ///
    /// # Errors
    ///
    /// What `setsockopt` or `mmap` say; `ENOMEM` if there is no memory for the ring.
    pub(super) fn new(socket: BorrowedFd<'_>, spec: &RingSpec) -> io::Result<Ring> {
        // V3 packs frames of any length; this is only the unit in which the kernel checks the
        // ring's size.
        const FRAME_UNIT: u32 = 2048;
        let too_large = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        set_option(socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        let request = tpacket_req3 {
            tp_block_size: spec.block_size,
            tp_block_nr: spec.blocks,
            tp_frame_size: FRAME_UNIT,
            tp_frame_nr: spec.block_size / FRAME_UNIT * spec.blocks,
            tp_retire_blk_tov: u32::try_from(spec.block_timeout.as_millis()).map_err(too_large)?,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set_option(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let len = usize::try_from(spec.bytes()).map_err(too_large)?;
        // SAFETY: a fresh mapping at an address of the kernel's choice; no memory of ours is
        // replaced.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Ring {
            base: NonNull::new(base.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?,
            len,
            block_size: spec.block_size as usize,
            blocks: spec.blocks as usize,
            at: 0,
            current: None,
        })
    }

    /// The block being read, if one is open.
    pub(super) fn current(&self) -> Option<Block> {
        self.current
    }

    /// Opens the next block, if the kernel has handed it over. The block before must be closed.
    pub(super) fn open(&mut self) -> Option<Block> {
        if self.current.is_some() || self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // The status says that the block is ours; until `close` it is.
        self.current = Some(Block { frames: 0, first: 0, losing: false, len: self.block_size });
        let header = |field: usize| u32_at(self.bytes(), BLOCK_HEADER + field).unwrap_or(0);
        let block = Block {
            frames: header(offset_of!(tpacket_hdr_v1, num_pkts)),
            first: header(offset_of!(tpacket_hdr_v1, offset_to_first_pkt)) as usize,
            losing: header(offset_of!(tpacket_hdr_v1, block_status)) & libc::TP_STATUS_LOSING != 0,
            len: (header(offset_of!(tpacket_hdr_v1, blk_len)) as usize).min(self.block_size),
        };
        self.current = Some(block);
        Some(block)
    }

    /// Gives the open block back to the kernel. Without one it does nothing.
    pub(super) fn close(&mut self) {
        if self.current.take().is_some() {
            // Release: our reads of the block come before the kernel's next write to it.
            self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.at = (self.at + 1) % self.blocks;
        }
    }

    /// The frame header at offset `at` of the open block; `None` if it or its frame does not lie in
    /// the block, which a sound kernel does not do.
    pub(super) fn header(&self, at: usize) -> Option<Header> {
        let block = self.bytes();
        let header = block.get(at..)?.first_chunk::<HEADER_LEN>()?;
        let field = |offset| u32_at(header, offset);
        let short = |offset| u16_at(header, offset);
        const VLAN: usize = offset_of!(tpacket3_hdr, hv1);
        let start = at + usize::from(short(offset_of!(tpacket3_hdr, tp_mac))?);
        let end = start + field(offset_of!(tpacket3_hdr, tp_snaplen))? as usize;
        block.get(start..end)?;
        let seconds = u64::from(field(offset_of!(tpacket3_hdr, tp_sec))?);
        let nanos = u64::from(field(offset_of!(tpacket3_hdr, tp_nsec))?);
        Some(Header {
            next: at + field(offset_of!(tpacket3_hdr, tp_next_offset))? as usize,
            ns: seconds * 1_000_000_000 + nanos,
            len: field(offset_of!(tpacket3_hdr, tp_len))?,
            status: field(offset_of!(tpacket3_hdr, tp_status))?,
            vlan_tci: field(VLAN + offset_of!(tpacket_hdr_variant1, tp_vlan_tci))?,
            vlan_tpid: short(VLAN + offset_of!(tpacket_hdr_variant1, tp_vlan_tpid))?,
            packet_type: header[SOCKET_ADDRESS + offset_of!(sockaddr_ll, sll_pkttype)],
            data: (start, end),
        })
    }

    /// The bytes of a frame of the open block.
    pub(super) fn frame(&self, header: &Header) -> &[u8] {
        self.bytes().get(header.data.0..header.data.1).unwrap_or(&[])
    }

    /// The open block's valid bytes; nothing if none is open.
    fn bytes(&self) -> &[u8] {
        let Some(block) = self.current else {
            return &[];
        };
        // SAFETY: `at` < `blocks`, so the block lies in the mapping of `blocks * block_size` bytes.
        let start = unsafe { self.base.as_ptr().add(self.at * self.block_size) };
        // SAFETY: `len` is at most `block_size`, so the range lies in the mapping, which lives as
        // long as `self`. The kernel does not write to a block that it has handed over, and
        // `close`, which ends that, needs `&mut self` and so waits for the end of this borrow; nor
        // does anything in this process write to it while it is borrowed.
        unsafe { std::slice::from_raw_parts(start, block.len) }
    }

    /// The word through which block `at` changes hands.
    fn status(&self) -> &AtomicU32 {
        const { assert!(STATUS.is_multiple_of(align_of::<AtomicU32>()) && STATUS + 4 <= BLOCK_HEADER_END) };
        // SAFETY: `at` < `blocks`, and a block is at least a page, so the word lies in the mapping.
        let word = unsafe { self.base.as_ptr().add(self.at * self.block_size + STATUS) };
        // SAFETY: the word is aligned (blocks are whole pages, the offset is checked above), lives
        // as long as `self`, and is written by the kernel and by us in turns, in single aligned
        // stores.
        unsafe { AtomicU32::from_ptr(word.cast()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length, is unmapped once, and all borrows
        // of it have ended.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
