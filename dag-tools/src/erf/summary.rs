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
    defects_total: u64,
    defects: &'a [DefectJson],
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// Sums over the records that were written, with their lengths; what was left out is not among them. `lost` is what the output says of loss:
/// nothing in classic pcap.
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

    /// Says what of the inputs is not in the output, and prints the summary, if it is wanted, with what else there is to say.
    pub(super) fn print(self, totals: &Totals, defects: &Defects, more: Value) -> Result<(), Failure> {
        defects.say_unread();
        if !self.json {
            return Ok(());
        }
        let mut more = match more {
            Value::Object(more) => more,
            _ => Map::new(),
        };
        more.extend(defects.unread_json().map(|(key, value)| (key.to_owned(), value)));
        line(&Json { schema: 1, totals: totals.into(), defects_total: defects.total(), defects: defects.json(), more })
    }
}

/// Prints `value` on a line.
pub(super) fn line(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
    print(&format!("{text}\n"))
}
