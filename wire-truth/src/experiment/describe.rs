//! What a run and its cells say of themselves: `run.json` and `cell.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Repr};
use crate::regular;
use crate::svg::label;

/// The layout of files that this reads.
const SCHEMA: u32 = 1;

/// Where the program ran that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Environment {
    /// On the host itself: the paper's vanilla Linux.
    Host,
    /// In a container that shares the host's network stack: the paper's VServer.
    Container,
    /// In a container with a virtual interface at a bridge: the paper's OpenVZ.
    Bridge,
    /// In a guest with a virtual interface: the paper's Xen.
    Vm,
}

impl Environment {
    /// All, in the paper's order.
    pub const ALL: [Self; 4] = [Self::Host, Self::Container, Self::Bridge, Self::Vm];

    /// The word in the names of folders and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Container => "container",
            Self::Bridge => "bridge",
            Self::Vm => "vm",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// What runs there has a clock of the host: only a guest has one of its own.
    pub const fn shares_clock(self) -> bool {
        !matches!(self, Self::Vm)
    }

    /// Its packets cross a virtual interface of the host, behind which is the host's own (dom0).
    pub const fn has_virtual_interface(self) -> bool {
        matches!(self, Self::Bridge | Self::Vm)
    }
}

/// What disturbed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stress {
    /// Nothing.
    Rest,
    /// A loop of arithmetic.
    Cpu,
    /// A loop of sync().
    Io,
    /// A loop of write() and unlink().
    Hd,
    /// A loop of malloc() and free().
    Memory,
    /// TCP both ways.
    Network,
}

impl Stress {
    /// All, in the order of the paper's Table 1.
    pub const ALL: [Self; 6] = [Self::Rest, Self::Cpu, Self::Io, Self::Hd, Self::Memory, Self::Network];

    /// The word in the names of folders and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Cpu => "cpu",
            Self::Io => "io",
            Self::Hd => "hd",
            Self::Memory => "memory",
            Self::Network => "network",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The row of [`paper::TABLE_1`](crate::paper::TABLE_1).
    pub const fn of_paper(self) -> &'static str {
        match self {
            Self::Rest => "at_rest",
            other => other.name(),
        }
    }
}

macro_rules! words {
    ($($type:ty),*) => {
        $(
            impl fmt::Display for $type {
                fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                    out.write_str(self.name())
                }
            }

            impl FromStr for $type {
                type Err = String;

                fn from_str(text: &str) -> Result<Self, String> {
                    let known = || Self::ALL.map(Self::name).join(", ");
                    Self::named(text).ok_or_else(|| format!("{text:?} is none of {}", known()))
                }
            }
        )*
    };
}

words!(Environment, Stress);

/// `run.json`: what was to be measured, where and how.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    schema: u32,
    /// The environments that were asked for.
    pub environments: Vec<Environment>,
    /// The cases of stress that were asked for.
    pub stresses: Vec<Stress>,
    /// All else, as it stands there.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

impl RunInfo {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or does not describe a run.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let run: Self = of_file(path)?;
        check_schema(run.schema, path)?;
        Ok(run)
    }

    /// What the file says beside environments and stresses, for people: names and values.
    pub fn setup(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (name, value) in &self.rest {
            match value {
                Value::Object(parts) => {
                    lines.extend(parts.iter().map(|(part, value)| (format!("{name}: {part}"), plain(value))));
                }
                value => lines.push(line(name, value)),
            }
        }
        lines
    }
}

/// A name and its value as people say them: with a unit instead of one in the name.
fn line(name: &str, value: &Value) -> (String, String) {
    let number = value.as_f64();
    let (name, told) = match name {
        "started_ns" => ("started", number.map(moment)),
        "interval_ns" => ("interval of probes", number.map(label)),
        "link_bits_per_second" => ("link, both ways", number.map(|bits| format!("{} Mbit/s", bits / 1e6))),
        "probes" => ("probes under stress, of each cell", None),
        "rest_lead" => ("probes at rest before", None),
        "rest_trail" => ("probes at rest after", None),
        "cpus" => ("processors", None),
        "streams" => ("TCP connections each way", None),
        "threads" => ("threads of each generator", None),
        name => (name, None),
    };
    (name.replace('_', " "), told.unwrap_or_else(|| plain(value)))
}

/// Nanoseconds since 1970 as date and time.
fn moment(ns: f64) -> String {
    // A second is enough. Whatever the file has, it is within the type.
    let seconds = (ns / 1e9).floor().clamp(-1e12, 1e12) as i64;
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years begin in March here, so that a leap day is the last of one: 400 of them have 146 097 days, and five months in a row 153.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (era * 400 + year, month + 3) } else { (era * 400 + year + 1, month - 9) };
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A value without the marks of JSON where it needs none.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A capture of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PlaceInfo {
    /// `wire`, `kernel`, `dom0`, `vif` or another.
    pub name: String,
    /// Its file, in the folder of the cell.
    pub file: String,
}

