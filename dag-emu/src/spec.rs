//! [`CardSpec`]: an emulated card described in one line, and the grammar of that line.

use std::fmt::Write as _;
use std::str::FromStr;

use erf_core::Tick;

use crate::clock::ClockSettings;
use crate::error::Error;
use crate::faults::FaultSpec;
use crate::feed::replay::{Pace, ReplaySpec};
use crate::feed::synthetic::{Full, Payload, Rate, SizeMix, Synthetic, SyntheticSpec, Template};
use crate::feed::{self, FeedInfo, Opened, StampSource};
use crate::ports::MAX_PORTS;
use crate::tap::{Iface, TapSpec};
use crate::transmit::{TAP_ONLY, TxSpec};
use crate::units::{parse_delta, parse_size};

/// The most receive streams a card can have: numbers 0 to 62 (`libdag-contract.md` section 2.1).
pub const MAX_STREAMS: u16 = 32;

const MIN_MEMORY: u64 = 1 << 20;
const MAX_MEMORY: u64 = 1 << 40;

/// An emulated card, described.
///
/// Written as `[FEED][,KEY=VALUE]...`; a comma inside a value is `\,` and a backslash `\\`. Without a feed it is `synthetic`.
///
/// | feed | what arrives |
/// |---|---|
/// | `synthetic`, `synthetic=SIZE` | invented packets, the same for the same seed |
/// | `replay=FILE` | the packets of an ERF, pcap or pcapng file, plain or compressed |
/// | `none` | nothing but what is sent, see `tx` |
/// | `tap=A`, `tap=A+B` | real packets: at port 0 what arrives at interface A; at port 1 what leaves A, or what arrives at B. `NETNS/IFACE` names an interface of a named network namespace |
///
/// | key | for | default | meaning |
/// |---|---|---|---|
/// | `size=64\|imix\|1518\|N\|N-M` | synthetic | `64` | bytes on the wire, FCS included |
/// | `rate=max\|1000pps\|2Mpps\|10Gbps` | synthetic | `1000pps` | packets or bits per second; bits count 20 bytes of preamble and gap |
/// | `count=N\|forever` | synthetic | `forever` | packets until the feed is over |
/// | `payload=made\|template\|records` | synthetic | `made` | each packet made anew, with its number; or the first 1024 again and again, as fast as headers or whole records can be written |
/// | `full=drop\|wait` | synthetic | `drop` | what there is no room for is dropped and counted; or the feed waits for room |
/// | `pace=recorded\|max\|xN` | replay | `recorded` | the recorded gaps, none, or N times faster |
/// | `loop=N\|forever` | replay | `1` | times the file is played |
/// | `format=auto\|erf` | replay | `auto` | decided by content, or ERF whatever it looks like |
/// | `seed=N` | all | `1` | of invented packets and of faults |
/// | `ports=N` | all | `2`, replay `8` | 1 to 8; a tap has 2; what a replayed file has at other interfaces is left out |
/// | `streams=N` | all | `1` | receive streams 0, 2, 4 ..., over which flows are spread; up to 32 |
/// | `bare_streams=N` | all | `0` | further receive streams, which have no memory and cannot be attached |
/// | `memory=SIZE` | all | `32MiB` | memory of each stream, 1 MiB or more |
/// | `snaplen=N` | all | `65535` | bytes stored of each packet |
/// | `varlen=on\|off` | all | `on` | records as long as their packet, or slots for the snap length |
/// | `tick=BITS` | all | `26` | clock step 2^-BITS s, 24 to 32 |
/// | `drift=PPB` | all | `0` | how much too fast the clock runs, in parts per 10^9 |
/// | `offset=TIME` | all | `0` | what the clock shows too much |
/// | `tx=loop\|tap\|file=PATH\|drop` | all, `tx=tap` tap | none | what becomes of what is sent; `loop`: on interface *i* it arrives at port *i* xor 1; `tap`: it leaves by the interface behind port *i* |
/// | `tx_streams=N` | all | `1` with `tx` | transmit streams 1, 3, ... |
/// | `reverse=on\|off` | all | `off` | a program may play the card, in reverse mode |
/// | `faults=NAME[:RATE][+...]` | all | none | see [`FaultSpec`] |
///
/// ```
/// let spec: dag_emu::CardSpec = "synthetic=imix,rate=2Mpps,streams=2,drift=-350".parse()?;
/// assert_eq!(spec.clock.drift_ppb, -350);
/// let error = "synthetic,sise=64".parse::<dag_emu::CardSpec>().unwrap_err();
/// assert!(error.to_string().contains("no option `sise`"));
/// # Ok::<(), dag_emu::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CardSpec {
    /// Where the packets come from.
    pub feed: FeedSpec,
    /// Seed of invented packets and of faults.
    pub seed: u64,
    /// Ports, 1 to 8.
    pub ports: u8,
    /// Receive streams, 1 to 32.
    pub streams: u16,
    /// Receive streams behind these that have no memory, as on a card whose memory is given to others.
    pub bare_streams: u16,
    /// Memory of each stream in bytes.
    pub memory: u64,
    /// Bytes stored of each packet.
    pub snaplen: u16,
    /// Records as long as their packet.
    pub varlen: bool,
    /// The clock and its errors.
    pub clock: ClockSettings,
    /// What goes wrong on purpose.
    pub faults: Option<FaultSpec>,
    /// What becomes of what is sent; `None` for a card that does not transmit.
    pub tx: Option<TxSpec>,
    /// Transmit streams: numbers 1, 3, ...; 1 where [`tx`](Self::tx) or [`reverse`](Self::reverse) is given and this is not.
    pub tx_streams: Option<u16>,
    /// A card whose part a program may play, in reverse mode (`libdag-contract.md` section 2.14).
    pub reverse: bool,
}

