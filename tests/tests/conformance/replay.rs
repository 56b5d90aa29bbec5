//! Replay: a recording arrives once more, at its own pace or another.

use std::path::{Path, PathBuf};

use dag::emu::erf_core::{Fraction, RecordBuilder, RecordType, Timestamp};
use dag::file::{pcap, pcapng};
use dag::{Card, ErrorKind, StampSource};
use house_tests::seen::Seen;

use super::{open, read_all, started};

/// Gaps between the packets of the recording, in microseconds: none, and one back in time.
const GAPS: [i64; 6] = [0, 1500, 0, 40_000, -300, 7];

/// A record of `len` bytes on the wire.
fn record(port: u8, nanos: u64, fill: u8, len: usize) -> Vec<u8> {
    let mut buffer = vec![0; len + 32];
    let written = RecordBuilder::new(RecordType::ETH)
        .timestamp(Timestamp::from_nanos(nanos, Fraction::Ceil).unwrap())
        .interface(port)
        .payload(&vec![fill; len - 4])
        .append_fcs()
        .write_to(&mut buffer)
        .unwrap();
    buffer.truncate(written);
    buffer
}

fn recording() -> Vec<Vec<u8>> {
    let mut nanos = 1_600_000_000_000_000_000i64;
    (0u8..)
        .zip(GAPS)
        .map(|(n, gap)| {
            nanos += gap * 1000;
            record(n % 3, nanos as u64, 0xA0 + n, 64 + usize::from(n) * 100)
        })
        .collect()
}

/// The recording in each of the formats.
fn files(dir: &Path) -> Vec<PathBuf> {
    let write = |name: &str, bytes: Vec<u8>| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut classic = pcap::Writer::new(Vec::new(), pcap::WriterOptions::default());
    let mut ng = pcapng::Writer::new(Vec::new(), pcapng::WriterOptions::default());
    for bytes in &recording() {
        let record = dag::file::Record::parse(bytes).unwrap();
        classic.write_record(&record).unwrap();
        ng.write_record(&record).unwrap();
    }
    vec![
        write("wire.erf", recording().concat()),
        write("wire.pcap", classic.finish().unwrap()),
        write("wire.pcapng", ng.finish().unwrap()),
    ]
}

fn replay(path: &Path, options: &str) -> Seen {
    let card = open(&format!("replay={}{options}", path.display()));
    assert_eq!(card.info().stamp_source, StampSource::Replay);
    read_all(&mut started(&card, 0))
}

fn gaps(seen: &Seen) -> Vec<i64> {
    seen.packets.windows(2).map(|pair| (pair[1].stamp - pair[0].stamp).to_nanos()).collect()
}

fn near(found: &[i64], expected: impl Iterator<Item = i64>) {
    let expected: Vec<i64> = expected.collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 2, "a gap of {found} ns in place of {expected}");
    }
}

#[test]
fn packets_arrive_as_they_were_with_the_recorded_gaps() {
    let dir = tempfile::tempdir().unwrap();
    for path in files(dir.path()) {
        let seen = replay(&path, ",tick=32");
        near(&gaps(&seen), GAPS[1..].iter().map(|gap| gap * 1000));
        for (packet, bytes) in seen.packets.iter().zip(recording()) {
            let record = dag::file::Record::parse(&bytes).unwrap();
            assert!(packet.bytes == record.payload(), "{}", path.display());
            assert_eq!(packet.wire_len, record.wire_len());
            let port = if path.ends_with("wire.pcap") { 0 } else { record.interface() };
            assert_eq!(packet.port, port, "{}", path.display());
        }
    }
}

#[test]
fn the_pace_can_be_scaled_or_left_out() {
    let dir = tempfile::tempdir().unwrap();
    for path in files(dir.path()) {
        let before = Timestamp::now();
        near(&gaps(&replay(&path, ",tick=32,pace=x0.5")), GAPS[1..].iter().map(|gap| gap * 2000));
        near(&gaps(&replay(&path, ",tick=32,pace=x10")), GAPS[1..].iter().map(|gap| gap * 100));
        let flat_out = replay(&path, ",tick=32,pace=max");
        assert_eq!(flat_out.packets.len(), GAPS.len());
        assert!(flat_out.packets.is_sorted_by(|a, b| a.stamp < b.stamp), "one behind the other");
        assert!(flat_out.packets[0].stamp > before, "now, not when it was recorded");
    }
}

#[test]
fn a_recording_is_played_as_often_as_wanted() {
    let dir = tempfile::tempdir().unwrap();
    for path in files(dir.path()) {
        let seen = replay(&path, ",pace=max,loop=3");
        let once: Vec<_> = replay(&path, ",pace=max").packets.into_iter().map(|packet| packet.bytes).collect();
        let thrice: Vec<_> = seen.packets.into_iter().map(|packet| packet.bytes).collect();
        assert!(thrice == [once.clone(), once.clone(), once].concat());
    }
    // For ever is more often than that.
    let path = &files(dir.path())[0];
    let card = open(&format!("replay={},pace=max,loop=forever", path.display()));
    assert!(super::read_some(&mut started(&card, 0), 1000).packets.len() >= 1000);
}

#[test]
fn laps_follow_each_other_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = &files(dir.path())[0];
    let seen = replay(path, ",pace=x20,loop=4,tick=32");
    let laps: Vec<_> = seen.packets.chunks(GAPS.len()).collect();
    assert_eq!(laps.len(), 4);
    for pair in laps.windows(2) {
        let latest = pair[0].iter().map(|packet| packet.stamp).max().unwrap();
        assert!(pair[1].iter().all(|packet| packet.stamp > latest));
    }
}

#[test]
fn compressed_recordings_are_played_too() {
    let (Some(gz), Some(plain)) =
        (house_skip::sample("libtrace-5_packets.erf.gz"), house_skip::sample("libtrace-100_packets.erf"))
    else {
        return;
    };
    let (five, hundred) = (replay(&gz, ",pace=max"), replay(&plain, ",pace=max"));
    assert_eq!((five.packets.len(), hundred.packets.len()), (5, 100));
    assert!(five.packets.iter().zip(&hundred.packets).all(|(a, b)| a.bytes == b.bytes && a.wire_len == b.wire_len));
}

#[test]
fn meta_records_and_ports_that_the_card_lacks_are_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = &files(dir.path())[0];
    let card = open(&format!("replay={},pace=max,ports=2", path.display()));
    let seen = read_all(&mut started(&card, 0));
    assert_eq!(seen.packets.len(), 4, "two of six came in at port 2");
    assert!(card.notes().iter().any(|note| note.starts_with("2 records of the replayed file")), "{:?}", card.notes());

    let Some(path) = house_skip::sample("libtrace-provenance.erf") else { return };
    let card = open(&format!("replay={},pace=max", path.display()));
    assert!(read_all(&mut started(&card, 0)).packets.is_empty());
    assert!(card.notes().iter().any(|note| note.starts_with("100 records")), "{:?}", card.notes());
}

#[test]
fn damage_in_a_recording_is_told_and_what_came_before_is_played() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("torn.erf");
    let whole = recording().concat();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let card = open(&format!("replay={},pace=max", path.display()));
    assert_eq!(read_all(&mut started(&card, 0)).packets.len(), GAPS.len() - 1);
    let notes = card.notes();
    assert!(notes.len() == 1 && notes[0].starts_with("1 places in the replayed file"), "{notes:?}");

    let missing = Card::open("emu:replay=/no/such/file").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}
