//! The way to the disk: past the page cache or through it, what is there after a loss of power, and a disk that is full.

use std::fs;
use std::path::Path;

use erf::session::Ending;
use house_tests::run::{Ran, dagcap, dagcap_path, dagcap_with, number, prepared, run, start};
use house_tests::seen::Seen;
use nix::sys::signal::Signal;

/// What a block is here; no disk of ours has larger ones.
const BLOCK: u64 = 4096;

/// Whether files in `dir` can be written past the page cache; if not, the test is skipped.
pub(crate) fn is_direct(dir: &Path) -> bool {
    let out = dir.join("tried.erf");
    let ran = run(dagcap().args(["--device", "emu:synthetic,count=1", "--io", "direct", "--out"]).arg(out));
    let direct = ran.status.success();
    if !direct {
        house_skip::skip(format_args!("no direct I/O: {}", ran.stderr.trim()));
    }
    direct
}

#[test]
fn a_file_being_written_past_the_cache_has_whole_blocks_of_whole_records() {
    let dir = tempfile::tempdir().unwrap();
    if !is_direct(dir.path()) {
        return;
    }
    let out = dir.path().join("wire.erf");
    let mut running = start(
        dagcap().args(["--device", "emu:synthetic=imix,rate=20kpps", "--io", "direct", "--json", "--out"]).arg(&out),
    );
    let mut before = 0;
    for _ in 0..3 {
        running.until_written(&out, before);
        let copy = dir.path().join("copy.erf");
        fs::copy(&out, &copy).unwrap();
        before = copy.metadata().unwrap().len();
        assert!(before.is_multiple_of(BLOCK), "{before} bytes");
        let seen = Seen::in_file(&copy);
        assert!(seen.defects.is_empty() && seen.pad > 0, "{:?}, {} filler records", seen.defects, seen.pad);
        assert_eq!(seen.ending, Ending::Open);
        seen.check_sequence();
    }
    running.signal(Signal::SIGINT);
    let json = running.wait().exits(0).json();
    let seen = Seen::in_file(&out);
    assert!(seen.defects.is_empty(), "{:?}", seen.defects);
    assert_eq!(seen.packets.len() as u64, number(&json, "delivered"));
    assert_eq!(
        (seen.whole, seen.account().bytes_written),
        (number(&json, "bytes_written"), out.metadata().unwrap().len())
    );
    let file = fs::read(&out).unwrap();
    assert!(erf::Records::new(&file).last().unwrap().unwrap().is_meta(), "no filler behind the closing record");
}

#[test]
fn either_way_gives_the_same_records_but_for_filler() {
    let dir = tempfile::tempdir().unwrap();
    if !is_direct(dir.path()) {
        return;
    }
    let packets = |io: &str| {
        let out = dir.path().join(io);
        let device = "emu:synthetic=imix,count=30000,rate=max,seed=7,faults=pad+meta";
        dagcap_with(&format!("--device {device} --port 0 --io {io} --out {}", out.display()));
        let mut seen = Seen::in_file(&out);
        // How many are lost, and the stamps, depend on the moment.
        seen.packets.retain(|packet| packet.number.is_some_and(|number| number < 1000));
        (seen.packets.into_iter().map(|packet| (packet.number, packet.bytes)).collect::<Vec<_>>(), seen.meta)
    };
    let (direct, buffered) = (packets("direct"), packets("buffered"));
    assert!(direct.0.len() > 100, "{} packets", direct.0.len());
    assert_eq!(direct, buffered);
}

#[test]
fn what_rules_out_direct_io_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    for (options, why) in [
        ("--format pcap", "only ERF"),
        ("--no-meta", "PAD records, which are not wanted"),
        ("--size 1MiB", "less than 16 MiB"),
    ] {
        let line = format!("--device emu:synthetic,count=10 --io direct {options} --out {}", out.display());
        let ran = dagcap_with(&line).exits(2);
        let said = ran.says("direct I/O is not possible");
        assert!(said.contains(why) && said.contains("wire.erf"), "{said}");
        assert!(!out.exists());
        // Left to choose, it goes the other way without a word.
        let line = format!("--device emu:synthetic,count=10 --quiet {options} --force --out {}", out.display());
        assert_eq!(dagcap_with(&line).exits(0).stderr, "");
        fs::remove_file(&out).unwrap();
    }
    let ran = run(dagcap().args("--device emu:synthetic,count=10 --io direct --out -".split(' '))).exits(2);
    ran.says("it is no file opened by its name");
}

