//! Filters in the language of tcpdump.
//!
//! ```
//! use erf::filter::{Filter, FilterOptions};
//! use erf::{Record, RecordBuilder, RecordType};
//!
//! let filter = Filter::new("ip and greater 60", FilterOptions::default())?;
//! let mut frame = [0u8; 60];
//! frame[12..14].copy_from_slice(&[0x08, 0x00]);
//! let bytes = RecordBuilder::new(RecordType::ETH).payload(&frame).append_fcs().to_vec()?;
//! assert!(filter.matches(&Record::parse(&bytes)?)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Who compiles.** Where libpcap can be opened at run time it translates the expression, and all of `pcap-filter(7)` is understood;
//! nothing of it is needed to build. Elsewhere [our own compiler](Compiler::Own) knows the [common part](#the-common-part). Either way
//! the program is [verified](Program) and run here.
//!
//! **What is looked at.** A record is what it would be in a pcap file, by [`to_packet`]: the payload behind sub-header and ATM
//! header, cut and counted without FCS unless the [options](FilterOptions::packets) say otherwise. So `less`, `greater` and `len` mean
//! what they mean to tcpdump for the converted file. Records that are no packets for pcap (META, PAD, types without a link type) do not
//! match, whatever the expression says; whether to keep META is the caller's choice.
//!
//! **Many records.** [`Sieve`] takes the records of a file together, which is faster than asking about each.
//!
//! **Several link types.** Where fields are depends on what a packet begins with, so a filter has a program for each link type, made
//! when the first packet of that type comes. An expression may have no meaning for one (`ether host` on raw IP): tcpdump refuses such a
//! file, and [`matches`](Filter::matches) gives the error that names the link type, unless [`Mismatch::NoMatch`] is asked for. That libpcap sees
//! through an expression that no packet can match (`expression rejects all packets`) is an error only if that is so for every link type.
//!
//! **Names.** libpcap asks the system for names of hosts, ports and protocols; a host's name may cost a look-up in the DNS.

//!
//! # The common part
//!
//! What our own compiler knows, with numbers where `pcap-filter(7)` also takes names (all of it: `docs/filters.md`):
//!
//! ```text
//! ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp
//! [ip|ip6|arp|rarp] [src|dst|src or dst|src and dst] host ADDRESS
//! [ip|ip6|arp|rarp] [src|dst|..] net 10 | 10.1 | 10.0.0.0/8 | 10.0.0.0 mask 255.0.0.0 | 2001:db8::/32
//! [tcp|udp|sctp] [src|dst|..] port N | portrange N-M
//! [ip|ip6] proto N      ether proto N      ether [host|src|dst] 02:00:00:00:00:01
//! vlan [N]              less N | greater N | len <= N (and < = == != >= >)
//! and && or || not ! ( )    lists: port 80 or 443, host (10.0.0.1 or 10.0.0.2)
//! ```

mod compile;
mod display;
mod fused;
mod gather;
mod machine;
mod nodes;
mod program;
mod sieve;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use erf_core::Record;

use crate::convert::{Encapsulation, FcsPolicy, PacketOptions, ethernet_frame, to_packet};
use crate::error::{Error, ErrorKind};
use crate::pcap::LinkType;
use compile::Refused;

pub use compile::Compiler;
pub use program::{Instruction, Program, ProgramError};
pub use sieve::Sieve;

/// What to do about a packet of a link type for which the expression has no meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mismatch {
    /// An error, as tcpdump has it.
    #[default]
    Error,
    /// It does not match, and is [counted](Filter::meaningless).
    NoMatch,
}

/// How a filter looks at records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterOptions {
    /// What records are as packets: FCS, flavour of HDLC. Filters look at native packets; the encapsulation is ignored.
    pub packets: PacketOptions,
    /// Who translates the expression.
    pub compiler: Compiler,
    /// Packets for which the expression has no meaning.
    pub mismatch: Mismatch,
}

/// Link types that a filter has programs for, the likeliest first: that of Ethernet is found without a search.
const LINK_TYPES: [LinkType; 11] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::PPP_HDLC,
    LinkType::C_HDLC,
    LinkType::FRELAY,
    LinkType::ATM_RFC1483,
    LinkType::MTP2,
    LinkType::INFINIBAND,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::ERF,
];

/// A filter expression, ready for records of any type. Clones are cheap and share the programs.
#[derive(Clone)]
pub struct Filter {
    inner: Arc<Inner>,
    meaningless: Arc<Meaningless>,
}

/// Packets of each of [`LINK_TYPES`] that did not match because the expression has no meaning for them.
type Meaningless = [AtomicU64; LINK_TYPES.len()];

struct Inner {
    expression: String,
    options: FilterOptions,
    /// A program for each of [`LINK_TYPES`], once it was asked for.
    programs: [OnceLock<Result<Program, Refused>>; LINK_TYPES.len()],
}

impl Filter {
    /// Takes an expression of `pcap-filter(7)`; an empty one matches every packet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] where it is no expression for any link type, in the words of the compiler;
    /// [`ErrorKind::Unsupported`] where [`Compiler::Libpcap`] is asked for and cannot be opened.
    pub fn new(expression: &str, options: FilterOptions) -> Result<Filter, Error> {
        let options = FilterOptions {
            packets: PacketOptions { encapsulation: Encapsulation::Native, ..options.packets },
            ..options
        };
        let inner = Inner { expression: expression.to_owned(), options, programs: Default::default() };
        let mut first = None;
        for link_type in LINK_TYPES {
            match inner.program(link_type) {
                Ok(_) => return Ok(Filter { inner: Arc::new(inner), meaningless: Arc::default() }),
                Err(refused) => {
                    first.get_or_insert(refused);
                }
            }
        }
        let kind = match first {
            Some(Refused::Compiler(_)) => ErrorKind::Unsupported,
            _ => ErrorKind::InvalidInput,
        };
        let reason = first.map(Refused::to_string).unwrap_or_default();
        Err(Error::new(kind, format!("filter \"{expression}\": {reason}")))
    }

