//! `dagctl`: looks at DAG cards, sets them, and finds out what is wrong.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use dag_tools::dagctl::{Args, run};

fn main() -> ExitCode {
    dag_tools::messages::show_warnings();
    run(&Args::parse()).into()
}
