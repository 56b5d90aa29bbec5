//! Packets that both captures have once, all along: what tells how far apart the clocks are, before any packet is compared.
//!
//! Of each capture those packets are kept whose digests are the lowest. A digest is the same at both places, so both keep the same packets,
//! as far as they have them, without knowing of each other; and as digests are as good as drawn, these lie evenly in the capture.

use std::io;
use std::path::Path;
use std::thread;

use super::feed::{ByDigest, Seen, next_block, open};
use super::way::{Source, Way};
use super::{Side, stamp};
use crate::error::{Error, Repr};

/// Packets that are kept of each capture.
pub(super) const MOST: usize = 1 << 16;

/// With fewer of them in common the longer capture is read again, for those of the shorter.
const FEW: usize = 256;

/// A packet that is once in either capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    /// Its place in the second capture, of those that can be known again.
    pub(super) number: u64,
    /// Stamp of the first, in nanoseconds since 1970.
    pub(super) a: i64,
    /// Stamp of the second.
    pub(super) b: i64,
    /// Which way it goes.
    pub(super) way: Way,
}

/// Where in its capture a packet is.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    nanos: i64,
    way: Way,
}

/// Packets of one capture, of which those that it has several times are known to be there, and no more.
#[derive(Debug, Default)]
struct Found {
    kept: ByDigest<Option<Place>>,
    /// None was kept that ranks above, where the capture has more than are kept.
    limit: Option<u64>,
    side: Side,
    /// Stamps of the first and the last packet.
    span: Option<(i64, i64)>,
}

/// What orders packets: the digest, turned. A table has its places by the lowest and the highest bits, and these are to differ.
fn rank(digest: u64) -> u64 {
    digest.rotate_left(24)
}

impl Found {
    fn note(&mut self, digest: u64, place: Place) {
        // One that is there again is none that tells anything.
        self.kept.entry(digest).and_modify(|place| *place = None).or_insert(Some(place));
    }

    /// Notes one if it is among the `most` lowest.
    fn take(&mut self, digest: u64, place: Place, most: usize) {
        if self.limit.is_none_or(|limit| rank(digest) <= limit) {
            self.note(digest, place);
            // Twice as many, so that it is seldom done.
            if self.kept.len() > 2 * most {
                self.cut(most);
            }
        }
    }

    /// Lets go all but the `most` lowest.
    fn cut(&mut self, most: usize) {
        let mut ranks: Vec<u64> = self.kept.keys().map(|digest| rank(*digest)).collect();
        if let Some(last) = most.checked_sub(1).filter(|last| *last < ranks.len()) {
            let limit = *ranks.select_nth_unstable(last).1;
            self.kept.retain(|digest, _| rank(*digest) <= limit);
            self.limit = Some(limit);
        }
    }

    /// The `most` lowest of a capture.
    fn lowest(path: &Path, from: Option<Source>, most: usize) -> Result<Self, Error> {
        Self::read(path, from, |found, seen, place| found.take(seen.digest, place, most))
    }

    /// Those of a capture that another one has.
    fn wanted(path: &Path, from: Option<Source>, of: &Self) -> Result<Self, Error> {
        Self::read(path, from, |found, seen, place| {
            if of.kept.contains_key(&seen.digest) {
                found.note(seen.digest, place);
            }
        })
    }

    fn read(path: &Path, from: Option<Source>, mut each: impl FnMut(&mut Self, &Seen, Place)) -> Result<Self, Error> {
        let mut reader = open(path)?;
        let (mut found, mut number) = (Self::default(), 0);
        while let Some(block) = next_block(&mut reader, from)? {
            found.side.add(block.side);
            for seen in &block.seen {
                let nanos = seen.nanos;
                found.span = Some((found.span.map_or(nanos, |(first, _)| first), nanos));
                each(&mut found, seen, Place { number, nanos, way: seen.way });
                number += 1;
            }
        }
        Ok(found)
    }

    fn told(&self, path: &Path) -> String {
        let (name, packets) = (path.display(), self.side.packets);
        let Side { snapped, other, elsewhere, .. } = self.side;
        let of_ip = packets - snapped - other - elsewhere;
        let from = if elsewhere > 0 { " and from where was asked for" } else { "" };
        let span = |(first, last)| format!(", stamped {} to {}", stamp(first), stamp(last));
        let span = self.span.map_or_else(String::new, span);
        format!("{name} has {packets} packets, {of_ip} of them of IP and long enough{from}{span}")
    }
}