/// That the stress was there, by a number that was read while it ran.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Proof {
    /// What was read.
    pub what: String,
    /// What it was, in `unit`.
    pub value: f64,
    /// The unit, as `MB/s`.
    #[serde(default)]
    pub unit: String,
    /// What it had to be, in `unit`.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// Whether it was.
    pub ok: bool,
}

/// `cell.json`: one environment under one stress.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct CellInfo {
    schema: u32,
    /// The environment.
    pub environment: Environment,
    /// The stress.
    pub stress: Stress,
    /// Probes that were sent, those at rest among them.
    #[serde(default)]
    pub probes: u32,
    /// At rest before the stress.
    pub rest_lead: u32,
    /// At rest after it.
    pub rest_trail: u32,
    /// From one probe to the next, in nanoseconds.
    #[serde(default)]
    pub interval_ns: u64,
    /// The identifier of the probes; without one that of the log.
    #[serde(default)]
    pub ident: Option<u16>,
    /// It ran as it was meant to.
    pub valid: bool,
    /// Why not.
    #[serde(default)]
    pub why: Vec<String>,
    /// The captures.
    pub places: Vec<PlaceInfo>,
    /// The log of the program, in the folder of the cell.
    #[serde(default)]
    pub user: Option<String>,
    /// What was read of the host beside the probes, in the folder of the cell.
    #[serde(default)]
    pub signals: Option<String>,
    /// What TCP has estimated of the connections that were the stress, in the folder of the cell.
    #[serde(default)]
    pub tcp: Option<String>,
    /// That the stress was there.
    #[serde(default)]
    pub proof: Vec<Proof>,
    /// The guests were emulated: nothing of the paper's.
    #[serde(default)]
    pub emulated: bool,
    /// What governed the TCP streams of the stress.
    #[serde(default)]
    pub congestion_control: Option<String>,
}

impl CellInfo {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or describes no cell, or a valid one without a capture of the wire.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let cell: Self = of_file(path)?;
        check_schema(cell.schema, path)?;
        let wrong = |what: String| Err(wrong(path, what));
        for (at, place) in cell.places.iter().enumerate() {
            if cell.places.iter().take(at).any(|other| other.name == place.name) {
                return wrong(format!("there are two places {:?}; give each a name of its own", place.name));
            }
        }
        // Of one that could not be run there is nothing but the reason.
        if cell.valid && cell.place("wire").is_none() {
            return wrong("there is no place \"wire\", without which nothing can be told".to_owned());
        }
        let files = cell.places.iter().map(|place| &place.file).chain(&cell.user).chain(&cell.signals).chain(&cell.tcp);
        for file in files {
            if !is_plain(file) {
                return wrong(format!("{file:?} is no name of a file in the folder of the cell"));
            }
        }
        Ok(cell)
    }

    /// The file of the place of this name.
    pub fn place(&self, name: &str) -> Option<&str> {
        self.places.iter().find(|place| place.name == name).map(|place| place.file.as_str())
    }

    /// Why its numbers are none, if so: what it says itself, and each proof that is none.
    pub fn invalid(&self) -> Option<Vec<String>> {
        let fails = |proof: &&Proof| !proof.ok || proof.at_least.is_some_and(|least| proof.value < least);
        let failed = self.proof.iter().filter(fails).map(|Proof { what, value, unit, at_least, .. }| match at_least {
            Some(least) => format!("{what} was {value} {unit}, and at least {least} {unit} are needed"),
            None => format!("{what} was {value} {unit}"),
        });
        let mut why: Vec<String> = self.why.iter().cloned().chain(failed).collect();
        if why.is_empty() && !self.valid {
            why.push("it says so, and not why".to_owned());
        }
        let broken = !self.valid || self.proof.iter().any(|proof| fails(&proof));
        broken.then_some(why)
    }
}

/// A file of the folder itself, and no way out of it.
pub(super) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None)) && !name.ends_with('/')
}

fn wrong(path: &Path, what: String) -> Error {
    Repr::Described { path: path.display().to_string(), what }.into()
}

fn check_schema(schema: u32, path: &Path) -> Result<(), Error> {
    if schema == SCHEMA {
        return Ok(());
    }
    Err(wrong(path, format!("it is of schema {schema}, and this program reads schema {SCHEMA}")))
}

fn of_file<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = regular::read(path).map_err(|cause| Repr::Io { path: path.display().to_string(), cause })?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(path, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_up_is_told_in_units_that_people_read() {
        let line = |name: &str, value: Value| line(name, &value);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(line("interval_ns", 20_000_000.into()), pair("interval of probes", "20 ms"));
        assert_eq!(line("link_bits_per_second", 100_000_000.into()), pair("link, both ways", "100 Mbit/s"));
        assert_eq!(line("clock_source", "tsc".into()), pair("clock source", "tsc"));
        assert_eq!(line("interval_ns", "soon".into()), pair("interval of probes", "soon"));
    }

    #[test]
    fn a_moment_is_what_date_says() {
        for (seconds, told) in [
            (0i64, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_795_959_205, "2026-11-29 13:33:25 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(moment(seconds as f64 * 1e9), told);
        }
        // Whatever a file has.
        let _ = (moment(f64::MAX), moment(f64::MIN));
    }
}
