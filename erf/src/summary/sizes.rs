//! [`Sizes`]: lengths of packets on the wire and in the file.

use super::shapes::Shape;

/// Least, greatest and sum of a length in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lengths {
    /// How many packets.
    pub count: u64,
    /// Sum.
    pub sum: u64,
    /// Of the shortest packet; 0 where there is none.
    pub min: u16,
    /// Of the longest packet.
    pub max: u16,
}

impl Lengths {
    /// `count` packets of one length.
    fn add(&mut self, length: u16, count: u64) {
        self.min = if self.count == 0 { length } else { self.min.min(length) };
        self.max = self.max.max(length);
        self.count += count;
        self.sum += u64::from(length) * count;
    }

    fn merge(&mut self, next: &Self) {
        if next.count == 0 {
            return;
        }
        self.min = if self.count == 0 { next.min } else { self.min.min(next.min) };
        self.max = self.max.max(next.max);
        self.count += next.count;
        self.sum += next.sum;
    }

    /// The mean; `None` of no packets.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }
}

/// A class of lengths and how many packets are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Class {
    /// Shortest of the class, in bytes on the wire.
    pub from: u16,
    /// Longest of the class.
    pub to: u16,
    /// Packets.
    pub count: u64,
}

/// The longest of each class: those of the Ethernet statistics of RMON (RFC 2819), and what is shorter or longer.
const CLASSES: [u16; 8] = [63, 64, 127, 255, 511, 1023, 1518, u16::MAX];

/// Lengths of all packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// As on the wire.
    pub wire: Lengths,
    /// As stored, headers and padding not counted.
    pub captured: Lengths,
    classes: [u64; CLASSES.len()],
}

impl Sizes {
    /// `count` packets of one shape.
    pub(super) fn add(&mut self, shape: &Shape, count: u64) {
        self.wire.add(shape.wire_len, count);
        self.captured.add(shape.captured_len, count);
        let class =
            CLASSES[..CLASSES.len() - 1].iter().map(|&longest| usize::from(shape.wire_len > longest)).sum::<usize>();
        self.classes[class] += count;
    }

    pub(super) fn merge(&mut self, next: &Self) {
        self.wire.merge(&next.wire);
        self.captured.merge(&next.captured);
        for (count, more) in self.classes.iter_mut().zip(next.classes) {
            *count += more;
        }
    }

    /// How the lengths on the wire are spread.
    pub fn classes(&self) -> impl Iterator<Item = Class> + '_ {
        let from = std::iter::once(0).chain(CLASSES.iter().map(|longest| longest.saturating_add(1)));
        from.zip(CLASSES).zip(self.classes).map(|((from, to), count)| Class { from, to, count })
    }
}