/// Where the packets of a card come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FeedSpec {
    /// Invented packets.
    Synthetic(SyntheticSpec),
    /// A recording.
    Replay(ReplaySpec),
    /// Live interfaces.
    Tap(TapSpec),
    /// Nothing but what is sent.
    Nothing,
}

impl Default for CardSpec {
    /// 1 000 invented packets of 64 bytes a second, two ports, one stream of 32 MiB, a right clock of 2^-26 s.
    fn default() -> Self {
        Self {
            feed: FeedSpec::Synthetic(SyntheticSpec::default()),
            seed: 1,
            ports: 2,
            streams: 1,
            bare_streams: 0,
            memory: 32 << 20,
            snaplen: u16::MAX,
            varlen: true,
            clock: ClockSettings::default(),
            faults: None,
            tx: None,
            tx_streams: None,
            reverse: false,
        }
    }
}

impl CardSpec {
    /// # Errors
    ///
    /// What no card can be, whatever its feed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(1..=MAX_PORTS).contains(&self.ports) {
            return Err(Error::spec(format!("ports={}: a card has 1 to {MAX_PORTS} ports", self.ports)));
        }
        if !(1..=MAX_STREAMS).contains(&self.streams) {
            return Err(Error::spec(format!("streams={}: a card has 1 to {MAX_STREAMS} streams", self.streams)));
        }
        if self.bare_streams > MAX_STREAMS - self.streams {
            let (streams, bare) = (self.streams, self.bare_streams);
            return Err(Error::spec(format!(
                "streams={streams},bare_streams={bare}: a card has {MAX_STREAMS} streams at most"
            )));
        }
        if !(MIN_MEMORY..=MAX_MEMORY).contains(&self.memory) {
            return Err(Error::spec(format!("memory={}: a stream has 1MiB to 1TiB of memory", self.memory)));
        }
        if self.snaplen == 0 {
            return Err(Error::spec("snaplen=0: a snap length is one byte or more"));
        }
        if !(24..=32).contains(&self.clock.tick.bits()) {
            return Err(Error::spec(format!(
                "tick={}: a card's clock has 24 to 32 bits below the second",
                self.clock.tick.bits()
            )));
        }
        // Beyond one in a hundred nothing is a clock any more, and the arithmetic stays far from its limits.
        if self.clock.drift_ppb.unsigned_abs() > 10_000_000 {
            return Err(Error::spec(format!(
                "drift={}: a clock drifts by at most 10000000 ppb (1 %) either way",
                self.clock.drift_ppb
            )));
        }
        if self.tx_streams.is_some_and(|count| !(1..=MAX_STREAMS).contains(&count)) {
            return Err(Error::spec(format!("tx_streams: a card has 1 to {MAX_STREAMS} transmit streams")));
        }
        if self.tx_streams.is_some() && self.tx.is_none() && !self.reverse {
            return Err(Error::spec(
                "tx_streams: what becomes of what they send? tx=loop, tx=tap, tx=file=PATH or tx=drop",
            ));
        }
        if self.tx == Some(TxSpec::Tap) && !matches!(self.feed, FeedSpec::Tap(_)) {
            return Err(Error::spec(TAP_ONLY));
        }
        if self.tx.is_some() && self.reverse {
            return Err(Error::spec("reverse=on and tx: what is sent goes to the program that plays the card"));
        }
        match self.feed {
            FeedSpec::Tap(_) if self.ports < 2 => Err(Error::spec("ports=1: a tap has two ports")),
            _ => Ok(()),
        }
    }
}

