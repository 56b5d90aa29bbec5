//! `dagctl set`.

use std::fmt;
use std::str::FromStr;

use dag::{Card, Counters, Device, Setting};

use super::{Failure, print};
use crate::exit::Exit;

/// The options of `dagctl set`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The card.
    device: String,

    /// What to set: snaplen=N, varlen=on|off, portN=on|off, and for emulated cards linkN=up|down.
    #[arg(required = true, value_name = "KEY=VALUE")]
    settings: Vec<Wanted>,
}

/// A setting, and how it was written.
#[derive(Debug, Clone)]
struct Wanted {
    setting: Setting,
    text: String,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as snaplen=64")?;
        let number = |prefix: &str| key.strip_prefix(prefix)?.parse::<u8>().ok().filter(|number| *number < 8);
        let either = |yes: &str, no: &str| match value {
            value if value == yes => Ok(true),
            value if value == no => Ok(false),
            _ => Err(format!("{key} is {yes} or {no}, not {value:?}")),
        };
        let setting = if key == "snaplen" {
            let bytes = value.parse().ok().filter(|bytes| *bytes > 0);
            Setting::Snaplen(bytes.ok_or_else(|| format!("snaplen is a number from 1 to 65535, not {value:?}"))?)
        } else if key == "varlen" {
            Setting::Varlen(either("on", "off")?)
        } else if let Some(port) = number("port") {
            Setting::PortEnabled { port, on: either("on", "off")? }
        } else if let Some(port) = number("link") {
            Setting::PortLink { port, up: either("up", "down")? }
        } else {
            return Err(format!("{key:?} is none of snaplen, varlen, port0 to port7, link0 to link7"));
        };
        Ok(Self { setting, text: text.to_owned() })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Wanted {
    /// Whether the card is set so; `true` where it does not tell.
    fn holds(&self, counters: &Counters) -> bool {
        let port = |number: u8| counters.ports.iter().find(|port| port.number == number);
        match self.setting {
            Setting::Snaplen(bytes) => counters.snaplen.is_none_or(|now| now == bytes),
            Setting::Varlen(on) => counters.varlen.is_none_or(|now| now == on),
            Setting::PortEnabled { port: number, on } => {
                port(number).and_then(|port| port.enabled).is_none_or(|now| now == on)
            }
            Setting::PortLink { port: number, up } => {
                port(number).and_then(|port| port.link_up).is_none_or(|now| now == up)
            }
            _ => true,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let name = &args.device;
    let device: Device = name.parse()?;
    if let Device::Emulated(_) = device {
        return Err(Failure::OwnCard(name.clone()));
    }
    let card = Card::open_device(&device, name)?;
    for wanted in &args.settings {
        card.set(wanted.setting)?;
    }
    let counters = card.counters()?;
    for wanted in &args.settings {
        if !wanted.holds(&counters) {
            return Err(Failure::NotTaken { device: name.clone(), what: wanted.to_string() });
        }
    }
    let settings: Vec<String> = args.settings.iter().map(Wanted::to_string).collect();
    print(&format!("{name}: {}\n", settings.join(" ")))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_nonsense_is_refused() {
        let read = |text: &str| text.parse::<Wanted>().map(|wanted| wanted.setting);
        assert_eq!(read("snaplen=64"), Ok(Setting::Snaplen(64)));
        assert_eq!(read("varlen=off"), Ok(Setting::Varlen(false)));
        assert_eq!(read("port3=on"), Ok(Setting::PortEnabled { port: 3, on: true }));
        assert_eq!(read("link0=down"), Ok(Setting::PortLink { port: 0, up: false }));
        for (text, words) in [
            ("snaplen", "KEY=VALUE"),
            ("snaplen=0", "from 1 to 65535"),
            ("snaplen=65536", "from 1 to 65535"),
            ("varlen=yes", "on or off, not \"yes\""),
            ("port8=on", "is none of"),
            ("link=up", "is none of"),
            ("=", "is none of"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