#[test]
fn a_file_system_in_memory_is_written_to_in_the_ordinary_way_and_that_is_said() {
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        return house_skip::skip("no /dev/shm");
    }
    let dir = tempfile::tempdir_in(memory).unwrap();
    let out = dir.path().join("wire.erf");
    let ran = dagcap_with(&format!("--device emu:synthetic,count=10 --out {}", out.display())).exits(0);
    let said = ran.says("page cache");
    assert!(said.contains("wire.erf") && said.contains("in memory"), "{said}");
    assert_eq!(Seen::in_file(&out).pad, 0);
}

#[test]
fn a_size_limit_holds_with_all_the_filler() {
    let dir = tempfile::tempdir().unwrap();
    if !is_direct(dir.path()) {
        return;
    }
    let out = dir.path().join("wire.erf");
    let size = 20 << 20;
    let device = "emu:synthetic,rate=max,memory=64MiB";
    let line = format!("--device {device} --io direct --size {size} --json --out {}", out.display());
    let json = dagcap_with(&line).json();
    assert_eq!(json["stopped_by"], "size", "{json}");
    let file = fs::read(&out).unwrap();
    let closing = erf::Records::new(&file).last().unwrap().unwrap().bytes().len();
    let len = file.len() - closing;
    assert!(len <= size && len > size - (700 << 10), "{len} bytes for {size}");
    assert_eq!(number(&json, "bytes_written"), file.len() as u64);
}

/// Runs `script` with a file system of `megabytes` MiB on a disk of its own, the image of which is `$1.image`, at `$1`; `$2` is dagcap. `None`,
/// and the test skipped, where that cannot be made. The mount is gone afterwards.
pub(super) fn on_a_disk(dir: &Path, megabytes: u32, script: &str) -> Option<Ran> {
    if !house_skip::need_root() || !house_skip::need_program("unshare") || !house_skip::need_program("mkfs.ext4") {
        return None;
    }
    let disk = dir.join("disk");
    fs::create_dir_all(&disk).unwrap();
    // With a journal that nobody writes out by himself: what is there after a loss of power is there because it was asked for.
    let make = format!(
        "truncate -s {megabytes}M \"$1.image\" && mkfs.ext4 -q -F -m 0 \"$1.image\" >/dev/null 2>&1 &&
        mount -o loop,commit=1000 \"$1.image\" \"$1\" || exit 77
        {script}"
    );
    let mut command = prepared("unshare");
    let ran = run(command.args(["--mount", "sh", "-c", &make, "sh"]).arg(&disk).arg(dagcap_path()));
    if ran.status.code() == Some(77) {
        house_skip::skip(format_args!("cannot make a disk: {}", ran.stderr.trim()));
        return None;
    }
    Some(ran)
}

/// What a disk has after a loss of power: its image as it is at this moment, with its journal played.
const LOSE_POWER: &str = "cp --sparse=always \"$1.image\" \"$1.later\" && mkdir -p \"$1.after\" && mount -o loop \"$1.later\" \"$1.after\" || exit 77";

#[test]
fn what_is_synced_at_the_end_survives_a_loss_of_power() {
    let dir = tempfile::tempdir().unwrap();
    let device = "emu:synthetic,count=50000,rate=max,memory=64MiB";
    for format in
        ["erf --io direct", "erf --io buffered", "pcap", "pcapng", "erf --compress zstd", "pcapng --compress gzip"]
    {
        for (sync, survives) in [("--sync=end", true), ("", false)] {
            let script = format!(
                "\"$2\" --device {device} --quiet --format {format} {sync} --out \"$1/wire\" || exit 1
                {LOSE_POWER}
                cmp -s \"$1/wire\" \"$1.after/wire\" || exit 99"
            );
            let Some(ran) = on_a_disk(dir.path(), 24, &script) else { return };
            ran.exits(if survives { 0 } else { 99 });
        }
    }
}

