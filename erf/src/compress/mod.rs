//! Compressing what is written, on threads of its own.
//!
//! What is to be written is cut into blocks of about 1 MiB, each of which becomes a unit of the format that can be decompressed
//! without the others: a member of gzip, a frame of lz4 or zstd. [`Workers`] compress several of them at once; [`Blocks`] gives
//! them back in the order in which they came. `gzip -d`, `lz4 -d`, `zstd -d` and [`Input`](crate::input::Input) read the units one
//! after another as one stream. A file that breaks off has every unit before that place.
//!
//! | format | how it is made | levels |
//! |---|---|---|
//! | gzip | one member a block (RFC 1952), by zlib-rs | 1 to 9, usually 1 |
//! | lz4 | one frame a block, with a check sum, by lz4_flex | one |
//! | zstd | one frame a block, with a check sum; at the end a [`SeekTable`], which makes it the seekable format | one; with feature `zstd` 1 to 22, usually 1 |
//!
//! All of it is Rust, as the decoders are, and needs no C compiler. But Rust's encoder of zstd, that of ruzstd, is young: lz4 and gzip
//! make files of that size several times faster. Feature `zstd` takes the C library in its place.
//!
//! ```
//! use std::io::Write;
//! use erf::compress::{Packer, Workers};
//!
//! let workers = Workers::new(2)?;
//! let mut packer = Packer::new("zstd".parse()?, workers);
//! let mut file = Vec::new();
//! packer.write(&mut file, b"records")?;
//! packer.end(&mut file)?;
//! let mut input = erf::input::Input::open(erf::input::Source::from_read(std::io::Cursor::new(file)))?;
//! let mut bytes = [0; 10];
//! assert_eq!(input.read_full(&mut bytes)?, 7);
//! assert_eq!(&bytes[..7], b"records");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod encode;
mod encoding;
mod packer;
mod seek_table;
#[cfg(test)]
mod tests;
mod workers;

pub use blocks::{BLOCK, Blocks, Packed};
pub use encoding::{Codec, Encoding};
pub use packer::Packer;
pub use seek_table::SeekTable;
pub use workers::Workers;