/// The packets that both have once, in the order of the second capture. Of each about `most` are looked at, whatever it has.
///
/// # Errors
///
/// When there is none, with what is in the captures.
pub(super) fn find(a: &Path, b: &Path, from: Option<Source>, most: usize) -> Result<Vec<Anchor>, Error> {
    let (mut first, mut second) = thread::scope(|scope| {
        let name = || a.display().to_string();
        let spawned =
            thread::Builder::new().name("anchors".to_owned()).spawn_scoped(scope, || Found::lowest(a, from, most));
        let other = spawned.map_err(|cause| Repr::Io { path: name(), cause })?;
        let second = Found::lowest(b, from, most);
        let gone = |_| Repr::Io { path: name(), cause: io::Error::other("what reads it has ended") };
        Ok::<_, Error>((other.join().map_err(gone)??, second?))
    })?;
    let mut anchors = common(&first, &second);
    if anchors.len() < FEW {
        // Of a long capture so little is kept that a short one has hardly any of it.
        match (first.limit, second.limit) {
            (Some(limit), other) if other.is_none_or(|other| limit < other) => first = Found::wanted(a, from, &second)?,
            (_, Some(_)) => second = Found::wanted(b, from, &first)?,
            _ => {}
        }
        anchors = common(&first, &second);
    }
    if anchors.is_empty() {
        return Err(Repr::NoCommon { a: first.told(a), b: second.told(b) }.into());
    }
    Ok(anchors)
}

fn common(first: &Found, second: &Found) -> Vec<Anchor> {
    let both = second.kept.iter().filter_map(|(digest, place)| {
        let (here, there) = ((*place)?, (*first.kept.get(digest)?)?);
        Some(Anchor { number: here.number, a: there.nanos, b: here.nanos, way: here.way })
    });
    let mut anchors: Vec<Anchor> = both.collect();
    anchors.sort_unstable_by_key(|anchor| anchor.number);
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A digest as good as drawn (splitmix64).
    fn digest(number: u64) -> u64 {
        let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn lowest(numbers: impl IntoIterator<Item = u64>, most: usize) -> Found {
        let mut found = Found::default();
        for (number, of) in (0..).zip(numbers) {
            found.take(digest(of), Place { number, nanos: of as i64, way: Way::default() }, most);
            assert!(found.kept.len() <= 2 * most + 1);
        }
        // What was let go and comes again would seem to be there once.
        assert!(found.kept.keys().all(|digest| found.limit.is_none_or(|limit| rank(*digest) <= limit)));
        found
    }

    #[test]
    fn both_keep_the_same_all_along() {
        // The first begins long before the second, which ends long after.
        let (a, b) = (lowest(0..60_000, 500), lowest(40_000..100_000, 500));
        let anchors = common(&a, &b);
        // 500 to 1000 are kept of 60 000, and a third is common.
        assert!((150..350).contains(&anchors.len()), "{}", anchors.len());
        assert!(anchors.iter().all(|anchor| anchor.a == anchor.b && anchor.number + 40_000 == anchor.b as u64));
        for part in [40_000..45_000, 55_000..60_000] {
            assert!(anchors.iter().any(|anchor| part.contains(&anchor.a)), "{part:?}");
        }
    }

    #[test]
    fn what_comes_again_is_none_but_takes_its_place() {
        // Each tenth is one of ten that come again and again.
        let numbers = |from: u64| (from..from + 20_000).map(|of| if of % 10 == 0 { of % 100 } else { of });
        let (a, b) = (lowest(numbers(1_000), 500), lowest(numbers(1_000), 500));
        let anchors = common(&a, &b);
        assert!(anchors.len() >= 490 && anchors.iter().all(|anchor| anchor.a % 10 != 0 && anchor.a == anchor.b));
        assert_eq!(lowest([3; 5_000], 500).kept.len(), 1);
        assert!(common(&lowest([3; 50], 5), &lowest([3; 50], 5)).is_empty());
    }
}
