//! `dagctl show`.

use serde_json::json;

use super::{Failure, open, or_dash, print, size};
use crate::exit::Exit;

/// The options of `dagctl show`.
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
    let (info, counters, holders) = (card.info(), card.counters()?, card.holders());
    let mac = |port: &dag::PortInfo| port.mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":"));
    if args.json {
        let ports = info.ports.iter().map(|port| {
            let set = counters.ports.iter().find(|one| one.number == port.number);
            json!({
                "number": port.number,
                "name": port.name,
                "description": port.description,
                "mac": mac(port),
                "speed": port.speed,
                "link_up": set.and_then(|one| one.link_up),
                "enabled": set.and_then(|one| one.enabled),
            })
        });
        let streams = counters.streams.iter().map(|stream| {
            json!({
                "number": stream.number,
                "transmits": stream.transmits(),
                "memory": stream.memory,
                "owner": stream.owner,
            })
        });
        let object = json!({
            "schema": 1,
            "name": card.name(),
            "model": info.model,
            "emulated": info.emulated,
            "description": info.description,
            "stamp_source": info.stamp_source.name(),
            "stamp_error_ns": info.stamp_error_ns,
            "tick_bits": info.tick.map(|tick| tick.bits()),
            "snaplen": counters.snaplen,
            "varlen": counters.varlen,
            "ports": ports.collect::<Vec<_>>(),
            "streams": streams.collect::<Vec<_>>(),
            "holders": holders,
            "notes": card.notes(),
        });
        print(&format!("{object}\n"))?;
        return Ok(Exit::Done);
    }
    let tick = info.tick.map(|tick| format!("2^-{} s ({:.1} ns)", tick.bits(), 1e9 / 2f64.powi(tick.bits().into())));
    let lengths = match counters.varlen {
        Some(false) => ", records of one length",
        _ => "",
    };
    let mut text = format!(
        "{}: {}, {}\nstamps    {}, tick {}\nsnaplen   {}{lengths}\n",
        card.name(),
        info.model,
        info.description,
        info.stamp_source.name(),
        or_dash(tick),
        or_dash(counters.snaplen),
    );
    for port in &info.ports {
        let set = counters.ports.iter().find(|one| one.number == port.number);
        let link = match set.and_then(|one| one.link_up) {
            Some(true) => "link up",
            Some(false) => "link down",
            None => "link unknown",
        };
        let off = if set.is_some_and(|one| one.enabled == Some(false)) { ", disabled" } else { "" };
        let behind = port.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        text += &format!("port {}    {link}{off}{behind}\n", port.number);
    }
    for stream in &counters.streams {
        let way = if stream.transmits() { "transmits" } else { "receives" };
        let memory = if stream.memory == 0 { "no memory".to_owned() } else { size(stream.memory) };
        let owner = stream.owner.map(|pid| format!(", owned by process {pid}")).unwrap_or_default();
        text += &format!("stream {:<2} {way}, {memory}{owner}\n", stream.number);
    }
    for holder in holders {
        text += &format!("open in   {holder}\n");
    }
    for note in card.notes() {
        text += &format!("note      {note}\n");
    }
    print(&text)?;
    Ok(Exit::Done)
}
