//! Where the packets go, and what happens when they cannot.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use erf::session::Ending;
use house_tests::run::{dagcap, dagcap_path, dagcap_with, number, prepared, run, start};
use house_tests::seen::Seen;

const TEN: &str = "emu:synthetic,count=10,rate=max";

#[test]
fn a_file_that_exists_is_not_overwritten_and_the_printed_line_does_it() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("my wire's file;$(touch x).erf");
    fs::write(&out, "precious").unwrap();
    let refused = run(dagcap().args(["--device", TEN, "--out"]).arg(&out)).exits(2);
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    refused.says("exists already and was not touched");
    let line = refused.stderr.lines().last().unwrap();
    assert!(line.trim_end().ends_with("--force"), "{line}");

    let pasted = run(prepared("/bin/sh").arg("-c").arg(line).current_dir(dir.path())).exits(0);
    pasted.says("received 10");
    assert_eq!(Seen::in_file(&out).packets.len(), 10);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the shell took the name as it is");
}

#[test]
fn force_overwrites_and_leaves_nothing_of_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    fs::write(&out, vec![b'x'; 1 << 20]).unwrap();
    let line = format!("--device {TEN} --force --json --out {}", out.display());
    let json = dagcap_with(&line).exits(0).json();
    assert_eq!(number(&json, "bytes_written"), out.metadata().unwrap().len());
    assert_eq!(Seen::in_file(&out).packets.len(), 10);

    // A capture that cannot even start leaves the old file as it was.
    let before = fs::read(&out).unwrap();
    dagcap_with(&format!("--device emu:tap=no-such-iface --force --out {}", out.display())).exits(2);
    assert!(fs::read(&out).unwrap() == before);
}

#[test]
fn binary_is_not_written_to_a_terminal() {
    let pty = nix::pty::openpty(None, None).unwrap();
    let slave = pty.slave.try_clone().unwrap();
    let ran = run(dagcap().args(["--device", TEN, "--out", "-"]).stdout(Stdio::from(slave))).exits(2);
    ran.says("standard output: is a terminal");
    let name = nix::unistd::ttyname(&pty.slave).unwrap();
    let ran = run(dagcap().args(["--device", TEN, "--out"]).arg(&name)).exits(2);
    ran.says("is a terminal");
}

#[test]
fn a_closed_standard_output_is_no_place_to_record_to() {
    let line = |redirect: &str| format!("exec {} --device {TEN} --out - {redirect}", dagcap_path().display());
    let closed = run(prepared("/bin/sh").arg("-c").arg(line(">&-"))).exits(2);
    closed.says("standard output: is closed");
    // Whoever wants to throw it away can.
    run(prepared("/bin/sh").arg("-c").arg(line(">/dev/null"))).exits(0).says("received 10");
    dagcap_with(&format!("--device {TEN} --out /dev/null")).exits(0);
}

/// What is said of a time, up to the next bracket.
fn in_seconds(said: &str) -> Option<f64> {
    let (number, unit) = said.split_once(')')?.0.split_once(' ')?;
    let unit = match unit {
        "ms" => 1e-3,
        "s" => 1.0,
        "min" => 60.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit)
}

#[test]
fn progress_is_shown_on_a_terminal_only() {
    let dir = tempfile::tempdir().unwrap();
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut command = dagcap();
    // 8.8 MB a second.
    let feed = "emu:synthetic=64,rate=100kpps,memory=8MiB";
    command.args(["--device", feed, "--duration", "2s", "--out"]).arg(dir.path().join("a"));
    command.env("TERM", "xterm");
    let running = start(command.stderr(Stdio::from(pty.slave)));
    // The slave's last descriptor of ours goes with the command.
    drop(command);
    let mut terminal = fs::File::from(pty.master);
    let mut shown = Vec::new();
    // A terminal without anybody at the other end is an error, not an end.
    let _ = terminal.read_to_end(&mut shown);
    running.wait().exits(0);
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("packets,") && shown.contains("memory 0 %"), "{shown}");
    let rooms: Vec<f64> = shown.split("(room for ").skip(1).filter_map(in_seconds).collect();
    assert!(rooms.len() > 2 && rooms.iter().any(|room| (0.3..3.0).contains(room)), "{rooms:?} in {shown}");

    let plain = dagcap_with(&format!("--device emu:synthetic --duration 1s --out {}", dir.path().join("b").display()));
    assert!(!plain.exits(0).stderr.contains("memory 0 %"));
}

#[test]
fn a_path_that_cannot_be_written_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing/wire.erf");
    let ran = run(dagcap().args(["--device", TEN, "--out"]).arg(&missing)).exits(2);
    ran.says("missing/wire.erf: cannot open it for writing");
    let ran = run(dagcap().args(["--device", TEN, "--out"]).arg(dir.path())).exits(2);
    ran.says("cannot write there; name a file inside it");
    let ran = run(dagcap().args(["--device", TEN, "--out", "/proc/version", "--force"])).exits(2);
    ran.says("/proc/version");
    let ran = run(dagcap().args(["--device", TEN, "--out", ""])).exits(2);
    assert!(!ran.stderr.is_empty());
}

