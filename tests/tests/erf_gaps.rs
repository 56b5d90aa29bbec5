//! `erf gaps` of several files, and what its figures have to do with each other.

use std::fs;
use std::path::Path;

use erf::{Fraction, RecordBuilder, RecordType, Timestamp};
use house_tests::run::{Ran, erf, run};

/// Packets, so many nanoseconds apart.
fn file(dir: &Path, name: &str, steps: impl IntoIterator<Item = u64>) {
    let (mut at, mut bytes) = (1_700_000_000_000_000_000, Vec::new());
    for step in [0].into_iter().chain(steps) {
        at += step;
        let stamp = Timestamp::from_nanos(at, Fraction::Ceil).expect("a time of ours");
        let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 60]).append_fcs().to_vec();
        bytes.extend(record.expect("a record"));
    }
    fs::write(dir.join(name), bytes).expect("a file");
}

fn erf_in(dir: &Path, args: &str) -> Ran {
    run(erf(args).current_dir(dir))
}

fn text(ran: &Ran) -> String {
    String::from_utf8(ran.stdout.clone()).expect("text")
}

#[test]
fn files_are_rows_of_a_table_of_a_list_and_of_an_array() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "a.erf", [1000, 3000, 2000]);
    file(dir, "b.erf", []);
    let shown = text(&erf_in(dir, "gaps a.erf b.erf --window 1ms").exits(0));
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..4], ["file", "interface", "packets", "min"]);
    assert_eq!(rows[1][..4], ["a.erf", "all", "4", "1000"]);
    assert_eq!(rows[2][..3], ["a.erf", "0", "4"]);
    assert_eq!(rows[3][..5], ["b.erf", "all", "1", "-", "-"]);
    assert_eq!(rows.len(), 5);

    let ran = erf_in(dir, "gaps a.erf b.erf --csv -").exits(0);
    assert!(text(&ran).starts_with("file,interface,gap_ns,count\na.erf,all,"), "{}", text(&ran));
    let found: serde_json::Value =
        serde_json::from_str(&text(&erf_in(dir, "gaps a.erf b.erf --json").exits(0))).expect("JSON");
    assert_eq!((&found[0]["file"], &found[1]["all"]["packets"]), (&"a.erf".into(), &1.into()));

    let ran = erf_in(dir, "gaps a.erf none.erf").exits(2);
    ran.says("none.erf");
    assert!(text(&ran).contains("a.erf"), "what can be read is shown");
    erf_in(dir, "gaps a.erf b.erf --svg x.svg").exits(2).says("--svg draws one file");
    erf_in(dir, "gaps none.erf --csv x.csv").exits(2);
    assert_eq!(fs::read_dir(dir).expect("the folder").count(), 2);
}

#[test]
fn no_percentile_is_above_the_longest() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    // The histogram counts in steps of a thousandth.
    file(dir, "a.erf", [1_766_443, 1_766_445, 1_766_441]);
    let found: serde_json::Value =
        serde_json::from_str(&text(&erf_in(dir, "gaps a.erf --json").exits(0))).expect("JSON");
    let gaps = &found["all"]["gap_ns"];
    assert_eq!(gaps["max"], 1_766_445);
    for name in ["p50", "p90", "p99", "p999"] {
        assert!(gaps[name].as_u64() <= gaps["max"].as_u64(), "{name}: {gaps}");
    }
    let shown = text(&erf_in(dir, "gaps a.erf").exits(0));
    assert!(shown.contains("p999 1766445, max 1766445"), "{shown}");
}
