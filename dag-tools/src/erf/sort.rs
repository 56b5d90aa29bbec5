//! `erf sort`: records into the order of their stamps.

use std::path::PathBuf;

use erf::sort::Sorter;
use serde_json::json;

use super::pass::{Files, Next, Pass};
use super::{Failure, open_files};
use crate::exit::Exit;
use crate::values;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,

    /// Memory for records; what is more goes to temporary files.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = values::size)]
    memory: u64,

    /// Folder for temporary files; nothing is left of them, however this ends.
    #[arg(long, value_name = "FOLDER")]
    temp_dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    // Temporary files stay open until they are put together.
    open_files::outputs(usize::from(u16::MAX));
    let mut pass = Pass::begin(&args.files)?;
    let mut sorter = Sorter::new(usize::try_from(args.memory).unwrap_or(usize::MAX));
    if let Some(folder) = &args.temp_dir {
        sorter = sorter.temporary(folder);
    }
    pass.each(|_, record, _| {
        sorter.push(record)?;
        Ok(Next::Go)
    })?;
    let sink = pass.sink();
    let report = sorter.finish(&mut |run, count| sink.write_run(run, count))?;
    pass.end(json!({ "backward_steps": report.backward_steps, "temporary_files": report.runs }))
}
