//! Packets seen twice within a stretch of time, such as those of a mirror port that copies both directions.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use erf_core::{Record, TimeDelta, Timestamp};

/// What an entry of the queue takes: 24 bytes, in a ring that doubles when it is full.
const QUEUED: usize = 48;

/// What a packet takes beside its place in the queue and its bytes: an entry of 25 bytes in a table that is filled to 7/8 before it doubles and
/// moves to a new one, half full at least when it does; two counters and what the allocator adds.
const KEPT: usize = 176 + 16 + 16;

/// What keeping a packet of these bytes takes.
const fn cost(key: &[u8]) -> usize {
    key.len().next_multiple_of(16) + KEPT
}

/// Finds packets that are the same as one shortly before.
///
/// Two packets are the same when type, wire length and all stored bytes are: nothing is left out of account, so a packet that
/// was routed in between, with another TTL, is another packet. Stamps, loss counters, extension headers and padding do not
/// count, and the interface does unless said. Bytes are compared, not hashes of them.
///
/// ```
/// use erf::dedup::Dedup;
/// use erf::{Record, RecordBuilder, RecordType, TimeDelta, Timestamp};
///
/// let mut dedup = Dedup::new(TimeDelta::from_nanos(1_000));
/// let mut seen = |nanos: u64| {
///     let stamp = Timestamp::from_nanos(nanos, Default::default()).unwrap();
///     let bytes = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 64]).to_vec().unwrap();
///     dedup.is_duplicate(&Record::parse(&bytes).unwrap())
/// };
/// assert_eq!([seen(0), seen(900), seen(1_900), seen(3_000)], [false, true, true, false]);
/// ```
#[derive(Debug)]
pub struct Dedup {
    window: TimeDelta,
    any_interface: bool,
    memory: usize,
    used: usize,
    /// When a packet was seen last; the same bytes are in each of its entries of the queue.
    seen: HashMap<Rc<[u8]>, Timestamp>,
    /// In the order of coming.
    queue: VecDeque<(Timestamp, Rc<[u8]>)>,
    latest: Timestamp,
    forgotten: u64,
    late: u64,
    scratch: Vec<u8>,
}

impl Dedup {
    /// Packets at most `window` apart, either way, and in up to 256 MiB of memory.
    pub fn new(window: TimeDelta) -> Self {
        Self {
            window: window.abs(),
            any_interface: false,
            memory: 256 * 1024 * 1024,
            used: 0,
            seen: HashMap::new(),
            queue: VecDeque::new(),
            latest: Timestamp::ZERO,
            forgotten: 0,
            late: 0,
            scratch: Vec::new(),
        }
    }

    /// Also packets of different interfaces can be the same.
    pub fn any_interface(self, any: bool) -> Self {
        Self { any_interface: any, ..self }
    }

    /// Remembers packets in up to so many bytes; the earliest are forgotten before their time where that is too little.
    pub fn memory(self, bytes: usize) -> Self {
        Self { memory: bytes, ..self }
    }

    /// Packets that were forgotten before the window was over: duplicates of them may have been missed.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Packets stamped earlier than one before them by more than the window: what they are twins of is not remembered any more. Records
    /// in the [order of their stamps](crate::sort) have none.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Whether `record`, the next one, is the same packet as one within the window. META and PAD are no packets.
    pub fn is_duplicate(&mut self, record: &Record<'_>) -> bool {
        if !record.is_packet() {
            return false;
        }
        let stamp = record.timestamp();
        self.late += u64::from(self.latest - stamp > self.window);
        self.latest = self.latest.max(stamp);
        self.forget();
        self.scratch.clear();
        self.scratch.push(record.record_type().number());
        self.scratch.push(if self.any_interface { 0 } else { record.interface() });
        self.scratch.extend_from_slice(&record.wire_len().to_be_bytes());
        self.scratch.extend_from_slice(record.payload());
        if let Some(before) = self.seen.get_mut(self.scratch.as_slice()) {
            let is_near = (stamp - *before).abs() <= self.window;
            *before = stamp;
            // The entry of the queue is of an earlier stamp now, and its packet stays until that of the new one is met.
            if let Some((key, _)) = self.seen.get_key_value(self.scratch.as_slice()) {
                self.queue.push_back((stamp, Rc::clone(key)));
                self.used += QUEUED;
            }
            return is_near;
        }
        let key: Rc<[u8]> = Rc::from(self.scratch.as_slice());
        self.used += cost(&key) + QUEUED;
        self.queue.push_back((stamp, Rc::clone(&key)));
        self.seen.insert(key, stamp);
        false
    }

