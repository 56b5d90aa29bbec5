//! Which compression a stream has, told by its first bytes.

use std::fmt;

/// How many first bytes [`Compression::detect`] looks at.
pub(super) const MAGIC_LEN: usize = 6;

/// Compression of a file, decided by content and never by name: names lie in both directions
/// (`erf-format.md` section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not compressed.
    None,
    /// gzip (RFC 1952), any number of members.
    Gzip,
    /// bzip2, any number of streams.
    Bzip2,
    /// xz, any number of streams with stream padding.
    Xz,
    /// Zstandard (RFC 8878), any number of frames, skippable frames ignored.
    Zstd,
    /// LZ4 frame format, any number of frames, skippable frames ignored.
    Lz4,
}

impl Compression {
    /// Decides by the first bytes of a stream. Six are enough; fewer give a decision as far as they go.
    ///
    /// No ERF record can be mistaken: as record bytes each of these magics would be the fraction of a
    /// timestamp, and the bytes around it are checked as well where the format fixes them.
    pub fn detect(first: &[u8]) -> Compression {
        match first {
            [0x1F, 0x8B, 8, flags, ..] if flags & 0xE0 == 0 => Compression::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] if block_or_end(&first[4..]) => Compression::Bzip2,
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Compression::Zstd,
            [0x04, 0x22, 0x4D, 0x18, ..] => Compression::Lz4,
            _ => Compression::None,
        }
    }

    /// Whether the stored bytes differ from the decoded ones.
    pub fn is_compressed(self) -> bool {
        self != Compression::None
    }
}

/// After `BZh` and the level comes the magic of a block or of the end of the stream.
fn block_or_end(rest: &[u8]) -> bool {
    let n = rest.len().min(2);
    rest[..n] == [0x31, 0x41][..n] || rest[..n] == [0x17, 0x72][..n]
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Bzip2 => "bzip2",
            Compression::Xz => "xz",
            Compression::Zstd => "zstd",
            Compression::Lz4 => "lz4",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics() {
        for (bytes, wanted) in [
            (&b"\x1f\x8b\x08\x00\0\0"[..], Compression::Gzip),
            (b"BZh91AY", Compression::Bzip2),
            (b"BZh9\x17\x72E", Compression::Bzip2),
            (b"\xfd7zXZ\0", Compression::Xz),
            (b"\x28\xb5\x2f\xfd\x04\x00", Compression::Zstd),
            (b"\x04\x22\x4d\x18\x64\x40", Compression::Lz4),
            (b"", Compression::None),
            (b"\x1f", Compression::None),
            (b"BZh9xx", Compression::None),
            (b"\x1f\x8b\x08\xff\0\0", Compression::None),
            (b"\xd4\xc3\xb2\xa1\x02\x00", Compression::None),
        ] {
            assert_eq!(Compression::detect(bytes), wanted, "{bytes:x?}");
        }
    }
}
