//! A guest as the lab has them: fetched, booted on a tap device, told what to do, and gone without a trace.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use house_tests::lab::Netns;
use house_tests::run::{PATIENCE, dagcap_path, profile, run, tping_path, wiretruth, wiretruth_path};
use house_tests::seen::Seen;
use wire_truth::lab::guest::{Guest, GuestConfig, GuestFiles, Initramfs, check};

/// The namespace's own address at the tap, which guests probe.
const HOST: &str = "10.78.0.1";

/// Files of guests, fetched into the target folder where they are not there. `None`, aloud, where they cannot be had.
fn files() -> Option<(PathBuf, GuestFiles)> {
    let folder = profile().parent().unwrap().join("guest");
    if let Ok(files) = GuestFiles::open(&folder) {
        return Some((folder, files));
    }
    for program in ["apt-get", "dpkg-deb"] {
        if !house_skip::need_program(program) {
            return None;
        }
    }
    let fetched = run(wiretruth().args(["lab", "fetch-guest", "--dir"]).arg(&folder));
    if !fetched.status.success() {
        house_skip::skip(format_args!("files of guests cannot be fetched: {}", fetched.stderr));
        return None;
    }
    fetched.says("downloading linux-image-");
    Some((folder.clone(), GuestFiles::open(&folder).unwrap()))
}

fn possible() -> bool {
    let programs = ["qemu-system-x86_64", "ip"];
    if !house_skip::need_root() || !programs.iter().all(|program| house_skip::need_program(program)) {
        return false;
    }
    let tun = fs::File::options().read(true).write(true).open("/dev/net/tun");
    if let Err(error) = &tun {
        house_skip::skip(format_args!("needs /dev/net/tun: {error}"));
    }
    tun.is_ok()
}

#[test]
fn a_guest_boots_measures_and_leaves_nothing_behind() {
    if !possible() {
        return;
    }
    let Some((folder, files)) = files() else { return };
    let Some(ns) = Netns::alone() else { return };
    ns.exec("ip tuntap add dev t0 mode tap");
    ns.exec(&format!("ip addr add {HOST}/24 dev t0"));
    ns.exec("ip link set t0 up");
    let dir = tempfile::tempdir().unwrap();
    let initramfs = dir.path().join("initramfs");
    let made = Initramfs::new(&files, wiretruth_path()).program(tping_path()).program(dagcap_path());
    made.write(&initramfs).unwrap();
    let config = GuestConfig::new(files.kernel(), &initramfs, "t0", "10.78.0.2".parse().unwrap());

    let began = Instant::now();
    let (guest, up) = ns.inside(|| Guest::boot(&config)).unwrap();
    println!("up after {:?}, clock {}", began.elapsed(), up.clock_source);
    let process = PathBuf::from(format!("/proc/{}", guest.pid()));
    assert!(process.exists());
    assert_eq!(up.release, files.release());
    assert_ne!(up.release, fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim(), "the host's kernel");

    // Every stamp of a probe is there, and the host has answered.
    let capture = guest.spawn(&["dagcap", "--device", "emu:tap=eth0", "--out", "/tmp/domu.erf"]).unwrap();
    let began = Instant::now();
    while guest.get_file("/tmp/domu.erf").map_or(0, |file| file.len()) == 0 {
        assert!(began.elapsed() < PATIENCE, "dagcap writes nothing: {:?}", guest.collect(capture, Duration::ZERO));
        guest.run(&["ping", "-c", "1", "-W", "1", HOST], PATIENCE).unwrap();
    }
    println!("dagcap runs after {:?}", began.elapsed());
    let argv = ["tping", HOST, "-c", "20", "-i", "20ms", "--ident", "4242", "--log", "/tmp/user.csv"];
    let probed = guest.run(&argv, PATIENCE).unwrap();
    println!("{}", String::from_utf8_lossy(&probed.stdout));
    assert!(probed.success(), "{probed:?}");
    let log = String::from_utf8(guest.get_file("/tmp/user.csv").unwrap()).unwrap();
    let rows: Vec<Vec<&str>> =
        log.lines().filter(|line| line.starts_with("4242,")).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 20, "{log}");
    for row in &rows {
        // user_send, sched, snd, then kernel_recv and user_recv.
        let stamps: Vec<i64> = [3, 4, 5, 7, 8].iter().map(|column| row[*column].parse().unwrap()).collect();
        assert!(stamps.is_sorted(), "{row:?}");
    }
    // What was started is ended as by Ctrl-C, and its file is whole.
    assert_eq!(guest.collect(capture, Duration::ZERO).unwrap(), None);
    guest.interrupt(capture).unwrap();
    let captured = guest.collect(capture, PATIENCE).unwrap().expect("it ends");
    assert!(captured.success(), "{}", String::from_utf8_lossy(&captured.stderr));
    let seen = Seen::in_bytes(&guest.get_file("/tmp/domu.erf").unwrap());
    assert!(seen.packets.len() >= 40 && seen.defects.is_empty(), "{}", seen.packets.len());

    // Any bytes, both ways, and more than one buffer.
    let bytes: Vec<u8> = (0..3_000_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    let began = Instant::now();
    guest.put_file("/tmp/bytes", 0o600, bytes.clone()).unwrap();
    println!("put {} MB in {:?}", bytes.len() / 1_000_000, began.elapsed());
    let began = Instant::now();
    assert!(guest.get_file("/tmp/bytes").unwrap() == bytes);
    println!("got {} MB in {:?}", bytes.len() / 1_000_000, began.elapsed());

    let began = Instant::now();
    guest.stop().unwrap();
    println!("stopped in {:?}", began.elapsed());
    assert!(!process.exists());
    println!("{:#?}", check(&folder));
}
