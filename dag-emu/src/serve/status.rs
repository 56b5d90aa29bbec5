//! [`Status`]: a card, as it says of itself.

use super::message::{PortStatus, Status, StreamStatus, TxStatus, VERSION};
use crate::card::{Card, Side};
use crate::clock::ClockHealth;
use crate::error::Error;
use crate::feed::StampSource;

impl Card {
    /// What the card is and does now; that of another process is asked. Owners of streams are known for a card of another process
    /// only.
    ///
    /// # Errors
    ///
    /// When it is another process's and has gone.
    pub fn status(&self) -> Result<Status, Error> {
        #[cfg(not(miri))]
        if let Some(remote) = self.there() {
            return remote.status();
        }
        Ok(Status::of(self, &|_| None))
    }
}

impl Status {
    /// That of a card of this process; `owner` tells the process number of a stream's owner.
    pub(super) fn of(card: &Card, owner: &dyn Fn(Side) -> Option<i32>) -> Self {
        let (feed, ports) = (card.feed(), card.ports());
        let counts = feed.counts();
        let port = |number| {
            let counted = ports.counted(number);
            let behind = feed.interfaces.iter().find(|one| one.port == number);
            PortStatus {
                enabled: ports.is_enabled(number),
                link_up: behind.map_or(ports.link_up(number), |one| one.link_up && ports.link_up(number)),
                packets: counted.packets,
                bytes: counted.bytes,
                name: behind.map(|one| one.name.clone()),
                description: behind.map(|one| one.description.clone()),
                mac: behind.and_then(|one| one.mac),
                speed: behind.and_then(|one| one.speed),
            }
        };
        let stream = |index: u16| {
            let side = Side::receive(2 * index);
            let drops = card.drops(side.number).unwrap_or_default();
            StreamStatus { owner: owner(side), dropped: drops.total, untold: drops.pending }
        };
        let tx_stream = |index: u16| {
            let side = Side { number: 2 * index + 1, transmit: true, reverse: false };
            let count = card.tx_count(side.number).unwrap_or_default();
            TxStatus { owner: owner(side), records: count.records, bad: count.bad, failed: count.failed }
        };
        Self {
            version: VERSION,
            pid: std::process::id(),
            feed: feed.description.clone(),
            stamp_source: stamp_source(feed.stamp_source).to_owned(),
            stamp_error_ns: feed.stamp_error_ns,
            tick_bits: card.clock().tick().bits(),
            synchronised: card.clock().settings().health == ClockHealth::Synchronised,
            snaplen: ports.snaplen(),
            varlen: ports.varlen(),
            memory: card.stream_memory(),
            bare_streams: card.bare_stream_count(),
            ports: (0..ports.count()).map(port).collect(),
            streams: (0..card.stream_count()).map(stream).collect(),
            tx_streams: (0..card.tx_stream_count()).map(tx_stream).collect(),
            reversible: card.is_reversible(),
            notes: counts.notes(),
            defects: counts.defects,
            failure: card.failure().map(|error| error.to_string()),
        }
    }
}

fn stamp_source(source: StampSource) -> &'static str {
    match source {
        StampSource::Kernel => "kernel",
        StampSource::Replay => "replay",
        StampSource::Script => "script",
        StampSource::Synthetic => "synthetic",
    }
}
