//! The same card reached in each way: in this process, through libdag from Rust and from C, and from another process.
//!
//! `DAG_BENCH_PACKETS` sets the packets of a round; 2 million by default, of which so many fit into the stream.

use std::error::Error;
use std::hint::black_box;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use dag::{Card, PollRules, RxStream};
use house_benches::programs::{built, compiled};
use house_benches::{Contestant, race};

/// Nothing comes to it.
const EMPTY: &str = "none";

/// Its stream is full after a second, and the clock starts then.
const FULL: &str = "synthetic=64,rate=max,memory=512MiB";

/// Calls of a round in which nothing lies there.
const CALLS: u64 = 2_000_000;

/// Set in a run that knows its cards.
const CARDS: &str = "DAG_EMU_CARDS";

fn main() -> Result<(), Box<dyn Error>> {
    let profile = built()?;
    let folder = tempfile::tempdir()?;
    if std::env::var_os(CARDS).is_none() {
        // libdag finds its cards in the environment.
        for (name, output) in [("libdag.so.5", "libdag_emu_abi.so"), ("libdagconf.so.5", "libdag_emu_conf_abi.so")] {
            symlink(profile.join(output), folder.path().join(name))?;
        }
        let mut again = Command::new(std::env::current_exe()?);
        again.args(std::env::args_os().skip(1)).env(CARDS, format!("dag0={EMPTY};dag1={FULL}"));
        again.env("DAG_LIBRARY", folder.path().join("libdag.so.5")).env("LD_LIBRARY_PATH", folder.path());
        again.env("DAG_EMU_DIR", folder.path());
        let status = again.status()?;
        return if status.success() { Ok(()) } else { Err(format!("{status}").into()) };
    }
    let packets: u64 = std::env::var("DAG_BENCH_PACKETS").map_or(Ok(2_000_000), |n| n.parse())?;
    let program = compiled("advance", &profile.join("libdag_emu_abi.so"), folder.path())?;
    empty(&program);
    full(&program, packets);
    served(&profile, packets)
}

fn opened(device: &str, mindata: u64) -> Result<RxStream, dag::Error> {
    let mut stream = Card::open(device)?.attach(0)?;
    stream.set_poll_rules(PollRules { mindata, ..PollRules::default() });
    stream.start()?;
    Ok(stream)
}

/// An advance when nothing lies there.
fn empty(program: &Path) {
    let direct = || {
        let card = dag::emu::Card::open(&EMPTY.parse()?)?;
        let mut stream = card.attach(0)?;
        stream.set_poll_rules(PollRules { mindata: 0, ..PollRules::default() });
        stream.start()?;
        let begun = Instant::now();
        for _ in 0..CALLS {
            black_box(stream.advance(0, None)?);
        }
        Ok((CALLS, begun.elapsed()))
    };
    let through = |device: &str| {
        let mut stream = opened(device, 0)?;
        let begun = Instant::now();
        for _ in 0..CALLS {
            black_box(stream.advance()?.is_empty());
        }
        Ok((CALLS, begun.elapsed()))
    };
    race(
        "An advance when nothing lies there, millions of calls a second",
        5,
        &mut [
            Contestant::timed("dag-emu", move || said(direct())),
            Contestant::timed("dag", || said(through("emu:none"))),
            Contestant::timed("C on libdag", || said(in_c(program, "empty", CALLS))),
            Contestant::timed("dag on libdag", || said(through("dag0"))),
        ],
    );
}

/// Walking a full stream.
fn full(program: &Path, packets: u64) {
    let through = |device: &str| {
        let mut stream = opened(device, 0)?;
        thread::sleep(Duration::from_secs(2));
        let (begun, mut seen, mut wire) = (Instant::now(), 0, 0u64);
        while seen < packets {
            for record in stream.advance()?.iter().flatten() {
                wire += u64::from(record.wire_len());
                seen += 1;
            }
        }
        black_box(wire);
        Ok((seen, begun.elapsed()))
    };
    race(
        "Walking a full stream",
        5,
        &mut [
            Contestant::timed("dag", || said(through(&format!("emu:{FULL}")))),
            Contestant::timed("C on libdag", || said(in_c(program, "walk", packets))),
            Contestant::timed("dag on libdag", || said(through("dag1"))),
        ],
    );
}

/// A feed flat out, to its end: the card in this process, and in another one.
fn served(profile: &Path, packets: u64) -> Result<(), Box<dyn Error>> {
    let packets = 5 * packets;
    let feed = format!("synthetic=64,rate=max,memory=256MiB,count={packets}");
    let read = |device: &str| {
        let mut stream = opened(device, 64 << 10)?;
        let (begun, mut seen, mut wire) = (Instant::now(), 0, 0u64);
        loop {
            let batch = stream.advance()?;
            for record in &batch {
                let record = record?;
                wire += u64::from(record.wire_len());
                seen += 1 + u64::from(record.loss().unwrap_or(0));
            }
            if batch.is_end() {
                break;
            }
        }
        black_box(wire);
        Ok((seen, begun.elapsed()))
    };
    // The feed of a card ends once, so each round has its own.
    let mut number = 0;
    let elsewhere = || {
        number += 1;
        let name = format!("c{number}");
        let server =
            Server(Command::new(profile.join("dagemu")).args(["run", &name, "--quiet", "--feed", &feed]).spawn()?);
        while Card::open(&format!("emu:{name}")).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        let seen = read(&format!("emu:{name}"));
        drop(server);
        seen
    };
    race(
        "A feed flat out, every record used",
        7,
        &mut [
            Contestant::timed("the card in this process", || said(read(&format!("emu:{feed}")))),
            Contestant::timed("the card in another process", {
                let mut elsewhere = elsewhere;
                move || said(elsewhere())
            }),
        ],
    );
    Ok(())
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

type Measured = Result<(u64, Duration), Box<dyn Error>>;

/// What the program in C has measured of itself.
fn in_c(program: &Path, what: &str, count: u64) -> Measured {
    let output = Command::new(program).args([what, &count.to_string()]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    let (Some(done), Some(nanos)) = (numbers.next(), numbers.next()) else {
        return Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr)).into());
    };
    Ok((done, Duration::from_nanos(nanos)))
}

/// A contestant that fails is out of the race, and the reason is said.
fn said(measured: Measured) -> (u64, Duration) {
    measured.unwrap_or_else(|error| {
        eprintln!("{error}");
        (0, Duration::from_secs(1))
    })
}
