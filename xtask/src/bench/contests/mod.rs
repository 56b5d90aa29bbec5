//! The contests, one in a file.

pub(super) mod card;
pub(super) mod compressed;
pub(super) mod convert;
pub(super) mod filter;
pub(super) mod library;
pub(super) mod memory_walk;
pub(super) mod merge;
pub(super) mod record;
pub(super) mod walk;
