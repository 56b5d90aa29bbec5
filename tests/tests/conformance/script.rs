//! Scripted cards, for people's own unit tests: no threads, no sleeping, the same every time.

use dag::emu::erf_core::{RecordBuilder, RecordType, TimeDelta, Timestamp};
use dag::emu::{Script, script};
use dag::{Card, ErrorKind};

use super::{read_all, read_rest, started};

fn packet(fill: u8, secs: u32) -> Vec<u8> {
    let mut record = vec![0; 88];
    RecordBuilder::new(RecordType::ETH)
        .timestamp(Timestamp::from_parts(secs, 0x1234_5678))
        .interface(fill % 8)
        .payload(&[fill; 60])
        .append_fcs()
        .write_to(&mut record)
        .unwrap();
    record
}

#[test]
fn the_records_come_as_they_were_given() {
    let records: Vec<Vec<u8>> = (0..20).map(|n| packet(n, 1_600_000_000 + u32::from(n))).collect();
    let card = Card::emulated(script(&records).unwrap(), "script");
    let mut stream = started(&card, 0);
    let batch = stream.advance().unwrap();
    assert!(batch.bytes() == records.concat(), "byte for byte, stamps too");
    assert!(stream.advance().unwrap().is_end());
}

#[test]
fn losses_are_scripted_too() {
    let card = Script::new()
        .lose(7)
        .record(&packet(1, 10))
        .unwrap()
        .record(&packet(2, 11))
        .unwrap()
        .lose(100_000)
        .record(&packet(3, 12))
        .unwrap()
        .lose(2)
        .card()
        .unwrap();
    let card = Card::emulated(card, "script");
    let mut stream = started(&card, 0);
    let seen = read_all(&mut stream);
    let told: Vec<u16> = seen.packets.iter().map(|packet| packet.lctr).collect();
    assert_eq!(told, [7, 0, u16::MAX]);
    let drops = stream.drops().unwrap();
    assert_eq!((drops.counter, drops.pending), (100_009, Some(2)), "the counter knows better");
}

#[test]
fn nothing_happens_before_its_time() {
    let second = TimeDelta::from_raw(1 << 32);
    let script = Script::new().record(&packet(1, 10)).unwrap().wait(second).record(&packet(2, 11)).unwrap();
    let emulated = script.card().unwrap();
    let card = Card::emulated(emulated.clone(), "script");
    let mut stream = started(&card, 0);
    assert_eq!(read_rest(&mut stream).packets.len(), 1);
    assert!(!stream.advance().unwrap().is_end());
    emulated.clock().advance(TimeDelta::from_raw((1 << 32) - 1));
    assert!(read_rest(&mut stream).packets.is_empty());
    emulated.clock().advance(TimeDelta::from_raw(1));
    assert_eq!(read_rest(&mut stream).packets.len(), 1);
    assert!(stream.advance().unwrap().is_end());
}

#[test]
fn a_full_stream_holds_a_script_back() {
    // 2 MiB of records into 1 MiB of memory.
    let records: Vec<Vec<u8>> = (0..25_000u32).map(|n| packet(n as u8, 10)).collect();
    let card = Card::emulated(script(&records).unwrap(), "script");
    let mut stream = started(&card, 0);
    let seen = read_all(&mut stream);
    assert_eq!(seen.packets.len(), 25_000);
    assert!(seen.packets.iter().all(|packet| packet.lctr == 0));
}

#[test]
fn what_is_no_record_cannot_be_scripted() {
    let error = script([[0u8; 40]]).unwrap_err();
    assert_eq!(dag::Error::from(error).kind(), ErrorKind::Spec);
}
