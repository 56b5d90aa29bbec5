//! [`FaultSpec`]: which faults, how often, and how that is written.

use std::fmt;
use std::str::FromStr;

use super::probability::{Probability, ProbabilityError};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The frame was bad on the wire: the rx error flag is set and its FCS is wrong.
    RxError,
    /// An error in the card's data stream: the ds error flag is set.
    DsError,
    /// The packet is cut short in the card: the truncation flag is set, and bytes are missing.
    Truncate,
    /// A PAD record in band before the packet.
    Pad,
    /// A META record in band before the packet.
    Meta,
    /// The stamp is earlier than that of the packet before.
    Disorder,
    /// The packet arrives 256 times.
    Burst,
    /// The link of the packet's port goes down, for 1000 packets.
    LinkDown,
    /// A hostile card: the record's length field is a lie.
    BadLength,
}

/// Every kind with its name and how often it strikes when that is not written: one packet in so many.
const KINDS: [(FaultKind, &str, u64); 9] = [
    (FaultKind::RxError, "rx-error", 1_000),
    (FaultKind::DsError, "ds-error", 1_000),
    (FaultKind::Truncate, "truncate", 1_000),
    (FaultKind::Pad, "pad", 1_000),
    (FaultKind::Meta, "meta", 1_000),
    (FaultKind::Disorder, "disorder", 1_000),
    // One strike is hundreds of packets: at one in a thousand there would be little else.
    (FaultKind::Burst, "burst", 100_000),
    (FaultKind::LinkDown, "link-down", 100_000),
    (FaultKind::BadLength, "bad-length", 1_000),
];

impl FaultKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; KINDS.len()] = {
        let mut all = [Self::RxError; KINDS.len()];
        let mut at = 0;
        while at < KINDS.len() {
            all[at] = KINDS[at].0;
            at += 1;
        }
        all
    };

    /// The name, as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// How often it strikes when that is not written.
    #[must_use]
    pub fn default_rate(self) -> Probability {
        Probability::one_in(self.entry().2)
    }

    fn entry(self) -> (Self, &'static str, u64) {
        // `KINDS` has them all; a test says so.
        KINDS.into_iter().find(|(kind, ..)| *kind == self).unwrap_or(KINDS[0])
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which faults a card has, and how often.
///
/// Written `NAME[:RATE][+NAME[:RATE]...]`, RATE being how often the fault strikes, per packet, as `0.01` or `1/1000`:
/// `rx-error+truncate:0.01+burst:1/50000`. At most one fault strikes a packet, so the rates add up to at most 1.
///
/// | name | default | what happens |
/// |---|---|---|
/// | `rx-error` | 1/1000 | rx error flag; the FCS is wrong |
/// | `ds-error` | 1/1000 | ds error flag |
/// | `truncate` | 1/1000 | truncation flag; the packet is cut short at a place drawn |
/// | `pad` | 1/1000 | a PAD record of 16 to 256 bytes before the packet |
/// | `meta` | 1/1000 | a META record before the packet |
/// | `disorder` | 1/1000 | a stamp up to 1 ms before that of the packet before |
/// | `burst` | 1/100000 | the packet 256 times back to back |
/// | `link-down` | 1/100000 | the port's link is down: the packet and the 999 that follow it at that port do not arrive, which is no loss |
/// | `bad-length` | 1/1000 | a length field of 0, 8, 15, too short for the headers, larger than the record, or 65535 |
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultSpec(Vec<(FaultKind, Probability)>);

/// Why a list of faults could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// A name that no fault has.
    #[error("there is no fault {name:?}; the faults are {}", names())]
    UnknownName {
        /// As written.
        name: String,
    },
    /// A rate that is none.
    #[error("{kind}: {reason}")]
    Rate {
        /// Whose rate.
        kind: FaultKind,
        /// What is wrong with it.
        reason: ProbabilityError,
    },
    /// The same fault twice.
    #[error("the fault {kind} is named twice")]
    NamedTwice {
        /// The fault.
        kind: FaultKind,
    },
    /// More faults than packets.
    #[error("the rates of the faults add up to more than 1, and at most one fault strikes a packet; lower them")]
    MoreThanAlways,
}

