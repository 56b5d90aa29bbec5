//! `tping`: a ping that writes down every stamp there is.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use dag_tools::tping::{Args, run};

fn main() -> ExitCode {
    run(&Args::parse()).into()
}