impl CardSpec {
    /// How many transmit streams the card has.
    pub(crate) fn transmits(&self) -> u16 {
        match (self.tx_streams, self.tx.is_some() || self.reverse) {
            (Some(count), true) => count,
            (None, true) => 1,
            (_, false) => 0,
        }
    }
}

impl FeedSpec {
    pub(crate) fn open(&self, card: &CardSpec) -> Result<Opened, Error> {
        card.check()?;
        match self {
            Self::Synthetic(spec) => {
                let info = FeedInfo::new(format!("synthetic, {spec}"), StampSource::Synthetic);
                Ok(match spec.payload {
                    Payload::Made => (Box::new(Synthetic::new(spec, card.seed, card.ports)), info, None),
                    Payload::Template | Payload::Records => {
                        (Box::new(Template::new(spec, card.seed, card.ports)), info, None)
                    }
                })
            }
            Self::Replay(spec) => feed::replay::open(spec, card.ports),
            Self::Tap(spec) => feed::tap::open(spec),
            Self::Nothing => {
                let info = FeedInfo::new("nothing but what is sent".to_owned(), StampSource::Kernel);
                Ok((Box::new(feed::none::Nothing), info, None))
            }
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Synthetic(_) => "synthetic",
            Self::Replay(_) => "replay",
            Self::Tap(_) => "tap",
            Self::Nothing => "none",
        }
    }
}

/// The words that begin a description; no served card can have such a name.
pub const FEEDS: [&str; 4] = ["synthetic", "replay", "tap", "none"];

const KEYS: &[(&str, Option<&str>)] = &[
    ("size", Some("synthetic")),
    ("rate", Some("synthetic")),
    ("count", Some("synthetic")),
    ("payload", Some("synthetic")),
    ("full", Some("synthetic")),
    ("pace", Some("replay")),
    ("loop", Some("replay")),
    ("format", Some("replay")),
    ("seed", None),
    ("ports", None),
    ("streams", None),
    ("bare_streams", None),
    ("memory", None),
    ("snaplen", None),
    ("varlen", None),
    ("tick", None),
    ("drift", None),
    ("offset", None),
    ("faults", None),
    ("tx", None),
    ("tx_streams", None),
    ("reverse", None),
];

impl FromStr for CardSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut spec = Self::default();
        let mut parts = split(text)?;
        if parts.first().is_some_and(String::is_empty) {
            parts.remove(0);
        }
        if let Some(first) = parts.first() {
            let (word, value) = halves(first);
            if FEEDS.contains(&word) {
                spec.feed = feed_of(word, value)?;
                if let FeedSpec::Replay(_) = spec.feed {
                    spec.ports = MAX_PORTS;
                }
                parts.remove(0);
            }
        }
        let mut given: Vec<String> = Vec::new();
        for part in &parts {
            let (key, value) = halves(part);
            if given.iter().any(|before| before == key) {
                return Err(Error::spec(format!("option `{key}` is given twice")));
            }
            given.push(key.to_owned());
            spec.set(key, value)?;
        }
        spec.check()?;
        Ok(spec)
    }
}

