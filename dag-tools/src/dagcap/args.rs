//! The options of `dagcap`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser, ValueEnum};
use dag::file::FileFormat;
use dag::record::Sync;

use super::compress::Compress;
use super::files::Keep;
use crate::{metrics, values};

/// Captures packets from an Endace DAG card, real or emulated, into a file.
///
/// Records are written as the card made them, whole, with the card's timestamps. At the end comes an account of where every
/// packet went. Ctrl-C, SIGTERM and SIGHUP stop cleanly; a second one stops at once. SIGUSR1 asks how it is going: one line on standard error,
/// JSON with --json, which also tells how many packets are in the file already.
#[derive(Debug, Parser)]
#[command(name = "dagcap", version, after_help = AFTER_HELP)]
#[command(group = ArgGroup::new("rotation").multiple(true).args(["rotate_every", "rotate_size"]))]
pub struct Args {
    /// The card: dag0, dag0:2, /dev/dag0, 0, or emu:... for an emulated one.
    ///
    /// Without it: the real card if there is one; if nothing on this machine hints at a card, an emulated one. May be given several times;
    /// names of emulated cards have commas in them, and so have no list here.
    #[arg(short, long, value_name = "DEVICE")]
    pub device: Vec<String>,

    /// Record packets of these ports (card interfaces 0 to 7) only.
    #[arg(short, long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..8))]
    pub port: Vec<u8>,

    /// Record packets only that match an expression in the language of tcpdump, such as "udp port 53".
    ///
    /// libpcap compiles it where it can be opened; without it the common part is known: host, net, port, portrange, proto, vlan, less,
    /// greater, and, or, not.
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,

    /// Receive streams: 0, 2, 4, ...; several, such as 0,2; or all that have memory. Each is taken from on a thread of its own.
    ///
    /// Where --out has {stream} (or, of several cards, {device}) in it, there is a file for each stream; else all go into one, in the order of
    /// stamps (--merge).
    #[arg(long, value_name = "N|all", value_delimiter = ',', value_parser = StreamArg::parse)]
    pub stream: Vec<StreamArg>,

    /// Record several streams into one file, in the order of stamps. That is the default for several streams of one card; for several cards it
    /// has to be asked for: their clocks have to agree, and which card a packet is from stands in no record.
    ///
    /// Packets are held back for at most a TIME, by default 200ms, as long as a stream is silent that may bring earlier ones, and no longer
    /// than until half of a stream's memory is full. What comes later than that stands out of order in the file, and is counted.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "200ms", value_parser = values::duration)]
    pub merge: Option<Duration>,

    /// The CPU for the thread of each stream, in the order of the streams: 1,2.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub cpu: Vec<usize>,

    /// Where to write; - is standard output. {stream} and {device} are the number of the stream and the name of its card.
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,

    /// Stop after so many packets. Where each of several streams has files of its own, this and --size are for each of them.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Stop after a time, such as 10s, 250ms or 2h.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub duration: Option<Duration>,

    /// Stop before the packets take more than so many bytes, such as 100MB or 4GiB.
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub size: Option<u64>,

    /// Bytes kept of each packet; records are then cut down to a multiple of 8.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub snaplen: Option<u16>,

    /// Record what lies in stream memory at the stop (the default).
    #[arg(long, overrides_with = "no_drain")]
    pub drain: bool,

    /// Leave what lies in stream memory at the stop, and count it as unread.
    #[arg(long, overrides_with = "drain")]
    pub no_drain: bool,

    /// Format of the file. Without it the name decides: .pcap, .pcapng; anything else is ERF.
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Compress what is written: zstd, lz4, gzip, with a level as in gzip:6, or none. Without it the name decides: .zst, .lz4, .gz.
    ///
    /// Threads of its own do so, in blocks of about 1 MiB, each of which can be decompressed without the others. When they do not keep up,
    /// stream memory fills, and what has no room there is lost and counted: docs/recording.md has the rates. Sizes that are given to this
    /// program are those before compression, but for that of --keep.
    #[arg(long, value_name = "FORMAT[:LEVEL]", value_parser = Compress::parse, conflicts_with = "preflight")]
    pub compress: Option<Compress>,

    /// Threads that compress; by default one for each processor but one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub compress_threads: Option<u16>,

    /// The way to the disk.
    ///
    /// Past the page cache a file consists of whole blocks of 4096 bytes while it is recorded: filler (PAD) records, which readers skip,
    /// close what is written at once, at least every second. Pipes, other formats than ERF, files without META and PAD (--no-meta) and files
    /// limited to less than 16 MiB (--size) go through the cache, and so does what is compressed.
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    pub io: Io,

    /// Make recordings survive a loss of power: everything older than a TIME and what the disk takes to write it, by default 1s; or, once
    /// it is finished, the file as a whole (end).
    ///
    /// A killed program loses nothing that was written, with this or without. Without it the system writes what is in its cache within
    /// half a minute or so, and devices have caches of their own; with it fdatasync(2) is called, and a device that says that it has
    /// written something when it has not is believed.
    #[arg(long, value_name = "TIME|end", num_args = 0..=1, require_equals = true, default_missing_value = "1s", value_parser = sync)]
    pub sync: Option<Sync>,

    /// What to do when the disk is full: stop, with everything up to there in the file and exit status 2; or wait until there is room, and
    /// go on. What stream memory cannot hold meanwhile is lost, and counted.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub on_full: OnFull,

    /// Begin a new file at each multiple of this time, on the clock in UTC, by the packets' stamps: 60s, 15m, 1h.
    ///
    /// Files are complete recordings, one after another without a packet lost between. They are named by --out: times as strftime has them
    /// (%Y%m%dT%H%M%S, in UTC), of the boundary or of the first packet, and {number} for the number from 0; without either a time or number is
    /// put before the extension. A file is NAME.part until it is complete. SIGHUP completes the file and begins the next one.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub rotate_every: Option<Duration>,

