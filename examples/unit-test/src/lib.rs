//! Code that reads a card: how much of each second a link was busy.

use std::collections::BTreeMap;

use dag::RxStream;
use dag::file::Timestamp;

/// Bytes on the wire in each second, by port, and packets lost.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Bytes, by (second, port).
    pub bytes: BTreeMap<(u32, u8), u64>,
    /// Packets that the card dropped.
    pub lost: u64,
    /// When the last packet came.
    pub last: Option<Timestamp>,
}

impl Load {
    /// Takes in what lies ready in `stream`; `false` when its feed is over.
    pub fn take_in(&mut self, stream: &mut RxStream) -> Result<bool, dag::Error> {
        let batch = stream.advance()?;
        for record in batch.iter().flatten().filter(|record| record.is_packet()) {
            let at = (record.timestamp().secs(), record.interface());
            *self.bytes.entry(at).or_default() += u64::from(record.wire_len());
            self.lost += u64::from(record.loss().unwrap_or(0));
            self.last = Some(record.timestamp());
        }
        Ok(!batch.is_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dag::Card;
    use dag::emu::Script;
    use dag::file::{RecordBuilder, RecordType, TimeDelta};

    /// A frame of 64 bytes at `port`, `nanos` after the script's start.
    fn packet(port: u8, nanos: i64) -> Vec<u8> {
        let start = Timestamp::from_parts(1_577_836_800, 0);
        let builder = RecordBuilder::new(RecordType::ETH).interface(port).payload(&[0x55; 60]).append_fcs();
        builder.timestamp(start + TimeDelta::from_nanos(nanos)).to_vec().unwrap()
    }

    #[test]
    fn seconds_ports_and_losses_are_told_apart() {
        let second = TimeDelta::from_raw(1 << 32);
        let script = Script::new()
            .record(&packet(0, 0))
            .unwrap()
            .record(&packet(1, 15))
            .unwrap()
            .lose(7)
            .wait(second)
            .record(&packet(0, 1_000_000_000))
            .unwrap();
        let emulated = script.card().unwrap();
        let clock = emulated.clock().clone();
        let mut stream = Card::emulated(emulated, "test").attach(0).unwrap();
        stream.start().unwrap();

        let mut load = Load::default();
        assert!(load.take_in(&mut stream).unwrap());
        assert_eq!(load.bytes, BTreeMap::from([((1_577_836_800, 0), 64), ((1_577_836_800, 1), 64)]));
        assert_eq!(load.lost, 0, "a loss is told by the packet that comes after it");

        // No sleeping: the clock moves when the test says so.
        clock.advance(second);
        while load.take_in(&mut stream).unwrap() {}
        assert_eq!(load.bytes[&(1_577_836_801, 0)], 64);
        assert_eq!(load.lost, 7);
    }
}
