//! The processes of a run: hidden commands, which `wiretruth lab run` starts.

use std::io::{Read, stdin};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use wire_truth::lab::{CellTask, Load, generate, guardian as guard, run_cell};

use crate::exit::Exit;
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
    let done = generate(&load, args.threads, stdin())?;
    print(&format!("{done}\n"))?;
    Ok(Exit::Done)
}
