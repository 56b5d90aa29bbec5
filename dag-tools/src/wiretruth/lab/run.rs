//! `wiretruth lab run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::ValueEnum;
use wire_truth::experiment::{Environment, Experiment, Stress};
use wire_truth::lab::guest::{Accel, GuestFiles, Initramfs, Kvm};
use wire_truth::lab::{Cell, Image, Plan, Programs, Progress, Variant, run as run_plan};

use super::report;
use crate::exit::Exit;
use crate::messages::say;
use crate::wiretruth::{Failure, PROGRAM};
use crate::{signals, values};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the probing program runs; with commas between.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "host,container,bridge")]
    env: Vec<Environment>,

    /// What the machine is kept busy with; with commas between. [default: all: rest,cpu,io,hd,memory,network]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    stress: Vec<Stress>,

    #[command(flatten)]
    how: How,
}

/// How each cell is measured.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// The folder for captures, logs and what comes of them; what is there and valid is not measured again. [default: wiretruth-lab, of explain
    /// wiretruth-why]
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The settings of an experiment: paper = 200 probes a cell, 250 ms apart.
    #[arg(long, value_name = "NAME")]
    preset: Option<Preset>,

    /// Probes of each cell under its stress. For an upper limit of the 99th percentile 368 are needed. [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    probes: Option<u32>,

    /// Probes at rest before the stress, and as many after.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=2_000), default_value_t = 50)]
    rest: u32,

    /// From one probe to the next. [default: 20ms]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    interval: Option<Duration>,

    /// Guests that are stressed, of four; that which measures is the last of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4), default_value_t = 1)]
    stressed: u32,

    /// Threads of each generator of stress.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64), default_value_t = 1)]
    threads: u32,

    /// TCP connections each way, under network stress.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64), default_value_t = 1)]
    streams: u32,

    /// How those are controlled.
    #[arg(long, value_name = "NAME", default_value = "cubic")]
    congestion: String,

    /// The folder of what guests boot from (wiretruth lab fetch-guest). [default: ~/.cache/dag-guest]
    #[arg(long, value_name = "DIR")]
    guest: Option<PathBuf>,

    /// Megabits in a second of the link, both ways.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000), default_value_t = 100)]
    link: u64,
}

/// Settings of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Preset {
    /// Of "Explaining Packet Delays under Virtualization".
    Paper,
}

impl How {
    /// A run of these cells.
    pub(super) fn plan(&self, cells: Vec<Cell>, usual: &str) -> Result<Plan, Failure> {
        let (probes, interval) = match self.preset {
            Some(Preset::Paper) => (200, Duration::from_millis(250)),
            None => (1000, Duration::from_millis(20)),
        };
        let wanted = self.out.clone().unwrap_or_else(|| PathBuf::from(usual));
        let out = std::path::absolute(&wanted);
        let out = out.map_err(|cause| Failure::File { path: wanted.display().to_string(), cause })?;
        let programs = programs()?;
        let has_guests = cells.iter().any(|cell| cell.environment == Environment::Vm);
        let image = has_guests.then(|| self.image(&out, &programs)).transpose()?;
        Ok(Plan {
            cells,
            probes: self.probes.unwrap_or(probes),
            rest: self.rest,
            interval: self.interval.unwrap_or(interval),
            link_bits_per_second: self.link * 1_000_000,
            stressed: self.stressed,
            threads: self.threads,
            streams: self.streams,
            congestion_control: self.congestion.clone(),
            out,
            programs,
            image,
        })
    }

    /// What guests boot from, made anew: these programs are in it.
    fn image(&self, out: &Path, programs: &Programs) -> Result<Image, Failure> {
        let files = self.guest.as_ref().map_or_else(GuestFiles::usual, |folder| GuestFiles::open(folder))?;
        let failed = |cause| Failure::File { path: out.display().to_string(), cause };
        std::fs::create_dir_all(out).map_err(failed)?;
        let initramfs = out.join("guest-initramfs");
        let made = Initramfs::new(&files, &programs.wiretruth).program(&programs.tping).program(&programs.dagcap);
        made.write(&initramfs)?;
        let kvm = Kvm::probe();
        say(PROGRAM, format_args!("guests: Linux {}, KVM {kvm}", files.release()));
        Ok(Image { kernel: files.kernel(), initramfs, is_hardware: kvm.accel() == Accel::Kvm })
    }
}

/// Those beside this one.
fn programs() -> Result<Programs, Failure> {
    let own = std::env::current_exe().map_err(|cause| Failure::File { path: "this program".to_owned(), cause })?;
    let beside = |name: &str| {
        let path = own.parent().unwrap_or(Path::new("/")).join(name);
        match path.is_file() {
            true => Ok(path),
            false => Err(Failure::Usage(format!("{} is not there: {name} is to lie beside wiretruth", path.display()))),
        }
    };
    Ok(Programs { dagcap: beside("dagcap")?, tping: beside("tping")?, wiretruth: own.clone() })
}

/// Raised by the first signal.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    signals::stop_on_signals(&stop).map_err(Failure::Output)?;
    Ok(stop)
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let stresses = if args.stress.is_empty() { Stress::ALL.to_vec() } else { args.stress.clone() };
    let cells = args.env.iter().flat_map(|environment| {
        let cell = |stress: &Stress| Cell { environment: *environment, stress: *stress, variant: Variant::Plain };
        stresses.iter().map(cell).collect::<Vec<_>>()
    });
    let plan = args.how.plan(cells.collect(), "wiretruth-lab")?;
    let stop = stop_flag()?;
    let not_run = run_plan(&plan, &stop, |progress| match progress {
        Progress::There(cell) => say(PROGRAM, format_args!("{}: is there already", cell.folder())),
        Progress::Begun(cell, left, time) => {
            say(PROGRAM, format_args!("{}: {left} to go, about {} min", cell.folder(), time.as_secs().div_ceil(60)));
        }
        Progress::Done(_) => {}
        Progress::Failed(cell, why) => say(PROGRAM, format_args!("{}: not run: {why}", cell.folder())),
    })?;
    let reported = report::write(&plan.out, &plan.out, false)?;
    let is_whole = not_run == 0 && Experiment::read(&plan.out)?.cells.iter().all(|cell| cell.measured().is_some());
    Ok(if is_whole { reported } else { Exit::No })
}
