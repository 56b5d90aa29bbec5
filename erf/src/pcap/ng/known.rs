//! [`Known`]: what META records have said.

use erf_core::Record;

use super::comments::Comments;
use super::described::Described;
use super::remarks::Remarks;

/// What META records have said about ports, about who captured, about packets and about the capture: what a pcapng file says in its own
/// blocks and options. Ports up to 1024, comments on packets up to 65 536 of 64 MiB together, others up to 256 of 1 MiB are kept.
#[derive(Debug, Default)]
pub struct Known {
    pub(super) described: Described,
    pub(super) comments: Comments,
    pub(super) remarks: Remarks,
}

impl Known {
    /// Takes in what a META record says; other records say nothing.
    #[inline]
    pub fn observe(&mut self, record: &Record<'_>) {
        if record.is_meta() {
            self.described.observe(record);
            self.comments.observe(record);
            self.remarks.observe(record);
        }
    }

    /// Whether a file is described alike by both.
    pub(crate) fn says_the_same(&self, other: &Known) -> bool {
        self.described.says_the_same(&other.described)
            && self.comments.says_the_same(&other.comments)
            && self.remarks.texts().eq(other.remarks.texts())
            && self.remarks.count() == other.remarks.count()
    }

    /// How many comments there are, on packets or not.
    pub(crate) fn comments(&self) -> u64 {
        self.comments.count() + self.remarks.count()
    }
}
