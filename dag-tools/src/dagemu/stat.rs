//! `dagemu stat`.

use dag::emu::serve::status;
use serde_json::json;

use super::{Failure, print};

/// The options of `dagemu stat`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The card.
    name: String,

    /// One object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let name = &args.name;
    let status = status(name)?;
    if args.json {
        return print(&format!("{}\n", json!({ "schema": 1, "name": name, "status": status })));
    }
    let clock = if status.synchronised { "synchronised" } else { "not synchronised" };
    let mut text = format!(
        "{name}: emulated card, process {}\nfeed      {}\nclock     2^-{} s, {clock}; stamps are {}\nsnaplen   {}\n",
        status.pid, status.feed, status.tick_bits, status.stamp_source, status.snaplen
    );
    for (number, port) in status.ports.iter().enumerate() {
        let (link, on) = (if port.link_up { "up" } else { "down" }, if port.enabled { "" } else { ", disabled" });
        let behind = port.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        text += &format!("port {number}    {} packets, {} bytes, link {link}{on}{behind}\n", port.packets, port.bytes);
    }
    for (index, stream) in status.streams.iter().enumerate() {
        let owner = stream.owner.map_or("free".to_owned(), |pid| format!("owned by process {pid}"));
        text += &format!("stream {}  {} bytes, {owner}, {} dropped\n", 2 * index, status.memory, stream.dropped);
    }
    for (index, stream) in status.tx_streams.iter().enumerate() {
        let owner = stream.owner.map_or("free".to_owned(), |pid| format!("owned by process {pid}"));
        let count = |number: u64, what: &str| if number == 0 { String::new() } else { format!(", {number} {what}") };
        let bad = count(stream.bad, "that were none") + &count(stream.failed, "that the interface did not take");
        text += &format!("stream {}  transmits, {owner}, {} records sent{bad}\n", 2 * index + 1, stream.records);
    }
    for line in status.notes.iter().chain(&status.failure) {
        text += &format!("note      {line}\n");
    }
    print(&text)
}
