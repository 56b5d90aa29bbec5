//! The receive path: an arrival becomes a record in a stream, or a count.

use std::sync::Arc;

use erf_core::{Fit, HEADER_LEN, Header, MAX_RECORD_LEN, TimeDelta, Timestamp};

use crate::arrival::{Arrival, whole};
use crate::clock::{CachedFace, Clock};
use crate::faults::{Faults, Strike, meta_record, pad_record};
use crate::feed::Intake;
use crate::pattern::{Lap, Pattern, Taken};
use crate::ports::{MAX_PORTS, PortCount, Ports};
use crate::ring::{Overrun, Producer};
use crate::steer::flow_hash;
use crate::transmit::Streams;

/// Records of a card begin at multiples of this (`libdag-contract.md` section 2.11).
const ALIGN: usize = 8;

/// Between the packets of a burst: 672 bit times at 10 Gb/s, a minimum frame with its preamble and gap.
const BURST_GAP: TimeDelta = TimeDelta::from_nanos(67);

/// The card between its ports and its streams.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) streams: Vec<Producer>,
    ports: Ports,
    clock: Clock,
    face: CachedFace,
    faults: Option<Faults>,
    /// Settings as of this turn.
    snaplen: usize,
    varlen: bool,
    seen: [PortCount; MAX_PORTS as usize],
    /// Where packets that come again and again lie in the stream, if there is only one.
    lap: Option<Lap>,
    /// Of packets that arrive together; kept for its memory.
    stamps: Vec<Timestamp>,
    /// What broke a record that was being written; never, unless there is a mistake in this file.
    overrun: Option<Overrun>,
}

impl Receiver {
    pub(crate) fn new(streams: Vec<Producer>, ports: Ports, clock: Clock, faults: Option<Faults>) -> Self {
        let face = clock.cached();
        let (snaplen, varlen) = (ports.snaplen().into(), ports.varlen());
        let (seen, lap, stamps) = (Default::default(), None, Vec::new());
        Self { streams, ports, clock, face, faults, snaplen, varlen, seen, lap, stamps, overrun: None }
    }

    /// Takes over the settings, at the start of a turn.
    pub(crate) fn begin_turn(&mut self) {
        self.clock.refresh(&mut self.face);
        self.snaplen = self.ports.snaplen().into();
        self.varlen = self.ports.varlen();
    }

    /// Exposes what the turn has brought.
    pub(crate) fn end_turn(&mut self) {
        for stream in &mut self.streams {
            stream.publish();
        }
        for (port, seen) in (0..).zip(&mut self.seen) {
            if seen.packets != 0 {
                self.ports.count_up(port, std::mem::take(seen));
            }
        }
    }

    /// A mistake of ours that would have written beyond a reservation.
    pub(crate) fn overrun(&self) -> Option<Overrun> {
        self.overrun
    }

    /// Whether a stream that receives is asked for something, which can only be to stop.
    pub(crate) fn is_ending(&self) -> bool {
        self.streams.iter().any(|stream| stream.is_started() && stream.is_asked())
    }

    /// Whether every started stream has room for a record of any length.
    pub(crate) fn has_room(&mut self) -> bool {
        self.streams.iter_mut().all(|stream| !stream.is_started() || stream.free() > MAX_RECORD_LEN as u64)
    }

    fn stream_of(&self, arrival: &Arrival<'_>) -> usize {
        match self.streams.len() {
            1 => 0,
            n => flow_hash(arrival) as usize % n,
        }
    }

    /// Makes a record of `arrival` with the stamp of `time`, in the stream that it steers to.
    fn store(&mut self, arrival: &Arrival<'_>, time: Timestamp) {
        let stamp = self.face.face.stamp(time);
        let index = self.stream_of(arrival);
        let (snaplen, varlen) = (self.snaplen, self.varlen);
        let Some(stream) = self.streams.get_mut(index) else { return };
        if let Err(overrun) = store(stream, arrival, stamp, snaplen, varlen) {
            self.overrun = Some(overrun);
        }
    }

    /// Puts a record of the card's own making into the stream of `arrival`; `false` where there is no room. A record that is no
    /// packet is left out then, for it is nothing that could be lost.
    fn insert(&mut self, arrival: &Arrival<'_>, record: &[u8]) -> bool {
        let index = self.stream_of(arrival);
        let Some(stream) = self.streams.get_mut(index) else { return false };
        let Some(mut slot) = stream.reserve(record.len()) else { return false };
        let written = slot.copy_from(record);
        if let Err(overrun) = written.and_then(|()| stream.commit(record.len())) {
            self.overrun = Some(overrun);
        }
        true
    }