    /// Whether the packet in `record` matches; see the [module](self) for what that is. Records that are no packets do not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the expression has no meaning for the record's link type, unless
    /// [`Mismatch::NoMatch`] was asked for. Other records may still be asked about.
    #[inline]
    pub fn matches(&self, record: &Record<'_>) -> Result<bool, Error> {
        self.matches_with_fcs(record, self.inner.options.packets.fcs)
    }

    /// The same where Ethernet frames end in what `fcs` says, whatever the [options](FilterOptions::packets) of the filter say: what a look
    /// at the first records of a file [has found](crate::convert::Survey::fcs).
    ///
    /// # Errors
    ///
    /// As [`matches`](Filter::matches).
    #[inline]
    pub fn matches_with_fcs(&self, record: &Record<'_>, fcs: FcsPolicy) -> Result<bool, Error> {
        // Nearly every record.
        if record.record_type().is_ethernet()
            && let Some(program) = self.for_ethernet()
        {
            let frame = ethernet_frame(record, fcs);
            return Ok(program.run(frame.body(), frame.original_len) != 0);
        }
        self.matches_any(*record, fcs)
    }

    /// The program for Ethernet, if it was asked for before.
    #[inline]
    fn for_ethernet(&self) -> Option<&Program> {
        let [ethernet, ..] = &self.inner.programs;
        ethernet.get()?.as_ref().ok()
    }

    // By value: a record whose address is given away lies in memory.
    #[inline(never)]
    fn matches_any(&self, record: Record<'_>, fcs: FcsPolicy) -> Result<bool, Error> {
        let options = PacketOptions { fcs, ..self.inner.options.packets };
        let Ok(packet) = to_packet(&record, &options) else { return Ok(false) };
        // Native packets lie in one piece.
        self.matches_packet(packet.link_type, packet.body(), packet.original_len)
    }

    /// Whether a packet of a pcap file matches, of which `captured` is there and `original_len` bytes were on the wire.
    ///
    /// # Errors
    ///
    /// As [`matches`](Filter::matches).
    pub fn matches_packet(&self, link_type: LinkType, captured: &[u8], original_len: u32) -> Result<bool, Error> {
        match self.inner.program(link_type) {
            Ok(program) => Ok(program.run(captured, original_len) != 0),
            Err(refused) => self.refused(link_type, refused),
        }
    }

    /// What is said of a packet for which there is no program.
    #[cold]
    fn refused(&self, link_type: LinkType, refused: &Refused) -> Result<bool, Error> {
        match (refused, self.inner.options.mismatch) {
            (Refused::NothingMatches, _) => Ok(false),
            (_, Mismatch::NoMatch) => {
                if let Some((_, count)) =
                    LINK_TYPES.iter().zip(self.meaningless.iter()).find(|(of, _)| **of == link_type)
                {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(false)
            }
            (_, Mismatch::Error) => Err(self.error(link_type, refused)),
        }
    }

    fn error(&self, link_type: LinkType, refused: &Refused) -> Error {
        let what = format!("filter \"{}\" has no meaning for {link_type} packets: {refused}", self.inner.expression);
        Error::new(ErrorKind::Unsupported, what)
    }

    /// The program for packets of a link type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the expression has no meaning for it, or libpcap sees that no packet of it can match, or this crate does not convert
    /// it.
    pub fn program(&self, link_type: LinkType) -> Result<&Program, Error> {
        self.inner.program(link_type).map_err(|refused| self.error(link_type, refused))
    }

    /// With [`Mismatch::NoMatch`]: packets that this filter and its clones were asked about and for whose link type the expression has no meaning,
    /// by link type.
    pub fn meaningless(&self) -> impl Iterator<Item = (LinkType, u64)> + '_ {
        let counts = self.meaningless.iter().map(|count| count.load(Ordering::Relaxed));
        LINK_TYPES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// The same filter, which counts by itself what it has no [meaning](Self::meaningless) for: for who may ask it in vain.
    pub fn counting_apart(&self) -> Filter {
        Filter { inner: Arc::clone(&self.inner), meaningless: Arc::default() }
    }

    /// Counts what `other`, which was made to [count apart](Self::counting_apart), has counted so far.
    pub fn count_in(&self, other: &Filter) {
        for (count, more) in self.meaningless.iter().zip(other.meaningless.iter()) {
            count.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.inner.expression
    }

    /// Who translates it, in words for a person: the version of libpcap, or our own.
    pub fn compiler(&self) -> String {
        compile::used(self.inner.options.compiler).unwrap_or_else(|| "built-in compiler for the common part".to_owned())
    }
}

impl Inner {
    fn program(&self, link_type: LinkType) -> Result<&Program, &Refused> {
        match LINK_TYPES.iter().zip(&self.programs).find(|(known, _)| **known == link_type) {
            Some((_, slot)) => slot.get_or_init(|| self.compile(link_type)).as_ref(),
            None => Err(unknown()),
        }
    }

    #[cold]
    fn compile(&self, link_type: LinkType) -> Result<Program, Refused> {
        compile::compile(self.options.compiler, &self.expression, link_type)
    }
}

/// For link types that this crate does not convert.
fn unknown() -> &'static Refused {
    static UNKNOWN: OnceLock<Refused> = OnceLock::new();
    UNKNOWN.get_or_init(|| Refused::Expression("this link type is not converted here".to_owned()))
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("expression", &self.inner.expression)
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Filter {
    /// The expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.expression)
    }
}
