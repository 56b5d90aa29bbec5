//! [`Known`]: what META records have said.

use erf_core::Record;

use super::comments::Comments;
use super::described::Described;

/// What META records have said about ports, about who captured, and about packets: what a pcapng file says in its own blocks and
/// options. Ports up to 1024, comments up to 65 536 of 64 MiB together are kept.
#[derive(Debug, Default)]
pub struct Known {
    pub(super) described: Described,
    pub(super) comments: Comments,
}

impl Known {
    /// Takes in what a META record says; other records say nothing.
    #[inline]
    pub fn observe(&mut self, record: &Record<'_>) {
        if record.is_meta() {
            self.described.observe(record);
            self.comments.observe(record);
        }
    }
}
