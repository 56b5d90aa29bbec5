//! What is sent arrives, whatever the route.

use dag::ErrorKind;
use dag::file::{Record, RecordBuilder, RecordType};

use super::{open, started};

/// A record of a frame that says which it is, as long as it needs to be and no more.
fn frame(number: u32, len: usize) -> Vec<u8> {
    let mut payload = vec![0x33; len];
    payload[14..18].copy_from_slice(&number.to_be_bytes());
    let mut record = vec![0; len + 64];
    let builder = RecordBuilder::new(RecordType::ETH).interface((number % 2) as u8).payload(&payload).append_fcs();
    let len = builder.write_to(&mut record).unwrap();
    record.truncate(len);
    record
}

#[test]
fn what_is_sent_arrives_whole_and_in_order_at_the_port_beside() {
    let card = open("none,tx=loop,memory=1MiB");
    let mut back = started(&card, 0);
    let mut out = card.attach_tx(1).unwrap();
    assert_eq!((out.number(), out.align()), (1, 8));
    let first = frame(0, 60);
    assert_eq!(out.send(&Record::parse(&first).unwrap()).unwrap_err().kind(), ErrorKind::State, "not started");
    out.start().unwrap();
    let sent: Vec<Vec<u8>> = (0..2000).map(|number| frame(number, 60 + number as usize % 700)).collect();
    let mut next = 0u32;
    for piece in sent.chunks(50) {
        for record in piece {
            out.send(&Record::parse(record).unwrap()).unwrap();
        }
        assert!(out.drain(house_tests::run::PATIENCE).unwrap());
        let until = next + piece.len() as u32;
        while next < until {
            for record in &back.advance().unwrap() {
                let record = record.unwrap();
                let sent = Record::parse(&sent[next as usize]).unwrap();
                assert_eq!(record.interface(), sent.interface() ^ 1);
                assert_eq!(record.wire_len(), sent.wire_len());
                assert_eq!(record.payload(), sent.payload(), "packet {next}, its FCS included");
                next += 1;
            }
        }
    }
    assert_eq!(out.level().unwrap(), 0);
    out.close().unwrap();
}

#[test]
fn transmit_streams_have_owners_and_odd_numbers() {
    let card = open("none,tx=drop,tx_streams=2");
    let (one, other) = (card.attach_tx(1).unwrap(), card.attach_tx(3).unwrap());
    assert_eq!(card.attach_tx(1).unwrap_err().kind(), ErrorKind::Busy);
    drop(other);
    card.attach_tx(3).unwrap().close().unwrap();
    for number in [0, 2, 5, 7] {
        let error = card.attach_tx(number).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSuchStream, "{number}: {error}");
    }
    drop(one);
    let error = open("synthetic").attach_tx(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchStream, "{error}");
}

#[test]
fn what_is_no_record_is_not_sent() {
    let card = open("none,tx=drop");
    let mut out = card.attach_tx(1).unwrap();
    out.start().unwrap();
    let mut bytes = [frame(0, 60), frame(1, 61)].concat();
    out.send_records(&bytes).unwrap();
    let len = bytes.len();
    bytes.truncate(len - 3);
    let error = out.send_records(&bytes).unwrap_err();
    assert!(error.to_string().contains("not sent: byte 88"), "{error}");
}
