//! [`Accel`]: how a guest's instructions are run, and whether the machine's help with that is one.
//!
//! That a virtual machine can be made proves nothing: where KVM itself is emulated, an ordinary kernel does not come up in it. So a loop is
//! run and timed.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::machine::Machine;
use super::qemu::QEMU;

/// How instructions of a guest are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Accel {
    /// By the processor.
    Kvm,
    /// By QEMU: delays are those of the emulation, too.
    Tcg,
}

/// What KVM is worth on this machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Kvm {
    /// The processor runs guests.
    Hardware {
        /// Time of a turn of the loop.
        ns_per_turn: f64,
    },
    /// It is there, and so slow that no guest comes up.
    Unusable {
        /// Time of a turn of the loop; where it did not come to its end, the least that it takes.
        ns_per_turn: f64,
        /// Whether the loop came to its end.
        ended: bool,
    },
    /// It is not there.
    Absent(String),
}

/// Above this no processor does it.
const MOST_NS: f64 = 50.0;
const TURNS: u32 = 1_000_000;

/// How long the whole may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Kvm {
    /// Runs a million turns of a loop in a virtual processor and times them.
    pub fn probe() -> Self {
        if let Err(error) = std::fs::File::options().read(true).write(true).open("/dev/kvm") {
            return Self::Absent(match error.kind() {
                ErrorKind::NotFound => {
                    "no /dev/kvm: the processor or its host has no virtualization for this machine".to_owned()
                }
                ErrorKind::PermissionDenied => "/dev/kvm may not be opened: be root, or of the group kvm".to_owned(),
                _ => format!("/dev/kvm: {error}"),
            });
        }
        let dir = match tempfile::tempdir() {
            Ok(dir) => dir,
            Err(error) => return Self::Absent(format!("a folder for the test: {error}")),
        };
        let image = dir.path().join("loop");
        if let Err(error) = std::fs::write(&image, firmware(TURNS)) {
            return Self::Absent(format!("{}: {error}", image.display()));
        }
        let begun = Instant::now();
        loop {
            let (time, ended) = match timed("kvm", &image, PATIENCE) {
                Ok(Timed::Took(time)) => (time, true),
                Ok(Timed::Longer(time)) => (time, false),
                Err(Untimed::Qemu(why)) => return Self::Absent(why),
                Err(Untimed::Nothing(time)) => (time, false),
            };
            let judged = Self::judge(time.as_secs_f64() * 1e9 / f64::from(TURNS), ended);
            // Something else may have had the processor for a moment; for a second it had not.
            if judged.accel() == Accel::Kvm || time >= Duration::from_secs(1) || begun.elapsed() >= PATIENCE {
                return judged;
            }
        }
    }

    fn judge(ns_per_turn: f64, ended: bool) -> Self {
        match ended && ns_per_turn <= MOST_NS {
            true => Self::Hardware { ns_per_turn },
            false => Self::Unusable { ns_per_turn, ended },
        }
    }

    /// What guests are to be run by.
    pub fn accel(&self) -> Accel {
        if matches!(self, Self::Hardware { .. }) { Accel::Kvm } else { Accel::Tcg }
    }
}

impl fmt::Display for Kvm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardware { ns_per_turn } => write!(f, "hardware: {ns_per_turn:.1} ns a turn"),
            Self::Unusable { ns_per_turn, ended: true } => write!(f, "unusable: {ns_per_turn:.0} ns a turn"),
            Self::Unusable { ns_per_turn, ended: false } => {
                write!(f, "unusable: more than {ns_per_turn:.0} ns a turn, given up")
            }
            Self::Absent(why) => write!(f, "absent: {why}"),
        }
    }
}

/// A firmware of 64 KiB that says `a` at port 0xE9, goes through a loop of registers, says `b`, and ends QEMU. In protected mode of 32 bits:
/// older processors run real mode in other ways than what a kernel runs in.
fn firmware(turns: u32) -> Vec<u8> {
    // At 0xFFFF0000, which is where the last 64 KiB of a firmware are.
    let mut start = vec![
        0xFA, // cli
        0x66, 0x2E, 0x0F, 0x01, 0x16, 0x60, 0x00, // lgdt cs:[0x0060]
        0x0F, 0x20, 0xC0, // mov eax, cr0
        0x0C, 0x01, // or al, 1
        0x0F, 0x22, 0xC0, // mov cr0, eax
        0x66, 0xEA, 0x18, 0x00, 0xFF, 0xFF, 0x08, 0x00, // jmp far 0x08:0xFFFF0018
        // 0x18, 32 bits from here on
        0xB0, b'a', 0xE6, 0xE9, // mov al, 'a'; out 0xE9, al
        0xB9, // mov ecx, turns
    ];
    start.extend(turns.to_le_bytes());
    start.extend([
        0x49, // dec ecx
        0x75, 0xFD, // jnz the line before
        0xB0, b'b', 0xE6, 0xE9, // mov al, 'b'; out 0xE9, al
        0xE6, 0xF4, // out 0xF4, al: the end of QEMU, also where nobody waits for it any more
        0xF4, 0xEB, 0xFD, // hlt, and again
    ]);
    let mut image = vec![0x90; 65_536];
    let mut put = |at: usize, bytes: &[u8]| {
        for (place, byte) in image.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    };
    put(0, &start);
    // The descriptor of the table of segments, and the table: nothing, and code of the whole 4 GiB (Intel SDM 3A, 3.4.5).
    put(0x60, &[0x0F, 0x00, 0x70, 0x00, 0xFF, 0xFF]);
    put(0x70, &[0; 8]);
    // It says that it was accessed: else the processor would write that into memory which cannot be written, and a KVM may stop there.
    put(0x78, &[0xFF, 0xFF, 0x00, 0x00, 0x00, 0x9B, 0xCF, 0x00]);
    // Where a processor begins: jmp near to 0.
    put(0xFFF0, &[0xE9, 0x0D, 0x00]);
    image
}

