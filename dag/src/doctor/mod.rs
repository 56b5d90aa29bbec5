//! What keeps a card from capturing, and the one thing to fix.
//!
//! Checks in the order in which things depend on each other: driver, library, device node, permission, stream memory, links,
//! clock, disk. What cannot be looked at because of something before it is skipped.
//!
//! ```
//! let findings = dag::doctor::examine(Some("emu:synthetic"), std::path::Path::new("."));
//! for finding in &findings {
//!     println!("{:?} {}: {}", finding.verdict, finding.check, finding.found);
//! }
//! assert!(dag::doctor::first_to_fix(&findings).is_none());
//! ```

mod card;
mod disk;
mod machine;

use std::path::Path;

use crate::card::Card;
use crate::device::Device;
use crate::probe;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and something is to be known.
    Notice,
    /// It does not work like this.
    Bad,
    /// It could not be looked at, or does not matter here.
    Skipped,
}

impl Verdict {
    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Bad => "bad",
            Self::Skipped => "skipped",
        }
    }
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at: `driver`, `library`, `values`, `device`, `permission`, `streams`, `links`, `clock`, `disk`.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, found: found.into(), fix: None }
    }

    fn skipped(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Skipped, found: found.into(), fix: None }
    }

    fn notice(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Notice, found: found.into(), fix: Some(fix.into()) }
    }

    fn bad(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Bad, found: found.into(), fix: Some(fix.into()) }
    }
}

/// The finding to deal with first: what comes after it may be its consequence. `None` when all is well enough to capture.
pub fn first_to_fix(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.verdict == Verdict::Bad)
}

/// Looks at everything that capturing from the card `device` needs, with recordings going to the folder `recordings`. Without a name it
/// is the first real card, or, on a machine where nothing hints at one, the first that `dagemu` serves.
pub fn examine(device: Option<&str>, recordings: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let card = match device.map(str::parse::<Device>) {
        Some(Err(error)) => {
            findings.push(Finding::bad("device", error.to_string(), "write a name that dagctl list shows"));
            None
        }
        Some(Ok(Device::Real { card, .. })) => real(Some(card), &mut findings),
        Some(Ok(device @ (Device::Emulated(_) | Device::Served(_)))) => emulated(&device, &mut findings),
        None => match first_served().filter(|_| probe::hint().is_none()) {
            Some(name) => emulated(&Device::Served(name), &mut findings),
            None => real(None, &mut findings),
        },
    };
    match card {
        Some(card) => findings.extend(card::examine(&card)),
        None => findings
            .extend(["streams", "links", "clock"].map(|check| Finding::skipped(check, "the card could not be opened"))),
    }
    findings.push(disk::examine(recordings));
    findings
}

fn first_served() -> Option<String> {
    dag_emu::serve::list().into_iter().next().map(|(name, _)| name)
}

fn real(number: Option<u32>, findings: &mut Vec<Finding>) -> Option<Card> {
    let machine = machine::Machine::here();
    let number = number.or_else(|| machine.first_card()).unwrap_or(0);
    let library = machine::library();
    // A library that brings its own card needs no driver, and has no device nodes.
    let brings_card = library.emulated;
    match brings_card {
        true => findings.push(Finding::skipped("driver", "the library emulates the card")),
        false => findings.push(machine.driver()),
    }
    let has_library = library.is_there;
    findings.extend(library.findings);
    if !brings_card {
        findings.extend(machine.device(number));
    }
    if !has_library {
        return None;
    }
    let name = format!("dag{number}");
    match Card::open(&name) {
        Ok(card) => Some(card),
        Err(error) => {
            // Otherwise it says the same as what was found before.
            if first_to_fix(findings).is_none() {
                findings.push(Finding::bad(
                    "device",
                    error.to_string(),
                    "see `dagctl list` for the cards that are there",
                ));
            }
            None
        }
    }
}

fn emulated(device: &Device, findings: &mut Vec<Finding>) -> Option<Card> {
    findings.push(Finding::skipped("driver", "an emulated card needs none"));
    findings.push(Finding::skipped("library", "an emulated card needs none"));
    match Card::open_device(device, &device.to_string()) {
        Ok(card) => {
            findings.push(Finding::good("device", format!("{device}: {}", card.info().description)));
            Some(card)
        }
        Err(error) => {
            let fix = match error.kind() {
                crate::ErrorKind::Permission => "run as its owner, or as a user of its socket's group",
                crate::ErrorKind::NotFound => "start it: dagemu run NAME, or see dagctl list",
                _ => "correct the name of the device; docs/emulator.md has the grammar",
            };
            findings.push(Finding::bad("device", error.to_string(), fix));
            None
        }
    }
}
