//! What is held of the first capture while its packets may still arrive.
//!
//! Held are a million packets, more than a cache has room for, and each is looked for at a place that no other is near to. So what is in the
//! table is little, and what can be had without it is in the order of reading.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use super::feed::{ByDigest, Seen};

/// Packets that are looked at together, before they are.
pub(super) const LOOKED_AT: usize = 32;

/// A packet of the first capture that may still arrive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    seen: Seen,
    arrived: bool,
}

/// Those that are alike.
#[derive(Debug, Clone, Copy)]
struct Alike {
    /// The last of them: its place among those of the first capture, as far as 32 bits tell.
    last: u32,
    /// So many are held.
    held: u32,
}

/// What is known of a packet that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// It is not held.
    None,
    /// There are several like it.
    Several,
    /// It has arrived before.
    Again,
    /// Its stamp, in nanoseconds since 1970, and its place among those of the first capture.
    One(i64, u64),
}

/// What is held of the first capture: in order of reading, and by digest.
#[derive(Debug, Default)]
pub(super) struct Holding {
    order: VecDeque<Held>,
    by_digest: ByDigest<Alike>,
    read: u64,
}

impl Holding {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Looks at the places in the table of packets that are to be taken, or looked for, and of those that are to go. The processor does so for
    /// many at once, and has them in its cache when they come one by one.
    pub(super) fn look_ahead(&self, coming: [&[Seen]; 2]) {
        let oldest = self.order.iter().take(LOOKED_AT).map(|held| held.seen.digest);
        let coming = coming.into_iter().flat_map(|seen| seen.iter().take(LOOKED_AT)).map(|seen| seen.digest);
        let known = oldest.chain(coming).filter(|digest| self.by_digest.contains_key(digest)).count();
        std::hint::black_box(known);
    }

    /// Where in the order that one is whose place among all ends with these bits.
    fn place(&self, last: u32) -> usize {
        let first = self.read - self.order.len() as u64;
        last.wrapping_sub(first as u32) as usize
    }

    pub(super) fn take(&mut self, seen: Seen) {
        let last = self.read as u32;
        let mut arrived = false;
        match self.by_digest.entry(seen.digest) {
            Entry::Vacant(place) => _ = place.insert(Alike { last, held: 1 }),
            Entry::Occupied(mut place) => {
                let before = std::mem::replace(&mut place.get_mut().last, last);
                place.get_mut().held += 1;
                // Of several alike none is known to have arrived before the others.
                arrived = self.order.get(self.place(before)).is_some_and(|held| held.arrived);
            }
        }
        self.order.push_back(Held { seen, arrived });
        self.read += 1;
    }

    /// Looks for a packet of the second capture, which has arrived with that.
    pub(super) fn arrive(&mut self, digest: u64) -> Match {
        let Some(alike) = self.by_digest.get(&digest).copied() else { return Match::None };
        let at = self.place(alike.last);
        let number = self.read - self.order.len() as u64 + at as u64;
        let Some(held) = self.order.get_mut(at) else { return Match::None };
        let before = std::mem::replace(&mut held.arrived, true);
        match (alike.held, before) {
            (2.., _) => Match::Several,
            (_, true) => Match::Again,
            (_, false) => Match::One(held.seen.nanos, number),
        }
    }

    /// The stamp of the oldest, and whether it has arrived, as far as it is not one of several.
    pub(super) fn oldest(&self) -> Option<(i64, bool)> {
        let held = self.order.front()?;
        Some((held.seen.nanos, held.arrived))
    }

    /// Lets the oldest go; whether it has arrived.
    pub(super) fn let_go(&mut self) -> Option<bool> {
        let first = self.order.front()?;
        let (digest, mut arrived) = (first.seen.digest, first.arrived);
        if let Entry::Occupied(mut place) = self.by_digest.entry(digest) {
            let Alike { last, held } = *place.get();
            if held == 1 {
                place.remove();
            } else {
                place.get_mut().held -= 1;
                arrived = self.order.get(self.place(last)).is_some_and(|held| held.arrived);
            }
        }
        self.order.pop_front();
        Some(arrived)
    }

    /// Lets go what is stamped before `earliest` and was read before all that is not; how many of these have not arrived.
    pub(super) fn let_go_before(&mut self, earliest: i64) -> u64 {
        let mut missing = 0;
        while self.order.front().is_some_and(|oldest| oldest.seen.nanos < earliest) {
            missing += u64::from(self.let_go() == Some(false));
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(digest: u64, nanos: i64) -> Seen {
        Seen { digest, nanos, bytes: 64, way: Default::default() }
    }

    #[test]
    fn of_several_alike_the_one_that_is_left_is_itself() {
        let mut holding = Holding { read: u64::from(u32::MAX) - 1, ..Holding::default() };
        for (digest, nanos) in [(1, 10), (2, 20), (1, 30), (3, 40)] {
            holding.take(seen(digest, nanos));
        }
        assert_eq!(holding.oldest(), Some((10, false)));
        assert_eq!(holding.let_go(), Some(false));
        assert_eq!(holding.arrive(1), Match::One(30, u64::from(u32::MAX) + 1), "not the stamp of the one that went");
        assert_eq!((holding.arrive(1), holding.arrive(9)), (Match::Again, Match::None));
        holding.take(seen(1, 50));
        assert_eq!((holding.arrive(1), holding.arrive(3)), (Match::Several, Match::One(40, u64::from(u32::MAX) + 2)));
        assert_eq!(holding.let_go_before(40), 1, "the second of them never arrived");
        assert_eq!([holding.let_go(), holding.let_go(), holding.let_go()], [Some(true), Some(true), None]);
        assert!(holding.by_digest.is_empty());
        // One that arrives may be any of them: all have.
        holding.take(seen(5, 60));
        holding.take(seen(5, 70));
        assert_eq!(holding.arrive(5), Match::Several);
        assert_eq!([holding.let_go(), holding.let_go()], [Some(true), Some(true)]);
    }
}