fn feed_of(word: &str, value: Option<&str>) -> Result<FeedSpec, Error> {
    match (word, value) {
        ("synthetic", None) => Ok(FeedSpec::Synthetic(SyntheticSpec::default())),
        ("synthetic", Some(size)) => {
            let sizes = size.parse::<SizeMix>().map_err(|e| Error::spec(format!("synthetic={size}: {e}")))?;
            Ok(FeedSpec::Synthetic(SyntheticSpec { sizes, ..SyntheticSpec::default() }))
        }
        ("none", None) => Ok(FeedSpec::Nothing),
        ("none", Some(_)) => Err(Error::spec("none takes no value: nothing comes from it")),
        ("replay", Some(path)) if !path.is_empty() => Ok(FeedSpec::Replay(ReplaySpec::new(path))),
        ("replay", _) => Err(Error::spec("replay needs a file: emu:replay=FILE")),
        ("tap", Some(names)) if !names.is_empty() => {
            let ifaces = names.split('+').map(Iface::from_str).collect::<Result<Vec<_>, _>>()?;
            Ok(FeedSpec::Tap(TapSpec::new(ifaces)))
        }
        _ => Err(Error::spec("tap needs an interface: emu:tap=IFACE or emu:tap=IFACE+IFACE")),
    }
}

impl CardSpec {
    fn set(&mut self, key: &str, value: Option<&str>) -> Result<(), Error> {
        let Some((_, owner)) = KEYS.iter().find(|(known, _)| *known == key) else {
            return Err(unknown(key));
        };
        let Some(value) = value else {
            return Err(Error::spec(format!("option `{key}` needs a value: {key}=...")));
        };
        if let Some(owner) = owner
            && *owner != self.feed.name()
        {
            let feed = self.feed.name();
            return Err(Error::spec(format!("option `{key}` belongs to the feed `{owner}`, not to `{feed}`")));
        }
        let bad = |why: &dyn std::fmt::Display| Error::spec(format!("{key}={value}: {why}"));
        match (key, &mut self.feed) {
            ("size", FeedSpec::Synthetic(spec)) => spec.sizes = value.parse::<SizeMix>().map_err(|e| bad(&e))?,
            ("rate", FeedSpec::Synthetic(spec)) => spec.rate = value.parse::<Rate>().map_err(|e| bad(&e))?,
            ("count", FeedSpec::Synthetic(spec)) => spec.count = times(key, value)?,
            ("payload", FeedSpec::Synthetic(spec)) => {
                spec.payload = match value {
                    "made" => Payload::Made,
                    "template" => Payload::Template,
                    "records" => Payload::Records,
                    _ => return Err(bad(&"made, template or records")),
                }
            }
            ("full", FeedSpec::Synthetic(spec)) => {
                spec.full = match value {
                    "drop" => Full::Drop,
                    "wait" => Full::Wait,
                    _ => return Err(bad(&"drop or wait")),
                }
            }
            ("pace", FeedSpec::Replay(spec)) => spec.pace = value.parse::<Pace>().map_err(|e| bad(&e))?,
            ("loop", FeedSpec::Replay(spec)) => spec.times = times(key, value)?,
            ("format", FeedSpec::Replay(spec)) => {
                spec.forced = match value {
                    "auto" => false,
                    "erf" => true,
                    _ => return Err(bad(&"auto or erf")),
                }
            }
            ("seed", _) => self.seed = number(key, value)?,
            ("ports", _) => self.ports = number(key, value)?,
            ("streams", _) => self.streams = number(key, value)?,
            ("bare_streams", _) => self.bare_streams = number(key, value)?,
            ("memory", _) => {
                // Whole pages; a size between two is taken to mean the larger.
                let bytes = parse_size(value).map_err(|e| bad(&e))?;
                self.memory = bytes.checked_next_multiple_of(64 << 10).unwrap_or(u64::MAX);
            }
            ("snaplen", _) => self.snaplen = number(key, value)?,
            ("varlen", _) => {
                self.varlen = match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(bad(&"on or off")),
                }
            }
            ("tick", _) => {
                let bits = number(key, value)?;
                self.clock.tick = Tick::new(bits).ok_or_else(|| bad(&"24 to 32 bits"))?;
            }
            ("drift", _) => self.clock.drift_ppb = number(key, value)?,
            ("offset", _) => self.clock.offset = parse_delta(value).map_err(|e| bad(&e))?,
            ("tx", _) => self.tx = Some(value.parse::<TxSpec>().map_err(|e| bad(&e))?),
            ("tx_streams", _) => self.tx_streams = Some(number(key, value)?),
            ("reverse", _) => {
                self.reverse = match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(bad(&"on or off")),
                }
            }
            ("faults", _) => self.faults = Some(value.parse::<FaultSpec>().map_err(|e| bad(&e))?),
            // `KEYS` and this list name the same options: a test holds them together.
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

fn unknown(key: &str) -> Error {
    let mut known = String::new();
    for (name, _) in KEYS {
        let _ = write!(known, "{}{name}", if known.is_empty() { "" } else { ", " });
    }
    Error::spec(format!("an emulated card has no option `{key}`; it has {known}"))
}

fn number<T: FromStr<Err: std::fmt::Display>>(key: &str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|e: T::Err| Error::spec(format!("{key}={value}: not a number that it can be ({e})")))
}

