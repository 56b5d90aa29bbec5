//! `dagemu run`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dag::emu::serve::Server;
use dag::emu::{Card, CardSpec};

use super::{Failure, PROGRAM};
use crate::messages::say;
use crate::signals;

/// Between two looks at whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// The options of `dagemu run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the card, such as dag0.
    name: String,

    /// What arrives, and how the card is: synthetic, tap=A+B, replay=FILE, with options such as rate=1Mpps after a comma.
    #[arg(long, value_name = "FEED[,KEY=VALUE]...", default_value = "synthetic")]
    feed: String,

    /// Receive streams: numbers 0, 2, 4, ...
    #[arg(long, value_name = "N")]
    streams: Option<u16>,

    /// Memory of each stream, such as 64MiB.
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,

    /// What becomes of what is sent: loop, tap (by the interfaces of the feed), file=PATH or drop.
    #[arg(long, value_name = "SINK")]
    tx: Option<String>,

    /// What goes wrong on purpose, such as rx-error:0.01+truncate.
    #[arg(long, value_name = "FAULTS")]
    faults: Option<String>,

    /// Who may use the card: the mode of its socket, in octal.
    #[arg(long, value_name = "MODE", default_value = "0660", value_parser = mode)]
    mode: u32,

    /// The group of its socket, by name or number.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,

    /// Say nothing but errors.
    #[arg(short, long)]
    quiet: bool,
}

fn mode(text: &str) -> Result<u32, String> {
    let digits = text.trim_start_matches("0o");
    match u32::from_str_radix(digits, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("three octal digits, such as 0660".to_owned()),
    }
}

/// Serves a card until it is told to end.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut spec = args.feed.clone();
    for (key, value) in [
        ("streams", args.streams.map(|streams| streams.to_string())),
        ("memory", args.memory.clone()),
        ("tx", args.tx.clone()),
        ("faults", args.faults.clone()),
    ] {
        if let Some(value) = value {
            spec += &format!(",{key}={}", value.replace('\\', "\\\\").replace(',', "\\,"));
        }
    }
    let group = args.group.as_deref().map(group).transpose()?;
    let spec: CardSpec = spec.parse()?;
    let stop = Arc::new(AtomicBool::new(false));
    signals::stop_on_signals(&stop).map_err(Failure::Signals)?;
    let card = Card::open_reserved(&spec)?;
    let feed = card.feed().description.clone();
    let server = Server::start(card, &args.name, args.mode, group)?;
    if !args.quiet {
        say(PROGRAM, format_args!("{} is served at {}: {feed}", args.name, server.path().display()));
    }
    while !stop.load(Ordering::Relaxed) && !server.is_ending() {
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn group(name: &str) -> Result<u32, Failure> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found = nix::unistd::Group::from_name(name).ok().flatten();
    found.map(|group| group.gid.as_raw()).ok_or_else(|| Failure::Group(name.to_owned()))
}
