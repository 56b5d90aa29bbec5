//! [`FcsSample`]: whether packets end in their FCS, told by computing it for a few.

use std::fmt;

use crate::{Fcs, Record};

/// Packets whose FCS is computed.
const SAMPLE: u32 = 32;

/// Whether Ethernet packets are stored with their FCS (`erf-format.md` sections 4 and 10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FcsVerdict {
    /// The wire length counts it and it is there, right in every packet looked at.
    Present,
    /// Packets are stored whole and do not end in an FCS.
    Absent,
    /// The wire length counts it and it was never stored, as libtrace writes.
    NotStored,
    /// Right in some packets and wrong in others that are not marked as bad.
    Mixed,
    /// No Ethernet packet is stored whole.
    Unknown,
}

impl FcsVerdict {
    /// One word, or two with an underscore.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::NotStored => "not_stored",
            Self::Mixed => "mixed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FcsVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStored => "not stored, though the wire length counts it",
            other => other.word(),
        })
    }
}

/// The first whole Ethernet packets of a file, those marked as bad on the wire left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FcsSample {
    looked_at: u32,
    /// Bit `n`: the FCS of packet `n` is right.
    right: u32,
    not_stored: bool,
}

impl FcsSample {
    #[inline]
    pub(super) fn add(&mut self, record: &Record<'_>) {
        if self.looked_at < SAMPLE {
            self.look_at(record);
        }
    }

    /// No more packets are looked at.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.looked_at == SAMPLE
    }

    fn look_at(&mut self, record: &Record<'_>) {
        match record.fcs() {
            Fcs::NotStored => self.not_stored = true,
            Fcs::Stored if !record.flags().rx_error() => {
                if let Some(right) = record.verify_fcs() {
                    self.right |= u32::from(right) << self.looked_at;
                    self.looked_at += 1;
                }
            }
            _ => {}
        }
    }

    pub(super) fn merge(&mut self, next: Self) {
        // What one walk would not have looked at any more is left out.
        self.not_stored |= next.not_stored && self.looked_at < SAMPLE;
        let take = next.looked_at.min(SAMPLE - self.looked_at);
        for n in 0..take {
            self.right |= ((next.right >> n) & 1) << self.looked_at;
            self.looked_at += 1;
        }
    }

    /// Packets whose FCS was computed, and how many of them end in it.
    pub const fn tried(&self) -> (u32, u32) {
        (self.looked_at, self.right.count_ones())
    }

    /// What follows from them.
    pub const fn verdict(&self) -> FcsVerdict {
        match self.tried() {
            (0, _) if self.not_stored => FcsVerdict::NotStored,
            (0, _) => FcsVerdict::Unknown,
            (_, 0) => FcsVerdict::Absent,
            (tried, right) if tried == right => FcsVerdict::Present,
            _ => FcsVerdict::Mixed,
        }
    }
}
