//! `dagctl counters`.

use serde_json::json;

use super::{Failure, open, or_dash, print};
use crate::exit::Exit;

/// The options of `dagctl counters`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The card.
    device: Option<String>,

    /// One object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let card = open(args.device.as_deref())?;
    let counters = card.counters()?;
    if args.json {
        let ports = counters.ports.iter();
        let ports = ports.map(|port| json!({ "number": port.number, "packets": port.packets, "bytes": port.bytes }));
        let streams = counters.streams.iter();
        let streams =
            streams.map(|stream| json!({ "number": stream.number, "dropped": stream.dropped, "sent": stream.sent }));
        let (ports, streams) = (ports.collect::<Vec<_>>(), streams.collect::<Vec<_>>());
        let object = json!({ "schema": 1, "name": card.name(), "ports": ports, "streams": streams });
        print(&format!("{object}\n"))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for port in &counters.ports {
        let (packets, bytes) = (or_dash(port.packets), or_dash(port.bytes));
        text += &format!("port {:<4} {packets} packets, {bytes} bytes\n", port.number);
    }
    for stream in &counters.streams {
        text += &match stream.transmits() {
            true => format!("stream {:<2} {} records sent\n", stream.number, or_dash(stream.sent)),
            false => format!("stream {:<2} {} records dropped\n", stream.number, or_dash(stream.dropped)),
        };
    }
    print(&text)?;
    Ok(Exit::Done)
}
