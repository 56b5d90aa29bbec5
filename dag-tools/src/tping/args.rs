//! The command line of `tping`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser, ValueEnum};

use crate::values;

/// Sends probes and writes down every stamp of each: of the program, of the queueing discipline, of the driver, and of the kernel that receives.
#[derive(Debug, Parser)]
#[command(name = "tping", version, after_help = AFTER_HELP)]
#[command(group(ArgGroup::new("written").args(["log", "signals"]).multiple(true)))]
#[command(group(ArgGroup::new("sampled").args(["feedback", "signals"]).multiple(true)))]
pub struct Args {
    /// Where to: a name or an address.
    #[arg(required_unless_present = "reflect")]
    pub(super) host: Option<String>,

    /// So many probes; 65536 at most, which is also where it ends without this.
    #[arg(short, long, value_name = "N")]
    pub(super) count: Option<u32>,

    /// From one probe to the next; a number without a unit is seconds. [default: 1s]
    #[arg(short, long, value_name = "TIME", value_parser = seconds)]
    pub(super) interval: Option<Duration>,

    /// Before probe N (the first is 0) so much more time than the interval; as often as wanted. For what is to change between probes.
    #[arg(long, value_name = "N:TIME", value_parser = gap)]
    pub(super) gap: Vec<(u32, Duration)>,

    /// Bytes of the ICMP message, or of the UDP datagram, with its header of 8 bytes; of a TCP header with its options, 36 to 60. [default: 64, of
    /// TCP 40]
    #[arg(short, long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(8..=65_000))]
    pub(super) size: Option<u16>,

    /// A probe without a reply after so long is lost.
    #[arg(short = 'W', long, value_name = "TIME", value_parser = seconds, default_value = "1s")]
    pub(super) timeout: Duration,

    /// The settings of an experiment: paper = 200 probes of 100 bytes, 250 ms apart.
    #[arg(long, value_name = "NAME")]
    pub(super) preset: Option<Preset>,

    /// Datagrams to this port instead of ICMP echoes. Answers are those of `tping --reflect`, or that the port is unreachable,
    /// which Linux says once a second at most.
    #[arg(long, value_name = "PORT", conflicts_with_all = ["reflect", "tcp"])]
    pub(super) udp: Option<u16>,

    /// SYNs to this port instead of ICMP echoes. Answers are SYN-ACK where somebody listens, and RST where nobody does; no connection is made.
    #[arg(long, value_name = "PORT", conflicts_with = "reflect")]
    pub(super) tcp: Option<u16>,

    /// Answer the datagrams of others at this port, until stopped, or as many as --count says.
    #[arg(long, value_name = "PORT", conflicts_with_all = ["host", "log", "json", "preset", "sampled", "interval", "gap", "size", "ident"])]
    pub(super) reflect: Option<u16>,

    /// IPv4 only.
    #[arg(short = '4', conflicts_with = "v6")]
    pub(super) v4: bool,

    /// IPv6 only.
    #[arg(short = '6')]
    pub(super) v6: bool,

    /// The identifier of the probes, which for TCP is the port they come from; without it one is chosen.
    #[arg(long, value_name = "N")]
    pub(super) ident: Option<u16>,

    /// Write every probe's stamps into this file, which `wiretruth analyse --user` reads.
    #[arg(short, long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,

    /// Say of each sample whether to believe it, by its stamps and what the host says of itself meanwhile, and what it would be without the
    /// host's share. A line may come one interval of sampling later for it.
    #[arg(long)]
    pub(super) feedback: bool,

    /// Sample the signals of this host beside the probes (pressure, run delay, steal, soft interrupts, the queue before the wire), and write them
    /// into this file, which `wiretruth verdict` reads.
    #[arg(long, value_name = "FILE")]
    pub(super) signals: Option<PathBuf>,

