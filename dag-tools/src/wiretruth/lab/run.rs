//! `wiretruth lab run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::ValueEnum;
use wire_truth::experiment::{Environment, Experiment, Stress};
use wire_truth::lab::guest::{Accel, GuestFiles, Initramfs, Kvm};
use wire_truth::lab::{Cell, Image, Plan, Programs, Progress, Variant, check_congestion_control, run as run_plan};

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
    /// wiretruth-why, of feedback wiretruth-feedback]
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

    /// From one probe to the next, with its unit. [default: 20ms]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    interval: Option<Duration>,

    /// Guests that are stressed, of four; that which measures is the last of them. [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4))]
    stressed: Option<u32>,

    /// Threads of each generator of CPU, I/O, disk and memory stress. [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: Option<u32>,

    /// TCP connections each way, under network stress. [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    streams: Option<u32>,

    /// How those are controlled; the kernel is to have it. [default: cubic]
    #[arg(long, value_name = "NAME")]
    congestion: Option<String>,

    /// The folder of what guests boot from (wiretruth lab fetch-guest). [default: ~/.cache/dag-guest]
    #[arg(long, value_name = "DIR")]
    guest: Option<PathBuf>,

    /// The rate of the link, both ways, in megabits a second (a number without unit).
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
        self.check_use(&cells)?;
        let congestion_control = self.congestion.clone().unwrap_or_else(|| "cubic".to_owned());
        let programs = programs()?;
        let has_guests = cells.iter().any(|cell| cell.environment == Environment::Vm);
        if cells.iter().any(|cell| cell.stress == Stress::Network) {
            check_congestion_control(&congestion_control, has_guests)?;
        }
        let image = has_guests.then(|| self.image(&out, &programs)).transpose()?;
        Ok(Plan {
            cells,
            probes: self.probes.unwrap_or(probes),
            rest: self.rest,
            interval: self.interval.unwrap_or(interval),
            link_bits_per_second: self.link * 1_000_000,
            stressed: self.stressed.unwrap_or(1),
            threads: self.threads.unwrap_or(1),
            streams: self.streams.unwrap_or(1),
            congestion_control,
            out,
            programs,
            image,
            switching: None,
        })
    }

    /// That no option is given which nothing of these cells goes by.
    fn check_use(&self, cells: &[Cell]) -> Result<(), Failure> {
        let any = |holds: fn(&Cell) -> bool| cells.iter().any(holds);
        let network = any(|cell| cell.stress == Stress::Network);
        let generators = any(|cell| !matches!(cell.stress, Stress::Rest | Stress::Network));
        let guests = any(|cell| cell.stress != Stress::Rest && cell.environment != Environment::Host);
        let machines = any(|cell| cell.environment == Environment::Vm);
        for (option, is_given, is_used, of) in [
            ("--congestion", self.congestion.is_some(), network, "network stress"),
            ("--streams", self.streams.is_some(), network, "network stress"),
            ("--threads", self.threads.is_some(), generators, "CPU, I/O, disk or memory stress"),
            ("--stressed", self.stressed.is_some(), guests, "an environment with guests under stress"),
            ("--guest", self.guest.is_some(), machines, "the environment vm"),
        ] {
            if is_given && !is_used {
                return Err(Failure::Usage(format!("{option} is of {of}, of which there is no cell: leave it out")));
            }
        }
        Ok(())
    }

    /// What guests boot from, made anew: these programs are in it.
    fn image(&self, out: &Path, programs: &Programs) -> Result<Image, Failure> {
        let files = self.guest.as_ref().map_or_else(GuestFiles::usual, |folder| GuestFiles::open(folder))?;
        let failed = |cause| Failure::File { path: out.display().to_string(), cause };
        std::fs::create_dir_all(out).map_err(failed)?;
        let (initramfs, new) = (out.join("guest-initramfs"), out.join("guest-initramfs.new"));
        let made = Initramfs::new(&files, &programs.wiretruth).program(&programs.tping).program(&programs.dagcap);
        let renamed = |()| std::fs::rename(&new, &initramfs).map_err(failed);
        let written = made.write(&new).map_err(Failure::from).and_then(renamed);
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written?;
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

/// So long, as exactly as it is known.
fn about(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("about {} s", seconds.div_ceil(5) * 5),
        seconds => format!("about {} min", seconds.div_ceil(60)),
    }
}

