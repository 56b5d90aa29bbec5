//! A feed from which nothing comes: only what is sent arrives.

use erf_core::{TimeDelta, Timestamp};

use super::{Feed, Intake, Turn};
use crate::error::Error;

/// Between two turns in which nothing happens.
const REST: TimeDelta = TimeDelta::from_raw(1 << 30);

#[derive(Debug)]
pub(crate) struct Nothing;

impl Feed for Nothing {
    fn begin(&mut self, _now: Timestamp) -> Result<(), Error> {
        Ok(())
    }

    fn turn(&mut self, now: Timestamp, _intake: &mut dyn Intake) -> Result<Turn, Error> {
        Ok(Turn::Until(now + REST))
    }
}
