//! [`Pattern`]: packets that come again and again, and [`Lap`], which lays their records out in stream memory such that on every lap
//! each lies where it lay before.
//!
//! Once a lap has been written whole, a record differs from the one that lay there a lap before in its header alone: stamp and loss
//! counter. So only headers need be written, as long as nobody else can write to stream memory; else the payload is written anew, too.
//! Either way what is written comes from memory of the card's own and is never read back.

use std::ops::Range;
use std::sync::Arc;

use erf_core::{Fit, Flags, HEADER_LEN, Header, RecordType, Timestamp};

use crate::arrival::Arrival;
use crate::ports::PortCount;
use crate::receive::fit;
use crate::ring::{Overrun, Producer};

/// Whole records are written in runs of about so many bytes, so that the first-level cache still holds them when their headers are
/// put in.
const RUN: usize = 8 << 10;

/// The longest filler that closes a lap in one record.
const PAD_MOST: u64 = 32 << 10;

/// Ethernet frames, FCS included, and the ports they arrive at.
#[derive(Debug, Default)]
pub(crate) struct Pattern {
    bytes: Vec<u8>,
    /// Where a packet ends in `bytes`, and its port.
    packets: Vec<(usize, u8)>,
    /// Whole records are wanted on every lap.
    whole: bool,
    /// By packet and port: what has been seen at the port before that packet. One more than there are packets.
    before: Vec<Vec<PortCount>>,
}

impl Pattern {
    /// No packet yet. `whole`: each lap writes whole records, whether that is needed or not.
    pub(crate) fn new(whole: bool) -> Self {
        Self { whole, ..Self::default() }
    }

    /// Takes a packet in, behind the others.
    pub(crate) fn push(&mut self, arrival: &Arrival<'_>) {
        for piece in arrival.packet {
            self.bytes.extend_from_slice(piece);
        }
        let mut seen = self.before.last().cloned().unwrap_or_default();
        if self.before.is_empty() {
            self.before.push(Vec::new());
        }
        let port = usize::from(arrival.port);
        seen.resize(seen.len().max(port + 1), PortCount::default());
        seen[port].packets += 1;
        seen[port].bytes += u64::from(arrival.wire_len);
        self.before.push(seen);
        self.packets.push((self.bytes.len(), arrival.port));
    }

    /// How many packets there are.
    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Length of packet `index` on the wire in bytes, FCS included.
    pub(crate) fn size(&self, index: usize) -> u16 {
        // A frame is at most 9600 bytes long.
        self.frame(index).len() as u16
    }

    fn frame(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.packets.get(before)).map_or(0, |packet| packet.0);
        let end = self.packets.get(index).map_or(start, |packet| packet.0);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Packet `index`, arriving at `time`.
    pub(crate) fn arrival(&self, index: usize, time: Timestamp) -> Arrival<'_> {
        let port = self.packets.get(index).map_or(0, |packet| packet.1);
        Arrival::ethernet(port, time, self.frame(index))
    }

    /// What the packets of `run` are to the ports, by port.
    pub(crate) fn seen(&self, run: Range<usize>) -> impl Iterator<Item = PortCount> {
        let row = |index: usize| self.before.get(index).map_or(&[][..], Vec::as_slice);
        let (before, after) = (row(run.start), row(run.end));
        after.iter().enumerate().map(|(port, after)| {
            let before = before.get(port).copied().unwrap_or_default();
            PortCount { packets: after.packets - before.packets, bytes: after.bytes - before.bytes }
        })
    }

    /// The ports at which its packets arrive.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u8> {
        let all = self.before.last().map_or(&[][..], Vec::as_slice);
        (0..).zip(all).filter(|(_, seen)| seen.packets > 0).map(|(port, _)| port)
    }
}