    /// From one sample of signals to the next.
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "50ms", requires = "sampled")]
    pub(super) signals_interval: Duration,

    /// What `wiretruth verdict learn` has written. Without it limits are strict, and nothing is claimed of what is corrected.
    #[arg(long, value_name = "FILE", requires = "feedback")]
    pub(super) thresholds: Option<PathBuf>,

    /// This interface is the last before the wire, and nobody else queues behind it. Without it, that is believed only of a device of a machine
    /// that is no guest.
    #[arg(long, value_name = "IFACE", requires = "sampled")]
    pub(super) uplink: Option<String>,

    /// Replace the log and the file of signals if they are there.
    #[arg(long, requires = "written")]
    pub(super) force: bool,

    /// One object a probe on standard output, as in the log.
    #[arg(long)]
    pub(super) json: bool,

    /// Only the summary.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// Settings of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Preset {
    /// Of "Explaining Packet Delays under Virtualization".
    Paper,
}

const AFTER_HELP: &str = "Exit status: 0 every probe was answered; 1 some were not; 2 it could not run.";

/// Nothing is waited for longer.
const A_DAY: Duration = Duration::from_secs(86_400);

/// `0.25` as ping has it, or with a unit.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) => Err("more than nothing, and a day at most".to_owned()),
        Err(_) => match values::duration(text)? {
            long if long > A_DAY => Err("a day at most".to_owned()),
            time => Ok(time),
        },
    }
}

fn gap(text: &str) -> Result<(u32, Duration), String> {
    let form = "it is the number of a probe and a time, as 50:1s";
    let (number, time) = text.split_once(':').ok_or(form)?;
    Ok((number.parse().map_err(|_| form)?, seconds(time)?))
}

/// What is to be done, with presets and defaults put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) count: u32,
    pub(super) interval: Duration,
    /// Without it the kind of probe decides.
    pub(super) size: Option<usize>,
}

/// As many as an identifier has sequence numbers.
const MOST_PROBES: u32 = 65_536;

impl Args {
    /// # Errors
    ///
    /// When more probes are wanted than there are sequence numbers.
    pub(super) fn plan(&self) -> Result<Plan, String> {
        let (count, interval, size) = match self.preset {
            Some(Preset::Paper) => (200, Duration::from_millis(250), Some(100)),
            None => (MOST_PROBES, Duration::from_secs(1), None),
        };
        let plan = Plan {
            count: self.count.unwrap_or(count),
            interval: self.interval.unwrap_or(interval),
            size: self.size.map(usize::from).or(size),
        };
        match plan.count {
            0 => Err("--count 0: nothing would be sent".to_owned()),
            1..=MOST_PROBES => Ok(plan),
            count => Err(format!("--count {count}: an identifier has 65536 sequence numbers; run it again for more")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &str) -> Result<Plan, String> {
        Args::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())?.plan()
    }

    #[test]
    fn presets_are_put_in_and_can_be_changed() {
        let paper = plan("tping --preset paper h").unwrap();
        assert_eq!((paper.count, paper.interval, paper.size), (200, Duration::from_millis(250), Some(100)));
        let more = plan("tping --preset paper -c 1000 -i 0.02 -s 64 h").unwrap();
        assert_eq!((more.count, more.interval, more.size), (1000, Duration::from_millis(20), Some(64)));
        assert_eq!(plan("tping h").unwrap().interval, Duration::from_secs(1));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (words, told) in [
            ("tping h -c 0", "nothing would be sent"),
            ("tping h -c 65537", "65536 sequence numbers"),
            ("tping h -i 0", "more than nothing"),
            ("tping h -i nan", "more than nothing"),
            ("tping h -s 7", "7 is not in 8..=65000"),
            ("tping", "required arguments were not provided"),
            ("tping h --udp 9 --reflect 9", "cannot be used with"),
            ("tping h --udp 9 --tcp 9", "cannot be used with"),
            ("tping h --gap 1s", "as 50:1s"),
            ("tping h --gap 5:0", "more than nothing"),
            ("tping h --gap 5:9999999s", "a day at most"),
            ("tping --reflect 9 --signals f", "cannot be used with"),
            ("tping h --force", "required arguments were not provided"),
            ("tping h --uplink e", "required arguments were not provided"),
            ("tping h --thresholds f", "required arguments were not provided"),
        ] {
            let error = plan(words).unwrap_err();
            assert!(error.contains(told), "{words}: {error}");
        }
    }
}
