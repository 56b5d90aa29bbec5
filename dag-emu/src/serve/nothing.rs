//! Nothing is served, and nothing found: under Miri, which has no sockets.

#[allow(dead_code, reason = "nobody speaks")]
mod message;
mod status;

pub use message::{PortStatus, Status, StreamStatus, TxStatus};

use crate::card::Card;
use crate::error::{Error, Repr};

/// None.
pub fn list() -> Vec<(String, Result<Status, Error>)> {
    Vec::new()
}

impl Card {
    /// Finds nothing.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn connect(name: &str) -> Result<Self, Error> {
        Err(Repr::NotServed(name.to_owned()).into())
    }
}
