//! `wiretruth verdict sample`: the signals of this host, as a log.

use std::fs::File;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wire_truth::verdict::signals::{Interface, RunDelayOf, Sampling, Watch, interface_named, interface_to};

use super::super::{Failure, PROGRAM};
use crate::exit::Exit;
use crate::messages::say;
use crate::{signals, values};

/// The options of `wiretruth verdict sample`.
#[derive(Debug, clap::Args)]
pub(in crate::wiretruth) struct Args {
    /// The log; `tping --feedback` and `wiretruth verdict` read it.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,

    /// Replace the log if it is there.
    #[arg(long)]
    force: bool,

    /// From one sample to the next.
    #[arg(short, long, value_name = "TIME", value_parser = values::duration, default_value = "50ms")]
    interval: Duration,

    /// End after so long; without it, when stopped.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    duration: Option<Duration>,

    /// The program that probes: its run delay is counted, and its cgroup's pressure if that has its own. Without it, the run delay of all threads
    /// that are seen, which takes some microseconds for each of them.
    #[arg(short, long, value_name = "PID")]
    pid: Option<u32>,

    /// The interface that probes leave by.
    #[arg(long, value_name = "IFACE", conflicts_with = "to")]
    iface: Option<String>,

    /// Where probes go: the interface is that of the route.
    #[arg(long, value_name = "HOST")]
    to: Option<String>,

    /// This interface is the last before the wire, and nobody else queues behind it.
    #[arg(long, value_name = "IFACE")]
    uplink: Option<String>,
}

fn named(name: &str) -> Result<Interface, Failure> {
    interface_named(name).map_err(|cause| Failure::Usage(format!("interface {name}: {cause}")))
}

fn interface(args: &Args) -> Result<Option<Interface>, Failure> {
    match (&args.iface, &args.to, &args.uplink) {
        (Some(name), _, _) => named(name).map(Some),
        (None, Some(host), _) => {
            let failed = |cause| Failure::Usage(format!("{host}: {cause}"));
            let address = (host.as_str(), 0).to_socket_addrs().map_err(failed)?.next();
            let address = address.ok_or_else(|| Failure::Usage(format!("{host} has no address")))?;
            interface_to(address.ip()).map(Some).map_err(failed)
        }
        (None, None, Some(name)) => named(name).map(Some),
        (None, None, None) => Ok(None),
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if let Some(pid) = args.pid.filter(|pid| !Path::new(&format!("/proc/{pid}")).is_dir()) {
        return Err(Failure::Usage(format!("--pid {pid}: there is no such process")));
    }
    let stop = Arc::new(AtomicBool::new(false));
    signals::stop_on_signals(&stop).map_err(|cause| Failure::Usage(format!("signals: {cause}")))?;
    let watch = Watch {
        run_delay: args.pid.map_or(RunDelayOf::Visible, RunDelayOf::Process),
        interface: interface(args)?,
        uplink: args.uplink.as_deref().map(named).transpose()?,
    };
    let failed = |cause| Failure::File { path: args.out.display().to_string(), cause };
    let mut options = File::options();
    let options = options.write(true);
    let options = if args.force { options.create(true).truncate(true) } else { options.create_new(true) };
    let file = options.open(&args.out).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::There { path: args.out.display().to_string() },
        _ => failed(cause),
    })?;
    let begun = Instant::now();
    let sampling = Sampling::start(watch, args.interval, Some(file), false).map_err(failed)?;
    let is_over = || args.duration.is_some_and(|duration| begun.elapsed() >= duration);
    while !stop.load(Ordering::Relaxed) && !is_over() && !sampling.has_failed() {
        // Short enough for nobody to wait for it.
        std::thread::sleep(Duration::from_millis(10));
    }
    let taken = sampling.stop(None).map_err(failed)?;
    say(PROGRAM, format_args!("{} samples, {} ns of CPU time each", taken.samples, taken.cost_ns));
    Ok(Exit::Done)
}
