//! What pcap and pcapng files say or hold that no record does.

use std::ops::AddAssign;

/// Parts of a pcapng file that were read over: counts of blocks, and what was not made into META records. Of pcap, too: what was cut off
/// snapped packets.
///
/// Statistics of interfaces are not counted in files that this crate has written without loss: they are made of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// Blocks of names for addresses.
    pub name_resolution: u64,
    /// Blocks of secrets for decryption.
    pub decryption_secrets: u64,
    /// Blocks of statistics about interfaces.
    pub statistics: u64,
    /// Custom blocks of others.
    pub custom: u64,
    /// Blocks of types that are not known here.
    pub other_blocks: u64,
    /// Interfaces with a name, a description or the like, where no META records were asked for
    /// ([`RecordOptions::describe`](super::RecordOptions::describe)).
    pub descriptions: u64,
    /// Comments on packets, for the same reason.
    pub comments: u64,
    /// Comments on the last section, for the same reason.
    pub section_comments: u64,
    /// Snapped packets that lost bytes where records are multiples of 8 ([`RecordOptions::cut`](super::RecordOptions::cut)).
    pub cut_packets: u64,
    /// The bytes that they lost together.
    pub cut_bytes: u64,
}

impl Unread {
    /// Each count with the name of what it counts, which does not change.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = [
            ("name_resolution_blocks", self.name_resolution),
            ("decryption_secrets_blocks", self.decryption_secrets),
            ("statistics_blocks", self.statistics),
            ("custom_blocks", self.custom),
            ("other_blocks", self.other_blocks),
            ("interface_descriptions", self.descriptions),
            ("packet_comments", self.comments),
            ("section_comments", self.section_comments),
            ("cut_packets", self.cut_packets),
            ("cut_bytes", self.cut_bytes),
        ];
        counts.into_iter()
    }
}

impl AddAssign for Unread {
    fn add_assign(&mut self, more: Unread) {
        self.name_resolution += more.name_resolution;
        self.decryption_secrets += more.decryption_secrets;
        self.statistics += more.statistics;
        self.custom += more.custom;
        self.other_blocks += more.other_blocks;
        self.descriptions += more.descriptions;
        self.comments += more.comments;
        self.section_comments += more.section_comments;
        self.cut_packets += more.cut_packets;
        self.cut_bytes += more.cut_bytes;
    }
}
