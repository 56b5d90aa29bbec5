//! `dagctl doctor`.

use std::path::PathBuf;

use dag::doctor::{Verdict, examine, first_to_fix};
use serde_json::json;

use super::{Failure, print};
use crate::exit::Exit;

/// The options of `dagctl doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The card; without it the first of this machine.
    device: Option<String>,

    /// Where recordings are to go.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,

    /// One object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let findings = examine(args.device.as_deref(), &args.dir);
    let first = first_to_fix(&findings);
    if args.json {
        let list = findings.iter().map(|finding| {
            json!({
                "check": finding.check,
                "verdict": finding.verdict.name(),
                "found": finding.found,
                "fix": finding.fix,
            })
        });
        let to_fix = first.map(|finding| json!({ "check": finding.check, "fix": finding.fix }));
        let object = json!({ "schema": 1, "findings": list.collect::<Vec<_>>(), "to_fix": to_fix });
        print(&format!("{object}\n"))?;
    } else {
        let mut text = String::new();
        for finding in &findings {
            let mark = match finding.verdict {
                Verdict::Good => "ok",
                Verdict::Bad => "BAD",
                Verdict::Notice => "note",
                _ => "-",
            };
            text += &format!("{mark:<5} {:<11} {}\n", finding.check, finding.found);
            if let (Verdict::Notice, Some(fix)) = (finding.verdict, &finding.fix) {
                text += &format!("{:17} {fix}\n", "");
            }
        }
        text += &match first {
            None => "nothing keeps it from capturing\n".to_owned(),
            Some(finding) => format!("to fix: {}\n", finding.fix.as_deref().unwrap_or(&finding.found)),
        };
        print(&text)?;
    }
    Ok(if first.is_none() { Exit::Done } else { Exit::No })
}
