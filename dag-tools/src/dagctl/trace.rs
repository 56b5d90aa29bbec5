//! `dagctl trace` and `dagctl exercise`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use dag::Device;
use dag::sys::Libdag;

use super::Failure;
use crate::exit::Exit;
use crate::libraries::RECORDER;

/// The options of `dagctl trace`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The log; a new file.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,

    /// The real libdag, if it is not the one that programs find.
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,

    /// The program and its arguments.
    #[arg(trailing_var_arg = true, required = true, value_name = "PROGRAM", allow_hyphen_values = true)]
    program: Vec<OsString>,
}

/// The options of `dagctl exercise`.
#[derive(Debug, clap::Args)]
pub(super) struct ExerciseArgs {
    /// The log; a new file.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,

    /// The real libdag, if it is not the one that programs find.
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,

    #[command(flatten)]
    calls: CallsArgs,
}

/// What is exercised.
#[derive(Debug, clap::Args)]
pub(super) struct CallsArgs {
    /// The card: dag0, /dev/dag0, 0. A stream may be named: dag0:2.
    device: String,

    /// Also send three frames of 64 bytes through transmit stream 1. They leave the card.
    #[arg(long)]
    transmit: bool,

    /// Also give back more than was lent, which the contract says is refused. A library may not bear it.
    #[arg(long)]
    risky: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut command = recorded(&args.out, args.library.as_deref(), &args.program)?;
    let cause = command.exec();
    Err(Failure::Program { program: args.program.first().map(text).unwrap_or_default(), cause })
}

fn text(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

pub(super) fn exercise(args: &ExerciseArgs) -> Result<Exit, Failure> {
    let this = std::env::current_exe().map_err(|cause| Failure::Program { program: "dagctl".into(), cause })?;
    let calls = &args.calls;
    // What is wrong with the name is said before anything is recorded.
    calls.exercise()?;
    let mut words = vec![this.into_os_string(), "exercise-calls".into(), calls.device.clone().into()];
    words.extend(calls.transmit.then(|| "--transmit".into()));
    words.extend(calls.risky.then(|| "--risky".into()));
    let cause = recorded(&args.out, args.library.as_deref(), &words)?.exec();
    Err(Failure::Program { program: "dagctl".into(), cause })
}

impl CallsArgs {
    fn exercise(&self) -> Result<dag_trace::Exercise, Failure> {
        let Device::Real { card, stream } = self.device.parse()? else {
            return Err(Failure::NoRealCard(self.device.clone()));
        };
        let mut exercise = dag_trace::Exercise::of(card);
        exercise.stream = stream.unwrap_or(0);
        exercise.transmit = self.transmit;
        exercise.risky = self.risky;
        Ok(exercise)
    }
}

/// The calls of an exercise, made on whatever libdag is found: behind the recorder, if one stands before it.
pub(super) fn calls(args: &CallsArgs) -> Result<Exit, Failure> {
    dag_trace::exercise(&args.exercise()?, &Libdag::open()?)?;
    Ok(Exit::Done)
}

/// `program`, which will find the recorder where it looks for libdag.
fn recorded(out: &Path, library: Option<&Path>, program: &[OsString]) -> Result<Command, Failure> {
    // The recorder makes it, and could only warn; a program that runs for an hour is to be recorded.
    let failed = |cause| Failure::File { path: out.display().to_string(), cause };
    match File::create_new(out).and_then(|_| fs::remove_file(out)) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::Exists(out.display().to_string()));
        }
        made => made.map_err(failed)?,
    }
    let real = match library {
        Some(path) => Libdag::open_file(path)?,
        None => Libdag::open()?,
    };
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|cause| Failure::File { path: path.display().to_string(), cause })
    };
    let [name, arguments @ ..] = program else { return Err(Failure::NoCard) };
    let mut command = Command::new(name);
    under_recorder(&mut command, &absolute(Path::new(real.path()))?, &absolute(out)?)?;
    command.args(arguments);
    Ok(command)
}

/// Lets `command` find the recorder, in front of the library `real`, with the log in `out`.
pub(super) fn under_recorder(command: &mut Command, real: &Path, out: &Path) -> Result<(), Failure> {
    let folder = RECORDER.folder()?;
    command.env("DAG_TRACE_LIBRARY", real).env("DAG_TRACE_LOG", out);
    // For programs that open it by the variable of ours, and for those that leave it to the loader.
    command.env("DAG_LIBRARY", folder.join("libdag.so.5")).env_remove("DAG_CONF_LIBRARY");
    let path: OsString = match std::env::var_os("LD_LIBRARY_PATH").filter(|path| !path.is_empty()) {
        Some(more) => [folder.as_os_str(), OsStr::new(":"), &more].into_iter().collect(),
        None => folder.into_os_string(),
    };
    command.env("LD_LIBRARY_PATH", path);
    Ok(())
}
