//! The peak of memory of every sub-command of `erf`, over a file and, where it can, through pipes.
//!
//! What counts is memory of its own (`RssAnon`): pages of a mapped file belong to the page cache and go when others want them, but
//! the system counts them into a process's maximum too. So a process is looked at every few milliseconds while it runs.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::contest::Outcome;
use super::ground::{Ground, Place};
use super::size;
use crate::shell::{self, About, Result, finding};

/// MiB that a command which streams may have, whatever the file.
const STREAMING: u64 = 64;

/// MiB beyond what `--memory` of a command allows it by default.
const KEPT: u64 = 256 + STREAMING;

/// How often a process is looked at.
const EVERY: Duration = Duration::from_millis(2);

/// A sub-command. In its arguments `{in}` is the file or `-`, `{out}` what it makes or `-`, `{file}` the file in any case, `{parts}` eight
/// files, `{folder}` a folder for what it makes.
struct Case {
    arguments: &'static [&'static str],
    /// Whether it can read a pipe.
    pipes: bool,
    /// MiB that it may have.
    most: u64,
}

const fn streams(arguments: &'static [&'static str]) -> Case {
    Case { arguments, pipes: true, most: STREAMING }
}

const fn no_pipe(arguments: &'static [&'static str]) -> Case {
    Case { arguments, pipes: false, most: STREAMING }
}

const CASES: &[Case] = &[
    streams(&["info", "{in}"]),
    streams(&["info", "--clock", "{in}"]),
    streams(&["check", "{in}"]),
    streams(&["dump", "{in}"]),
    streams(&["dump", "--json", "{in}"]),
    streams(&["gaps", "{in}"]),
    streams(&["convert", "--to", "pcap", "{in}", "{out}"]),
    streams(&["convert", "--to", "pcapng", "{in}", "{out}"]),
    streams(&["convert", "--lossless", "--to", "pcapng", "{in}", "{out}"]),
    no_pipe(&["convert", "--verify", "--to", "pcapng", "{in}", "{out}"]),
    streams(&["cut", "--filter", "udp port 53", "{in}", "{out}"]),
    streams(&["cut", "--from", "+1s", "{in}", "{out}"]),
    streams(&["align", "--multiple", "16", "{in}", "{out}"]),
    streams(&["snap", "--len", "48", "{in}", "{out}"]),
    streams(&["shift", "--by", "1ms", "{in}", "{out}"]),
    streams(&["split", "--count", "1000000", "--out-dir", "{folder}", "{in}"]),
    streams(&["split", "--by", "interface", "--out-dir", "{folder}", "{in}"]),
    no_pipe(&["merge", "--out", "{out}", "{parts}"]),
    streams(&["merge", "--out", "{out}", "{in}"]),
    streams(&["diff", "{file}", "{in}"]),
    streams(&["meta", "show", "{in}"]),
    streams(&["meta", "add", "--comment", "by the bench", "{in}", "{out}"]),
    streams(&["meta", "strip", "{in}", "{out}"]),
    no_pipe(&["meta", "edit", "--host", "bench", "{in}", "{out}"]),
    streams(&["repair", "{in}", "{out}"]),
    Case { arguments: &["dedup", "{in}", "{out}"], pipes: true, most: KEPT },
    Case { arguments: &["sort", "{in}", "{out}"], pipes: true, most: KEPT },
];

/// The most a process had, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Peak {
    anonymous: u64,
    file: u64,
    shared: u64,
}

impl Peak {
    /// Takes in one look at `/proc/PID/status`.
    fn see(&mut self, status: &str) {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        self.anonymous = self.anonymous.max(field("RssAnon"));
        self.file = self.file.max(field("RssFile"));
        self.shared = self.shared.max(field("RssShmem"));
    }
}