#[derive(Debug)]
enum Timed {
    Took(Duration),
    /// Not ended after this.
    Longer(Duration),
}

#[derive(Debug)]
enum Untimed {
    /// QEMU does not run, or not with that.
    Qemu(String),
    /// Not even the first word has come in this time.
    Nothing(Duration),
}

/// The time between the two words of the firmware `image`.
fn timed(accel: &str, image: &Path, patience: Duration) -> Result<Timed, Untimed> {
    let mut qemu = Command::new(QEMU);
    qemu.args(["-machine", &format!("q35,accel={accel}"), "-m", "16", "-no-user-config", "-nodefaults"]);
    qemu.args(["-display", "none", "-chardev", "stdio,id=said,signal=off", "-device", "isa-debugcon,chardev=said"]);
    qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
    qemu.arg("-bios").arg(image);
    qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Machine::start(&mut qemu);
    let (mut machine, _stdin, mut stdout) = started.map_err(|trouble| Untimed::Qemu(trouble.to_string()))?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        while let Ok(1) = stdout.read(&mut byte) {
            let _ = sender.send(Instant::now());
        }
    });
    let begun = Instant::now();
    let Ok(first) = receiver.recv_timeout(patience) else {
        // One that has closed its end is about to end.
        let wait = patience.saturating_sub(begun.elapsed()).min(Duration::from_secs(1));
        return Err(match machine.ended(wait).ok().flatten() {
            Some(status) => Untimed::Qemu(format!("QEMU ends with it ({status}); {}", machine.end_of_console())),
            None => Untimed::Nothing(begun.elapsed()),
        });
    };
    Ok(match receiver.recv_timeout(patience) {
        Ok(second) => Timed::Took(second.saturating_duration_since(first)),
        Err(_) => Timed::Longer(first.elapsed()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_judged_by_its_time() {
        let told = |kvm: Kvm| (kvm.accel(), kvm.to_string());
        assert_eq!(told(Kvm::judge(0.8, true)), (Accel::Kvm, "hardware: 0.8 ns a turn".to_owned()));
        assert_eq!(told(Kvm::judge(1042.0, true)), (Accel::Tcg, "unusable: 1042 ns a turn".to_owned()));
        let given_up = "unusable: more than 10000 ns a turn, given up".to_owned();
        assert_eq!(told(Kvm::judge(10_000.0, false)), (Accel::Tcg, given_up));
        assert_eq!(told(Kvm::Absent("why".to_owned())), (Accel::Tcg, "absent: why".to_owned()));
    }

    /// Run by QEMU itself the loop says both words, and more turns take longer.
    #[test]
    fn the_loop_runs() {
        if Command::new(QEMU).arg("--version").output().is_err() {
            eprintln!("no {QEMU}: the loop is not run");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let times = [1, 200_000_000].map(|turns| {
            let image = dir.path().join("loop");
            std::fs::write(&image, firmware(turns)).unwrap();
            match timed("tcg", &image, Duration::from_secs(100)).unwrap() {
                Timed::Took(time) => time,
                Timed::Longer(time) => panic!("{turns} turns not ended after {time:?}"),
            }
        });
        assert!(times[1] > times[0], "{times:?}");
        // What does not end is given up, and a QEMU that refuses is no slow one.
        let patience = Duration::from_millis(1);
        assert!(matches!(
            timed("tcg", &dir.path().join("loop"), patience),
            Ok(Timed::Longer(_)) | Err(Untimed::Nothing(_))
        ));
        let Err(Untimed::Qemu(why)) = timed("nonsense", &dir.path().join("loop"), PATIENCE) else { panic!("it ran") };
        assert!(why.contains("invalid accelerator nonsense"), "{why}");
    }
}