#[test]
fn what_is_synced_on_the_way_survives_a_loss_of_power() {
    for io in ["direct", "buffered"] {
        // What survived of the other one is not here.
        let dir = tempfile::tempdir().unwrap();
        // Until the power is lost at a moment when some of it is there; the journal is not written out by itself in that time.
        let script = format!(
            "\"$2\" --device emu:synthetic,rate=2kpps --quiet --io {io} --sync=1s --out \"$1/wire\" & dagcap=$!
            for n in $(seq 200); do
                sleep 0.2; {LOSE_POWER}
                size=$(stat -c %s \"$1.after/wire\" 2>/dev/null); cp \"$1.after/wire\" \"$1.copy\" 2>/dev/null; umount \"$1.after\"
                [ \"${{size:-0}}\" -gt 100000 ] && break
            done
            kill -INT $dagcap; wait $dagcap"
        );
        let Some(ran) = on_a_disk(dir.path(), 24, &script) else { return };
        ran.exits(0);
        let seen = Seen::in_file(&dir.path().join("disk.copy"));
        assert!(seen.packets.len() > 500, "{io}: {} packets", seen.packets.len());
        seen.check_sequence();
    }
}

#[test]
fn a_full_disk_is_filled_to_the_last_whole_record() {
    let dir = tempfile::tempdir().unwrap();
    let script = "\"$2\" --device emu:synthetic=imix,rate=max --io direct --json --out \"$1/wire\"; code=$?
        cp \"$1/wire\" \"$1.copy\"; df --output=avail -B1 \"$1\" | tail -1 >\"$1.left\"; exit $code";
    let Some(ran) = on_a_disk(dir.path(), 16, script) else { return };
    let ran = ran.exits(2);
    let said = ran.says("No space left on device");
    assert!(said.contains("free some space"), "{said}");
    let json = ran.json();
    let copy = dir.path().join("disk.copy");
    let seen = Seen::in_file(&copy);
    assert!(seen.defects.is_empty(), "{:?}", seen.defects);
    assert_eq!(seen.ending, Ending::Open, "a recording that did not end by itself");
    assert_eq!(seen.packets.len() as u64, number(&json, "delivered"));
    assert_eq!(copy.metadata().unwrap().len(), number(&json, "bytes_written"));
    assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer") > 0), (Some("error"), true), "{json}");
    seen.check_sequence();
    let left: u64 = fs::read_to_string(dir.path().join("disk.left")).unwrap().trim().parse().unwrap();
    assert!(left <= 2 * 65_536, "{left} bytes are left on a full disk");
}

#[test]
fn a_full_disk_can_be_waited_for_and_what_is_lost_meanwhile_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    for form in ["erf --io direct", "erf --io buffered", "pcapng"] {
        // Whoever waits for the disk says so; then somebody makes room, and it goes on until there is more than had fitted before.
        let script = format!(
            ": >\"$1.said\"; fallocate -l 60M \"$1/other\" || exit 77
            \"$2\" --device emu:synthetic=1518,rate=5kpps,memory=1MiB --on-full wait --format {form} --json --out \"$1/wire\" 2>\"$1.said\" & dagcap=$!
            until grep -q 'no room to write' \"$1.said\"; do sleep 0.05; done
            sleep 2; cp \"$1/wire\" \"$1.full\"; full=$(stat -c %s \"$1/wire\"); rm \"$1/other\"
            until [ $(stat -c %s \"$1/wire\") -gt $((full + 12000000)) ]; do sleep 0.05; done
            kill -INT $dagcap; wait $dagcap; code=$?; cat \"$1.said\" >&2; cp \"$1/wire\" \"$1.copy\"; exit $code"
        );
        let Some(ran) = on_a_disk(dir.path(), 96, &script) else { return };
        let ran = ran.exits(1);
        ran.says("there is room again");
        let json = ran.json();
        assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer")), (Some("signal"), 0), "{form}: {json}");
        assert!(number(&json, "lost_card") > 0, "{form}: {json}");
        if form.starts_with("erf") {
            let seen = Seen::in_file(&dir.path().join("disk.copy"));
            assert!(seen.defects.is_empty(), "{:?}", seen.defects);
            let (lost, stuck) = seen.check_sequence();
            assert!(!stuck && lost == number(&json, "lost_card"), "{lost} in the file, {json}");
            assert_eq!(seen.account().delivered, seen.packets.len() as u64);
        }
        if form.ends_with("direct") {
            let full = Seen::in_file(&dir.path().join("disk.full"));
            assert!(full.defects.is_empty(), "while it waits there are whole records: {:?}", full.defects);
        }
    }
}

/// The system gives `$group`, a control group of this script, so many bytes a second of the disk, by whichever version of control groups there
/// is. It is gone afterwards.
const THROTTLE: &str = r#"
    disk=$(mountpoint -d "$1"); name=house-$$
    if [ -e /sys/fs/cgroup/blkio/blkio.throttle.write_bps_device ]; then
        group=/sys/fs/cgroup/blkio/$name; mkdir "$group" || exit 77; trap 'rmdir "$group"' EXIT
        echo "$disk $rate" >"$group/blkio.throttle.write_bps_device" || exit 77
    else
        echo +io >/sys/fs/cgroup/cgroup.subtree_control || exit 77
        group=/sys/fs/cgroup/$name; mkdir "$group" || exit 77; trap 'rmdir "$group"' EXIT
        echo "$disk wbps=$rate" >"$group/io.max" || exit 77
    fi"#;

#[test]
fn a_throttled_disk_costs_counted_packets_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    // Three times as much as the disk takes, until that has filled stream memory several times over.
    let script = format!(
        "rate=2500000 {THROTTLE}
        sh -c 'echo $$ >\"$0/cgroup.procs\" && exec \"$@\"' \"$group\" \
            \"$2\" --device emu:synthetic=1518,rate=5kpps,memory=1MiB --io direct --json --out \"$1/wire\" & dagcap=$!
        while kill -0 $dagcap && [ $(stat -c %s \"$1/wire\" 2>/dev/null || echo 0) -le 6000000 ]; do sleep 0.05; done
        kill -INT $dagcap; wait $dagcap; code=$?; cp \"$1/wire\" \"$1.copy\"; exit $code"
    );
    let Some(ran) = on_a_disk(dir.path(), 96, &script) else { return };
    let json = ran.exits(1).json();
    assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer")), (Some("signal"), 0), "{json}");
    assert_eq!(json["loss_exact"], true, "{json}");
    let seen = Seen::in_file(&dir.path().join("disk.copy"));
    assert!(seen.defects.is_empty(), "{:?}", seen.defects);
    let (lost, stuck) = seen.check_sequence();
    assert!(!stuck && lost > 0 && lost == number(&json, "lost_card"), "{lost} in the file, {json}");
    assert_eq!(seen.account().delivered, number(&json, "delivered"));
}

#[test]
fn whoever_waits_for_a_full_disk_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    for io in ["direct", "buffered"] {
        let script = format!(
            ": >\"$1.said\"; \"$2\" --device emu:synthetic=1518,rate=20kpps,memory=4MiB --on-full wait --io {io} --json --out \"$1/wire\" 2>\"$1.said\" & dagcap=$!
            while kill -0 $dagcap && ! grep -q 'goes on when' \"$1.said\"; do sleep 0.05; done
            kill -INT $dagcap; wait $dagcap; code=$?; cat \"$1.said\" >&2; cp \"$1/wire\" \"$1.copy\"; exit $code"
        );
        let Some(ran) = on_a_disk(dir.path(), 16, &script) else { return };
        let ran = ran.exits(2);
        ran.says("it goes on when there is some");
        let json = ran.json();
        let seen = Seen::in_file(&dir.path().join("disk.copy"));
        assert!(seen.defects.is_empty(), "{:?}", seen.defects);
        assert_eq!(seen.packets.len() as u64, number(&json, "delivered"));
        assert!(number(&json, "lost_writer") > 0, "{json}");
    }
}

#[test]
fn a_place_is_measured_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let line = format!("--device emu:synthetic,memory=64MiB --preflight --json --out {}", out.display());
    let ran = dagcap_with(&line).exits(0);
    ran.says("million packets/s of IMIX");
    ran.says("memory of 64 MiB");
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let float = |value: &serde_json::Value| value.as_f64().unwrap();
    let rate = float(&json["bytes_per_second"]);
    // Records of 88 bytes each; and 84 bytes of wire for 64 of packet.
    let smallest = &json["holds"][0];
    assert!((float(&smallest["packets_per_second"]) * 88.0 / rate - 1.0).abs() < 1e-6, "{json}");
    assert!((float(&smallest["wire_bits_per_second"]) / float(&smallest["packets_per_second"]) - 672.0).abs() < 1e-6);
    assert!((float(&json["bridges_ms"]) * rate / 1e3 / f64::from(64 << 20) - 1.0).abs() < 1e-6, "{json}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");

    let missing = format!("--device emu:synthetic --preflight --out {}/missing/x", dir.path().display());
    dagcap_with(&missing).exits(2).says("missing");
    dagcap_with("--device emu:synthetic --preflight --out -").exits(2).says("--preflight");
}
