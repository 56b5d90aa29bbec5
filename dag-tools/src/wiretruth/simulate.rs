//! `wiretruth simulate`: an experiment made up, with the truth about it.

use std::path::PathBuf;
use std::time::Duration;

use wire_truth::simulate::{Coupling, HostClock, Margin, Scenario, Stack, simulate};

use super::{Failure, print};
use crate::exit::Exit;
use crate::values;

/// The options of `wiretruth simulate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder for wire.erf, kernel.pcap, user.csv, truth.csv, and of a guest dom0.pcap.
    #[arg(short, long, value_name = "FOLDER")]
    out: PathBuf,

    /// Probes, those at rest among them.
    #[arg(short, long, value_name = "N", default_value_t = 240)]
    probes: u32,

    /// From one probe to the next.
    #[arg(short, long, value_name = "TIME", value_parser = values::duration, default_value = "250ms")]
    interval: Duration,

    /// Decides all that is drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Probes at rest before the stress.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rest_lead: u32,

    /// Probes at rest after it.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rest_trail: u32,

    /// What the kernel adds under stress: median and 99th percentile in milliseconds. Of a guest: its host (dom0).
    #[arg(long, value_name = "MS,MS", value_parser = margin, default_value = "0.373,6.039")]
    kern: Margin,

    /// What a guest adds (domU); without this there is none.
    #[arg(long, value_name = "MS,MS", value_parser = margin)]
    guest: Option<Margin>,

    /// What the program adds under stress.
    #[arg(long, value_name = "MS,MS", value_parser = margin, default_value = "9.374,89.527")]
    user: Margin,

    /// From request to reply on the wire.
    #[arg(long, value_name = "MS,MS", value_parser = margin, default_value = "0.2,0.4")]
    network: Margin,

    /// How the layers hang together: a total does not follow from the layers alone.
    #[arg(long, value_name = "HOW", value_parser = ["independent", "comonotone"], default_value = "independent")]
    coupling: String,

    /// Which part of what the host adds is added when sending, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    send_share: f64,

    /// The host's clock is ahead by so many nanoseconds at the start.
    #[arg(long, value_name = "NS", default_value_t = 0, allow_hyphen_values = true)]
    offset: i64,

    /// The host's clock is faster by so many parts per million.
    #[arg(long, value_name = "PPM", default_value_t = 0.0, allow_hyphen_values = true)]
    drift: f64,

    /// The host's clock is stepped at probe N by so many nanoseconds.
    #[arg(long, value_name = "N:NS", value_parser = step, allow_hyphen_values = true)]
    step: Option<(u32, i64)>,

    /// Probes that are lost, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    loss: f64,

    /// Probes of which the reply comes twice, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicates: f64,

    /// Probes of which the reply is overtaken, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    reordered: f64,

    /// Packets of others for each probe.
    #[arg(long, value_name = "N", default_value_t = 0)]
    other: u32,
}

fn margin(text: &str) -> Result<Margin, String> {
    let numbers = text.split_once(',').and_then(|(median, p99)| Some((median.parse().ok()?, p99.parse().ok()?)));
    let (median, p99): (f64, f64) =
        numbers.ok_or("it is two numbers of milliseconds: the median, the 99th percentile")?;
    Margin::new(median * 1e6, p99 * 1e6)
        .ok_or_else(|| "the median is above 0, the 99th percentile not below it, and below an hour".to_owned())
}

fn step(text: &str) -> Result<(u32, i64), String> {
    let parts = text.split_once(':').and_then(|(number, by)| Some((number.parse().ok()?, by.parse().ok()?)));
    parts.ok_or_else(|| "it is the number of a probe and nanoseconds, as 100:-5000000".to_owned())
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut scenario = Scenario::default();
    // At rest a guest adds a tenth of what it does under stress.
    let tenth = |margin: Margin| Margin::new(margin.median_ns() / 10.0, margin.p99_ns() / 10.0);
    scenario.rest.guest = args.guest.and_then(tenth);
    scenario.stress = Stack { kern: args.kern, guest: args.guest, user: args.user };
    scenario.probes = args.probes;
    // Longer ones are refused by the scenario.
    scenario.interval_ns = i64::try_from(args.interval.as_nanos()).unwrap_or(i64::MAX);
    (scenario.seed, scenario.network, scenario.other) = (args.seed, args.network, args.other);
    (scenario.rest_lead, scenario.rest_trail) = (args.rest_lead, args.rest_trail);
    scenario.coupling = if args.coupling == "comonotone" { Coupling::Comonotone } else { Coupling::Independent };
    (scenario.send_share, scenario.loss) = (args.send_share, args.loss);
    (scenario.duplicates, scenario.reordered) = (args.duplicates, args.reordered);
    scenario.clock = HostClock { offset_ns: args.offset, drift_ppb: args.drift * 1e3, step: args.step };
    simulate(&scenario)?.write(&args.out)?;
    print(&format!(
        "{} probes, {} of them at rest; analyse them with\n  wiretruth analyse --wire {out}/wire.erf --kernel {out}/kernel.pcap {guest}--user \
         {out}/user.csv --rest-lead {} --rest-trail {}\n",
        args.probes,
        args.rest_lead + args.rest_trail,
        args.rest_lead,
        args.rest_trail,
        out = args.out.display(),
        guest = if args.guest.is_some() { format!("--dom0 {}/dom0.pcap ", args.out.display()) } else { String::new() },
    ))?;
    Ok(Exit::Done)
}
