//! Records made out of a seed: the same seed gives the same bytes, on any machine.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::str::FromStr;

use erf::{RecordBuilder, RecordType, TimeDelta, Timestamp};

/// Sizes of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// 64 bytes, the smallest of Ethernet.
    Small,
    /// 64, 594 and 1518 bytes, seven to four to one.
    Imix,
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "small" => Ok(Self::Small),
            "imix" => Ok(Self::Imix),
            other => Err(format!("{other} is no mix: small, imix")),
        }
    }
}

/// Bits a second of the link that the packets fill.
const LINK: u64 = 10_000_000_000;

/// Preamble and gap, which take time on a link.
const BETWEEN: u64 = 20;

/// One packet in so many goes to port 53 over UDP, among those that carry UDP.
const DNS_ONE_IN: u64 = 32;

/// One packet in so many of those that have the room is IPv6, and one in so many has a VLAN tag.
const IPV6_ONE_IN: u64 = 8;
const VLAN_ONE_IN: u64 = 16;

/// Packets without end.
#[derive(Debug)]
pub(crate) struct Traffic {
    mix: Mix,
    random: Random,
    stamp: Timestamp,
    frame: Vec<u8>,
    /// What payloads are cut from.
    text: Vec<u8>,
}

impl Traffic {
    pub(crate) fn new(mix: Mix, seed: u64) -> Self {
        let mut random = Random(seed ^ 0x6A09_E667_F3BC_C908);
        let text = (0..4096).flat_map(|_| word(&mut random)).collect();
        Self { mix, random, stamp: Timestamp::from_parts(1_700_000_000, 0), frame: Vec::new(), text }
    }

    /// Puts the next record at the end of `bytes`.
    pub(crate) fn append_to(&mut self, bytes: &mut Vec<u8>) -> Result<(), erf::BuildError> {
        let wire = match (self.mix, self.random.below(12)) {
            (Mix::Small, _) | (Mix::Imix, 0..7) => 64,
            (Mix::Imix, 7..11) => 594,
            (Mix::Imix, _) => 1518,
        };
        self.fill(wire - 4);
        // A little more than the line needs, by chance, in ticks of 2^-26 s.
        let least = (((wire as u64 + BETWEEN) * 8) << 32) / LINK;
        let step = (least + self.random.below(least / 8)) & !0x3F;
        self.stamp = self.stamp + TimeDelta::from_raw(i64::try_from(step.max(64)).unwrap_or(64));
        let record = RecordBuilder::new(RecordType::ETH)
            .timestamp(self.stamp)
            .interface(self.random.below(2) as u8)
            .payload(&self.frame)
            .append_fcs();
        let at = bytes.len();
        bytes.resize(at + record.encoded_len()?, 0);
        record.write_to(&mut bytes[at..]).map(|_| ())
    }

    /// Makes the next frame, of `len` bytes without FCS.
    fn fill(&mut self, len: usize) {
        let random = &mut self.random;
        let flow = random.below(1 << 16);
        let frame = &mut self.frame;
        frame.clear();
        frame.extend([2, 0, 0, 0, 1, flow as u8, 2, 0, 0, 0, 2, (flow >> 8) as u8]);
        if len > 64 && random.below(VLAN_ONE_IN) == 0 {
            frame.extend([0x81, 0, 0, flow as u8]);
        }
        let is_udp = random.below(2) == 0;
        let transport = if is_udp { 8 } else { 20 };
        let v6 = len > 100 && random.below(IPV6_ONE_IN) == 0;
        let protocol = if is_udp { 17 } else { 6 };
        if v6 {
            frame.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
            frame.extend(((len - frame.len() - 36) as u16).to_be_bytes());
            frame.extend([protocol, 64]);
            for host in [flow, flow >> 8] {
                frame.extend([0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host as u8]);
            }
        } else {
            frame.extend([8, 0]);
            let total = ((len - frame.len()) as u16).to_be_bytes();
            let mut head = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 0, 10, 1, 0, 0];
            (head[14], head[15], head[18], head[19]) = (0, flow as u8, 0, (flow >> 8) as u8);
            let sum = checksum(&head).to_be_bytes();
            (head[10], head[11]) = (sum[0], sum[1]);
            frame.extend(head);
        }
        let high = 1024 + (flow as u16 >> 1);
        let low = match is_udp {
            true if random.below(DNS_ONE_IN) == 0 => 53,
            true => 4789,
            false => 443,
        };
        let (from, to) = if random.below(2) == 0 { (high, low) } else { (low, high) };
        frame.extend(from.to_be_bytes());
        frame.extend(to.to_be_bytes());
        if is_udp {
            frame.extend(((len - frame.len() + 4) as u16).to_be_bytes());
            frame.extend([0, 0]);
        } else {
            frame.extend(random.next().to_be_bytes());
            frame.extend([0x50, 0x10, 0x20, 0, 0, 0, 0, 0]);
        }
        debug_assert!(frame.len() <= len, "{transport} bytes of transport have their room");
        let rest = len.saturating_sub(frame.len());
        let at = random.below((self.text.len() - rest) as u64) as usize;
        frame.extend_from_slice(&self.text[at..at + rest]);
    }
}