fn names() -> String {
    KINDS.map(|(_, name, _)| name).join(", ")
}

impl FaultSpec {
    /// No faults.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// These faults and one more.
    ///
    /// # Errors
    /// [`FaultError::NamedTwice`], [`FaultError::MoreThanAlways`].
    pub fn with(mut self, kind: FaultKind, rate: Probability) -> Result<Self, FaultError> {
        if self.0.iter().any(|(there, _)| *there == kind) {
            return Err(FaultError::NamedTwice { kind });
        }
        self.0.push((kind, rate));
        // Nine times 2^63 at most.
        let sum: u128 = self.0.iter().map(|(_, rate)| u128::from(rate.threshold())).sum();
        if sum > 1 << 63 { Err(FaultError::MoreThanAlways) } else { Ok(self) }
    }

    /// Whether there are no faults.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order in which they were named.
    pub fn iter(&self) -> impl Iterator<Item = (FaultKind, Probability)> {
        self.0.iter().copied()
    }
}

impl FromStr for FaultSpec {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        text.split('+').try_fold(Self::new(), |spec, fault| {
            let (name, rate) = fault.split_once(':').map_or((fault, None), |(name, rate)| (name, Some(rate)));
            let known = FaultKind::ALL.into_iter().find(|kind| kind.name() == name);
            let kind = known.ok_or_else(|| FaultError::UnknownName { name: name.to_owned() })?;
            let rate = match rate {
                Some(rate) => rate.parse().map_err(|reason| FaultError::Rate { kind, reason })?,
                None => kind.default_rate(),
            };
            spec.with(kind, rate)
        })
    }
}

/// As it is written, every rate said.
impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kind, rate)) in self.iter().enumerate() {
            write!(f, "{}{kind}:{rate}", if at == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_kind_has_its_own_name_and_entry() {
        for (kind, name, _) in KINDS {
            assert_eq!(kind.entry(), KINDS[FaultKind::ALL.iter().position(|k| *k == kind).unwrap()]);
            assert_eq!(name.parse::<FaultSpec>().unwrap().iter().next().unwrap(), (kind, kind.default_rate()));
        }
        assert_eq!(FaultKind::Burst.default_rate(), Probability::new(1, 100_000).unwrap());
    }

    #[test]
    fn faults_are_written_with_and_without_rates() {
        let spec: FaultSpec = "rx-error+truncate:0.01+burst:1/50000".parse().unwrap();
        assert_eq!(spec.to_string(), "rx-error:1/1000+truncate:1/100+burst:1/50000");
        let all = FaultKind::ALL.map(FaultKind::name).join("+");
        assert_eq!(all.parse::<FaultSpec>().unwrap().iter().count(), 9);
        assert!("pad:0.5+meta:0.5".parse::<FaultSpec>().is_ok());
    }

    #[test]
    fn wrong_faults_are_refused_by_name() {
        for (text, part) in [
            ("", "there is no fault \"\"; the faults are rx-error, ds-error, truncate, pad, meta, disorder, burst"),
            ("rxerror", "there is no fault \"rxerror\""),
            ("pad+", "there is no fault \"\""),
            ("pad: 0.1", "pad: \" 0.1\" is not a rate"),
            ("pad:", "pad: \"\" is not a rate"),
            ("pad:2", "pad: a rate of 2 per packet cannot be"),
            ("pad+meta+pad", "pad is named twice"),
            ("pad:0.6+meta:0.5", "add up to more than 1"),
        ] {
            let error = text.parse::<FaultSpec>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn faults_are_read_back_as_shown(rates in proptest::collection::vec(9u64..10u64.pow(18), 1..=9)) {
            let rates = FaultKind::ALL.into_iter().zip(&rates);
            let spec = rates.fold(FaultSpec::new(), |spec, (kind, one_in)| {
                spec.with(kind, Probability::new(1, *one_in).unwrap()).unwrap()
            });
            prop_assert_eq!(spec.to_string().parse(), Ok(spec));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,24}|((pad|meta|burst)(:[0-9./]{0,6})?[+]?){0,4}") {
            let _ = text.parse::<FaultSpec>();
        }
    }
}
