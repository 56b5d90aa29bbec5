//! `dagcap`: captures packets from a DAG card into a file.

mod args;
mod compress;
mod files;
mod hook;
mod preflight;
mod run;

pub use args::Args;
pub use run::run;