pub(super) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    let parts = ground.files(Place::Disk, "small", 8)?;
    let file = ground.file(Place::Disk, "small")?;
    let mut text = format!(
        "### Memory of `erf`, file of {}, 64-byte frames\n\nMiB at most, seen every {} ms while it ran: of its own, and of files it has mapped, \
         which are page cache. Wanted: at most {STREAMING} of its own whatever the file; `sort` and `dedup` hold what `--memory` allows besides.\n\n\
         | command | own, file | own, pipe | mapped, file | seconds, file | |\n|---|---|---|---|---|---|\n",
        size::shown(ground.size),
        EVERY.as_millis()
    );
    println!("\n{text}");
    let mut missed = Vec::new();
    for case in CASES {
        let (peak, took) = watch(ground, case, file.path(), &parts.paths, false)?;
        let piped = if case.pipes { Some(watch(ground, case, file.path(), &parts.paths, true)?.0) } else { None };
        let mib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
        let most = peak.anonymous.max(piped.map_or(0, |peak| peak.anonymous));
        let is_met = most <= case.most * 1024;
        let name = format!("erf {}", case.arguments.join(" "));
        let line = format!(
            "| `{name}` | {} | {} | {} | {:.1} | {} |\n",
            mib(peak.anonymous),
            piped.map_or_else(|| "-".to_owned(), |peak| mib(peak.anonymous)),
            mib(peak.file + peak.shared),
            took.as_secs_f64(),
            if is_met { "met" } else { "**missed**" }
        );
        print!("{line}");
        text += &line;
        if !is_met {
            missed.push(format!("{name}: {} MiB of its own, wanted at most {}", mib(most), case.most));
        }
    }
    let _ = writeln!(text);
    Ok(vec![Outcome { text, missed }])
}

/// Runs it and looks at its memory until it ends.
fn watch(ground: &Ground, case: &Case, file: &Path, parts: &[PathBuf], piped: bool) -> Result<(Peak, Duration)> {
    let (out, folder) = (ground.scratch("made"), ground.scratch("made-parts"));
    let errors = ground.scratch("errors");
    let mut command = shell::program(ground.program("erf"));
    for argument in case.arguments {
        match *argument {
            "{in}" if piped => command.arg("-"),
            "{in}" | "{file}" => command.arg(file),
            "{out}" if piped => command.arg("-"),
            "{out}" => command.arg(&out),
            "{folder}" => command.arg(&folder),
            "{parts}" => command.args(parts),
            plain => command.arg(plain),
        };
    }
    let mut feeder = None;
    if piped {
        let mut cat = Command::new("cat");
        cat.arg(file).stdout(Stdio::piped());
        let mut child = cat.spawn().map_err(|cause| shell::start_error(&cat, cause))?;
        command.stdin(child.stdout.take().map_or_else(Stdio::null, Stdio::from));
        feeder = Some(child);
    } else {
        command.stdin(Stdio::null());
    }
    command.stdout(Stdio::null()).stderr(fs::File::create(&errors).about(&errors)?);
    let begun = Instant::now();
    let child = command.spawn().map_err(|cause| shell::start_error(&command, cause))?;
    // It alone is to hold the end of the pipe.
    command.stdin(Stdio::null());
    let (peak, code) = look(child)?;
    let took = begun.elapsed();
    if let Some(mut feeder) = feeder {
        feeder.wait().about(Path::new("cat"))?;
    }
    for made in [&out, &folder] {
        if made.is_dir() {
            fs::remove_dir_all(made).about(made)?;
        } else if made.exists() {
            fs::remove_file(made).about(made)?;
        }
    }
    if code != Some(0) {
        let said = fs::read_to_string(&errors).unwrap_or_default();
        return finding(format!("`{}` ended with {code:?}: {}", shell::shown(&command), said.trim()));
    }
    Ok((peak, took))
}

fn look(mut child: Child) -> Result<(Peak, Option<i32>)> {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = Peak::default();
    loop {
        // Until it is waited for, its number is nobody else's.
        if let Ok(text) = fs::read_to_string(&status) {
            peak.see(&text);
        }
        if let Some(ended) = child.try_wait().about(&status)? {
            return Ok((peak, ended.code()));
        }
        thread::sleep(EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_the_most_of_each_kind_over_all_looks() {
        let mut peak = Peak::default();
        peak.see("VmHWM:\t  900 kB\nRssAnon:\t     120 kB\nRssFile:\t    7000 kB\nRssShmem:\t       0 kB\n");
        peak.see("RssAnon:\t     80 kB\nRssFile:\t    9000 kB\nRssShmem:\t       4 kB\n");
        // A process that has ended has no memory.
        peak.see("State:\tZ (zombie)\n");
        assert_eq!(peak, Peak { anonymous: 120, file: 9000, shared: 4 });
    }

    #[test]
    fn every_sub_command_is_measured() {
        let path = shell::root().join("dag-tools/src/erf/mod.rs");
        let text = fs::read_to_string(path).unwrap();
        let commands = text.split_once("enum Command {").unwrap().1.split_once("\n}").unwrap().0;
        let names = commands.lines().map(str::trim).filter(|line| line.ends_with("),"));
        let names: Vec<String> = names.filter_map(|line| Some(line.split_once('(')?.0.to_ascii_lowercase())).collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert!(CASES.iter().any(|case| case.arguments[0] == name), "no case for erf {name}");
        }
    }
}