/// The folder of a run that was given none.
pub(super) const USUAL: &str = "wiretruth-lab";

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let stresses = if args.stress.is_empty() { Stress::ALL.to_vec() } else { args.stress.clone() };
    let cells = args.env.iter().flat_map(|environment| {
        let cell = |stress: &Stress| Cell { environment: *environment, stress: *stress, variant: Variant::Plain };
        stresses.iter().map(cell).collect::<Vec<_>>()
    });
    let plan = args.how.plan(cells.collect(), USUAL)?;
    let stop = stop_flag()?;
    let not_run = run_plan(&plan, &stop, |progress| match progress {
        Progress::There(cell) => say(PROGRAM, format_args!("{}: is there already", cell.folder())),
        Progress::Begun(cell, left, time) => {
            say(PROGRAM, format_args!("{}: {left} to go, {}", cell.folder(), about(*time)));
        }
        Progress::Done(_) => {}
        Progress::Failed(cell, why) => say(PROGRAM, format_args!("{}: not run: {why}", cell.folder())),
    })?;
    let reported = report::write(&plan.out, &plan.out, None, false)?;
    let is_whole = not_run == 0 && Experiment::read(&plan.out)?.cells.iter().all(|cell| cell.measured().is_some());
    Ok(if is_whole { reported } else { Exit::No })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        how: How,
    }

    fn checked(words: &str, cells: &[(Environment, Stress)]) -> Result<(), String> {
        let line: Line = clap::Parser::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())?;
        let cell = |(environment, stress): &(Environment, Stress)| Cell {
            environment: *environment,
            stress: *stress,
            variant: Variant::Plain,
        };
        line.how.check_use(&cells.iter().map(cell).collect::<Vec<_>>()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn an_option_that_no_cell_goes_by_is_refused() {
        use Environment::{Bridge, Host, Vm};
        use Stress::{Cpu, Network, Rest};
        for (words, refused, taken) in [
            ("--congestion reno", (Host, Cpu), (Host, Network)),
            ("--streams 2", (Bridge, Rest), (Bridge, Network)),
            ("--threads 2", (Host, Network), (Host, Cpu)),
            ("--stressed 2", (Host, Network), (Bridge, Network)),
            ("--stressed 2", (Bridge, Rest), (Vm, Cpu)),
            ("--guest x", (Bridge, Network), (Vm, Rest)),
        ] {
            let words = format!("lab {words}");
            let option = words.split_whitespace().nth(1).unwrap();
            let error = checked(&words, &[refused]).unwrap_err();
            assert!(error.starts_with(option) && error.ends_with("leave it out"), "{error}");
            // One cell is enough.
            assert_eq!(checked(&words, &[refused, taken]), Ok(()));
        }
        assert_eq!(checked("lab", &[(Host, Rest)]), Ok(()));
    }

    #[test]
    fn an_interval_has_a_unit() {
        assert!(checked("lab --interval 20", &[]).unwrap_err().contains("has no unit; write a number with ns, us, ms"));
        assert_eq!(checked("lab --interval 20ms", &[]), Ok(()));
    }

    #[test]
    fn time_is_told_as_exactly_as_it_is_known() {
        let told =
            [(0, "about 0 s"), (11, "about 15 s"), (119, "about 120 s"), (120, "about 2 min"), (121, "about 3 min")];
        for (seconds, words) in told {
            assert_eq!(about(Duration::from_secs(seconds)), words);
        }
    }
}
