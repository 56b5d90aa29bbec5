//! A guest as the lab has them: fetched, booted on a tap device, told what to do, and gone without a trace.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use house_tests::lab::Netns;
use house_tests::run::{PATIENCE, dagcap_path, prepared, profile, run, start, tping_path, wiretruth, wiretruth_path};
use house_tests::seen::Seen;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wire_truth::ErrorKind;
use wire_truth::lab::guest::{Guest, GuestConfig, GuestFiles, Initramfs, Up, check};
use wire_truth::verdict::signals::{Queue, SignalLog};

/// The namespace's own address at the tap, which guests probe.
const HOST: &str = "10.78.0.1";

/// Files of guests, fetched into the target folder where they are not there. `None`, aloud, where they cannot be had.
fn files() -> Option<(PathBuf, GuestFiles)> {
    // Tests that run side by side would fetch into one folder.
    static FETCHING: Mutex<()> = Mutex::new(());
    let _alone = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
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

/// A namespace with a tap device, and what a guest boots with there.
struct Bench {
    ns: Netns,
    config: GuestConfig,
    files: GuestFiles,
    folder: PathBuf,
}

/// One for all tests, as it takes long to make.
fn initramfs(files: &GuestFiles) -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let path = profile().join("guest-initramfs");
        // Who plays the part of the killed takes what is there.
        if std::env::var_os(KILLED).is_none() {
            let new = tempfile::NamedTempFile::new_in(profile()).unwrap();
            let made = Initramfs::new(files, wiretruth_path()).program(tping_path()).program(dagcap_path());
            made.write(new.path()).unwrap();
            new.persist(&path).unwrap();
        }
        path
    })
}

impl Bench {
    /// `None`, aloud, where there can be no guest.
    fn new() -> Option<Self> {
        if !possible() {
            return None;
        }
        let (folder, files) = files()?;
        let ns = Netns::alone()?;
        ns.exec("ip tuntap add dev t0 mode tap");
        ns.exec(&format!("ip addr add {HOST}/24 dev t0"));
        ns.exec("ip link set t0 up");
        let config = GuestConfig::new(files.kernel(), initramfs(&files), "t0", "10.78.0.2".parse().unwrap());
        Some(Self { ns, config, files, folder })
    }

    fn boot(&self) -> (Guest, Up) {
        self.ns.inside(|| Guest::boot(&self.config)).unwrap_or_else(|error| panic!("{error}"))
    }
}

