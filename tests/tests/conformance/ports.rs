//! Ports: enabled or not, link up or down, snap length.

use super::{card, read_some, started, until};

#[test]
fn nothing_arrives_at_a_disabled_port_nor_over_a_link_that_is_down() {
    for how in ["disabled", "down"] {
        let (emulated, card) = card("synthetic,rate=50kpps,ports=2");
        let set = |on: bool| match how {
            "disabled" => assert!(emulated.ports().set_enabled(1, on)),
            _ => assert!(emulated.ports().set_link(1, on)),
        };
        set(false);
        assert_eq!((emulated.ports().is_enabled(1), emulated.ports().link_up(1)), (how == "down", how != "down"));
        let mut stream = started(&card, 0);
        let seen = read_some(&mut stream, 200);
        assert!(seen.packets.iter().all(|packet| packet.port == 0 && packet.lctr == 0), "{how}: not seen, not lost");
        assert_eq!(emulated.ports().counted(1).packets, 0, "{how}");

        set(true);
        until("packets arrive at port 1", || read_some(&mut stream, 50).packets.iter().any(|packet| packet.port == 1));
        assert!(emulated.ports().counted(1).packets > 0);
        assert_eq!(stream.drops().unwrap().counter, 0);
    }
}

#[test]
fn ports_that_are_not_there_cannot_be_set() {
    let (emulated, card) = card("synthetic,ports=2");
    assert!(!emulated.ports().set_enabled(2, false));
    assert!(!emulated.ports().set_link(7, false));
    assert_eq!(card.info().ports.len(), 2);
    assert!(card.info().ports.iter().all(|port| port.link_up));
    emulated.ports().set_link(1, false);
    let up: Vec<bool> = card.info().ports.iter().map(|port| port.link_up).collect();
    assert_eq!(up, [true, false]);
}

#[test]
fn ports_count_what_arrives_whether_somebody_takes_it_or_not() {
    let (emulated, card) = card("synthetic=1518,rate=max,count=20000,memory=1MiB");
    let mut stream = started(&card, 0);
    // Nobody reads: most of it finds no room.
    let arrived = || (0..2).map(|port| emulated.ports().counted(port).packets).sum::<u64>();
    until("all has arrived", || arrived() == 20_000);
    let seen = super::read_all(&mut stream);
    assert!(seen.packets.len() < 1000);
    let drops = stream.drops().unwrap();
    assert_eq!(seen.packets.len() as u64 + u64::from(drops.counter), 20_000);
    let bytes: u64 = (0..2).map(|port| emulated.ports().counted(port).bytes).sum();
    assert_eq!(bytes, 20_000 * 1518);
}

#[test]
fn a_snap_length_holds_from_the_next_packet_on() {
    let (emulated, card) = card("synthetic=1518,rate=20kpps");
    let mut stream = started(&card, 0);
    assert!(read_some(&mut stream, 10).packets.iter().all(|packet| packet.bytes.len() == 1518));
    card.set_snaplen(100).unwrap();
    assert_eq!(emulated.ports().snaplen(), 100);
    // (16 + 2 + 100) cut down to a multiple of 8 is 112.
    until("packets are cut", || read_some(&mut stream, 1).packets.last().unwrap().bytes.len() == 94);
    let seen = read_some(&mut stream, 10);
    assert!(seen.packets.iter().all(|packet| packet.bytes.len() == 94 && packet.wire_len == 1518));
}
