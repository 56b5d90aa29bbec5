//! [`SizeMix`]: how long the frames of a synthetic feed are.

use std::fmt;
use std::str::FromStr;

/// Shortest frame of a mix: the least that Ethernet allows (IEEE 802.3).
pub(super) const MIN: u16 = 64;
/// Longest frame of a mix: a jumbo frame of 9000 bytes and more; no standard sets it.
const MAX: u16 = 9600;
/// The simple IMIX, in parts of [`IMIX_PARTS`]: seven short, four middle, one long.
const IMIX: [(u16, u32); 3] = [(64, 7), (594, 4), (1518, 1)];
const IMIX_PARTS: u32 = 12;

/// The lengths of the frames of a synthetic feed: on the wire, **FCS included**, preamble and gap not.
///
/// | written | frames |
/// |---|---|
/// | `64` | all of 64 bytes; any length from 64 to 9600 |
/// | `imix` | 64, 594 and 1518 bytes as 7 : 4 : 1, drawn at random; 361.8 bytes on average |
/// | `64-1518` | every length between the two, both included, equally likely |
///
/// The default is `64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SizeMix(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Fixed(u16),
    Imix,
    Uniform { least: u16, most: u16 },
}

/// Why a size mix could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SizeError {
    /// Not one of the ways to write a mix.
    #[error("{text:?} is not a frame size; write a length from {MIN} to {MAX}, two of them as in 64-1518, or imix")]
    Unknown {
        /// As written.
        text: String,
    },
    /// A length that no frame of a feed has.
    #[error("frames of {size} bytes cannot be: with FCS a frame has {MIN} to {MAX} bytes")]
    OutOfRange {
        /// The length asked for.
        size: u64,
    },
    /// The first of two lengths is the larger one.
    #[error("the sizes {least}-{most} are the wrong way round; write {most}-{least}")]
    Reversed {
        /// The first.
        least: u16,
        /// The second.
        most: u16,
    },
}

impl SizeMix {
    /// `imix`.
    pub const IMIX: Self = Self(Kind::Imix);

    /// Frames of `size` bytes.
    ///
    /// # Errors
    /// [`SizeError::OutOfRange`].
    pub fn fixed(size: u16) -> Result<Self, SizeError> {
        check(u64::from(size)).map(|size| Self(Kind::Fixed(size)))
    }

    /// Frames of `least` to `most` bytes, all lengths equally likely.
    ///
    /// # Errors
    /// [`SizeError::OutOfRange`], [`SizeError::Reversed`].
    pub fn uniform(least: u16, most: u16) -> Result<Self, SizeError> {
        let (least, most) = (check(u64::from(least))?, check(u64::from(most))?);
        match least.cmp(&most) {
            std::cmp::Ordering::Less => Ok(Self(Kind::Uniform { least, most })),
            std::cmp::Ordering::Equal => Ok(Self(Kind::Fixed(least))),
            std::cmp::Ordering::Greater => Err(SizeError::Reversed { least, most }),
        }
    }

    /// The shortest frame, in bytes.
    #[must_use]
    pub const fn least(self) -> u16 {
        match self.0 {
            Kind::Fixed(size) => size,
            Kind::Imix => IMIX[0].0,
            Kind::Uniform { least, .. } => least,
        }
    }

    /// The longest frame, in bytes.
    #[must_use]
    pub const fn most(self) -> u16 {
        match self.0 {
            Kind::Fixed(size) => size,
            Kind::Imix => IMIX[2].0,
            Kind::Uniform { most, .. } => most,
        }
    }

    /// The length of the frame for which `draw` was drawn, uniformly from all `u32`.
    #[inline]
    pub(super) fn draw(self, draw: u32) -> u16 {
        match self.0 {
            Kind::Fixed(size) => size,
            Kind::Imix => match below(draw, IMIX_PARTS) {
                part if part < IMIX[0].1 => IMIX[0].0,
                part if part < IMIX[0].1 + IMIX[1].1 => IMIX[1].0,
                _ => IMIX[2].0,
            },
            // The result is at most `most`.
            Kind::Uniform { least, most } => least + below(draw, u32::from(most - least) + 1) as u16,
        }
    }
}