/// The records of a pattern, and where in a stream they lie.
#[derive(Debug)]
pub(crate) struct Lap {
    of: Arc<Pattern>,
    snaplen: usize,
    varlen: bool,
    /// The records one behind the other, their stamps and loss counters 0.
    image: Vec<u8>,
    /// Where each record begins in `image`, and where the last one ends.
    starts: Vec<usize>,
    /// Bytes 8..16 of each header, as they lie in memory.
    words: Vec<u64>,
    /// The packet that comes next; a lap that begins anew begins with the first.
    next: usize,
    /// Position at which the first lap began.
    base: u64,
    /// Position at which this lap ends.
    end: u64,
    /// Position behind what this has written last. If the stream is elsewhere now, somebody else has written.
    position: u64,
}

/// What has become of packets that were offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// How many have become records.
    pub(crate) count: usize,
    /// The packet that comes next.
    pub(crate) next: usize,
    /// The packet that came last, as a record or not.
    pub(crate) last: usize,
}

impl Taken {
    /// Nothing yet, before packet `next`.
    pub(crate) const fn none(next: usize) -> Self {
        Self { count: 0, next, last: next }
    }

    /// Packet [`next`](Self::next) too, of a pattern of `len`.
    pub(crate) const fn and_one(self, len: usize) -> Self {
        Self { count: self.count + 1, next: (self.next + 1) % len, last: self.next }
    }
}

impl Lap {
    /// The records that `pattern` becomes under these settings. Where they lie is settled when the first is [written](Self::write).
    pub(crate) fn new(pattern: &Arc<Pattern>, snaplen: usize, varlen: bool) -> Self {
        let (mut image, mut starts, mut words) = (Vec::new(), vec![0], Vec::new());
        for index in 0..pattern.len() {
            let arrival = pattern.arrival(index, Timestamp::ZERO);
            let headers = HEADER_LEN + arrival.sub_header.len();
            let frame = pattern.frame(index);
            let Fit { rlen, stored } = fit(&arrival, headers, frame.len(), snaplen, varlen);
            let header = Header {
                timestamp: Timestamp::ZERO,
                record_type: arrival.record_type,
                has_ext: false,
                flags: arrival.flags.with_interface(arrival.port).with_varying_length(varlen),
                // At most 65 528.
                rlen: rlen as u16,
                lctr: 0,
                wire_len: arrival.wire_len,
            };
            let bytes = header.to_bytes();
            words.push(bytes.last_chunk().map_or(0, |word| u64::from_ne_bytes(*word)));
            image.extend_from_slice(&bytes);
            image.extend_from_slice(arrival.sub_header);
            image.extend_from_slice(frame.get(..stored).unwrap_or(frame));
            let end = starts.last().copied().unwrap_or(0) + rlen;
            image.resize(end, 0);
            starts.push(end);
        }
        let of = Arc::clone(pattern);
        Self { of, snaplen, varlen, image, starts, words, next: 0, base: 0, end: 0, position: u64::MAX }
    }

    /// Whether it is of this pattern under these settings.
    pub(crate) fn is_of(&self, pattern: &Arc<Pattern>, snaplen: usize, varlen: bool) -> bool {
        Arc::ptr_eq(&self.of, pattern) && self.snaplen == snaplen && self.varlen == varlen
    }

    /// Writes the records that come next, one behind the other: as many as there are `stamps`, as there is room for, and as lie together.
    /// Tells which packets of the pattern they are; none means that there is no room for the next one. The first bears the loss counter.
    ///
    /// A lap begins with packet 0, and is closed by filler (PAD) where the next record would not end within it.
    pub(crate) fn write(&mut self, stream: &mut Producer, stamps: &[Timestamp]) -> Result<Range<usize>, Overrun> {
        let ring = stream.ring_len();
        if stream.position() != self.position {
            // Whatever lies in stream memory now, it is not what the last lap left there.
            self.base = stream.position();
            (self.end, self.position, self.next) = (self.base + ring, self.base, 0);
        }
        let mut fitting = self.fitting(self.end - self.position);
        if fitting == self.next {
            if !self.close(stream, self.end - self.position)? {
                return Ok(self.next..self.next);
            }
            fitting = self.fitting(ring);
        }
        let (from, free) = (self.next, stream.free());
        let start = self.starts[from];
        let roomy = self.starts.partition_point(|end| end.saturating_sub(start) as u64 <= free) - 1;
        let to = fitting.min(roomy).min(from + stamps.len());
        if to > from {
            self.write_run(stream, from, to, stamps)?;
            self.next = to % self.words.len();
        }
        Ok(from..to.max(from))
    }