#[test]
fn somebody_without_permission_is_told_so() {
    if !house_skip::need_root() || !house_skip::need_program("setpriv") {
        return;
    }
    let dir = public_dir();
    let line = "--reuid=65534 --regid=65534 --clear-groups";
    let nobody = || {
        let mut command = prepared("setpriv");
        command.args(line.split(' ')).arg(dir.path().join("dagcap"));
        command
    };
    let locked = dir.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = run(nobody().args(["--device", TEN, "--out"]).arg(locked.join("wire.erf"))).exits(2);
    ran.says("Permission denied");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);

    let out = dir.path().join("wire.erf");
    let ran = run(nobody().args(["--device", "emu:tap=lo", "--out"]).arg(&out)).exits(2);
    let said = ran.says("CAP_NET_RAW");
    assert!(said.contains("setcap cap_net_raw+ep") && said.contains(dir.path().to_str().unwrap()), "{said}");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(!out.exists());

    // And everything else works without being root.
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    run(nobody().args(["--device", TEN, "--out"]).arg(open.join("wire.erf"))).exits(0);
}

/// A folder that everybody can read, with a copy of the program in it: the target folder may lie where only its owner comes.
fn public_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(dagcap_path(), dir.path().join("dagcap")).unwrap();
    dir
}

#[test]
fn a_device_without_room_is_an_error_with_the_way_out() {
    for format in ["erf", "pcap", "pcapng"] {
        let line = format!("--device emu:synthetic,count=5000,rate=max --format {format} --json --out /dev/full");
        let ran = dagcap_with(&line).exits(2);
        let said = ran.says("/dev/full");
        assert!(said.contains("No space left on device") && said.contains("free some space"), "{said}");
        let json = ran.json();
        assert_eq!(json["stopped_by"], "error");
        assert_eq!((number(&json, "delivered"), number(&json, "bytes_written")), (0, 0), "{format}: {json}");
        assert_eq!(number(&json, "lost_writer"), number(&json, "received"), "{format}: {json}");
        assert!(json["error"].as_str().is_some_and(|error| error.contains("/dev/full")), "{json}");
    }
}

#[test]
fn a_full_disk_leaves_a_file_of_whole_records_that_is_visibly_unfinished() {
    if !house_skip::need_root() || !house_skip::need_program("unshare") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for format in ["erf", "pcap", "pcapng"] {
        let disk = dir.path().join("disk");
        fs::create_dir_all(&disk).unwrap();
        // The mount is gone with the namespace: what is on it is copied first.
        let script = "mount -t tmpfs -o size=1m full \"$1\" || exit 77
            \"$2\" --device emu:synthetic=imix,rate=max --json --format \"$3\" --out \"$1/wire\"; code=$?
            cp \"$1/wire\" \"$1.copy\"; exit $code";
        let mut command = prepared("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&disk).arg(dagcap_path()).arg(format);
        let ran = run(&mut command);
        if ran.status.code() == Some(77) {
            return house_skip::skip(format_args!("cannot mount a tmpfs: {}", ran.stderr.trim()));
        }
        let ran = ran.exits(2);
        ran.says("No space left on device");
        let json = ran.json();
        assert_eq!(json["stopped_by"], "error");
        let copy = dir.path().join("disk.copy");
        let len = copy.metadata().unwrap().len();
        assert_eq!(number(&json, "bytes_written"), len, "{format}");
        assert!(len > 900_000, "{format}: {len} bytes on a disk of 1 MiB");
        let delivered = number(&json, "delivered");
        if format == "erf" {
            let seen = Seen::in_file(&copy);
            assert!(seen.defects.is_empty(), "{:?}", seen.defects);
            assert_eq!(seen.ending, Ending::Open, "a recording that did not end by itself");
            assert_eq!(seen.packets.len() as u64, delivered);
            seen.check_sequence();
        } else {
            assert_eq!(packets_in(&copy), delivered, "{format}");
        }
        assert!(number(&json, "lost_writer") > 0, "{json}");
    }
}

/// Packets of a pcap or pcapng file, which must have no defect.
fn packets_in(path: &Path) -> u64 {
    let mut packets = 0;
    let mut reader = erf::Reader::open_path(path).unwrap();
    reader
        .for_each(|item| {
            item.unwrap();
            packets += 1;
        })
        .unwrap();
    packets
}

#[test]
fn a_reader_that_has_enough_is_a_success() {
    let mut running = start(dagcap().args(["--device", "emu:synthetic,rate=max", "--out", "-", "--json"]));
    let mut pipe = running.take_stdout();
    let mut head = [0; 100];
    pipe.read_exact(&mut head).unwrap();
    drop(pipe);
    let ran = running.wait().exits(0);
    assert!(!ran.stderr.contains("roken pipe"), "{}", ran.stderr);
    let json = ran.json_on_stderr();
    assert!(number(&json, "lost_writer") > 0, "{json}");

    // The JSON's reader, too.
    let dir = tempfile::tempdir().unwrap();
    let mut running = start(dagcap().args(["--device", TEN, "--json", "--out"]).arg(dir.path().join("wire.erf")));
    drop(running.take_stdout());
    running.wait().exits(0);
}

#[test]
fn standard_output_by_name_and_a_file_called_dash() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dagcap().args(["--device", TEN, "--out", "-"]).current_dir(dir.path())).exits(0);
    assert_eq!(Seen::in_bytes(&ran.stdout).packets.len(), 10);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    run(dagcap().args(["--device", TEN, "--out", "./-"]).current_dir(dir.path())).exits(0);
    assert_eq!(Seen::in_file(&dir.path().join("-")).packets.len(), 10);
    // Redirected to a file, it is a file all the same.
    let file = fs::File::create(dir.path().join("redirected")).unwrap();
    run(dagcap().args(["--device", TEN, "--out", "-"]).stdout(file)).exits(0);
    assert_eq!(Seen::in_file(&dir.path().join("redirected")).packets.len(), 10);
}
