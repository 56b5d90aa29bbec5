//! `erf info --clock`: what is put into stamps is found in them again.

use std::fs;
use std::path::{Path, PathBuf};

use erf::{RecordBuilder, RecordType, Timestamp};
use house_tests::run::{erf, run};
use serde_json::Value;

const NOW: u32 = 1_700_000_000;
const PACKETS: u64 = 2000;

/// A stamp every 10 ms and a bit, by a clock that is `late` ns late at first and gains `drift` ns a second.
fn stamp(n: u64, late: u64, drift: u64) -> Timestamp {
    let elapsed = n * 10_000_019;
    let nanos = elapsed + late + elapsed * drift / 1_000_000_000;
    Timestamp::from_raw((u64::from(NOW) << 32) + ((u128::from(nanos) << 32) / 1_000_000_000) as u64)
}

/// On the grid of a card, 2^-26 s.
fn of_card(stamp: Timestamp) -> Timestamp {
    Timestamp::from_raw(stamp.raw() & !0x3F)
}

/// A whole number of microseconds, as a kernel of old says it.
fn of_kernel(stamp: Timestamp) -> Timestamp {
    let micros = (u128::from(stamp.raw() & 0xFFFF_FFFF) * 1_000_000) >> 32;
    let part = ((micros << 32).div_ceil(1_000_000)) as u32;
    Timestamp::from_parts(stamp.secs(), part)
}

fn packet(n: u64, stamp: Timestamp, interface: u8) -> Vec<u8> {
    let mut frame = [0; 80];
    frame[30..38].copy_from_slice(&n.to_be_bytes());
    let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp).interface(interface).payload(&frame);
    record.append_fcs().to_vec().expect("a frame fits its record")
}

fn file(folder: &Path, name: &str, packets: impl Iterator<Item = Vec<u8>>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, packets.collect::<Vec<_>>().concat()).expect("the temporary folder can be written to");
    path
}

fn clock(file: &Path, against: Option<&str>) -> Value {
    let mut command = erf("info --json --clock");
    command.arg(file);
    if let Some(against) = against {
        command.args(["--against", against]);
    }
    let report: Value = serde_json::from_slice(&run(&mut command).exits(0).stdout).expect("JSON");
    report["clock"].clone()
}

#[test]
fn drift_and_offset_against_another_file_and_another_interface() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let reference = file(folder, "card.erf", (0..PACKETS).map(|n| packet(n, of_card(stamp(n, 0, 0)), 0)));
    let other = file(folder, "other.erf", (0..PACKETS).map(|n| packet(n, stamp(n, 5000, 40_000), 1)));
    let both = file(
        folder,
        "both.erf",
        (0..PACKETS).flat_map(|n| [packet(n, of_card(stamp(n, 0, 0)), 0), packet(n, stamp(n, 5000, 40_000), 1)]),
    );
    for (file, against) in [(&other, reference.to_str().expect("UTF-8")), (&both, "0")] {
        let against = &clock(file, Some(against))["against"]["comparison"];
        assert_eq!(against["matched"], PACKETS);
        let number = |name: &str| against[name].as_f64().unwrap_or_else(|| panic!("{name}: {against}"));
        // 40 us a second over 20 s, found to within a tick of the card over that time.
        assert!((number("drift_ppm") - 40.0).abs() < 0.001, "{against}");
        // The card's stamps are rounded down by up to a tick.
        assert!((5000.0..=5015.0).contains(&number("least_ns")), "{against}");
        assert!((number("greatest_ns") - number("least_ns") - 799_600.0).abs() < 30.0, "{against}");
        assert!(number("residual_ns") < 15.0, "{against}");
    }
    // Of the two places only packets that are in both count.
    let half = file(folder, "half.erf", (0..PACKETS / 2).map(|n| packet(n * 2, stamp(n * 2, 0, 0), 0)));
    assert_eq!(clock(&other, half.to_str())["against"]["comparison"]["matched"], PACKETS / 2);
    let strange = file(folder, "strange.erf", (0..9).map(|n| packet(n + PACKETS, stamp(n, 0, 0), 0)));
    assert_eq!(clock(&other, strange.to_str())["against"]["comparison"], Value::Null);
}

#[test]
fn stamps_of_cards_and_of_kernels_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let card = file(folder.path(), "card.erf", (0..PACKETS).map(|n| packet(n, of_card(stamp(n, 0, 0)), 0)));
    let kernel = file(folder.path(), "kernel.erf", (0..PACKETS).map(|n| packet(n, of_kernel(stamp(n, 0, 0)), 0)));
    let (card, kernel) = (clock(&card, None), clock(&kernel, None));
    // The first one is a whole second, which says nothing.
    assert_eq!(kernel["multiples_of_a_microsecond"], PACKETS - 1);
    assert_eq!(kernel["whole_seconds"], 1);
    assert!(card["multiples_of_a_microsecond"].as_u64().is_some_and(|few| few < PACKETS / 100), "{card}");
    for (report, word) in [(&card, "hardware"), (&kernel, "software")] {
        let made_by = report["made_by"].as_str().unwrap_or_default();
        assert!(made_by.contains(word), "{word}: {report}");
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let one = file(folder.path(), "one.erf", (0..9).map(|n| packet(n, stamp(n, 0, 0), 0)));
    let ran = run(erf("info --clock --against -").arg(&one)).exits(2);
    assert!(ran.stderr.contains("standard input"), "{}", ran.stderr);
    run(erf("info --against 0").arg(&one)).exits(2);
}
