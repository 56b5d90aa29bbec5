//! `dagcap`: captures packets from a DAG card into a file.

mod args;
mod compress;
mod failure;
mod files;
mod hook;
mod outputs;
mod preflight;
mod report;
mod run;
mod sources;

pub use args::Args;
pub use run::run;
