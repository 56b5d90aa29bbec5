//! A cell whose guests are machines: booted, told what to do through a port, and asked for what they have written.
//!
//! Nothing is asked of a guest while it probes: when it is stressed goes by the clock, in pauses between probes that are long enough for that.

use std::fs::{self, File};
use std::path::Path;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use super::capture::{Capture, SNAP, all_begun};
use super::cell::{IDENT, NUDGE, SIGNALS, SIZE, describe};
use super::guest::{Accel, Guest, GuestConfig, Output};
use super::plan::{Cell, Image, Plan};
use super::stress::{DISK, Stress};
use super::tool::{line, output};
use super::topology::{TARGET, Topology};
use crate::error::{Error, Repr};
use crate::experiment::Stress as Case;

/// Between probes at rest and those under stress, and back: an emulated machine takes a second to begin anything.
pub(super) const SETTLE: Duration = Duration::from_secs(6);

/// Into that pause the stress begins.
const INTO: Duration = Duration::from_millis(1_500);

/// From one sample of a guest's signals to the next: where it is emulated one takes so long that more would be a stress of their own.
const SAMPLED: &str = "500ms";

/// What a machine is asked it does within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a machine's disk, which has a file system.
const DISK_BYTES: u64 = 96 << 20;

pub(super) fn measure(lab: &Topology, cell: Cell, plan: &Plan, folder: &Path) -> Result<Value, Error> {
    let no_image = || Repr::Lab { what: "guests have nothing to boot from: wiretruth lab fetch-guest".to_owned() };
    let image = plan.image.as_ref().ok_or_else(no_image)?;
    let machines = boot(lab, cell, folder, image)?;
    let Some(first) = machines.first() else { return Err(no_image().into()) };
    let mut captures = vec![
        Capture::start(plan, folder, "wire", &lab.tap, lab.stamped)?,
        Capture::start(plan, folder, "vif", &lab.system, "v1")?,
        Capture::start(plan, folder, "dom0", &lab.system, "s0")?,
    ];
    let tap = format!("emu:tap=eth0,snaplen={SNAP},memory=16MiB");
    let kernel = first.spawn(&["dagcap", "--device", &tap, "--quiet", "--out", "/kernel.erf"])?;
    let nudge = |count: &str| {
        let ident = NUDGE.to_string();
        let words =
            ["tping", TARGET, "--quiet", "--count", count, "--interval", "10ms", "--size", "1000", "--ident", &ident];
        let _ = first.run(&words, PATIENCE);
    };
    // That in the guest begins within these.
    nudge("100");
    all_begun(&mut captures, || nudge("20"))?;

    let (rest, all) = (plan.interval * plan.rest, plan.all_probes().to_string());
    let stressed = plan.interval * plan.probes;
    let gap = |before: u32| format!("{before}:{}ms", SETTLE.as_millis());
    let (interval, size, ident) = (format!("{}ns", plan.interval.as_nanos()), SIZE.to_string(), IDENT.to_string());
    let (gap, back) = (gap(plan.rest), gap(plan.rest + plan.probes));
    let words =
        ["tping", TARGET, "--quiet", "--count", &all, "--interval", &interval, "--size", &size, "--ident", &ident];
    let rest_of = ["--timeout", "1s", "--log", "/user.csv", "--gap", &gap, "--gap", &back];
    let sampled = ["--signals", "/signals.csv", "--signals-interval", SAMPLED];
    let begun = Instant::now();
    let probes = first.spawn(&[&words[..], &rest_of[..], &sampled[..]].concat())?;
    let at = |time: Duration| sleep(time.saturating_sub(begun.elapsed()));
    at(rest + INTO);
    let time = SETTLE - INTO + stressed;
    let stress = Stress::start(lab, &machines, cell, plan, folder, time)?;
    at(rest + INTO + time);
    captures.iter_mut().try_for_each(Capture::check)?;
    let proof = stress.end(lab, &machines, plan)?;
    let done = first.collect(probes, rest + 2 * SETTLE + PATIENCE)?.ok_or_else(|| late("tping"))?;
    // 1: some were lost, which is a result.
    if !matches!(done.code, Some(0 | 1)) {
        return Err(failed("tping", &done));
    }
    first.interrupt(kernel)?;
    let recorded = first.collect(kernel, PATIENCE)?.ok_or_else(|| late("dagcap"))?;
    if !matches!(recorded.code, Some(0 | 1)) {
        return Err(failed("dagcap", &recorded));
    }
    for name in ["kernel.erf", "user.csv", SIGNALS] {
        let path = folder.join(name);
        let bytes = first.get_file(&format!("/{name}"))?;
        fs::write(&path, bytes).map_err(|cause| Repr::Io { path: path.display().to_string(), cause })?;
    }
    machines.into_iter().try_for_each(Guest::stop)?;
    for number in 0..lab.guests.len() {
        let _ = fs::remove_file(disk(folder, number));
    }
    let mut told = describe(lab, cell, plan, captures, proof)?;
    if let Some(places) = told["places"].as_array_mut() {
        places.insert(1, serde_json::json!({"name": "kernel", "file": "kernel.erf"}));
    }
    told["emulated"] = (!image.is_hardware).into();
    Ok(told)
}

