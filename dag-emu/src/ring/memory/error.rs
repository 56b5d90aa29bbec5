//! Why there is no stream memory, and what to do about it.

use std::io;

/// Why stream memory could not be created, opened or mapped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// Zero, or not a whole number of pages.
    #[error("stream memory of {len} bytes is not a whole number of pages of {unit} bytes; use {nearest}")]
    BadLength {
        /// The length asked for, in bytes.
        len: u64,
        /// The page size, in bytes.
        unit: u64,
        /// A length near by that would do, in bytes.
        nearest: u64,
    },
    /// Twice the length does not fit into any address space of this system.
    #[error("stream memory of {len} bytes does not fit into the address space of this system; use less")]
    TooLong {
        /// The length asked for, in bytes.
        len: u64,
    },
    /// The machine does not have that much memory.
    #[error("stream memory of {len} bytes needs more than the {have} bytes of memory {which}; use less, or free some")]
    NotEnough {
        /// The length asked for, in bytes.
        len: u64,
        /// What the machine has, in bytes.
        have: u64,
        /// Which memory was counted: "installed" or "available".
        which: &'static str,
    },
    /// A limit of this process forbids it.
    #[error(
        "stream memory of {len} bytes needs {need} bytes of {limit}, which is limited to {allowed}; raise it (`{remedy}`) or use less"
    )]
    Limit {
        /// The length asked for, in bytes.
        len: u64,
        /// What that takes of the limited resource, in bytes.
        need: u64,
        /// The limit's name.
        limit: &'static str,
        /// The limit, in bytes.
        allowed: u64,
        /// The command that raises it.
        remedy: &'static str,
    },
    /// A system call failed.
    #[error("cannot {step} for stream memory of {len} bytes: {source}; {remedy}")]
    System {
        /// What was tried.
        step: &'static str,
        /// The length asked for, in bytes.
        len: u64,
        /// What the system said.
        source: io::Error,
        /// What helps.
        remedy: &'static str,
    },
    /// A descriptor that came from elsewhere is not what it should be.
    #[error(
        "the descriptor is not {expected} of an emulated card: {reason}; it must come from the process that runs the card, in the same version"
    )]
    Foreign {
        /// What was expected.
        expected: &'static str,
        /// Why it is not.
        reason: &'static str,
    },
}
