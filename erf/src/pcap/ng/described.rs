//! What META records have said about ports and about who captured, for the blocks of pcapng that say
//! the same.

use erf_core::identity::{Identity, ImplicitHost};
use erf_core::meta::{Meta, SectionType, TagType};
use erf_core::{Record, Timestamp};

use super::Section;
use super::options::cut;

/// Ports kept: META may describe more than a file has packets of.
const MAX_PORTS: usize = 1024;

/// How the comment of a section begins that names the host: pcapng has no field for it.
pub(crate) const HOST_COMMENT: &str = "host: ";

/// Texts are kept up to this many bytes.
const MAX_TEXT: usize = 1024;

/// What is known of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) filter: String,
    /// Bits per second.
    pub(super) speed: Option<u64>,
    pub(super) mac: Option<[u8; 6]>,
}

/// Everything said so far.
#[derive(Debug, Default)]
pub(super) struct Described {
    implicit: ImplicitHost,
    ports: Vec<(Identity, Timestamp, Port)>,
    section: Section,
}

impl Described {
    /// Takes in a META record. What an older `gen_time` says about a port does not replace what a newer
    /// one has said (`erf-format.md` section 7.3).
    pub(super) fn observe(&mut self, record: &Record<'_>) {
        self.implicit.observe_meta(record.ext_headers());
        let host = Identity::new(record.ext_headers(), 0);
        let meta = Meta::new(record.payload());
        let generated = meta.gen_time().unwrap_or(record.timestamp());
        for section in meta.sections() {
            if !section.is(SectionType::INTERFACE) || section.is_local() || section.is_timing_port() {
                continue;
            }
            let Some(interface) = section.interface().and_then(|n| u8::try_from(n).ok()) else {
                continue;
            };
            let text = |tag| {
                let value = section.value(tag);
                value.and_then(|value| value.as_str().map(kept)).unwrap_or_default()
            };
            // From the port, its streams, its module or the capture.
            let filter = meta.interface_settings(u16::from(interface)).filter;
            let port = Port {
                name: text(TagType::NAME),
                description: text(TagType::DESCR),
                filter: filter.and_then(|filter| filter.to_str().ok().map(kept)).unwrap_or_default(),
                mac: section.value(TagType::IF_MAC).and_then(|value| value.as_mac()),
                speed: section.value(TagType::IF_SPEED).and_then(|value| value.as_u64()),
            };
            self.keep(Identity { interface, ..host }, generated, port);
        }
        self.observe_section(&meta);
    }

    fn keep(&mut self, identity: Identity, generated: Timestamp, port: Port) {
        match self.ports.iter_mut().find(|entry| entry.0 == identity) {
            Some(entry) => {
                if generated >= entry.1 {
                    *entry = (identity, generated, port);
                }
            }
            None => {
                if self.ports.len() < MAX_PORTS {
                    self.ports.push((identity, generated, port));
                }
            }
        }
    }

    /// Section options as Wireshark builds them: hardware from model and CPU, application with version.
    fn observe_section(&mut self, meta: &Meta<'_>) {
        let text = |section, tag| {
            let value = meta.value(section, tag);
            value.and_then(|value| value.as_str().map(kept)).unwrap_or_default()
        };
        let join = |first: String, second: String| match (first.is_empty(), second.is_empty()) {
            (false, false) => format!("{first} {second}"),
            (false, true) => first,
            _ => second,
        };
        let hardware = join(text(SectionType::HOST, TagType::MODEL), text(SectionType::HOST, TagType::CPU));
        let os = text(SectionType::HOST, TagType::OS);
        let application =
            join(text(SectionType::CAPTURE, TagType::APP_NAME), text(SectionType::CAPTURE, TagType::APP_VERSION));
        let host = text(SectionType::HOST, TagType::HOSTNAME);
        if !host.is_empty() {
            self.section.comments = vec![format!("{HOST_COMMENT}{host}")];
        }
        for (known, said) in [
            (&mut self.section.hardware, hardware),
            (&mut self.section.os, os),
            (&mut self.section.application, application),
        ] {
            if !said.is_empty() {
                *known = said;
            }
        }
    }

    /// What is known of a port; a port that does not name its host is the implicit host's.
    pub(super) fn port(&self, identity: Identity) -> Port {
        let resolved = self.implicit.resolve(identity);
        let known = |wanted: Identity| self.ports.iter().find(|(known, ..)| *known == wanted);
        known(identity)
            .or_else(|| known(resolved))
            .or_else(|| {
                // A record without a Source ID: the host's only port of that number, if there is one.
                let mut same = self.ports.iter().filter(|(known, ..)| {
                    resolved.source_id == 0
                        && (known.host_id, known.interface) == (resolved.host_id, resolved.interface)
                });
                same.next().filter(|_| same.next().is_none())
            })
            .map(|(_, _, port)| port.clone())
            .unwrap_or_default()
    }

    /// Whether the same is said of the same, whenever it was said. In which order, does not matter to those that were named.
    pub(super) fn says_the_same(&self, other: &Described) -> bool {
        let known = |one: &Described, other: &Described| {
            one.ports
                .iter()
                .all(|(identity, _, port)| other.ports.iter().any(|(same, _, said)| same == identity && said == port))
        };
        self.ports.len() == other.ports.len()
            && known(self, other)
            && self.implicit == other.implicit
            && self.section == other.section
    }

    pub(super) fn section(&self) -> &Section {
        &self.section
    }
}

fn kept(text: &str) -> String {
    cut(text, MAX_TEXT).to_owned()
}
