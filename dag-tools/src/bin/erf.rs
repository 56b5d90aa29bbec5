//! `erf`: looks at, converts, cuts, joins, checks and repairs ERF files.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use dag_tools::erf::{Args, run};

fn main() -> ExitCode {
    dag_tools::messages::show_warnings();
    run(&Args::parse()).into()
}
