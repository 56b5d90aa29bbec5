//! What must hold of any card, whatever arrives at it: of the one that `DAG_TEST_DEVICE` names, real or emulated, and where none is named
//! of the emulated card through libdag. One stream is used, stream 0 or that of the name; nothing is sent.

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use dag::{Card, Device, ErrorKind, PollRules, RxStream};
use house_tests::library::libdag;
use house_tests::run::{dagcap, run};

const NAMED: &str = "DAG_TEST_DEVICE";

/// The card to be looked at; none in a run that hands this over to another one.
fn card() -> Option<(Card, u16)> {
    let name = env::var(NAMED).ok()?;
    let device: Device = name.parse().unwrap();
    let stream = if let Device::Real { stream, .. } = device { stream.unwrap_or(0) } else { 0 };
    Some((Card::open_device(&device, &name).unwrap(), stream))
}

#[test]
fn without_a_name_it_is_the_emulated_card() {
    if env::var_os(NAMED).is_some() {
        return;
    }
    let mut again = Command::new(env::current_exe().unwrap());
    // One stream has one owner, so one at a time.
    again.arg("--test-threads=1").env(NAMED, "dag0").env("DAG_EMU_CARDS", "dag0=synthetic=imix,rate=20kpps,streams=2");
    again.env("DAG_LIBRARY", libdag().lib().join("libdag.so.5")).env_remove("DAG_EMU_CONFIG");
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("test result: ok. 6 passed"), "{said}");
}

fn started(card: &Card, number: u16) -> RxStream {
    let mut stream = card.attach(number).unwrap();
    stream.set_poll_rules(PollRules { mindata: 16, maxwait: Duration::from_millis(100), ..PollRules::default() });
    stream.start().unwrap();
    stream
}

#[test]
fn its_description_holds_together() {
    let Some((card, number)) = card() else { return };
    let (info, counters) = (card.info(), card.counters().unwrap());
    let receive: Vec<_> = counters.streams.iter().filter(|stream| !stream.transmits()).collect();
    assert_eq!(receive.len(), usize::from(info.rx_streams), "{counters:?}");
    let ours = receive.iter().find(|stream| stream.number == number).expect("the stream is there");
    assert!(ours.memory >= 1 << 16, "{ours:?}");
    assert_eq!(receive.iter().map(|stream| stream.memory).max(), Some(info.stream_memory));
    assert_eq!(counters.ports.len(), info.ports.len());
}

#[test]
fn what_arrives_are_whole_records_with_stamps_of_now() {
    let Some((card, number)) = card() else { return };
    let mut stream = started(&card, number);
    let (begun, mut seen, mut last) = (Instant::now(), 0u64, None);
    while begun.elapsed() < Duration::from_secs(2) {
        let batch = stream.advance().unwrap();
        for record in &batch {
            let record = record.expect("a card makes no defects");
            assert!(record.bytes().len() % 8 == 0 && record.bytes().len() >= 16, "{record:?}");
            if !record.record_type().is_packet() {
                continue;
            }
            // Ports may be some records out of order, not seconds.
            let at = record.timestamp();
            if let Some(last) = last {
                let back: dag::file::TimeDelta = last - at;
                assert!(back.to_nanos() < 1_000_000_000, "{last} {at}");
            }
            (last, seen) = (Some(at), seen + 1);
        }
    }
    eprintln!("{seen} packets, the last one at {last:?}, drops {:?}", stream.drops());
    if card.info().emulated {
        assert!(seen > 1000, "{seen}");
    }
    stream.close().unwrap();
}

#[test]
fn a_stream_has_one_owner_and_the_next_one_begins_anew() {
    let Some((card, number)) = card() else { return };
    let first = started(&card, number);
    assert_eq!(card.attach(number).unwrap_err().kind(), ErrorKind::Busy);
    let other = Card::open(card.name()).unwrap();
    assert_eq!(other.attach(number).unwrap_err().kind(), ErrorKind::Busy);
    first.close().unwrap();
    started(&other, number).close().unwrap();
    // Given up without a word.
    drop(started(&card, number));
    started(&card, number).close().unwrap();
}

#[test]
fn waiting_ends_when_the_rules_say_so() {
    let Some((card, number)) = card() else { return };
    let mut stream = started(&card, number);
    let rules = |mindata, millis| PollRules { mindata, maxwait: Duration::from_millis(millis), ..PollRules::default() };
    stream.set_poll_rules(rules(0, 60_000));
    let begun = Instant::now();
    for _ in 0..100 {
        stream.advance().unwrap();
    }
    // In vain for more than comes, which must end.
    stream.set_poll_rules(rules(u64::MAX, 200));
    stream.advance().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "it waited for its longest wait");
    stream.close().unwrap();
}

#[test]
fn it_records_and_the_account_adds_up() {
    let Some((card, number)) = card() else { return };
    let name = card.name().to_owned();
    drop(card);
    let dir = tempfile::tempdir().unwrap();
    let mut command = dagcap();
    for kept in ["DAG_LIBRARY", "DAG_EMU_CARDS", "DAG_VALUES", "DAG_EMU_DIR"] {
        command.envs(env::var_os(kept).map(|value| (kept, value)));
    }
    command.args([
        "--device",
        &name,
        "--stream",
        &number.to_string(),
        "--duration",
        "1s",
        "--json",
        "--quiet",
        "--out",
    ]);
    let ran = run(command.arg(dir.path().join("wire.erf")));
    // That it adds up is looked at by whoever reads it.
    let json = ran.json();
    assert_eq!(json["stopped_by"], "duration");
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{}", ran.stderr);
}
