//! [`Place`]: whether a file can be written to past the page cache, tried and not guessed.

use std::fs::File;

use erf::writer::Output;
use rustix::fs::{AtFlags, OFlags, StatxFlags, fcntl_getfl, fcntl_setfl, fstatfs, statx};

use super::buffer::ALIGN;

/// What offsets and lengths of writes are a multiple of where the system does not say.
const BLOCK: usize = 4096;

/// The largest block: a filler record is to close it, and filler is to be little.
pub(super) const LARGEST: usize = 8192;

/// A file system in memory takes the flag and goes on as before (`TMPFS_MAGIC` in `linux/magic.h`).
const TMPFS: u64 = 0x0102_1994;

/// A file that is written to past the page cache.
#[derive(Debug)]
pub(in crate::record) struct Place {
    pub(super) file: File,
    /// What offsets and lengths of writes are a multiple of.
    pub(super) block: usize,
}

impl Place {
    /// Makes the file behind `output` one that is written to past the page cache; why not, if that cannot be.
    pub(in crate::record) fn of(output: &Output) -> Result<Self, String> {
        let file = output.file().map_err(|cause| cause.to_string())?;
        let file = file.ok_or_else(|| "it is no file opened by its name".to_owned())?;
        let block = block_of(&file)?;
        fcntl_getfl(&file)
            .and_then(|flags| fcntl_setfl(&file, flags | OFlags::DIRECT))
            .map_err(|cause| format!("the file system refuses it: {cause}"))?;
        Ok(Self { file, block })
    }
}

/// What the file's offsets and lengths have to be multiples of.
fn block_of(file: &File) -> Result<usize, String> {
    if fstatfs(file).is_ok_and(|system| u64::try_from(system.f_type) == Ok(TMPFS)) {
        return Err("the file system is in memory".to_owned());
    }
    let told = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN).ok();
    let told = told.filter(|told| StatxFlags::from_bits_retain(told.stx_mask).contains(StatxFlags::DIOALIGN));
    // Before Linux 6.1 nobody tells.
    let Some(told) = told else { return Ok(BLOCK) };
    let (memory, offset) = (told.stx_dio_mem_align as usize, told.stx_dio_offset_align as usize);
    match offset {
        0 => Err("the file system has none".to_owned()),
        _ if memory > ALIGN || offset > LARGEST || !offset.is_power_of_two() => {
            Err(format!("blocks of {offset} bytes and memory at multiples of {memory} are not supported"))
        }
        _ => Ok(offset.max(BLOCK)),
    }
}