    /// The packet that comes next.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// Up to which packet, from the next one on, records fit a lap of which `left` bytes are left: what is left behind them must be
    /// nothing or have room for filler.
    fn fitting(&self, left: u64) -> usize {
        let next = self.next;
        let start = self.starts[next];
        let len = |end: &usize| end.saturating_sub(start) as u64;
        // The first start is 0, so there is one at least that `next` is not behind.
        let fitting = self.starts.partition_point(|end| len(end) + HEADER_LEN as u64 <= left).max(next + 1) - 1;
        match self.starts.get(fitting + 1) {
            Some(end) if len(end) == left => fitting + 1,
            _ => fitting,
        }
    }

    /// Fills the rest of a lap up; `false` where there is no room for that yet.
    fn close(&mut self, stream: &mut Producer, left: u64) -> Result<bool, Overrun> {
        if left > stream.free() {
            return Ok(false);
        }
        let mut left = left;
        while left > 0 {
            let rlen = if left > 2 * PAD_MOST - 8 { PAD_MOST } else { left };
            let Some(mut slot) = stream.reserve(rlen as usize) else { return Ok(false) };
            let header = Header {
                timestamp: Timestamp::ZERO,
                record_type: RecordType::PAD,
                has_ext: false,
                flags: Flags::default().with_varying_length(true),
                // Below 2^16.
                rlen: rlen as u16,
                lctr: 0,
                wire_len: 0,
            };
            slot.write(0, &header.to_bytes())?;
            slot.fill_zero(HEADER_LEN..rlen as usize)?;
            stream.commit(rlen as usize)?;
            left -= rlen;
        }
        self.position = self.end;
        self.end += stream.ring_len();
        self.next = 0;
        Ok(true)
    }

    /// Writes records `from..to`, for which there is room.
    fn write_run(
        &mut self,
        stream: &mut Producer,
        from: usize,
        to: usize,
        stamps: &[Timestamp],
    ) -> Result<(), Overrun> {
        let len = self.starts[to] - self.starts[from];
        let is_there = !self.of.whole && stream.is_private() && self.position >= self.base + stream.ring_len();
        let pending = u16::try_from(stream.drops().pending).unwrap_or(u16::MAX);
        let Some(mut slot) = stream.reserve(len) else { return Ok(()) };
        let (words, stamps) = (&self.words[from..to], &stamps[..to - from]);
        if is_there {
            slot.write_headers(0, stamps, words)?;
        } else {
            let mut at = from;
            while at < to {
                let start = self.starts[at];
                let run = self.starts.partition_point(|end| *end <= start + RUN).max(at + 2) - 1;
                let run = run.min(to);
                slot.write(start - self.starts[from], &self.image[start..self.starts[run]])?;
                slot.write_headers(
                    start - self.starts[from],
                    &stamps[at - from..run - from],
                    &words[at - from..run - from],
                )?;
                at = run;
            }
        }
        if pending != 0 {
            slot.write(LCTR, &pending.to_be_bytes())?;
        }
        stream.commit(len)?;
        self.position += len as u64;
        if pending != 0 {
            stream.take_lctr();
        }
        Ok(())
    }
}

/// Where the loss counter stands in a header.
const LCTR: usize = 12;

#[cfg(test)]
mod tests;