    fn strike(&mut self, strike: Strike, arrival: &Arrival<'_>) {
        let now = arrival.time;
        match strike {
            Strike::None => self.store(arrival, now),
            Strike::DsError => {
                self.store(&Arrival { flags: arrival.flags.with_ds_error(true), ..*arrival }, now);
            }
            Strike::RxError => self.rx_error(arrival),
            Strike::Truncate(keep) => {
                let mut cut = Arrival { flags: arrival.flags.with_truncated(true), ..*arrival };
                let mut left = keep;
                for piece in &mut cut.packet {
                    *piece = piece.get(..left).unwrap_or(piece);
                    left -= piece.len();
                }
                self.store(&cut, now);
            }
            Strike::Pad(len) => {
                self.insert(arrival, &pad_record(len));
                self.store(arrival, now);
            }
            Strike::Meta => {
                self.insert(arrival, &meta_record(self.face.face.stamp(now)));
                self.store(arrival, now);
            }
            Strike::Disorder(back) => self.store(arrival, now + TimeDelta::from_raw(-back.raw())),
            Strike::Burst(count) => {
                let mut time = now;
                for n in 0..count {
                    // The first has been counted as it came.
                    if n > 0 {
                        self.count(arrival);
                    }
                    self.store(arrival, time);
                    time = time + BURST_GAP;
                }
            }
            Strike::LinkDown => {}
            Strike::BadLength(rlen) => self.bad_length(arrival, rlen),
        }
    }

    /// A frame damaged on the wire: one bit of its FCS is wrong.
    fn rx_error(&mut self, arrival: &Arrival<'_>) {
        let mut bytes: Vec<u8> = arrival.packet.concat();
        if let Some(last) = bytes.last_mut() {
            *last ^= 0x80;
        }
        let bad = Arrival { flags: arrival.flags.with_rx_error(true), packet: whole(&bytes), ..*arrival };
        self.store(&bad, arrival.time);
    }

    /// A hostile card: a record whose length is a lie. The bytes exposed are still whole slots, so what follows is found
    /// again at the end of the window.
    fn bad_length(&mut self, arrival: &Arrival<'_>, rlen: u16) {
        let header = Header {
            timestamp: self.face.face.stamp(arrival.time),
            record_type: arrival.record_type,
            has_ext: !arrival.ext.is_empty(),
            flags: arrival.flags.with_interface(arrival.port),
            rlen,
            lctr: 0,
            wire_len: arrival.wire_len,
        };
        let mut record = header.to_bytes().to_vec();
        record.extend(arrival.ext);
        record.extend(arrival.sub_header);
        record.extend(arrival.packet.concat());
        record.resize(record.len().next_multiple_of(ALIGN), 0);
        if !self.insert(arrival, &record) {
            // It was a packet all the same.
            let index = self.stream_of(arrival);
            self.streams.iter_mut().skip(index).take(1).for_each(Producer::drop_one);
        }
    }
}

impl Streams for Receiver {
    fn stream(&mut self, index: usize) -> Option<&mut Producer> {
        self.streams.get_mut(index)
    }
}

impl Intake for Receiver {
    #[inline]
    fn arrive(&mut self, arrival: &Arrival<'_>) {
        if !self.ports.receives(arrival.port) {
            return;
        }
        if let Some(faults) = &mut self.faults {
            let strike = faults.strike(arrival);
            self.ports.show_fault(arrival.port, faults.link_up(arrival.port));
            if strike == Strike::LinkDown {
                return;
            }
            self.count(arrival);
            self.strike(strike, arrival);
        } else {
            self.count(arrival);
            self.store(arrival, arrival.time);
        }
    }

    fn arrive_again(&mut self, pattern: &Arc<Pattern>, next: usize, times: &[Timestamp], waits: bool) -> Taken {
        let is_plain = self.faults.is_none() && self.streams.len() == 1;
        if is_plain && pattern.ports().all(|port| self.ports.receives(port)) {
            return self.repeat(pattern, next, times, waits);
        }
        let mut taken = Taken::none(next);
        for time in times {
            if waits && !self.has_room() {
                break;
            }
            self.arrive(&pattern.arrival(taken.next, *time));
            taken = taken.and_one(pattern.len());
        }
        taken
    }

    fn has_room(&mut self) -> bool {
        Self::has_room(self)
    }

    fn lost(&mut self, port: u8, count: u64) {
        // Which stream a packet that nobody saw would have gone to is unknown: the first one tells it.
        if self.ports.receives(port)
            && let Some(stream) = self.streams.first_mut()
        {
            stream.drop_n(count);
        }
    }
}

