//! [`StampSource`] and [`StoppedBy`]: choices that files and JSON state as one word.

use std::fmt;
use std::str::FromStr;

/// A word that is none of those known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is none of {}", .known.join(", "))]
pub struct UnknownWord {
    word: String,
    known: &'static [&'static str],
}

macro_rules! words {
    ($(#[$attribute:meta])* $type:ident { $($(#[$variant_attribute:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$variant_attribute])* $variant,)*
        }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word, as it stands in files and JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord { word: word.to_owned(), known: &[$($word),*] }),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Who made the timestamps of a recording: how far to believe them.
    StampSource {
        /// The clock of a card, at the wire.
        Card = "card",
        /// The kernel of the host: microseconds of error, on an emulated card's tap.
        Kernel = "kernel",
        /// Computed for packets that were never on a wire.
        Synthetic = "synthetic",
        /// Taken from the file that was replayed.
        Replay = "replay",
        /// Given by a test.
        Script = "script",
    }
}

words! {
    /// Why a recording ended.
    StoppedBy {
        /// As many packets as asked for.
        Count = "count",
        /// As long as asked for.
        Duration = "duration",
        /// As many bytes as asked for.
        Size = "size",
        /// The recording goes on in another file.
        Rotation = "rotation",
        /// A signal, such as Ctrl-C.
        Signal = "signal",
        /// The source was finite and is over.
        End = "end",
        /// Something failed.
        Error = "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_unknown_ones_named() {
        for &source in StampSource::ALL {
            assert_eq!(source.as_str().parse(), Ok(source));
        }
        for &reason in StoppedBy::ALL {
            assert_eq!(reason.to_string().parse(), Ok(reason));
        }
        let error = "Card".parse::<StampSource>().unwrap_err();
        assert_eq!(error.to_string(), "`Card` is none of card, kernel, synthetic, replay, script");
    }
}
