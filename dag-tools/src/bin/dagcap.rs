//! `dagcap`: captures packets from a DAG card into a file.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use dag_tools::dagcap::{Args, run};

fn main() -> ExitCode {
    dag_tools::messages::show_warnings();
    run(&Args::parse()).into()
}
