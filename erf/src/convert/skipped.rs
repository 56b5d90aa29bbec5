//! What a conversion left out, and how much of it.

use erf_core::RecordType;

use crate::pcap::LinkType;

/// What became of a record that a writer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the file.
    Written,
    /// It is in the file, but not as a packet, and why: pcapng without loss.
    Beside(Skip),
    /// It is not, and why.
    Skipped(Skip),
}

/// Why a record is not in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Skip {
    /// PAD is filler.
    #[error("PAD is filler, no packet")]
    Pad,
    /// META describes packets and is none; its facts about interfaces are used.
    #[error("META describes packets and is none")]
    Meta,
    /// No pcap link type fits the record type; LINKTYPE_ERF would hold it.
    #[error("no pcap link type for {0} records (LINKTYPE_ERF can hold them)")]
    NoLinkType(RecordType),
    /// Classic pcap has one link type a file, and an earlier record has set another one.
    #[error("the file holds {file} packets, this one is {packet} (pcapng can hold both)")]
    OtherLinkType {
        /// The file's.
        file: LinkType,
        /// The packet's.
        packet: LinkType,
    },
    /// More interfaces than a pcapng writer keeps.
    #[error("too many interfaces for one pcapng section")]
    TooManyInterfaces,
    /// Its headers and padding are more than an option of pcapng without loss has room for.
    #[error("its headers and padding do not fit an option")]
    TooLongForOptions,
}

impl Skip {
    /// A word for it that does not change: `pad`, `meta`, `no-link-type`, `other-link-type`, `too-many-interfaces`,
    /// `too-long-for-options`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pad => "pad",
            Self::Meta => "meta",
            Self::NoLinkType(_) => "no-link-type",
            Self::OtherLinkType { .. } => "other-link-type",
            Self::TooManyInterfaces => "too-many-interfaces",
            Self::TooLongForOptions => "too-long-for-options",
        }
    }
}

/// How many records of each type a writer skipped.
#[derive(Clone, PartialEq, Eq)]
pub struct SkipCounts([u64; 128]);

impl Default for SkipCounts {
    fn default() -> SkipCounts {
        SkipCounts([0; 128])
    }
}

impl SkipCounts {
    pub(crate) fn add(&mut self, record_type: RecordType) {
        if let Some(count) = self.0.get_mut(usize::from(record_type.number())) {
            *count += 1;
        }
    }

    /// Skipped records of one type.
    pub fn of(&self, record_type: RecordType) -> u64 {
        self.0.get(usize::from(record_type.number())).copied().unwrap_or(0)
    }

    /// Skipped packets: META and PAD do not count, they are none.
    pub fn packets(&self) -> u64 {
        self.iter().filter(|(record_type, _)| record_type.is_packet()).map(|(_, count)| count).sum()
    }

    /// The types of which any were skipped, in numeric order, with their number.
    pub fn iter(&self) -> impl Iterator<Item = (RecordType, u64)> + '_ {
        (0u8..128).zip(self.0).filter(|&(_, count)| count > 0).map(|(number, count)| (RecordType::new(number), count))
    }
}

impl std::fmt::Debug for SkipCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
