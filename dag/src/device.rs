//! [`Device`]: the names by which cards are called.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use dag_emu::CardSpec;

use crate::error::{Error, Repr};

/// The name of a card, read.
///
/// | name | card |
/// |---|---|
/// | `dag0`, `/dev/dag0`, `0`, `dag:0` | the real card 0 |
/// | `dag0:2`, `/dev/dag0:2`, `0:2`, `dag:0@2` | its stream 2 |
/// | `emu:[FEED][,KEY=VALUE]...` | an emulated card in this process, see [`CardSpec`] |
/// | `emu:NAME` | the emulated card NAME of another process |
///
/// ```
/// use dag::Device;
///
/// assert_eq!("/dev/dag0:2".parse::<Device>()?, Device::Real { card: 0, stream: Some(2) });
/// assert!(matches!("emu:tap=eth1,tick=32".parse()?, Device::Emulated(_)));
/// # Ok::<(), dag::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Device {
    /// A card of Endace.
    Real {
        /// Its number: N of `/dev/dagN`.
        card: u32,
        /// The stream, where the name has one.
        stream: Option<u16>,
    },
    /// An emulated card in this process.
    Emulated(Box<CardSpec>),
    /// An emulated card that another process serves.
    Served(String),
}

impl PartialEq for Device {
    /// Emulated cards are never equal: each is a card of its own.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Real { card: a, stream: b }, Self::Real { card: c, stream: d }) => (a, b) == (c, d),
            (Self::Served(a), Self::Served(b)) => a == b,
            _ => false,
        }
    }
}

impl Device {
    /// The file that an emulated card replays.
    pub fn replays(&self) -> Option<&Path> {
        match self {
            Self::Emulated(spec) => match &spec.feed {
                dag_emu::FeedSpec::Replay(replay) => Some(&replay.path),
                _ => None,
            },
            _ => None,
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Repr::UnknownDevice(text.to_owned()).into();
        if let Some(spec) = text.strip_prefix("emu:") {
            let first = spec.split(',').next().unwrap_or_default();
            let word = first.split('=').next().unwrap_or_default();
            let named = !first.is_empty() && !first.contains('=') && !dag_emu::FEEDS.contains(&word);
            return match named {
                true if first == spec && is_name(spec) => Ok(Self::Served(spec.to_owned())),
                true if first == spec => Err(unknown()),
                _ => Ok(Self::Emulated(Box::new(spec.parse()?))),
            };
        }
        if text == "emu" {
            return Ok(Self::Emulated(Box::default()));
        }
        let rest = text.strip_prefix("/dev/").unwrap_or(text);
        let rest = match rest.strip_prefix("dag:") {
            Some(rest) => rest,
            None => rest.strip_prefix("dag").unwrap_or(rest),
        };
        let (card, stream) = match rest.split_once([':', '@']) {
            Some((card, stream)) => (card, Some(decimal(stream).ok_or_else(unknown)?)),
            None => (rest, None),
        };
        let card = decimal(card).ok_or_else(unknown)?;
        Ok(Self::Real { card: card.into(), stream })
    }
}

/// Digits only: no sign, no space.
fn decimal(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real { card, stream: None } => write!(f, "dag{card}"),
            Self::Real { card, stream: Some(stream) } => write!(f, "dag{card}:{stream}"),
            Self::Emulated(_) => f.write_str("emu"),
            Self::Served(name) => write!(f, "emu:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_grammar() {
        for text in ["dag0", "/dev/dag0", "0", "dag:0"] {
            assert_eq!(text.parse::<Device>().unwrap(), Device::Real { card: 0, stream: None }, "{text}");
        }
        for text in ["dag3:2", "/dev/dag3:2", "3:2", "dag:3@2"] {
            assert_eq!(text.parse::<Device>().unwrap(), Device::Real { card: 3, stream: Some(2) }, "{text}");
        }
        for text in ["emu:", "emu", "emu:synthetic", "emu:size=imix", "emu:,seed=3", "emu:replay=x.erf", "emu:tap=a+b"]
        {
            assert!(matches!(text.parse(), Ok(Device::Emulated(_))), "{text}");
        }
        assert_eq!("emu:lab-1".parse::<Device>().unwrap(), Device::Served("lab-1".to_owned()));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in
            ["", "dag", "eth0", "dag-1", "dag0:", "dag0:x", "dag 0", "+0", "dag99999999", "emu:a b", "/dev/null"]
        {
            let error = text.parse::<Device>().expect_err(text);
            assert_eq!(error.kind(), crate::ErrorKind::UnknownDevice, "{text}: {error}");
        }
        assert_eq!("emu:synthetic,x=1".parse::<Device>().unwrap_err().kind(), crate::ErrorKind::Spec);
    }
}
