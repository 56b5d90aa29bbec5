//! The processes of a run: hidden commands, which `wiretruth lab run` starts.

use std::io::{Read, stdin};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use wire_truth::lab::{CellTask, Load, generate, guardian as guard, run_cell};

use crate::exit::Exit;
use crate::values;
use crate::wiretruth::{Failure, print};

#[derive(Debug, Args)]
pub(crate) struct CellArgs {
    task: CellTask,
}

#[derive(Debug, Args)]
pub(crate) struct GuardianArgs {
    groups: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StressArgs {
    #[command(subcommand)]
    load: Kind,

    /// Threads, or connections.
    #[arg(long, global = true, default_value_t = 1)]
    threads: u32,

    /// So long, instead of until the standard input ends.
    #[arg(long = "for", global = true, value_parser = values::duration)]
    time: Option<Duration>,
}

#[derive(Debug, Subcommand)]
enum Kind {
    Cpu,
    Io,
    Memory,
    Hd {
        folder: PathBuf,
    },
    Send {
        to: SocketAddr,
        #[arg(long, default_value = "cubic")]
        congestion: String,
    },
    Receive {
        at: SocketAddr,
    },
}

/// What ends after a time.
struct Timer(Duration);

impl Read for Timer {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(self.0);
        Ok(0)
    }
}

/// Runs a cell, for as long as somebody holds the other end of the standard input.
pub(super) fn cell(args: &CellArgs) -> Result<Exit, Failure> {
    std::thread::spawn(|| {
        let _ = stdin().read_to_end(&mut Vec::new());
        // With the first process of a namespace all others in it end.
        std::process::exit(2);
    });
    run_cell(&args.task)?;
    Ok(Exit::Done)
}

pub(super) fn guardian(args: &GuardianArgs) -> Exit {
    guard(stdin(), &args.groups);
    Exit::Done
}

pub(super) fn stress(args: &StressArgs) -> Result<Exit, Failure> {
    let load = match &args.load {
        Kind::Cpu => Load::Cpu,
        Kind::Io => Load::Io,
        Kind::Memory => Load::Memory,
        Kind::Hd { folder } => Load::Hd(folder.clone()),
        Kind::Send { to, congestion } => Load::Send(*to, congestion.clone()),
        Kind::Receive { at } => Load::Receive(*at),
    };
    let done = match args.time {
        Some(time) => generate(&load, args.threads, Timer(time)),
        None => generate(&load, args.threads, stdin()),
    }?;
    print(&format!("{done}\n"))?;
    Ok(Exit::Done)
}