fn disk(folder: &Path, number: usize) -> std::path::PathBuf {
    folder.join(format!("disk-{number}"))
}

/// Boots all guests, side by side, in the namespace of the system.
fn boot(lab: &Topology, cell: Cell, folder: &Path, image: &Image) -> Result<Vec<Guest>, Error> {
    let system = format!("/proc/{}/ns/net", lab.system.pid());
    let namespace = File::open(&system).map_err(|cause| Repr::Io { path: system.clone(), cause })?;
    let machines = scope(|scope| {
        // Its own thread: what it enters the others do not.
        let booting = scope.spawn(|| -> Result<Vec<Guest>, Error> {
            setns(&namespace, CloneFlags::CLONE_NEWNET)
                .map_err(|cause| Repr::Io { path: system.clone(), cause: cause.into() })?;
            let mut machines = Vec::new();
            for (number, guest) in lab.guests.iter().enumerate() {
                let address = guest.address.parse().map_err(|_| Repr::Lab { what: guest.address.clone() })?;
                let mut config =
                    GuestConfig::new(&image.kernel, &image.initramfs, &format!("v{}", number + 1), address);
                config.mac = format!("52:54:00:77:00:{:02x}", number + 1);
                config.accel = if image.is_hardware { Accel::Kvm } else { Accel::Tcg };
                if lab.has_own_processors {
                    config.before = ["taskset", "--cpu-list", "0"].map(Into::into).to_vec();
                }
                if cell.stress == Case::Hd {
                    let file = disk(folder, number);
                    File::create(&file)
                        .and_then(|made| made.set_len(DISK_BYTES))
                        .map_err(|cause| Repr::Io { path: file.display().to_string(), cause })?;
                    let mut format = line("mkfs.ext4 -q -F");
                    output(format.arg(&file))?;
                    config.disk = Some(file);
                }
                machines.push(Guest::start(&config)?);
            }
            Ok(machines)
        });
        booting.join().unwrap_or_else(|_| Err(Repr::Lab { what: "a thread has panicked".to_owned() }.into()))
    })?;
    for machine in &machines {
        machine.wait_up()?;
        if cell.stress == Case::Hd {
            for words in
                [["busybox", "mkdir", "-p", DISK].as_slice(), &["busybox", "mount", "-t", "ext4", "/dev/vda", DISK]]
            {
                let done = machine.run(words, PATIENCE)?;
                if !done.success() {
                    return Err(failed(&words.join(" "), &done));
                }
            }
        }
    }
    Ok(machines)
}

fn late(program: &str) -> Error {
    Repr::Lab { what: format!("{program} in a guest does not end") }.into()
}

fn failed(program: &str, done: &Output) -> Error {
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Repr::Tool { line: format!("{program} in a guest"), said: format!("{:?} {said}", done.code) }.into()
}