impl Receiver {
    /// Packets of a pattern for the only stream, from `next` on, one at each of `times`. Where they `wait`, those for which there is no
    /// room are not taken; else they are dropped and counted, and it is the same packet that comes when there is room again.
    fn repeat(&mut self, pattern: &Arc<Pattern>, next: usize, times: &[Timestamp], waits: bool) -> Taken {
        let Some(stream) = self.streams.first_mut() else { return Taken::none(next) };
        if !stream.is_started() {
            // They pass by, and are seen at the ports only.
            return times.iter().fold(Taken::none(next), |taken, time| {
                self.count(&pattern.arrival(taken.next, *time));
                taken.and_one(pattern.len())
            });
        }
        self.stamps.clear();
        self.face.face.stamp_all(times, &mut self.stamps);
        let lap = match &mut self.lap {
            Some(lap) if lap.is_of(pattern, self.snaplen, self.varlen) => lap,
            other => other.insert(Lap::new(pattern, self.snaplen, self.varlen)),
        };
        let (mut at, mut last) = (0, lap.next());
        while at < times.len() {
            let run = match lap.write(stream, &self.stamps[at..]) {
                Ok(run) if run.is_empty() => break,
                Ok(run) => run,
                Err(overrun) => {
                    self.overrun = Some(overrun);
                    break;
                }
            };
            (at, last) = (at + run.len(), run.end - 1);
            for (seen, new) in self.seen.iter_mut().zip(pattern.seen(run)) {
                seen.packets += new.packets;
                seen.bytes += new.bytes;
            }
        }
        let mut taken = Taken { count: at, next: lap.next(), last };
        let left = times.len() - at;
        if left > 0 && !waits {
            stream.drop_n(left as u64);
            let passed = pattern.arrival(taken.next, Timestamp::ZERO);
            if let Some(seen) = self.seen.get_mut(usize::from(passed.port)) {
                seen.packets += left as u64;
                seen.bytes += left as u64 * u64::from(passed.wire_len);
            }
            (taken.count, taken.last) = (times.len(), taken.next);
        }
        taken
    }

    #[inline]
    fn count(&mut self, arrival: &Arrival<'_>) {
        if let Some(seen) = self.seen.get_mut(usize::from(arrival.port)) {
            seen.packets += 1;
            seen.bytes += u64::from(arrival.wire_len);
        }
    }
}

/// How long the record of `arrival` becomes, which has `headers` bytes of headers and `there` bytes of its packet.
#[inline]
pub(crate) fn fit(arrival: &Arrival<'_>, headers: usize, there: usize, snaplen: usize, varlen: bool) -> Fit {
    // The longest packet that a record of whole words has room for.
    let room = (MAX_RECORD_LEN & !(ALIGN - 1)) - headers;
    if varlen {
        let fit = Fit::aligned(arrival.record_type, headers, there.min(snaplen).min(room), arrival.wire_len, ALIGN);
        // There are no fewer bytes to a record than whole words: a snap length that does not even fill the one in which
        // the headers end keeps what fills it.
        let rlen = fit.rlen.next_multiple_of(ALIGN);
        Fit { rlen, stored: if rlen == fit.rlen { fit.stored } else { there.min(rlen - headers) } }
    } else {
        // A slot as long as the snap length makes it, filled with as much of the packet as it holds.
        let rlen = (headers + snaplen.min(room)).next_multiple_of(ALIGN);
        Fit { rlen, stored: there.min(rlen - headers) }
    }
}

/// Writes the record of `arrival` into `stream`, or counts it as dropped.
#[inline]
fn store(
    stream: &mut Producer,
    arrival: &Arrival<'_>,
    stamp: Timestamp,
    snaplen: usize,
    varlen: bool,
) -> Result<(), Overrun> {
    if !stream.is_started() {
        return Ok(());
    }
    let headers = HEADER_LEN + arrival.ext.len() + arrival.sub_header.len();
    let there: usize = arrival.packet.iter().map(|piece| piece.len()).sum();
    let fit = fit(arrival, headers, there, snaplen, varlen);
    let lctr = if arrival.record_type.is_color() {
        arrival.color
    } else {
        u16::try_from(stream.drops().pending).unwrap_or(u16::MAX)
    };
    let Some(mut slot) = stream.reserve(fit.rlen) else {
        stream.drop_one();
        return Ok(());
    };
    let header = Header {
        timestamp: stamp,
        record_type: arrival.record_type,
        has_ext: !arrival.ext.is_empty(),
        flags: arrival.flags.with_interface(arrival.port).with_varying_length(varlen),
        // At most 65 528.
        rlen: fit.rlen as u16,
        lctr,
        wire_len: arrival.wire_len,
    };
    slot.write(0, &header.to_bytes())?;
    slot.write(HEADER_LEN, arrival.ext)?;
    slot.write(HEADER_LEN + arrival.ext.len(), arrival.sub_header)?;
    let mut at = headers;
    let end = headers + fit.stored;
    for piece in arrival.packet.into_iter().filter(|piece| !piece.is_empty()) {
        let piece = piece.get(..end - at).unwrap_or(piece);
        slot.write(at, piece)?;
        at += piece.len();
    }
    slot.fill_zero(end..fit.rlen)?;
    stream.commit(fit.rlen)?;
    if lctr != 0 && !arrival.record_type.is_color() {
        stream.take_lctr();
    }
    Ok(())
}
