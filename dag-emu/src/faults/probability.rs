//! [`Probability`]: how often a fault strikes.

use std::fmt;
use std::str::FromStr;

use crate::units::{Decimal, NumberError};

/// How often something happens, per packet: more than never, at most always. Written `0.01` or `1/1000`.
#[derive(Debug, Clone, Copy)]
pub struct Probability {
    numerator: u64,
    denominator: u64,
}

/// Why a probability could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbabilityError {
    /// Not a number.
    #[error("{text:?} is not a rate per packet: {reason}; write 0.01 or 1/1000")]
    Number {
        /// As written.
        text: String,
        /// What is wrong with it.
        reason: NumberError,
    },
    /// Something stands behind the number.
    #[error("{text:?} is not a rate per packet; write 0.01 or 1/1000")]
    Trailing {
        /// As written.
        text: String,
    },
    /// Never, or more than always.
    #[error("a rate of {text} per packet cannot be: more than 0 and at most 1")]
    OutOfRange {
        /// As written.
        text: String,
    },
}

impl Probability {
    /// `numerator / denominator` times per packet; `None` for never and for more than always.
    #[must_use]
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if numerator > 0 && numerator <= denominator { Some(Self { numerator, denominator }) } else { None }
    }

    /// Once in `n`; always for 0.
    pub(super) const fn one_in(n: u64) -> Self {
        Self { numerator: 1, denominator: if n == 0 { 1 } else { n } }
    }

    /// In parts of 2^63, rounded down but never to 0: what a 63-bit draw is compared with.
    pub(super) const fn threshold(self) -> u64 {
        let scaled = ((self.numerator as u128) << 63) / self.denominator as u128;
        // At most 2^63, as the fraction is at most 1.
        if scaled == 0 { 1 } else { scaled as u64 }
    }
}

/// By value: `1/10` and `0.1` are the same.
impl PartialEq for Probability {
    fn eq(&self, other: &Self) -> bool {
        let cross = |a: &Self, b: &Self| u128::from(a.numerator) * u128::from(b.denominator);
        cross(self, other) == cross(other, self)
    }
}

impl Eq for Probability {}

impl FromStr for Probability {
    type Err = ProbabilityError;

    fn from_str(text: &str) -> Result<Self, ProbabilityError> {
        let number = |part: &str| match Decimal::read(part) {
            Ok((number, "")) => Ok(number.ratio()),
            Ok(_) => Err(ProbabilityError::Trailing { text: text.to_owned() }),
            Err(reason) => Err(ProbabilityError::Number { text: text.to_owned(), reason }),
        };
        let (numerator, denominator) = match text.split_once('/') {
            None => number(text)?,
            Some((numerator, denominator)) => match (whole(numerator), whole(denominator)) {
                (Some(numerator), Some(denominator)) => (numerator, denominator),
                _ => {
                    number(numerator)?;
                    number(denominator)?;
                    return Err(ProbabilityError::Trailing { text: text.to_owned() });
                }
            },
        };
        Self::new(numerator, denominator).ok_or_else(|| ProbabilityError::OutOfRange { text: text.to_owned() })
    }
}

/// Digits only, up to the largest that a probability is shown with.
fn whole(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            denominator if denominator == self.numerator => f.write_str("1"),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_ways_to_write_a_probability() {
        for (text, expected) in [("0.01", (1, 100)), ("1/1000", (1, 1000)), ("1", (1, 1)), ("3/4", (75, 100))] {
            assert_eq!(text.parse().ok(), Probability::new(expected.0, expected.1), "{text}");
        }
        for text in ["0", "0.0", "2", "1.5", "3/2", "1/0", "0/0", "0/5"] {
            let error = text.parse::<Probability>().unwrap_err().to_string();
            assert!(error.contains("more than 0 and at most 1"), "{text}: {error}");
        }
        for text in ["", "x", "1%", "1/", "/2", "0.1/2", "-1", "1/2/3", "1e-3"] {
            let error = text.parse::<Probability>().unwrap_err().to_string();
            assert!(error.contains("write 0.01 or 1/1000"), "{text}: {error}");
        }
    }

    #[test]
    fn thresholds_reach_from_the_least_to_always() {
        let threshold = |n, d| Probability::new(n, d).unwrap().threshold();
        assert_eq!(threshold(1, 1), 1 << 63);
        assert_eq!(threshold(u64::MAX, u64::MAX), 1 << 63);
        assert_eq!(threshold(1, 2), 1 << 62);
        assert_eq!(threshold(1, u64::MAX), 1);
    }

    proptest! {
        #[test]
        fn a_probability_is_read_back_as_shown(n in 1..=u64::MAX, d in 1..=u64::MAX) {
            let probability = Probability::new(n.min(d), n.max(d)).unwrap();
            prop_assert_eq!(probability.to_string().parse(), Ok(probability));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}|[0-9.]{0,20}/?[0-9.]{0,20}") {
            let _ = text.parse::<Probability>();
        }
    }
}
