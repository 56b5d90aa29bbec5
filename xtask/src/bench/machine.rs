//! What was measured on, and with which versions.

use std::fs;
use std::process::Command;
use std::thread;

use crate::shell;

/// Programs whose version tells what was compared with, and how they are asked.
const PROGRAMS: [(&str, &str); 6] = [
    ("rustc", "--version"),
    ("cc", "--version"),
    ("capinfos", "--version"),
    ("tcpdump", "--version"),
    ("dd", "--version"),
    ("gzip", "--version"),
];

/// Load past which figures say little.
const BUSY: f64 = 0.5;

/// A paragraph about the machine, the versions and the command that was run.
pub(super) fn described(command: &str) -> String {
    let mut versions: Vec<String> =
        PROGRAMS.iter().filter_map(|(program, argument)| first_line(Command::new(program).arg(argument))).collect();
    versions.extend(libtrace());
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let memory =
        field("/proc/meminfo", "MemTotal").and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    let memory = memory.map_or_else(String::new, |kib| format!("{:.0} GiB of memory, ", kib as f64 / 1_048_576.0));
    let caches: Vec<String> = [2, 3].into_iter().filter_map(cache).collect();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = first_line(shell::program("git").args(["rev-parse", "--short", "HEAD"])).unwrap_or_default();
    let load = load().map_or_else(String::new, |load| format!(", load {load:.2} at the end"));
    format!(
        "`{command}` at {commit}, {}, on {processors} processors ({processor}, {}), {memory}Linux {}{load}. {}.\n",
        first_line(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])).unwrap_or_default(),
        caches.join(", "),
        kernel.trim(),
        versions.join("; ")
    )
}

/// Says so where other work goes on.
pub(super) fn warn_if_busy() {
    if let Some(load) = load().filter(|load| *load > BUSY) {
        eprintln!("warning: the load is {load}: figures of a machine that does other work say little");
    }
}

/// Processes that wanted a processor in the last minute, on average.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn cache(level: u8) -> Option<String> {
    let size = fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{level}/size")).ok()?;
    Some(format!("L{level} {}", size.trim()))
}

/// The first value of a field in a file of `name : value` lines.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().next()?.trim().trim_end_matches('.').to_owned())
}

/// libtrace's programs do not tell their version; the package does.
fn libtrace() -> Option<String> {
    let mut ask = Command::new("dpkg-query");
    let version = first_line(ask.args(["--show", "--showformat", "${Version}", "libtrace-tools"]))?;
    Some(format!("libtrace {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paragraph_names_the_command_and_the_kernel() {
        let text = described("cargo xtask bench walk");
        assert!(text.starts_with("`cargo xtask bench walk`"), "{text}");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert!(text.contains(kernel.trim()), "{text}");
    }
}