    /// Begin a new file before one is larger than this (at least 1MiB). May be given together with --rotate-every.
    #[arg(long, value_name = "SIZE", value_parser = rotate_size)]
    pub rotate_size: Option<u64>,

    /// Keep so many of the files that this recording has completed (100), or so many bytes of them (20GiB), or those no older than this (36h), and
    /// remove the others.
    #[arg(long, value_name = "N|SIZE|AGE", value_parser = Keep::parse, requires = "rotation")]
    pub keep: Option<Keep>,

    /// Run a command by /bin/sh for each file that is complete, with its path as $1; at most four at a time, and nothing waits for them.
    #[arg(long, value_name = "COMMAND", requires = "rotation")]
    pub exec: Option<String>,

    /// Write neither META nor PAD records, for readers that know neither.
    #[arg(long)]
    pub no_meta: bool,

    /// Record nothing, but measure for two seconds what the folder of --out takes: which packet rates it holds, and for how long stream memory
    /// bridges a disk that stalls. Up to 4 GiB are written, a quarter of the free space at most, and removed.
    #[arg(long)]
    pub preflight: bool,

    /// Show numbers for Prometheus while it runs: in a file, written anew every second, or by HTTP on a port of this machine, such as
    /// 127.0.0.1:9090.
    #[arg(long, value_name = "FILE|ADDRESS:PORT", value_parser = metrics::Place::parse)]
    pub metrics: Option<metrics::Place>,

    /// Fail rather than use an emulated card when there is no real one. DAG_REQUIRE_CARD=1 does the same.
    #[arg(long)]
    pub require_card: bool,

    /// Overwrite a file that exists.
    #[arg(long)]
    pub force: bool,

    /// Print the account as JSON: on standard output, or on standard error when packets go there.
    #[arg(long)]
    pub json: bool,

    /// No live line and no account.
    #[arg(short, long)]
    pub quiet: bool,
}

impl Args {
    /// Whether the recording goes to many files.
    pub fn is_rotating(&self) -> bool {
        self.rotate_every.is_some() || self.rotate_size.is_some()
    }
}

/// Which streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamArg {
    /// All that can be recorded.
    All,
    /// One.
    Number(u16),
}

impl StreamArg {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::Number).map_err(|_| match text.parse::<u64>() {
                Ok(number) => format!("{number} is not in 0..={}", u16::MAX),
                Err(_) => "a number, such as 0, 2 or 4, or the word all".to_owned(),
            }),
        }
    }
}

/// Format of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// As the card made it.
    #[default]
    Erf,
    /// pcap with nanoseconds, without FCS.
    Pcap,
    /// pcapng with nanoseconds, without FCS; drops are kept.
    Pcapng,
}

impl Args {
    /// The format that is asked for, or that the name stands for.
    pub(super) fn format(&self) -> Format {
        self.format.unwrap_or_else(|| match FileFormat::of_name(&self.out) {
            Some(FileFormat::Pcap) => Format::Pcap,
            Some(FileFormat::PcapNg) => Format::Pcapng,
            _ => Format::Erf,
        })
    }
}

impl From<Format> for dag::record::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Erf => Self::Erf,
            Format::Pcap => Self::Pcap,
            Format::Pcapng => Self::PcapNg,
        }
    }
}

/// The way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Io {
    /// Past the page cache if that can be.
    #[default]
    Auto,
    /// Past the page cache, or not at all.
    Direct,
    /// Through the page cache.
    Buffered,
}

impl From<Io> for dag::record::Io {
    fn from(io: Io) -> Self {
        match io {
            Io::Auto => Self::Auto,
            Io::Direct => Self::Direct,
            Io::Buffered => Self::Buffered,
        }
    }
}

/// What to do when the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OnFull {
    /// End the recording.
    #[default]
    Stop,
    /// Go on when there is room.
    Wait,
}

impl From<OnFull> for dag::record::OnFull {
    fn from(on_full: OnFull) -> Self {
        match on_full {
            OnFull::Stop => Self::End,
            OnFull::Wait => Self::Wait,
        }
    }
}

/// A size that leaves room for what stands around packets.
fn rotate_size(text: &str) -> Result<u64, String> {
    match values::size(text)? {
        size if size < 1 << 20 => Err("at least 1MiB".to_owned()),
        size => Ok(size),
    }
}

/// `end`, or a time.
fn sync(text: &str) -> Result<Sync, String> {
    match text {
        "end" => Ok(Sync::AtEnd),
        _ => match values::duration(text)? {
            time if time < Duration::from_secs(1) => {
                Err("at least 1s: packets are written once a second when few come".to_owned())
            }
            time => Ok(Sync::Every(time)),
        },
    }
}

const AFTER_HELP: &str = "\
Emulated cards: emu:[FEED][,KEY=VALUE]...
  emu:synthetic=imix,rate=2Mpps    invented packets (rate=max|1000pps|10Gbps, size=64|imix|1518|N, count=N)
  emu:replay=FILE,pace=max         a recording: ERF, pcap or pcapng (pace=recorded|max|xN, loop=N|forever)
  emu:tap=eth1                     real packets: port 0 what arrives at eth1, port 1 what leaves it
  emu:tap=NETNS/a+NETNS/b          port 0 what arrives at a, port 1 what arrives at b
  all feeds: seed= ports= streams= memory= snaplen= varlen= tick= drift= offset= faults=

Exit status: 0 done; 1 packets were lost or damaged; 2 it could not run or not to its end.

Example: dagcap --port 0 --out wire.erf --duration 10s";