    /// Forgets what is too old, and what there is no room for.
    fn forget(&mut self) {
        while let Some((stamp, _)) = self.queue.front() {
            let is_old = self.latest - *stamp > self.window;
            if !is_old && self.used <= self.memory {
                return;
            }
            let Some((_, key)) = self.queue.pop_front() else { return };
            self.used = self.used.saturating_sub(QUEUED);
            // This one and that of the table: no later entry of the queue has it. A stamp would not tell, as the same one may come again.
            if Rc::strong_count(&key) == 2 {
                self.seen.remove(&key);
                self.used = self.used.saturating_sub(cost(&key));
                self.forgotten += u64::from(!is_old);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use erf_core::{RecordBuilder, RecordType};
    use proptest::prelude::*;

    use super::*;

    fn packet(stamp: u64, interface: u8, byte: u8, len: usize) -> Vec<u8> {
        let payload = vec![byte; len];
        let builder = RecordBuilder::new(RecordType::ETH).timestamp(Timestamp::from_raw(stamp)).interface(interface);
        builder.payload(&payload).to_vec().unwrap()
    }

    #[test]
    fn any_difference_of_bytes_or_length_is_another_packet() {
        let mut dedup = Dedup::new(TimeDelta::from_raw(10));
        let mut see = |bytes: &[u8]| dedup.is_duplicate(&Record::parse(bytes).unwrap());
        assert!(!see(&packet(100, 0, 1, 60)));
        assert!(!see(&packet(100, 0, 2, 60)));
        assert!(!see(&packet(100, 0, 1, 61)));
        assert!(!see(&packet(100, 1, 1, 60)), "another interface");
        let ip = RecordBuilder::new(RecordType::IPV4).timestamp(Timestamp::from_raw(100)).payload(&[1; 60]);
        assert!(!see(&ip.to_vec().unwrap()));
        assert!(see(&packet(95, 0, 1, 60)), "earlier, but near");
        assert!(see(&packet(105, 0, 1, 60)));
        let meta = RecordBuilder::new(RecordType::META).payload(&[0; 8]).to_vec().unwrap();
        assert!(!see(&meta) && !see(&meta));
        assert_eq!(dedup.late(), 0);
        assert!(!dedup.is_duplicate(&Record::parse(&packet(90, 0, 1, 60)).unwrap()), "out of order");
        assert_eq!(dedup.late(), 1);
    }

    #[test]
    fn memory_is_bounded_and_what_that_costs_is_told() {
        let mut dedup = Dedup::new(TimeDelta::from_raw(1 << 40)).memory(10_000);
        for stamp in 0..1000u64 {
            let mut bytes = packet(stamp, 0, 0, 60);
            bytes[20..28].copy_from_slice(&stamp.to_le_bytes());
            assert!(!dedup.is_duplicate(&Record::parse(&bytes).unwrap()));
            assert!(dedup.used <= 10_000 + 400, "{}", dedup.used);
        }
        assert!(dedup.forgotten() > 900, "{}", dedup.forgotten());
    }

    #[test]
    fn what_is_queued_is_counted_until_the_last_of_it_is_gone() {
        let mut dedup = Dedup::new(TimeDelta::from_raw(10));
        let mut see = |stamp, byte| dedup.is_duplicate(&Record::parse(&packet(stamp, 0, byte, 60)).unwrap());
        // Out of order, and back to the first stamp.
        assert_eq!([see(10, 1), see(5, 1), see(20, 2), see(10, 1)], [false, true, false, true]);
        assert!(!see(21, 3));
        assert_eq!((dedup.seen.len(), dedup.queue.len()), (3, 3));
        assert!(!dedup.is_duplicate(&Record::parse(&packet(1000, 0, 4, 60)).unwrap()));
        assert_eq!((dedup.seen.len(), dedup.queue.len(), dedup.used), (1, 1, 64 + KEPT + QUEUED));
    }

    proptest! {
        #[test]
        fn it_finds_what_comparing_all_pairs_finds(
            packets in proptest::collection::vec((0u64..4, 0u8..2, 0u8..3), 1..60), window in 0u64..8, any: bool,
        ) {
            let mut dedup = Dedup::new(TimeDelta::from_raw(window as i64)).any_interface(any);
            let mut stamp = 0;
            let mut last: Vec<(u64, u8, u8)> = Vec::new();
            for (step, interface, byte) in packets {
                stamp += step;
                let same = |(_, of, what): &&(u64, u8, u8)| *what == byte && (any || *of == interface);
                let before = last.iter().rev().find(same);
                let expected = before.is_some_and(|(before, ..)| stamp - before <= window);
                let bytes = packet(stamp, interface, byte, 60);
                prop_assert_eq!(dedup.is_duplicate(&Record::parse(&bytes).unwrap()), expected);
                last.push((stamp, interface, byte));
            }
        }
    }
}
