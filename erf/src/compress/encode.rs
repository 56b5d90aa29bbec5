//! [`Encoder`]: one block becomes one unit of its format.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::{Codec, Encoding};

/// What one thread compresses with.
#[derive(Default)]
pub(super) struct Encoder {
    /// Kept from one block to the next, with its level: it takes longer to make than a small block.
    #[cfg(feature = "zstd")]
    zstd: Option<(u8, zstd::bulk::Compressor<'static>)>,
}

impl Encoder {
    /// Compresses `block` to one unit, all that is in `out` then.
    pub(super) fn encode(&mut self, encoding: Encoding, block: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        out.clear();
        match encoding.codec() {
            Codec::Gzip => {
                let mut encoder = GzEncoder::new(out, Compression::new(encoding.effort().into()));
                encoder.write_all(block)?;
                encoder.finish()?;
            }
            Codec::Lz4 => {
                let info = FrameInfo::new()
                    .block_size(BlockSize::Max256KB)
                    .block_mode(BlockMode::Independent)
                    .content_checksum(true);
                let mut encoder = FrameEncoder::with_frame_info(info, out);
                encoder.write_all(block)?;
                encoder.finish().map_err(io::Error::other)?;
            }
            Codec::Zstd => self.zstd(encoding.effort(), block, out)?,
        }
        Ok(())
    }

    #[cfg(feature = "zstd")]
    fn zstd(&mut self, level: u8, block: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if self.zstd.as_ref().is_none_or(|(made, _)| *made != level) {
            let mut compressor = zstd::bulk::Compressor::new(level.into())?;
            compressor.include_checksum(true)?;
            self.zstd = Some((level, compressor));
        }
        let Some((_, compressor)) = &mut self.zstd else { return Ok(()) };
        // It fills what there is room for.
        out.reserve(zstd::zstd_safe::compress_bound(block.len()));
        compressor.compress_to_buffer(block, out).map(drop)
    }

    #[cfg(not(feature = "zstd"))]
    fn zstd(&mut self, _: u8, block: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        use ruzstd::encoding::{CompressionLevel, FrameCompressor};
        // It panics where its source or drain fails; slices and vectors do not.
        let mut compressor = FrameCompressor::new(CompressionLevel::Fastest);
        compressor.set_source(block);
        compressor.set_drain(out);
        compressor.compress();
        Ok(())
    }
}