#[test]
fn a_guest_boots_measures_and_leaves_nothing_behind() {
    let Some(bench) = Bench::new() else { return };
    let (guest, up) = bench.boot();
    let process = PathBuf::from(format!("/proc/{}", guest.pid()));
    assert!(process.exists());
    assert_eq!(up.release, bench.files.release());
    assert_ne!(up.release, fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim(), "the host's kernel");

    // Every stamp of a probe is there, and the host has answered.
    let capture = guest.spawn(&["dagcap", "--device", "emu:tap=eth0", "--out", "/tmp/domu.erf"]).unwrap();
    let began = Instant::now();
    while guest.get_file("/tmp/domu.erf").map_or(0, |file| file.len()) == 0 {
        assert!(began.elapsed() < PATIENCE, "dagcap writes nothing: {:?}", guest.collect(capture, Duration::ZERO));
        guest.run(&["ping", "-c", "1", "-W", "1", HOST], PATIENCE).unwrap();
    }
    let argv = ["tping", HOST, "-c", "20", "-i", "20ms", "--ident", "4242", "--log", "/tmp/user.csv"];
    let probed = guest.run(&argv, PATIENCE).unwrap();
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
    // What a guest can tell of itself: not the time that an emulator takes, and not the queue behind its device.
    let argv = ["tping", HOST, "-c", "20", "-i", "50ms", "--quiet", "--log", "/tmp/u.csv", "--signals", "/tmp/s.csv"];
    let probed = guest.run(&[&argv[..], &["--signals-interval", "200ms", "--feedback"]].concat(), PATIENCE).unwrap();
    assert!(probed.success(), "{probed:?}");
    let text = String::from_utf8(guest.get_file("/tmp/s.csv").unwrap()).unwrap();
    println!("{text}");
    let log = SignalLog::parse(&text, "s.csv").unwrap();
    assert!(matches!(log.context.queue(), Some(Queue::Hidden(why)) if why.contains("virtio")), "{text}");
    assert!(log.context.get("not seen").unwrap().contains("steal"), "{text}");
    let sample = log.samples().last().unwrap();
    assert_eq!((sample.steal_ns, sample.softnet_dropped.is_some()), (None, true), "{text}");
    assert!(sample.run_delay_ns.is_some() && sample.qdisc_backlog_bytes.is_some(), "{text}");
    let said = String::from_utf8_lossy(&probed.stdout).into_owned();
    assert!(said.contains("feedback: 0 valid") && said.contains("virtio"), "{said}");
    // What was started is ended as by Ctrl-C, and its file is whole.
    assert_eq!(guest.collect(capture, Duration::ZERO).unwrap(), None);
    guest.interrupt(capture).unwrap();
    let captured = guest.collect(capture, PATIENCE).unwrap().expect("it ends");
    assert!(captured.success(), "{}", String::from_utf8_lossy(&captured.stderr));
    let seen = Seen::in_bytes(&guest.get_file("/tmp/domu.erf").unwrap());
    assert!(seen.packets.len() >= 40 && seen.defects.is_empty(), "{}", seen.packets.len());

    // Any bytes, both ways, and more than one buffer.
    let bytes: Vec<u8> = (0..3_000_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    guest.put_file("/tmp/bytes", 0o600, bytes.clone()).unwrap();
    assert!(guest.get_file("/tmp/bytes").unwrap() == bytes, "other bytes came back");

    // Status and both outputs; what cannot be is said.
    let odd = guest.run(&["sh", "-c", "printf 'a\\0b'; echo oh >&2; exit 3"], PATIENCE).unwrap();
    assert_eq!((odd.code, &odd.stdout[..], &odd.stderr[..]), (Some(3), &b"a\0b"[..], &b"oh\n"[..]));
    let error = guest.get_file("/no/such/file").unwrap_err().to_string();
    assert_eq!(error, "the guest cannot do `get /no/such/file`: No such file or directory (os error 2)");
    let error = guest.run(&["sleep", "1000"], Duration::from_millis(10)).unwrap_err().to_string();
    assert!(error.starts_with("the guest has not answered to `sleep 1000` after 0 s"), "{error}");

    guest.stop().unwrap();
    assert!(!process.exists());
    let findings = check(&bench.folder);
    assert!(findings.iter().all(|finding| finding.ok || !finding.needed), "{findings:?}");
}

/// Names the file that the test of this name writes the guest's process into, when it plays the part of who is killed.
const KILLED: &str = "HOUSE_GUEST_PID_FILE";

#[test]
fn a_guest_ends_when_who_booted_it_is_killed() {
    let Some(bench) = Bench::new() else { return };
    if let Some(file) = std::env::var_os(KILLED) {
        let (guest, _) = bench.boot();
        fs::write(&file, guest.pid().to_string()).unwrap();
        std::thread::sleep(PATIENCE);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let mut again = prepared(std::env::current_exe().unwrap());
    let mut other = start(again.args(["--exact", "a_guest_ends_when_who_booted_it_is_killed"]).env(KILLED, &file));
    other.until_written(&file, 0);
    let process = PathBuf::from(format!("/proc/{}", fs::read_to_string(&file).unwrap()));
    assert!(fs::read_to_string(process.join("cmdline")).unwrap().contains("qemu"));
    other.signal(Signal::SIGKILL);
    let began = Instant::now();
    while fs::read_to_string(process.join("cmdline")).is_ok_and(|line| line.contains("qemu")) {
        if began.elapsed() > PATIENCE {
            let pid = process.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap();
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            panic!("QEMU is still there");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_does_not_come_up_says_why() {
    let Some(bench) = Bench::new() else { return };
    let fails = |config: &GuestConfig| {
        let error = bench.ns.inside(|| Guest::boot(config)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Guest);
        error.to_string()
    };
    let mut config = bench.config.clone();
    config.patience = Duration::from_millis(1);
    let error = fails(&config);
    assert!(error.starts_with("the guest is not up after 0 s; its console has said nothing"), "{error}");

    let mut config = bench.config.clone();
    config.kernel = "/no/such/kernel".into();
    let error = fails(&config);
    assert!(error.starts_with("QEMU has ended (exit status: 1); the end of its console:"), "{error}");
    assert!(error.contains("could not open kernel file '/no/such/kernel'"), "{error}");

    // The kernel's own last words.
    let mut config = bench.config.clone();
    let dir = tempfile::tempdir().unwrap();
    config.initramfs = dir.path().join("nothing");
    fs::write(&config.initramfs, "nothing").unwrap();
    let error = fails(&config);
    assert!(error.starts_with("QEMU has ended") && error.contains("Kernel panic - not syncing"), "{error}");
}