/// Eight bytes that compress as text does, by about half.
fn word(random: &mut Random) -> [u8; 8] {
    random.next().to_be_bytes().map(|byte| b"etaoin shrdlucmf"[usize::from(byte & 15)])
}

fn checksum(head: &[u8]) -> u16 {
    let sum: u32 = head.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    !((sum & 0xFFFF) + (sum >> 16)) as u16
}

/// SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }
}

/// So many records in memory, one after another.
pub(crate) fn in_memory(mix: Mix, seed: u64, records: u64) -> Result<Vec<u8>, erf::BuildError> {
    let mut traffic = Traffic::new(mix, seed);
    let mut bytes = Vec::new();
    (0..records).try_for_each(|_| traffic.append_to(&mut bytes))?;
    Ok(bytes)
}

/// Writes records of at least `bytes` in all; each goes to one of `files` by chance. Returns how many.
pub(crate) fn write_files(mix: Mix, seed: u64, bytes: u64, files: &[&str]) -> Result<u64, Box<dyn std::error::Error>> {
    let mut traffic = Traffic::new(mix, seed);
    let mut choice = Random(!seed);
    let mut outputs = Vec::new();
    for file in files {
        let made = File::create(file).map_err(|error| format!("{file}: {error}"))?;
        outputs.push(BufWriter::with_capacity(1 << 20, made));
    }
    let (mut written, mut packets, mut record) = (0, 0, Vec::new());
    while written < bytes {
        record.clear();
        traffic.append_to(&mut record)?;
        let to = choice.below(outputs.len() as u64) as usize;
        outputs[to].write_all(&record).map_err(|error| format!("{}: {error}", files[to]))?;
        written += record.len() as u64;
        packets += 1;
    }
    for (output, file) in outputs.iter_mut().zip(files) {
        output.flush().map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use erf::Records;

    #[test]
    fn records_are_sound_and_of_the_sizes_of_their_mix() {
        for (mix, sizes) in [(Mix::Small, &[64][..]), (Mix::Imix, &[64, 594, 1518][..])] {
            let bytes = in_memory(mix, 1, 5000).unwrap();
            let mut last = 0;
            let mut seen = 0;
            for record in Records::new(&bytes) {
                let record = record.unwrap();
                assert!(sizes.contains(&record.wire_len()));
                assert_eq!(record.verify_fcs(), Some(true));
                assert!(record.timestamp().raw() > last);
                last = record.timestamp().raw();
                seen += 1;
            }
            assert_eq!(seen, 5000);
        }
    }

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_one_others() {
        let one = in_memory(Mix::Imix, 7, 100).unwrap();
        assert_eq!(one, in_memory(Mix::Imix, 7, 100).unwrap());
        assert_ne!(one, in_memory(Mix::Imix, 8, 100).unwrap());
    }

    #[test]
    fn some_packets_match_the_filter_and_most_do_not() {
        let filter = erf::filter::Filter::new("udp port 53", Default::default()).unwrap();
        for mix in [Mix::Small, Mix::Imix] {
            let bytes = in_memory(mix, 1, 5000).unwrap();
            let matching = Records::new(&bytes).flatten().filter(|record| filter.matches(record).unwrap()).count();
            assert!((30..200).contains(&matching), "{matching} of 5000");
        }
    }
}
