//! How far apart two clocks are, before any packet is compared: by packets that both captures have once.

use std::path::Path;

use super::{ByDigest, Feed};
use crate::error::{Error, Repr};

/// Packets of each capture that are looked at.
const LOOK: usize = 200_000;

/// Those packets of a capture that it has once, with their stamps, and the stamps of the first and the last.
struct Head {
    once: ByDigest<i64>,
    span: Option<(i64, i64)>,
    feed: Feed,
}

fn head(path: &Path) -> Result<Head, Error> {
    let mut feed = Feed::open(path)?;
    let mut seen: ByDigest<Option<i64>> = ByDigest::default();
    let mut span = None;
    for _ in 0..LOOK {
        let Some(packet) = feed.next()? else { break };
        seen.entry(packet.digest).and_modify(|stamp| *stamp = None).or_insert(Some(packet.nanos));
        span = Some((span.map_or(packet.nanos, |(first, _)| first), packet.nanos));
    }
    let once = seen.into_iter().filter_map(|(digest, stamp)| Some((digest, stamp?))).collect();
    Ok(Head { once, span, feed })
}

/// The median difference of the stamps of the packets that both have once.
///
/// # Errors
///
/// When there is none, with what is in the captures.
pub(super) fn offset(a: &Path, b: &Path) -> Result<i64, Error> {
    let (a, b) = (head(a)?, head(b)?);
    let mut differences: Vec<i64> =
        b.once.iter().filter_map(|(digest, stamp)| Some(stamp - a.once.get(digest)?)).collect();
    if differences.is_empty() {
        let told = |head: &Head| {
            let side = head.feed.side;
            let of_ip = side.packets - side.snapped - side.other;
            let span = head.span.map_or_else(String::new, |(first, last)| {
                format!(
                    ", stamped {}.{:09} to {}.{:09}",
                    first.div_euclid(GIGA),
                    first.rem_euclid(GIGA),
                    last.div_euclid(GIGA),
                    last.rem_euclid(GIGA)
                )
            });
            format!("{} has {} packets, {of_ip} of them of IP and long enough{span}", head.feed.name, side.packets)
        };
        return Err(Repr::NoCommon { a: told(&a), b: told(&b), look: LOOK }.into());
    }
    let middle = differences.len() / 2;
    Ok(*differences.select_nth_unstable(middle).1)
}

const GIGA: i64 = 1_000_000_000;
