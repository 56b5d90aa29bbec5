//! How a recording gets to the disk.

use std::time::Duration;

/// The way to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Io {
    /// Past the page cache where that can be, which is tried at the start; a warning says where it cannot.
    #[default]
    Auto,
    /// Past the page cache, or not at all.
    Direct,
    /// Through the page cache.
    Buffered,
}

/// What to do when the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnFull {
    /// The recording ends with an error.
    #[default]
    End,
    /// It goes on when there is room. Meanwhile stream memory fills, and when that is full, too, the card drops and counts.
    Wait,
}

/// What of a file survives a loss of power. A killed program loses nothing that was written, whatever is chosen here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sync {
    /// What the system happens to have put on the device: usually all but the last half minute.
    #[default]
    Never,
    /// The whole file, once it is finished.
    AtEnd,
    /// Everything but the last records, as long as this and the time that the device takes, and at the end everything.
    Every(Duration),
}
