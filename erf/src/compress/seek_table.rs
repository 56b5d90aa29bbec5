//! [`SeekTable`]: where the frames of a seekable zstd file begin.

/// Magic number of a skippable frame that holds a seek table.
const SKIPPABLE: u32 = 0x184D_2A5E;

/// Magic number at the end of a seekable file.
const SEEKABLE: u32 = 0x8F92_EAB1;

/// The number of frames, the descriptor, and the magic number.
const FOOTER: usize = 9;

/// The table at the end of a zstd file that tells where its frames are, so that a reader can begin at any of them: Zstandard
/// Seekable Format 0.1.0 (`contrib/seekable_format` of zstd). It is a skippable frame, which decompressors that do not know it pass over.
///
/// All numbers are little-endian. For each frame there are its length in the file and that of its content (32 bits each), without
/// check sums, which the frames have themselves; then come the number of frames (32 bits), a descriptor (8 bits, 0), and the magic number 0x8F92EAB1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeekTable {
    frames: Vec<(u32, u32)>,
}

impl SeekTable {
    /// A frame of `stored` bytes with a content of `content` bytes is the next one in the file. `false`: the format has no place for it.
    pub fn push(&mut self, stored: usize, content: usize) -> bool {
        // The format's own limit; it is 128 TiB of blocks of 1 MiB.
        const MOST: usize = 0x0800_0000;
        match (u32::try_from(stored), u32::try_from(content)) {
            (Ok(stored), Ok(content)) if self.frames.len() < MOST => {
                self.frames.push((stored, content));
                true
            }
            _ => false,
        }
    }

    /// The frames in order: bytes in the file, and bytes of the content.
    pub fn frames(&self) -> &[(u32, u32)] {
        &self.frames
    }

    /// The skippable frame that ends the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        // At most the format's limit of frames, which 32 bits hold.
        let len = self.frames.len() * 8 + FOOTER;
        let mut bytes = Vec::with_capacity(8 + len);
        bytes.extend_from_slice(&SKIPPABLE.to_le_bytes());
        bytes.extend_from_slice(&(len as u32).to_le_bytes());
        for (stored, content) in &self.frames {
            bytes.extend_from_slice(&stored.to_le_bytes());
            bytes.extend_from_slice(&content.to_le_bytes());
        }
        bytes.extend_from_slice(&(self.frames.len() as u32).to_le_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&SEEKABLE.to_le_bytes());
        bytes
    }

    /// The table at the end of `file`, with check sums or without; `None` where there is none, or what is there makes no sense.
    pub fn at_end_of(file: &[u8]) -> Option<Self> {
        let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let (before, footer) = file.split_at_checked(file.len().checked_sub(FOOTER)?)?;
        let (count, descriptor) = (number(footer)? as usize, *footer.get(4)?);
        // The reserved bits of the descriptor are to be 0.
        if number(footer.get(5..)?)? != SEEKABLE || descriptor & 0x7C != 0 {
            return None;
        }
        let entry = if descriptor & 0x80 != 0 { 12 } else { 8 };
        let len = count.checked_mul(entry)?;
        let (before, entries) = before.split_at_checked(before.len().checked_sub(len)?)?;
        let header = before.get(before.len().checked_sub(8)?..)?;
        if number(header)? != SKIPPABLE || number(header.get(4..)?)? as usize != len + FOOTER {
            return None;
        }
        let frames: Option<Vec<_>> =
            entries.chunks_exact(entry).map(|entry| Some((number(entry)?, number(entry.get(4..)?)?))).collect();
        Some(Self { frames: frames? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_at_the_end_and_nowhere_else() {
        let mut table = SeekTable::default();
        assert_eq!(SeekTable::at_end_of(&table.to_bytes()), Some(table.clone()));
        assert!(table.push(100, 1 << 20) && table.push(7, 0));
        assert!(!table.push(1 << 32, 0) && !table.push(0, 1 << 32));
        let file = [&[9; 107][..], &table.to_bytes()].concat();
        assert_eq!(SeekTable::at_end_of(&file), Some(table));
        for cut in 0..file.len() {
            assert_eq!(SeekTable::at_end_of(&file[..cut]), None, "cut at {cut}");
        }
        assert_eq!(SeekTable::at_end_of(&[&file[..], &[0]].concat()), None);
    }

    /// From the format's description: a table of one frame with a check sum.
    #[test]
    fn a_table_with_check_sums_is_read_as_well() {
        let file = [
            &[0x5E, 0x2A, 0x4D, 0x18, 21, 0, 0, 0][..],
            &[20, 0, 0, 0, 100, 0, 0, 0, 0xAA, 0xBB, 0xCC, 0xDD],
            &[1, 0, 0, 0, 0x80, 0xB1, 0xEA, 0x92, 0x8F],
        ]
        .concat();
        assert_eq!(SeekTable::at_end_of(&file).unwrap().frames(), [(20, 100)]);
    }
}
