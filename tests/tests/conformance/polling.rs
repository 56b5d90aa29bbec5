//! The poll rules: `mindata`, `maxwait`, `poll`.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use dag::{PollRules, RxStream};
use house_tests::run::PATIENCE;

use super::{open, stream};

/// Nothing ever arrives: the link is down.
const SILENT: &str = "synthetic,ports=1,faults=link-down:1";

/// A record of 64 bytes on the wire.
const RECORD: u64 = 88;

/// Advances, and gives up the test rather than wait for ever.
fn advance(mut stream: RxStream) -> (RxStream, u64, Duration) {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        let begun = Instant::now();
        let bytes = stream.advance().unwrap().bytes().len() as u64;
        let elapsed = begun.elapsed();
        // The test may have given up.
        let _ = done.send((stream, bytes, elapsed));
    });
    result.recv_timeout(PATIENCE).expect("an advance that ends")
}

fn rules(mindata: u64, maxwait: Duration, poll: Duration) -> PollRules {
    PollRules { mindata, maxwait, poll }
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn rules_are_read_back_as_they_were_set() {
    let card = open("synthetic");
    let mut stream = card.attach(0).unwrap();
    let preset = stream.poll_rules();
    assert!(preset.mindata > 0 && !preset.poll.is_zero(), "a small poll that is not zero: {preset:?}");
    for set in [
        rules(0, Duration::ZERO, Duration::ZERO),
        rules(16, 100 * MS, 10 * MS),
        rules(33, Duration::from_micros(100), Duration::from_micros(100)),
        rules(64 << 10, Duration::from_secs(50_000), MS),
        rules(u64::MAX, Duration::MAX, Duration::MAX),
    ] {
        stream.set_poll_rules(set);
        assert_eq!(stream.poll_rules(), set);
    }
    // Before the start and after.
    stream.start().unwrap();
    stream.set_poll_rules(preset);
    assert_eq!(stream.poll_rules(), preset);
}

#[test]
fn mindata_0_never_waits() {
    let mut stream = stream(SILENT);
    stream.set_poll_rules(rules(0, Duration::ZERO, Duration::from_secs(3600)));
    let (mut stream, bytes, _) = advance(stream);
    assert_eq!(bytes, 0);
    stream.set_nonblocking(true);
    assert_eq!(stream.poll_rules().mindata, 0);
    assert_eq!(advance(stream).1, 0);
}

#[test]
fn maxwait_ends_a_wait_with_what_there_is() {
    for mindata in [1, 1 << 30] {
        let mut stream = stream(SILENT);
        stream.set_poll_rules(rules(mindata, 30 * MS, MS));
        let (_, bytes, elapsed) = advance(stream);
        assert_eq!(bytes, 0, "no data is no error");
        assert!(elapsed >= 30 * MS, "{elapsed:?}");
    }
    // Less than was asked for is given, too.
    let mut stream = stream("synthetic,rate=1000pps,memory=64MiB");
    stream.set_poll_rules(rules(1 << 40, 300 * MS, MS));
    let (_, bytes, elapsed) = advance(stream);
    assert!(elapsed >= 300 * MS);
    assert!((RECORD..32 << 20).contains(&bytes), "{bytes}");
}

#[test]
fn mindata_without_maxwait_waits_for_all_of_it() {
    for poll in [Duration::ZERO, MS, Duration::from_secs(3600)] {
        let mut stream = stream("synthetic,rate=2000pps");
        stream.set_poll_rules(rules(200 * RECORD, Duration::ZERO, poll));
        let (_, bytes, _) = advance(stream);
        assert!(bytes >= 200 * RECORD, "poll {poll:?}: {bytes} bytes");
        assert_eq!(bytes % RECORD, 0);
    }
}

#[test]
fn more_than_the_memory_can_hold_is_not_waited_for() {
    let mut stream = stream("synthetic,rate=max,memory=1MiB");
    stream.set_poll_rules(rules(u64::MAX, Duration::ZERO, MS));
    stream.set_max_batch(u64::MAX);
    let (_, bytes, _) = advance(stream);
    assert!(bytes >= 512 << 10, "{bytes}: half of the memory");
}

#[test]
fn the_end_of_the_feed_ends_a_wait() {
    let mut stream = stream("synthetic,rate=max,count=10");
    stream.set_poll_rules(rules(1 << 20, Duration::ZERO, MS));
    let (stream, bytes, _) = advance(stream);
    assert_eq!(bytes, 10 * RECORD);
    let (mut stream, bytes, _) = advance(stream);
    assert_eq!(bytes, 0);
    assert!(stream.advance().unwrap().is_end());
}

#[test]
fn an_interrupter_ends_a_wait_however_long() {
    for maxwait in [Duration::ZERO, Duration::from_secs(50_000), Duration::MAX] {
        let mut stream = stream(SILENT);
        stream.set_poll_rules(rules(16, maxwait, 10 * MS));
        let interrupter = stream.interrupter();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(20 * MS);
            interrupter.interrupt();
        });
        let (stream, bytes, _) = advance(stream);
        assert_eq!(bytes, 0);
        thread.join().unwrap();

        // One that comes before the wait ends it, too, and is used up then.
        stream.interrupter().interrupt();
        let (mut stream, _, _) = advance(stream);
        stream.set_poll_rules(rules(16, 20 * MS, MS));
        let (_, _, elapsed) = advance(stream);
        assert!(elapsed >= 20 * MS, "{elapsed:?}");
    }
}
