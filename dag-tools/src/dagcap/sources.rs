//! [`Sources`]: which streams of which cards are recorded.

use dag::{Card, CardInfo, Device, StampSource};

use super::Args;
use super::args::StreamArg;
use super::failure::Failure;
use super::outputs::same_file;
use crate::messages::say;

/// A stream to be recorded.
#[derive(Debug)]
pub(super) struct Source {
    /// Its card, by its place among [`Sources::cards`].
    pub(super) card: usize,
    pub(super) stream: u16,
}

/// A card to be recorded from.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) card: Card,
    pub(super) info: CardInfo,
    /// What it is called in names of files.
    pub(super) label: String,
}

/// What is recorded.
#[derive(Debug)]
pub(super) struct Sources {
    /// Each card once.
    pub(super) cards: Vec<Opened>,
    pub(super) streams: Vec<Source>,
}

impl Sources {
    pub(super) fn open(args: &Args) -> Result<Self, Failure> {
        let required = args.require_card || std::env::var_os("DAG_REQUIRE_CARD").is_some_and(|value| value == "1");
        let mut sources = Self { cards: Vec::new(), streams: Vec::new() };
        // Whether cards are the same is told by what they are called.
        let mut devices: Vec<(Device, usize)> = Vec::new();
        if args.device.is_empty() {
            let card = sources.add(args, Card::open_default(required)?)?;
            sources.choose(args, card, None)?;
        }
        for name in &args.device {
            let device: Device = name.parse()?;
            let (device, named) = match device {
                Device::Real { card, stream } => (Device::Real { card, stream: None }, stream),
                device => (device, None),
            };
            if let Some(input) = device.replays()
                && same_file(input, &args.out)
            {
                return Err(Failure::OwnInput(args.out.display().to_string()));
            }
            if let Some(named) = named
                && args.stream.iter().any(|&given| given != StreamArg::Number(named))
            {
                return Err(Failure::TwoStreams(name.clone(), words(&args.stream)));
            }
            if required && !matches!(device, Device::Real { .. }) {
                return Err(dag::Error::emulated_refused(name).into());
            }
            let card = match devices.iter().find(|(other, _)| *other == device) {
                Some(&(_, card)) => card,
                None => sources.add(args, Card::open_device(&device, name)?)?,
            };
            sources.choose(args, card, named)?;
            devices.push((device, card));
        }
        sources.label();
        if !args.cpu.is_empty() && args.cpu.len() != sources.streams.len() {
            let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
            let verb = if sources.streams.len() == 1 { "is" } else { "are" };
            let streams = format!("{verb} {}", counted(sources.streams.len(), "stream"));
            return Err(Failure::Cpus { cpus: counted(args.cpu.len(), "CPU"), streams });
        }
        Ok(sources)
    }

    fn add(&mut self, args: &Args, card: Card) -> Result<usize, Failure> {
        for &port in &args.port {
            card.check_port(port)?;
        }
        if let Some(snaplen) = args.snaplen {
            card.set_snaplen(snaplen)?;
        }
        let info = card.info();
        self.cards.push(Opened { card, info, label: String::new() });
        Ok(self.cards.len() - 1)
    }

    /// The streams of `card` that are asked for; `named` is the one that its name has.
    fn choose(&mut self, args: &Args, card: usize, named: Option<u16>) -> Result<(), Failure> {
        let Some(opened) = self.cards.get(card) else { return Ok(()) };
        let mut numbers: Vec<u16> = Vec::new();
        for arg in &args.stream {
            match arg {
                StreamArg::Number(number) => numbers.push(*number),
                StreamArg::All => {
                    let streams = opened.card.counters()?.streams;
                    let receives = streams.iter().filter(|stream| !stream.transmits() && stream.memory > 0);
                    numbers.extend(receives.map(|stream| stream.number));
                }
            }
        }
        if numbers.is_empty() {
            numbers.push(named.unwrap_or(0));
        }
        for stream in numbers {
            if self.streams.iter().any(|other| (other.card, other.stream) == (card, stream)) {
                return Err(Failure::Twice(opened.card.name().to_owned(), stream));
            }
            self.streams.push(Source { card, stream });
        }
        Ok(())
    }

    /// Gives each card a name for files: `dag0`, `emu-lab` for one of another process, `emu` for one of this process, numbered where
    /// there are several of these.
    fn label(&mut self) {
        let label = |opened: &Opened| match opened.card.name().parse() {
            Ok(Device::Real { card, .. }) => format!("dag{card}"),
            Ok(Device::Served(name)) => format!("emu-{name}"),
            _ => "emu".to_owned(),
        };
        let labels: Vec<String> = self.cards.iter().map(label).collect();
        for (n, opened) in self.cards.iter_mut().enumerate() {
            let Some(label) = labels.get(n) else { return };
            let several = labels.iter().filter(|other| *other == label).count() > 1;
            let before = labels.iter().take(n).filter(|other| *other == label).count();
            opened.label = if several { format!("{label}{before}") } else { label.clone() };
        }
    }

    /// The stream, with its card.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Source, &Opened)> {
        self.streams.iter().filter_map(|source| Some((source, self.cards.get(source.card)?)))
    }

    /// The names of the cards.
    pub(super) fn names(&self) -> String {
        self.cards.iter().map(|opened| opened.card.name()).collect::<Vec<_>>().join(" and ")
    }

    /// Places in recordings that emulated cards replay that were no records.
    pub(super) fn defects(&self) -> u64 {
        self.cards.iter().map(|opened| opened.card.source_defects()).sum()
    }

    /// Bytes of memory of all streams.
    pub(super) fn memory(&self) -> u64 {
        self.each().map(|(_, opened)| opened.info.stream_memory).sum()
    }

    /// One line for each emulated card that says what this is, so that emulated data cannot pass for a measurement.
    pub(super) fn announce(&self, program: &str) {
        for Opened { info, .. } in self.cards.iter().filter(|opened| opened.info.emulated) {
            let what = match info.stamp_source {
                StampSource::Kernel => "real packets with the kernel's stamps, microseconds off the wire",
                StampSource::Replay => "a recording played again, not a measurement",
                _ => "invented packets, not a measurement",
            };
            say(program, format_args!("emulated card, {}: {what}", info.description));
        }
    }
}

fn words(streams: &[StreamArg]) -> String {
    let word = |stream: &StreamArg| match stream {
        StreamArg::All => "all".to_owned(),
        StreamArg::Number(number) => number.to_string(),
    };
    streams.iter().map(word).collect::<Vec<_>>().join(",")
}
