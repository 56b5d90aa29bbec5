//! `dagemu`: serves emulated DAG cards to other programs.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use dag_tools::dagemu::{Args, run};

fn main() -> ExitCode {
    dag_tools::messages::show_warnings();
    run(&Args::parse()).into()
}
