//! `wiretruth`: how much of a measured delay is the network's, and how much the host's.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use dag_tools::wiretruth::{Args, run};

fn main() -> ExitCode {
    dag_tools::messages::show_warnings();
    run(&Args::parse()).into()
}
