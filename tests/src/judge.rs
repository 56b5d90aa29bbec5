//! Wireshark's programs as judges of our files.

use std::path::Path;
use std::process::Command;

/// What `capinfos` says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapInfos {
    /// `File type`.
    pub file_type: String,
    /// Packets; META records count, PAD records do not.
    pub packets: u64,
    /// Sum of the lengths on the wire.
    pub data_size: u64,
    /// Stamp of the earliest packet, in nanoseconds since 1970.
    pub first: Option<u64>,
    /// Stamp of the latest packet.
    pub last: Option<u64>,
}

/// What `capinfos` says about `file`.
///
/// # Panics
///
/// When it refuses the file.
pub fn capinfos(file: &Path) -> CapInfos {
    let args = ["-M", "-S", "-t", "-c", "-d", "-a", "-e"];
    let said = output(Command::new("capinfos").args(args).arg(file));
    let field = |name: &str| {
        let mut values = said.lines().filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
        values.next().unwrap_or_else(|| panic!("no {name:?}:\n{said}")).trim().to_owned()
    };
    let count = |text: String| {
        let digits = text.split_whitespace().next().unwrap_or_default();
        digits.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    };
    CapInfos {
        file_type: field("File type"),
        packets: count(field("Number of packets")),
        data_size: count(field("Data size")),
        first: nanos(&field("First packet time")),
        last: nanos(&field("Last packet time")),
    }
}

/// What `capinfos` shows of the comments on a whole file.
///
/// # Panics
///
/// When it refuses the file.
pub fn file_comments(file: &Path) -> String {
    output(Command::new("capinfos").args(["-M", "-k"]).arg(file))
}

/// The fields that `tshark` shows of each packet of `file` that `filter` takes; an empty filter takes all.
///
/// # Panics
///
/// When it refuses the file or the filter.
pub fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(file).args(["-T", "fields"]);
    if !filter.is_empty() {
        command.args(["-Y", filter]);
    }
    for check in ["ip", "udp", "tcp"] {
        command.args(["-o", &format!("{check}.check_checksum:TRUE")]);
    }
    for field in fields {
        command.args(["-e", field]);
    }
    output(&mut command).lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Seconds with nine decimals, as nanoseconds.
pub fn nanos(seconds: &str) -> Option<u64> {
    let (whole, fraction) = seconds.split_once('.')?;
    if fraction.len() != 9 {
        return None;
    }
    Some(whole.parse::<u64>().ok()? * 1_000_000_000 + fraction.parse::<u64>().ok()?)
}

fn output(command: &mut Command) -> String {
    let output = command.env("TZ", "UTC").output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
