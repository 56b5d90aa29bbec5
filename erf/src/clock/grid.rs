//! [`Grid`]: who made the stamps, by the fractions they have.

use std::fmt;

use crate::pieces::{Mergeable, Piece};
use crate::{Defect, Fraction, Record, Rounding, Tick, Timestamp};

/// Low bits that a counter must leave zero to be told from software: 1 in 16 stamps of full resolution has them by chance.
const FEWEST_ZEROS: u32 = 4;

/// What makes stamps that look like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Maker {
    /// A binary counter, as in DAG cards: low bits are zero. An emulated card does the same.
    Counter(Tick),
    /// Software that counts microseconds.
    Microseconds,
    /// Software that counts nanoseconds, as the kernel does.
    Nanoseconds,
    /// Every bit is in use, or there are too few stamps.
    Unknown,
}

/// Who made the stamps, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Likeness {
    /// Who.
    pub maker: Maker,
    /// Decimal logarithm of the probability that as many stamps that use every bit look like this by chance: -3 is one in a
    /// thousand.
    pub chance: f64,
}

impl Likeness {
    /// How sure it is, in a word: certain beyond one in a billion, likely beyond one in a thousand.
    pub fn word(&self) -> &'static str {
        match self.chance {
            _ if self.maker == Maker::Unknown => "unknown",
            chance if chance < -9.0 => "certain",
            chance if chance < -3.0 => "likely",
            _ => "weak",
        }
    }
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.maker {
            Maker::Counter(tick) => write!(f, "a counter with a step of {tick}: hardware, or what emulates it")?,
            Maker::Microseconds => f.write_str("multiples of a microsecond: software")?,
            Maker::Nanoseconds => f.write_str("multiples of a nanosecond: software")?,
            Maker::Unknown => return f.write_str("not to be told: every bit is in use, or the stamps are too few"),
        }
        write!(f, " ({}; by chance 1 in 10^{:.0})", self.word(), -self.chance)
    }
}

/// On which multiples the stamps of packets lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grid {
    /// Packets looked at.
    pub stamps: u64,
    /// Of these, stamps on whole seconds, which lie on any multiple and say nothing.
    pub whole_seconds: u64,
    /// Stamps that are a number of microseconds, rounded up or down to 2^-32 s; whole seconds are left out.
    pub microseconds: u64,
    /// The same for nanoseconds.
    pub nanoseconds: u64,
    /// Fraction bits that are set in any.
    bits: u32,
}

impl Grid {
    /// Takes the stamp of a packet.
    pub fn add(&mut self, stamp: Timestamp) {
        self.stamps += 1;
        if stamp.frac() == 0 {
            self.whole_seconds += 1;
            return;
        }
        self.bits |= stamp.frac();
        let (micros, nanos) = (stamp.to_micros(Rounding::HalfUp), stamp.nanos());
        let is = |made: Option<Timestamp>| made == Some(stamp);
        let of_micros = |rule| is(Timestamp::from_micros(micros, rule));
        let of_nanos = |rule| is(Timestamp::from_nanos(nanos, rule));
        self.microseconds += u64::from(of_micros(Fraction::Ceil) || of_micros(Fraction::Floor));
        self.nanoseconds += u64::from(of_nanos(Fraction::Ceil) || of_nanos(Fraction::Floor));
    }

    /// What follows.
    pub fn likeness(&self) -> Likeness {
        let telling = self.stamps - self.whole_seconds;
        let zeros = self.bits.trailing_zeros();
        let n = telling as f64;
        // Of the 2^32 fractions, so many are a multiple rounded up or down.
        let share = |per_second: f64| (2.0 * per_second / 2f64.powi(32)).log10() * n;
        let candidates = [
            (zeros >= FEWEST_ZEROS, Maker::Counter(self.tick()), -f64::from(zeros) * n * 2f64.log10()),
            (self.microseconds == telling, Maker::Microseconds, share(1e6)),
            (self.nanoseconds == telling && self.microseconds < telling, Maker::Nanoseconds, share(1e9)),
        ];
        let fitting = candidates.into_iter().filter(|&(fits, _, _)| fits && telling > 0);
        let best = fitting.min_by(|(_, _, one), (_, _, other)| one.total_cmp(other));
        best.map_or(Likeness { maker: Maker::Unknown, chance: 0.0 }, |(_, maker, chance)| Likeness { maker, chance })
    }

    /// The coarsest step on which they lie.
    fn tick(&self) -> Tick {
        Tick::observed([Timestamp::from_parts(0, self.bits)]).unwrap_or(Tick::FINEST)
    }
}

impl Piece for Grid {
    fn record(&mut self, _offset: u64, record: &Record<'_>) {
        if record.is_packet() {
            self.add(record.timestamp());
        }
    }

    fn defect(&mut self, _defect: Defect) {}
}

impl Mergeable for Grid {
    fn merge(&mut self, next: Self) {
        self.stamps += next.stamps;
        self.whole_seconds += next.whole_seconds;
        self.microseconds += next.microseconds;
        self.nanoseconds += next.nanoseconds;
        self.bits |= next.bits;
    }
}