/// `N`, at least 1, or `forever`.
fn times(key: &str, value: &str) -> Result<Option<u64>, Error> {
    match value {
        "forever" => Ok(None),
        _ => match number(key, value)? {
            0 => Err(Error::spec(format!("{key}=0: at least 1, or forever"))),
            n => Ok(Some(n)),
        },
    }
}

fn halves(part: &str) -> (&str, Option<&str>) {
    part.split_once('=').map_or((part, None), |(key, value)| (key, Some(value)))
}

/// Splits at commas; `\,` is a comma and `\\` a backslash.
fn split(text: &str) -> Result<Vec<String>, Error> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let last = parts.len() - 1;
        match c {
            ',' => parts.push(String::new()),
            '\\' => match chars.next() {
                Some(c @ (',' | '\\')) => parts[last].push(c),
                _ => return Err(Error::spec(format!("in {text:?} a backslash stands before neither `,` nor `\\`"))),
            },
            c => parts[last].push(c),
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> CardSpec {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn refusal(text: &str) -> String {
        text.parse::<CardSpec>().expect_err(text).to_string()
    }

    #[test]
    fn every_listed_key_is_understood() {
        for (key, owner) in KEYS {
            let feed = owner.map_or("synthetic", |o| if o == "replay" { "replay=x" } else { o });
            let feed = if *key == "tx_streams" { "none,tx=drop" } else { feed };
            let values = [
                "loop", "1", "64", "max", "26", "on", "pad", "recorded", "made", "drop", "1MiB", "0", "1000pps", "erf",
            ];
            let understood = values.iter().any(|v| format!("{feed},{key}={v}").parse::<CardSpec>().is_ok());
            assert!(understood, "{key}");
        }
    }

    #[test]
    fn feeds_and_defaults() {
        assert!(matches!(parse("").feed, FeedSpec::Synthetic(_)));
        assert!(matches!(parse("synthetic=imix").feed, FeedSpec::Synthetic(_)));
        let spec = parse("ports=4,memory=1GiB,tick=32,offset=-3us");
        assert_eq!((spec.ports, spec.memory, spec.clock.tick), (4, 1 << 30, Tick::FINEST));
        assert_eq!(spec.clock.offset.to_nanos(), -3000);
        let FeedSpec::Replay(replay) = parse(r"replay=a\,b.erf,loop=forever").feed else { panic!() };
        assert_eq!((replay.path.to_str(), replay.times), (Some("a,b.erf"), None));
        let FeedSpec::Tap(tap) = parse("tap=ns1/va+vb").feed else { panic!() };
        assert_eq!(tap.ifaces.len(), 2);
    }

    #[test]
    fn refusals_name_the_option() {
        assert!(refusal("synthetic,speed=3").contains("no option `speed`"));
        assert!(refusal("synthetic,pace=max").contains("belongs to the feed `replay`"));
        assert!(refusal("tap=a,size=64").contains("belongs to the feed `synthetic`"));
        assert!(refusal("synthetic,seed=1,seed=2").contains("given twice"));
        assert!(refusal("synthetic,memory=4k").contains("memory="));
        assert!(refusal("synthetic,ports=9").contains("1 to 8"));
        assert!(refusal("synthetic,streams=0").contains("streams=0"));
        assert!(refusal("synthetic,streams=30,bare_streams=3").contains("32 streams at most"));
        assert!(refusal("synthetic,tick=20").contains("tick=20"));
        assert!(refusal("synthetic,drift=99999999999").contains("drift="));
        assert!(refusal("synthetic,count=0").contains("count=0"));
        assert!(refusal("replay").contains("replay=FILE"));
        assert!(refusal("tap=").contains("tap=IFACE"));
        assert!(refusal(r"replay=a\b").contains("backslash"));
        assert!(refusal("synthetic,size").contains("needs a value"));
        assert!(refusal("tap=a,ports=1").contains("two ports"));
    }
}