/// `draw`, uniform over all `u32`, scaled down to `0..n`.
#[inline]
pub(super) const fn below(draw: u32, n: u32) -> u32 {
    ((draw as u64 * n as u64) >> 32) as u32
}

fn check(size: u64) -> Result<u16, SizeError> {
    match u16::try_from(size) {
        Ok(size @ MIN..=MAX) => Ok(size),
        _ => Err(SizeError::OutOfRange { size }),
    }
}

impl Default for SizeMix {
    fn default() -> Self {
        Self(Kind::Fixed(MIN))
    }
}

impl FromStr for SizeMix {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        if text.eq_ignore_ascii_case("imix") {
            return Ok(Self::IMIX);
        }
        let size = |digits: &str| {
            let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            // Too many digits are a length too large.
            let size = all_digits.then(|| digits.parse().unwrap_or(u64::MAX));
            check(size.ok_or_else(|| SizeError::Unknown { text: text.to_owned() })?)
        };
        match text.split_once('-') {
            Some((least, most)) => Self::uniform(size(least)?, size(most)?),
            None => Self::fixed(size(text)?),
        }
    }
}

impl fmt::Display for SizeMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Fixed(size) => write!(f, "{size}"),
            Kind::Imix => f.write_str("imix"),
            Kind::Uniform { least, most } => write!(f, "{least}-{most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_to_write_a_mix() {
        for (text, least, most) in
            [("64", 64, 64), ("1518", 1518, 1518), ("9600", 9600, 9600), ("imix", 64, 1518), ("64-1518", 64, 1518)]
        {
            let mix: SizeMix = text.parse().unwrap();
            assert_eq!((mix.least(), mix.most()), (least, most));
            assert_eq!(mix.to_string(), text);
        }
        assert_eq!("IMIX".parse(), Ok(SizeMix::IMIX));
        assert_eq!("100-100".parse(), SizeMix::fixed(100));
        assert_eq!(SizeMix::default().to_string(), "64");
    }

    #[test]
    fn wrong_mixes_are_refused_by_name() {
        for (text, part) in [
            ("", "\"\" is not a frame size"),
            ("big", "\"big\" is not a frame size"),
            ("64-", "\"64-\" is not a frame size"),
            ("+64", "\"+64\" is not a frame size"),
            ("64-128-256", "\"64-128-256\" is not a frame size"),
            ("63", "frames of 63 bytes cannot be"),
            ("0", "frames of 0 bytes cannot be"),
            ("9601", "64 to 9600"),
            ("99999999999999999999", "64 to 9600"),
            ("64-9601", "64 to 9600"),
            ("1518-64", "write 64-1518"),
        ] {
            let error = text.parse::<SizeMix>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn imix_is_seven_to_four_to_one() {
        let steps = 1_200_000u32;
        let mut seen = [0u32; 3];
        for step in 0..steps {
            let draw = (u64::from(step) << 32) / u64::from(steps);
            let size = SizeMix::IMIX.draw(draw as u32);
            seen[IMIX.iter().position(|(known, _)| *known == size).unwrap()] += 1;
        }
        for (seen, (_, parts)) in seen.iter().zip(IMIX) {
            assert!(seen.abs_diff(parts * 100_000) <= 1, "{seen} instead of {parts}00000");
        }
    }

    proptest! {
        #[test]
        fn a_mix_is_read_back_as_shown_and_draws_within_itself(a in MIN..=MAX, b in MIN..=MAX, draw: u32) {
            let mix = SizeMix::uniform(a.min(b), a.max(b)).unwrap();
            prop_assert_eq!(mix.to_string().parse(), Ok(mix));
            prop_assert!((mix.least()..=mix.most()).contains(&mix.draw(draw)));
            prop_assert_eq!((mix.draw(0), mix.draw(u32::MAX)), (mix.least(), mix.most()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}|[0-9]{0,6}-?[0-9]{0,6}") {
            let _ = text.parse::<SizeMix>();
        }
    }
}
