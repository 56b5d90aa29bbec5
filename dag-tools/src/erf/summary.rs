//! What `--json` prints about a pass: one object, named as `erf info --json` names things.

use std::path::Path;

use erf::Totals;
use serde::Serialize;
use serde_json::{Map, Value};

use super::defects::{DefectJson, Defects};
use super::{Failure, print};
use crate::account::StampJson;

/// Whether a summary is wanted.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Summing {
    /// Print what was written, and what is wrong with the input, as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: u32,
    #[serde(flatten)]
    totals: TotalsJson,
    defects: &'a [DefectJson],
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// Sums over what was written.
#[derive(Debug, Serialize)]
pub(super) struct TotalsJson {
    records: u64,
    wire_bytes: u64,
    captured_bytes: u64,
    lost: u64,
    first: Option<StampJson>,
    last: Option<StampJson>,
}

impl From<&Totals> for TotalsJson {
    fn from(totals: &Totals) -> Self {
        Self {
            records: totals.records,
            wire_bytes: totals.wire_bytes,
            captured_bytes: totals.captured_bytes,
            lost: totals.lost,
            first: totals.first.map(StampJson::from),
            last: totals.last.map(StampJson::from),
        }
    }
}

impl Summing {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Refuses a summary where records go to the same place.
    pub(super) fn check(self, output: &Path) -> Result<(), Failure> {
        match self.json && output.as_os_str() == "-" {
            true => Err(Failure::Usage("--json goes to standard output, and so would the records: name a file".into())),
            false => Ok(()),
        }
    }

    pub(super) const fn is_wanted(self) -> bool {
        self.json
    }

    /// Prints it, if it is wanted, with what else there is to say.
    pub(super) fn print(self, totals: &Totals, defects: &Defects, more: Value) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        let more = match more {
            Value::Object(more) => more,
            _ => Map::new(),
        };
        line(&Json { schema: 1, totals: totals.into(), defects: defects.json(), more })
    }
}

/// Prints `value` on a line.
pub(super) fn line(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
    print(&format!("{text}\n"))
}
