//! `dagcap` from an emulated card to a disk, beside `dd` with direct I/O to the same disk.
//!
//! The emulated card plays the hardware. So it runs in a process of its own, served by `dagemu`, and its processor time is not that of
//! `dagcap`; where it runs in the same process, its time is in it. Where `dagcap` is to be as fast as it can, the feed waits for room:
//! what it is offered then is what the disk takes, and nothing may be lost.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::contest::{Against, Amount, Contest, Measure, Outcome};
use crate::bench::ground::{Ground, Place};
use crate::bench::measure::Run;
use crate::shell::{self, About, Result, finding};

const FAST: &str = "dagcap, as fast as the disk takes it";
const WITHIN: &str = "dagcap, the same with the card in its process";

/// A card as fast as its reader.
const FEED: &str = "synthetic=1518,rate=max,full=wait,payload=template,memory=256MiB";
const NAME: &str = "bench";

/// Packets of 1518 bytes a second.
const RATE: &str = "50kpps";
const HELD: &str = "dagcap, at a rate the disk holds";

const DD: &str = "dd with direct I/O";

/// So many times as long as the files of other contests.
const LONG: u64 = 4;

/// Of a write of `dd`.
const BLOCK: u64 = 1 << 20;

pub(in crate::bench) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    // A recording is long: with less, opening the card is a tenth of the time.
    let size = LONG * (ground.size / BLOCK * BLOCK);
    let out = |name: &str| ground.path(Place::Disk, name);
    let (capture, held, dd) = (out("fast.erf"), out("held.erf"), out("dd"));
    let mut contest = Contest::new(
        "Record to disk, 1518-byte frames",
        "Bytes in the file a second. The card is another process, whose processor time does not count; what was lost is said below.",
        Amount::BytesOf(capture.clone()),
    );
    let dagcap = |feed: &str, file: &Path, account: &Path, size: u64| {
        Run::new(ground.program("dagcap"))
            .args(["--device", feed, "--json", "--size", &size.to_string(), "--out"])
            .arg(file)
            .making(file)
            .into_file(account)
            // Packets were lost: the account says how many.
            .may_say_no()
    };
    let (account, held_account) = (out("fast.json"), out("held.json"));
    let sockets = ground.scratch("cards");
    let _card = Server::start(&ground.program("dagemu"), &sockets)?;
    let mut served = dagcap(&format!("emu:{NAME}"), &capture, &account, size);
    // `env` becomes what it starts.
    let program = std::mem::replace(&mut served.program, "/usr/bin/env".into());
    let mut folder = std::ffi::OsString::from("DAG_EMU_DIR=");
    folder.push(&sockets);
    served.arguments.splice(0..0, [folder, program.into()]);
    contest.ours(FAST, served).remark({
        let account = account.clone();
        Box::new(move || lost(&account))
    });
    let (within, within_account) = (out("within.erf"), out("within.json"));
    let contestant = contest.ours(WITHIN, dagcap(&format!("emu:{FEED}"), &within, &within_account, size));
    contestant.bytes_of(&within);
    contestant.remark(Box::new(move || lost(&within_account)));
    let feed = format!("emu:synthetic=1518,rate={RATE},memory=256MiB");
    // Some seconds of it: the rate is what is given, whether anything is lost is the question.
    let some = size.min(256 << 20);
    let contestant = contest.ours(HELD, dagcap(&feed, &held, &held_account, some));
    contestant.bytes_of(&held);
    contestant.remark({
        let account = held_account.clone();
        Box::new(move || lost(&account))
    });
    if let Some(program) = ground.installed("dd") {
        let run = Run::new(program)
            .arg("if=/dev/zero")
            .uri("of=", &dd)
            .args([
                "oflag=direct".to_owned(),
                "status=none".to_owned(),
                format!("bs={BLOCK}"),
                format!("count={}", size / BLOCK),
            ])
            .making(&dd);
        contest.limit(DD, run).bytes_of(&dd);
    }
    contest.want(FAST, Against::One(DD), Measure::Wall, 0.95);
    contest.want(FAST, Against::One(DD), Measure::Cpu, 1.0 / 1.5);
    Ok(vec![contest.hold(ground)?])
}

/// A card that is served.
struct Server(Child);

impl Server {
    /// Waits until it can be opened.
    fn start(program: &Path, sockets: &Path) -> Result<Self> {
        fs::create_dir_all(sockets).about(sockets)?;
        let mut command = Command::new(program);
        command.args(["run", NAME, "--quiet", "--feed", FEED]).env("DAG_EMU_DIR", sockets);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Self(command.spawn().map_err(|cause| shell::start_error(&command, cause))?);
        let begun = Instant::now();
        while !sockets.join(NAME).exists() {
            let has_ended = server.0.try_wait().is_ok_and(|status| status.is_some());
            if has_ended || begun.elapsed() > Duration::from_secs(10) {
                return finding(format!("{} serves no card", program.display()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the account of a capture says of loss.
fn lost(account: &Path) -> Option<String> {
    let text = fs::read_to_string(account).ok()?;
    said_lost(&text)
}

fn said_lost(text: &str) -> Option<String> {
    let account: Value = text.lines().find_map(|line| serde_json::from_str(line).ok())?;
    let count = |key: &str| account[key].as_u64();
    let (received, card, writer) = (count("received")?, count("lost_card")?, count("lost_writer")?);
    Some(match card + writer {
        0 => "nothing lost".to_owned(),
        lost => {
            format!("lost in a run {:.1} % of what was offered", lost as f64 * 100.0 / (received + card).max(1) as f64)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_read_from_the_account() {
        let none = r#"{"received": 5, "lost_card": 0, "lost_writer": 0}"#;
        assert_eq!(said_lost(none).unwrap(), "nothing lost");
        let some = r#"{"received": 90, "lost_card": 10, "lost_writer": 0}"#;
        assert_eq!(said_lost(some).unwrap(), "lost in a run 10.0 % of what was offered");
        assert_eq!(said_lost("words"), None);
    }
}
