//! Who owns a stream, and which there are.

use dag::ErrorKind;

use super::{open, read_all, started};

const FINITE: &str = "synthetic,rate=max,count=100";

#[test]
fn a_stream_has_one_owner_at_a_time() {
    let card = open(FINITE);
    let first = card.attach(0).unwrap();
    assert_eq!(card.attach(0).unwrap_err().kind(), ErrorKind::Busy);
    let other = card.clone();
    let elsewhere = std::thread::spawn(move || other.attach(0).map(drop).unwrap_err().kind());
    assert_eq!(elsewhere.join().unwrap(), ErrorKind::Busy);
    assert!(card.attach(0).unwrap_err().to_string().contains("stream 0"));
    drop(first);
    card.attach(0).unwrap().close().unwrap();
    assert_eq!(read_all(&mut started(&card, 0)).packets.len(), 100, "three owners later it works as ever");
}

#[test]
fn streams_that_receive_are_even_and_no_more_than_there_are() {
    let card = open("synthetic,streams=3");
    assert_eq!(card.info().rx_streams, 3);
    for number in [0, 2, 4] {
        assert_eq!(card.attach(number).unwrap().number(), number);
    }
    for number in [1, 3, 5, 6, 8, 64, u16::MAX] {
        let error = card.attach(number).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSuchStream, "{number}: {error}");
    }
}

#[test]
fn streams_of_one_card_have_owners_of_their_own() {
    let card = open("synthetic,streams=2");
    let (a, b) = (card.attach(0).unwrap(), card.attach(2).unwrap());
    assert_eq!(card.attach(2).unwrap_err().kind(), ErrorKind::Busy);
    drop(a);
    card.attach(0).unwrap();
    assert_eq!(card.attach(2).unwrap_err().kind(), ErrorKind::Busy);
    drop(b);
    card.attach(2).unwrap();
}

#[test]
fn the_card_stays_as_long_as_a_stream_of_it() {
    let mut stream = {
        let card = open(FINITE);
        started(&card, 0)
    };
    assert_eq!(read_all(&mut stream).packets.len(), 100);
    assert!(stream.card().info().emulated);
}

#[test]
fn ports_that_the_card_lacks_are_named() {
    let card = open("synthetic,ports=4");
    assert!((0..4).all(|port| card.check_port(port).is_ok()));
    let error = card.check_port(4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchPort);
    assert!(error.to_string().ends_with("it has ports 0 to 3"), "{error}");
}

#[test]
fn nothing_comes_before_the_start() {
    let card = open(FINITE);
    let mut stream = card.attach(0).unwrap();
    assert_eq!(stream.advance().unwrap_err().kind(), ErrorKind::State);
    stream.start().unwrap();
    stream.start().unwrap();
    assert_eq!(read_all(&mut stream).numbers(), (0..100).collect::<Vec<_>>(), "the feed begins with the start");
}

#[test]
fn a_feed_that_is_over_says_so_to_whoever_comes_late() {
    let card = open(FINITE);
    read_all(&mut started(&card, 0));
    let seen = read_all(&mut started(&card, 0));
    assert!(seen.packets.is_empty());
}
