//! `dagemu list`.

use dag::emu::serve::list;
use serde_json::json;

use super::{Failure, print};

/// The options of `dagemu list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One object for all cards.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let cards = list();
    if args.json {
        let cards: Vec<_> = cards
            .iter()
            .map(|(name, status)| match status {
                Ok(status) => json!({ "name": name, "status": status }),
                Err(error) => json!({ "name": name, "error": error.to_string() }),
            })
            .collect();
        return print(&format!("{}\n", json!({ "schema": 1, "cards": cards })));
    }
    let mut text = String::new();
    for (name, status) in cards {
        text += &match status {
            Ok(status) => {
                let owned = status.streams.iter().filter(|stream| stream.owner.is_some()).count();
                let (all, pid, feed) = (status.streams.len(), status.pid, status.feed);
                format!("{name:<12} pid {pid:<8} {owned} of {all} streams in use, {feed}\n")
            }
            Err(error) => format!("{name:<12} {error}\n"),
        };
    }
    print(&text)
}
