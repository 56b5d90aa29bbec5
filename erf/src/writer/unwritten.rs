//! [`Unwritten`]: what a failed write cost, and where the last whole record ends.

use erf_core::{HEADER_LEN, RecordType};

/// Records that were given to an [`ErfWriter`](super::ErfWriter) and are not whole in its sink.
///
/// All zero until a write fails. From then on every record offered counts here, so that
/// *offered = whole in the sink + unwritten* always holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unwritten {
    /// Records of any type.
    pub records: u64,
    /// Those of them that are packets, neither META nor PAD: what an account adds to `lost_writer`.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Unwritten {
    /// Adds all records of `run`.
    pub(super) fn add(&mut self, run: &[u8]) {
        for record in Lengths::new(run) {
            self.records += 1;
            self.packets += u64::from(record.is_packet);
            self.bytes += record.len as u64;
        }
    }
}

/// Where the last record of `run` ends that lies wholly within its first `accepted` bytes.
pub(super) fn last_boundary(run: &[u8], accepted: usize) -> usize {
    let mut end = 0;
    for record in Lengths::new(run) {
        match end + record.len {
            next if next <= accepted => end = next,
            _ => break,
        }
    }
    end
}

/// Walks by `rlen` alone: after a failure the question is where records end, not whether they are good.
///
/// The run was checked when it came in, but a run may lie in memory that a card writes, so no
/// length is trusted here either.
struct Lengths<'a> {
    rest: &'a [u8],
}

struct Length {
    len: usize,
    is_packet: bool,
}

impl<'a> Lengths<'a> {
    fn new(run: &'a [u8]) -> Self {
        Self { rest: run }
    }
}

impl Iterator for Lengths<'_> {
    type Item = Length;

    fn next(&mut self) -> Option<Length> {
        let header: &[u8; HEADER_LEN] = self.rest.first_chunk()?;
        let len = usize::from(u16::from_be_bytes([header[10], header[11]]));
        if len < HEADER_LEN {
            return None;
        }
        self.rest = self.rest.get(len..)?;
        // `RecordType::new` drops bit 7, which says that extension headers follow.
        Some(Length { len, is_packet: RecordType::new(header[8]).is_packet() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(record_type: u8, len: u16) -> Vec<u8> {
        let mut bytes = vec![0; usize::from(len)];
        bytes[8] = record_type;
        bytes[10..12].copy_from_slice(&len.to_be_bytes());
        bytes
    }

    #[test]
    fn the_boundary_is_the_last_one_at_or_before_the_byte() {
        let run = [record(2, 16), record(2, 24), record(2, 32)].concat();
        for (accepted, end) in [(0, 0), (15, 0), (16, 16), (39, 16), (40, 40), (71, 40), (72, 72)] {
            assert_eq!(last_boundary(&run, accepted), end, "{accepted} bytes accepted");
        }
    }

    #[test]
    fn meta_and_pad_are_records_but_no_packets() {
        // 0x9B: META with extension headers.
        let run = [record(2, 16), record(0x9B, 24), record(48, 16), record(0x82, 32)].concat();
        let mut unwritten = Unwritten::default();
        unwritten.add(&run);
        assert_eq!(unwritten, Unwritten { records: 4, packets: 2, bytes: 88 });
    }

    #[test]
    fn a_length_that_leads_nowhere_ends_the_walk() {
        let short = [record(2, 16), vec![0; 16]].concat();
        assert_eq!(last_boundary(&short, 32), 16);
        let mut long = [record(2, 16), record(2, 16)].concat();
        long[26] = 0xFF;
        assert_eq!(last_boundary(&long, 32), 16);
    }
}
