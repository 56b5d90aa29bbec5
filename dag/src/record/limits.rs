//! When a recording ends, and what it takes.

use std::time::Duration;

use erf::Record;

/// When a recording ends by itself; the first limit reached ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// After so many packets recorded.
    pub count: Option<u64>,
    /// So long after the start, by the host's clock.
    pub duration: Option<Duration>,
    /// Before the packets of the file, with its opening META record, take more bytes than this. For pcap and pcapng headers of
    /// the file itself do not count.
    pub size: Option<u64>,
}

/// What a recording takes of what a stream receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// Bit n: packets of port n.
    ports: u8,
    /// META and PAD records of the card, and our own META records around the recording.
    pub meta: bool,
}

impl Default for Selection {
    /// Everything.
    fn default() -> Self {
        Self { ports: u8::MAX, meta: true }
    }
}

impl Selection {
    /// Packets of these ports only (0 to 7); an empty list means of all.
    pub fn of_ports(ports: &[u8]) -> Self {
        let bits = ports.iter().filter(|&&port| port < 8).fold(0, |bits, port| bits | 1 << port);
        Self { ports: if ports.is_empty() { u8::MAX } else { bits }, meta: true }
    }

    /// With META and PAD records or without.
    pub fn with_meta(self, meta: bool) -> Self {
        Self { meta, ..self }
    }

    /// Whether `record`, a packet, is to be recorded.
    #[inline]
    pub(super) fn takes(&self, record: &Record<'_>) -> bool {
        self.ports >> record.interface() & 1 == 1
    }

    /// In words, for the opening META record; `None` when everything is taken.
    pub(super) fn words(&self) -> Option<String> {
        if self.ports == u8::MAX {
            return None;
        }
        let ports: Vec<String> = (0..8).filter(|n| self.ports >> n & 1 == 1).map(|n: u8| format!("port {n}")).collect();
        Some(ports.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_bits_and_words() {
        assert_eq!(Selection::of_ports(&[]), Selection::default());
        assert_eq!(Selection::of_ports(&[0, 3]).words().as_deref(), Some("port 0 or port 3"));
        assert_eq!(Selection::default().words(), None);
        assert_eq!(Selection::of_ports(&[7]).ports, 0x80);
    }
}
