//! A network namespace without a name, held by a process that waits: it is gone when that process is.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::tool::{line, output, words};
use crate::error::{Error, Repr};

/// What the holder does: its own view of devices, the loopback up, and then nothing. Nothing of the kernel's own is to be in the traffic.
const HOLD: &str = "mount -t sysfs sysfs /sys && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 \
                    && echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 && ip link set lo up && echo ready && read -r end";

/// A network namespace, and a view of the files of devices that goes with it.
#[derive(Debug)]
pub(super) struct Room {
    holder: Child,
    /// The processor that its programs run on, where they are kept apart.
    cpu: Option<usize>,
}

impl Room {
    pub(super) fn new(cpu: Option<usize>) -> Result<Self, Error> {
        let mut command = line("unshare --net --mount --propagation private sh -c");
        command.arg(HOLD).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |cause| Repr::Program { line: words(&line("unshare --net --mount")), cause };
        let mut holder = command.spawn().map_err(failed)?;
        let mut said = String::new();
        if let Some(out) = holder.stdout.take() {
            BufReader::new(out).read_line(&mut said).map_err(failed)?;
        }
        if said.trim() == "ready" {
            return Ok(Self { holder, cpu });
        }
        let done = holder.wait_with_output().map_err(failed)?;
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        Err(Repr::Tool { line: "a network namespace".to_owned(), said }.into())
    }

    /// Moves a device of this process's namespace, or of another room, into it.
    pub(super) fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// A program in it. Its arguments are to be absolute where they are paths.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let pid = self.pid();
        let mut command = line(&format!("nsenter --net=/proc/{pid}/ns/net --mount=/proc/{pid}/ns/mnt --"));
        if let Some(cpu) = self.cpu {
            command.args(["taskset", "--cpu-list", &cpu.to_string()]);
        }
        command.arg(program.as_ref());
        command
    }

    /// What a command line in it prints.
    pub(super) fn exec(&self, text: &str) -> Result<String, Error> {
        let mut words = text.split_whitespace();
        output(self.command(words.next().unwrap_or_default()).args(words))
    }

    /// Writes into a file of the kernel's, as it is in there.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), Error> {
        let mut command = self.command("sh");
        output(command.args(["-c", "printf %s \"$2\" >\"$1\"", "sh", file, value])).map(|_| ())
    }

    /// A counter of a device.
    pub(super) fn counter(&self, device: &str, name: &str) -> Result<u64, Error> {
        let file = format!("/sys/class/net/{device}/statistics/{name}");
        let text = self.exec(&format!("cat {file}"))?;
        text.trim().parse().map_err(|_| Repr::Tool { line: file, said: format!("{text:?} is no number") }.into())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Its standard input ends, and with that it does.
        drop(self.holder.stdin.take());
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
