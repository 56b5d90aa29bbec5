//! The records themselves, as a card lays them into memory.

use super::stream;

/// `libdag-contract.md` section 2.11.
#[test]
fn records_begin_and_end_at_multiples_of_8() {
    for spec in [
        "synthetic",
        "synthetic=64-1518",
        "synthetic=imix,snaplen=1",
        "synthetic=imix,snaplen=5",
        "synthetic=imix,snaplen=6",
        "synthetic=imix,snaplen=100",
        "synthetic=imix,varlen=off,snaplen=201",
        "synthetic=64-9600,faults=pad:0.1+meta:0.1+truncate:0.1+rx-error:0.1",
    ] {
        let mut stream = stream(&format!("{spec},rate=max,count=2000"));
        loop {
            let batch = stream.advance().unwrap();
            assert_eq!(batch.position() % 8, 0);
            for record in &batch {
                assert_eq!(record.unwrap().rlen() % 8, 0, "{spec}");
            }
            if batch.is_end() {
                break;
            }
        }
    }
}

#[test]
fn slots_of_one_length_are_all_as_long_and_say_so() {
    let mut stream = stream("synthetic=imix,rate=max,count=1000,varlen=off,snaplen=200");
    let mut lengths = Vec::new();
    loop {
        let batch = stream.advance().unwrap();
        for record in &batch {
            let record = record.unwrap();
            lengths.push(record.rlen());
            assert!(!record.flags().varying_length());
            assert_eq!(record.captured_len(), usize::from(record.wire_len()).min(record.available()));
        }
        if batch.is_end() {
            break;
        }
    }
    assert_eq!(lengths.len(), 1000);
    assert!(lengths.iter().all(|len| *len == 224), "18 of headers and 200 of packet in whole words");
}

#[test]
fn every_whole_frame_has_its_fcs() {
    let mut stream = stream("synthetic=64-1518,rate=max,count=2000");
    loop {
        let batch = stream.advance().unwrap();
        for record in &batch {
            let record = record.unwrap();
            assert_eq!(record.verify_fcs(), Some(true));
            assert!(record.flags().varying_length());
        }
        if batch.is_end() {
            return;
        }
    }
}

#[test]
fn stamps_lie_on_the_tick_and_never_go_back() {
    for tick in [24, 26, 28, 32] {
        let mut stream = stream(&format!("synthetic,rate=max,count=3000,tick={tick}"));
        let seen = super::read_all(&mut stream);
        let below = (1u64 << (32 - tick)) - 1;
        assert!(seen.packets.iter().all(|packet| packet.stamp.raw() & below == 0), "tick {tick}");
        assert!(seen.packets.is_sorted_by_key(|packet| packet.stamp));
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let read = |seed: u32| {
        let seen = super::read_all(&mut stream(&format!("synthetic=imix,rate=max,count=2000,ports=4,seed={seed}")));
        seen.packets.into_iter().map(|packet| (packet.port, packet.bytes)).collect::<Vec<_>>()
    };
    let first = read(5);
    assert!(first == read(5));
    assert!(first != read(6));
}
