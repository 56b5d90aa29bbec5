//! [`Encoding`]: into what, and how hard.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::{Error, ErrorKind};

/// What an output is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Zstandard (RFC 8878), seekable.
    Zstd,
    /// The frame format of LZ4.
    Lz4,
    /// gzip (RFC 1952).
    Gzip,
}

/// How an output is compressed: with what, and how hard.
///
/// ```
/// use std::path::Path;
/// use erf::compress::{Codec, Encoding};
///
/// assert_eq!(Encoding::of_name(Path::new("wire.erf.zst")), Some(Encoding::new(Codec::Zstd)));
/// assert_eq!("gzip:9".parse::<Encoding>()?.to_string(), "gzip:9");
/// assert!("gzip:10".parse::<Encoding>().is_err());
/// # Ok::<(), erf::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    codec: Codec,
    level: u8,
}

impl Codec {
    const ALL: [Codec; 3] = [Codec::Zstd, Codec::Lz4, Codec::Gzip];

    /// What names of such files end in, the usual one first, without the dot.
    pub const fn endings(self) -> &'static [&'static str] {
        match self {
            Codec::Zstd => &["zst", "zstd"],
            Codec::Lz4 => &["lz4"],
            Codec::Gzip => &["gz"],
        }
    }

    /// The lowest and the highest level, and the one without a word.
    const fn levels(self) -> (u8, u8, u8) {
        match self {
            Codec::Zstd if cfg!(feature = "zstd") => (1, 22, 1),
            Codec::Zstd | Codec::Lz4 => (1, 1, 1),
            Codec::Gzip => (1, 9, 1),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::Zstd => "zstd",
            Codec::Lz4 => "lz4",
            Codec::Gzip => "gzip",
        })
    }
}

impl Encoding {
    /// With the usual level: what keeps up with a wire.
    pub const fn new(codec: Codec) -> Self {
        Self { codec, level: codec.levels().2 }
    }

    /// With another level.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a level that there is not.
    pub fn level(self, level: u8) -> Result<Self, Error> {
        let codec = self.codec;
        let (lowest, highest, _) = codec.levels();
        if (lowest..=highest).contains(&level) {
            return Ok(Self { codec, level });
        }
        let what = match codec {
            Codec::Zstd if lowest == highest => {
                "zstd has level 1 only in this program; built with feature `zstd` (and a C compiler) it has 1 to 22"
                    .to_owned()
            }
            _ if lowest == highest => format!("{codec} has level {lowest} only"),
            _ => format!("{codec} has levels {lowest} to {highest}, and not {level}"),
        };
        Err(Error::new(ErrorKind::InvalidInput, what))
    }

    /// What the name of a file asks for by what it ends in: `.zst`, `.zstd`, `.lz4`, `.gz`, in letters of either case.
    pub fn of_name(name: &Path) -> Option<Self> {
        let ending = name.extension()?.to_str()?.to_ascii_lowercase();
        let codec = Codec::ALL.into_iter().find(|codec| codec.endings().contains(&ending.as_str()))?;
        Some(Self::new(codec))
    }

    /// With what.
    pub const fn codec(self) -> Codec {
        self.codec
    }

    /// How hard.
    pub const fn effort(self) -> u8 {
        self.level
    }
}

impl FromStr for Encoding {
    type Err = Error;

    /// `zstd`, `lz4`, `gzip`, or with a level `gzip:6`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let codec = Codec::ALL.into_iter().find(|codec| codec.to_string() == name);
        let unknown =
            || Error::new(ErrorKind::InvalidInput, format!("{text:?} is none of zstd, lz4, gzip, gzip:LEVEL"));
        let encoding = Self::new(codec.ok_or_else(unknown)?);
        match level {
            Some(level) => encoding.level(level.parse().map_err(|_| unknown())?),
            None => Ok(encoding),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { codec, level } = self;
        match codec.levels() {
            (lowest, highest, _) if lowest == highest => write!(f, "{codec}"),
            _ => write!(f, "{codec}:{level}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ask_by_their_ending() {
        for (name, codec) in [
            ("wire.erf.zst", Some(Codec::Zstd)),
            ("x.ZSTD", Some(Codec::Zstd)),
            ("a/b.pcap.lz4", Some(Codec::Lz4)),
            ("wire.erf.gz", Some(Codec::Gzip)),
            ("wire.erf", None),
            ("zst", None),
            ("wire.zst.erf", None),
            ("-", None),
        ] {
            assert_eq!(Encoding::of_name(Path::new(name)).map(Encoding::codec), codec, "{name}");
        }
    }

    #[test]
    fn words_with_levels_and_what_is_wrong_with_others() {
        for (text, encoding) in [("zstd", Codec::Zstd), ("lz4", Codec::Lz4), ("lz4:1", Codec::Lz4)] {
            assert_eq!(text.parse::<Encoding>().unwrap(), Encoding::new(encoding));
        }
        assert_eq!("zstd:3".parse::<Encoding>().is_ok(), cfg!(feature = "zstd"));
        assert_eq!("gzip:6".parse::<Encoding>().unwrap().effort(), 6);
        for (text, why) in [
            ("gzip:0", "levels 1 to 9"),
            ("gzip:10", "levels 1 to 9"),
            ("zstd:23", "1 to 22"),
            ("lz4:2", "level 1 only"),
            ("bzip2", "none of zstd"),
            ("gzip:", "none of zstd"),
            ("gzip:many", "none of zstd"),
            ("", "none of zstd"),
        ] {
            let error = text.parse::<Encoding>().unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }
}
