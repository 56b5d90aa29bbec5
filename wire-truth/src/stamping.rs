//! What is known of the stamps of a place, and what follows: a frame takes its time to pass, and a stamp is of its begin or of its end.

use std::fmt;
use std::num::NonZeroU64;

use crate::delay::Places;
use crate::echo::Leg;
use crate::vantage::{Pair, Vantage};

/// Which moment of a frame's passing a stamp is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StampPoint {
    /// Its first bit.
    Start,
    /// Its last bit.
    End,
}

/// What is known of the stamps of a place; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Stamping {
    /// Of requests. A kernel stamps what it sends before the first bit, and what it receives behind the last.
    pub request: Option<StampPoint>,
    /// Of replies.
    pub reply: Option<StampPoint>,
    /// Of the link that is stamped.
    pub bits_per_second: Option<NonZeroU64>,
    /// A stamp is off by so many nanoseconds at most, either way.
    pub error_ns: Option<u32>,
}

impl Stamping {
    /// From the stamp of a frame of so many bytes to the moment at which it was there whole, in nanoseconds. `None` where that is not known.
    pub fn until_end_ns(&self, leg: Leg, bytes: u16) -> Option<i64> {
        let point = if leg == Leg::Request { self.request } else { self.reply };
        match point? {
            StampPoint::End => Some(0),
            StampPoint::Start => {
                let rate = self.bits_per_second?.get();
                // Half a million bits at most, and no rate is below 1.
                i64::try_from((u64::from(bytes) * 8 * 1_000_000_000 + rate / 2) / rate).ok()
            }
        }
    }

    /// What is not known, and would have to be, of a place with this name.
    fn unknown_of(&self, name: &str) -> String {
        let moment = match (self.request, self.reply) {
            (None, None) => "the moment (start or end)",
            (None, _) => "the moment of requests (start or end)",
            (_, None) => "the moment of replies (start or end)",
            (Some(_), Some(_)) => "",
        };
        let needs_rate = [self.request, self.reply].contains(&Some(StampPoint::Start));
        let rate = if needs_rate && self.bits_per_second.is_none() { "the rate of the link" } else { "" };
        let both = if moment.is_empty() || rate.is_empty() { "" } else { " and " };
        format!("{moment}{both}{rate} of {name}")
    }

    /// Whole frames can be told.
    pub fn is_known(&self) -> bool {
        [Leg::Request, Leg::Reply].iter().all(|leg| self.until_end_ns(*leg, 0).is_some())
    }
}

impl fmt::Display for Stamping {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |point: Option<StampPoint>| match point {
            Some(StampPoint::Start) => "start",
            Some(StampPoint::End) => "end",
            None => "unknown",
        };
        match (word(self.request), word(self.reply)) {
            (request, reply) if request == reply => write!(out, "point {request}")?,
            (request, reply) => write!(out, "point {request} of requests, {reply} of replies")?,
        }
        match self.bits_per_second {
            Some(rate) => write!(out, ", {rate} bit/s")?,
            None => write!(out, ", rate unknown")?,
        }
        match self.error_ns {
            Some(error) => write!(out, ", error {error} ns"),
            None => write!(out, ", error unknown"),
        }
    }
}

/// All captures, with the stamps of whole frames.
pub(crate) struct Ended {
    wire: Vantage,
    kernel: Option<Vantage>,
    dom0: Option<Vantage>,
    others: Vec<Vantage>,
}

impl Ended {
    pub(crate) fn places<'a>(&'a self, places: &Places<'a>) -> Places<'a> {
        let (kernel, dom0) = (self.kernel.as_ref(), self.dom0.as_ref());
        Places { wire: &self.wire, kernel, dom0, user: places.user, others: &self.others }
    }
}

/// All captures with stamps at the end of each frame, if that is known of every one: layers add up only where all of them are counted alike.
///
/// # Errors
///
/// What is not known of which, where it is of another.
pub(crate) fn at_end(places: &Places<'_>) -> Result<Option<Ended>, Vec<String>> {
    let captures = || [Some(places.wire), places.kernel, places.dom0].into_iter().flatten().chain(places.others);
    let unknown: Vec<String> = captures()
        .filter(|place| !place.stamping().is_known())
        .map(|place| place.stamping().unknown_of(place.name()))
        .collect();
    match unknown.len() {
        0 => {}
        some if some == captures().count() => return Ok(None),
        _ => return Err(unknown),
    }
    let ended = |place: &Vantage| place.shifted(|leg, bytes| place.stamping().until_end_ns(leg, bytes).unwrap_or(0));
    Ok(Some(Ended {
        wire: ended(places.wire),
        kernel: places.kernel.map(ended),
        dom0: places.dom0.map(ended),
        others: places.others.iter().map(ended).collect(),
    }))
}

/// A stamp of each leg, moved.
pub(crate) fn moved(pair: Pair, by: impl Fn(Leg) -> i64) -> Pair {
    let of = |leg| pair.leg(leg).map(|nanos| nanos.saturating_add(by(leg)));
    Pair { request: of(Leg::Request), reply: of(Leg::Reply) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_its_bits_at_the_rate_of_its_link() {
        let mut stamping = Stamping { bits_per_second: NonZeroU64::new(100_000_000), ..Stamping::default() };
        assert_eq!(stamping.until_end_ns(Leg::Request, 64), None, "of which moment it is must be known");
        (stamping.request, stamping.reply) = (Some(StampPoint::Start), Some(StampPoint::End));
        assert_eq!(stamping.until_end_ns(Leg::Request, 64), Some(5_120));
        assert_eq!(stamping.until_end_ns(Leg::Reply, 64), Some(0));
        assert!(stamping.is_known());
        assert_eq!(stamping.to_string(), "point start of requests, end of replies, 100000000 bit/s, error unknown");
        stamping.bits_per_second = NonZeroU64::new(3);
        assert_eq!(stamping.until_end_ns(Leg::Request, u16::MAX), Some(174_760_000_000_000));
        stamping.bits_per_second = None;
        assert!(!stamping.is_known());
        stamping.request = Some(StampPoint::End);
        assert!(stamping.is_known(), "the end needs no rate");
    }
}
