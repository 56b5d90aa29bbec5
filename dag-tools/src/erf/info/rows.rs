//! The answer for spreadsheets.

use erf::pieces::Visited;
use erf::summary::Summary;

const COLUMNS: [&str; 25] = [
    "file",
    "format",
    "compression",
    "bytes",
    "records",
    "packets",
    "pads",
    "first_raw",
    "first_ns",
    "last_raw",
    "last_ns",
    "duration_ns",
    "packets_per_second",
    "bits_per_second",
    "wire_bytes",
    "captured_bytes",
    "lost",
    "rx_errors",
    "ds_errors",
    "snapped",
    "fcs",
    "backward_steps",
    "tick_bits",
    "defects",
    "error",
];

pub(super) fn header() -> Vec<String> {
    COLUMNS.map(String::from).to_vec()
}

pub(super) fn row(name: &str, visited: &Visited<Summary>) -> Vec<String> {
    let summary = &visited.piece;
    let times = summary.times();
    let raw = |stamp: Option<erf::Timestamp>| stamp.map(|stamp| format!("{:#018x}", stamp.raw())).unwrap_or_default();
    let ns = |stamp: Option<erf::Timestamp>| stamp.map(|stamp| stamp.nanos().to_string()).unwrap_or_default();
    let rate = |amount| summary.stamps.per_second(amount).map(|rate| format!("{rate:.3}")).unwrap_or_default();
    let row: [String; COLUMNS.len()] = [
        name.to_owned(),
        visited.format.to_string(),
        visited.compression.to_string(),
        visited.end.to_string(),
        summary.records().to_string(),
        summary.packets().to_string(),
        summary.pads().to_string(),
        raw(times.first),
        ns(times.first),
        raw(times.last),
        ns(times.last),
        times.duration().to_nanos().to_string(),
        rate(summary.packets()),
        rate(summary.sizes.wire.sum.saturating_mul(8)),
        summary.sizes.wire.sum.to_string(),
        summary.sizes.captured.sum.to_string(),
        summary.lost.to_string(),
        summary.rx_errors.to_string(),
        summary.ds_errors.to_string(),
        summary.snapped.to_string(),
        summary.fcs.verdict().word().to_owned(),
        summary.backward_steps().to_string(),
        summary.stamps.tick().map_or(0, |tick| tick.bits()).to_string(),
        super::defects(visited).to_string(),
        visited.error.as_ref().map(ToString::to_string).unwrap_or_default(),
    ];
    row.to_vec()
}

/// The row of a file that could not be read: its name, and why, in the last column.
pub(super) fn unread(name: &str, error: &erf::Error) -> Vec<String> {
    let mut row = vec![String::new(); COLUMNS.len()];
    row[0] = name.to_owned();
    row[COLUMNS.len() - 1] = error.to_string();
    row
}
