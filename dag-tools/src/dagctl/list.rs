//! `dagctl list`.

use serde_json::json;

use super::{Failure, print, size};
use crate::exit::Exit;

/// The options of `dagctl list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One object for all cards.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let found = dag::cards();
    if args.json {
        let cards = found.iter().map(|one| match &one.card {
            Ok(card) => {
                let info = card.info();
                json!({
                    "name": one.name,
                    "model": info.model,
                    "emulated": info.emulated,
                    "description": info.description,
                    "ports": info.ports.len(),
                    "rx_streams": info.rx_streams,
                })
            }
            Err(error) => json!({ "name": one.name, "error": error.to_string() }),
        });
        print(&format!("{}\n", json!({ "schema": 1, "cards": cards.collect::<Vec<_>>() })))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for one in found {
        text += &match one.card {
            Ok(card) => {
                let info = card.info();
                let (ports, streams, memory) = (info.ports.len(), info.rx_streams, size(info.stream_memory));
                let parts = format!("{ports} ports, {streams} receive streams of {memory}");
                format!("{:<12} {}, {}; {parts}\n", one.name, info.model, info.description)
            }
            Err(error) => format!("{:<12} {error}\n", one.name),
        };
    }
    print(&text)?;
    Ok(Exit::Done)
}
