//! A process of QEMU, and the end of what its console has said.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::error::Trouble;
use super::qemu::{QEMU, QEMU_PACKAGE};

/// Bytes of the console that are kept, and that a message shows.
const KEPT: usize = 64 << 10;
const SHOWN: usize = 2000;

/// A running QEMU; killed when dropped.
#[derive(Debug)]
pub(crate) struct Machine {
    child: Child,
    console: Arc<Mutex<VecDeque<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Machine {
    /// Starts it; what it reads and what it writes are the port of the guest.
    pub(crate) fn start(command: &mut Command) -> Result<(Self, ChildStdin, ChildStdout), Trouble> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound if program == QEMU => Trouble::NoProgram { program: QEMU, package: QEMU_PACKAGE },
            _ => Trouble::file(&program, cause),
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let console = Arc::<Mutex<VecDeque<u8>>>::default();
        let mut machine = Self { child, console: Arc::clone(&console), reader: None };
        let (Some(stdin), Some(stdout), Some(mut stderr)) = pipes else {
            return Err(Trouble::file(program, io::ErrorKind::BrokenPipe.into()));
        };
        machine.reader = Some(std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                let mut kept = console.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(buffer.get(..read).unwrap_or_default());
                let too_many = kept.len().saturating_sub(KEPT);
                kept.drain(..too_many);
            }
        }));
        Ok((machine, stdin, stdout))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of what the console, and QEMU itself, has said.
    pub(crate) fn console(&self) -> String {
        let kept = self.console.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The same for a message.
    pub(crate) fn end_of_console(&self) -> String {
        shown(&self.console())
    }

    /// Its status, if it has ended, waited for as long as `wait` says. All that it has said is in the console then.
    pub(crate) fn ended(&mut self, wait: Duration) -> io::Result<Option<ExitStatus>> {
        let until = Instant::now() + wait;
        loop {
            match self.child.try_wait()? {
                None if Instant::now() < until => sleep(Duration::from_millis(10)),
                None => return Ok(None),
                Some(status) => {
                    // Who else has the pipe is not waited for.
                    let until = Instant::now() + Duration::from_secs(1);
                    while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < until {
                        sleep(Duration::from_millis(1));
                    }
                    return Ok(Some(status));
                }
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // By its number, and only while it is ours to wait for. If it has ended already, that is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a text, as a message shows it.
fn shown(text: &str) -> String {
    let text = text.trim_end().replace('\r', "");
    if text.is_empty() {
        return "its console has said nothing".to_owned();
    }
    let from = text.char_indices().rev().nth(SHOWN).map_or(0, |(at, _)| at);
    format!("the end of its console:\n{}", text.get(from..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn sh(script: &str) -> Machine {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Machine::start(&mut command).unwrap().0
    }

    #[test]
    fn the_end_of_the_console_is_kept() {
        let mut machine = sh("i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done");
        assert!(machine.ended(Duration::from_secs(100)).unwrap().unwrap().success());
        assert_eq!(machine.console().len(), KEPT);
        let told = machine.end_of_console();
        assert!(told.len() < SHOWN + 100 && told.ends_with("line 19998\nline 19999"), "{told}");
    }

    #[test]
    fn it_does_not_outlive_its_owner() {
        let mut machine = sh("exec sleep 1000");
        assert!(machine.ended(Duration::ZERO).unwrap().is_none());
        let place = format!("/proc/{}", machine.pid());
        assert!(std::path::Path::new(&place).exists());
        drop(machine);
        assert!(!std::path::Path::new(&place).exists());
    }

    #[test]
    fn a_program_that_is_missing_is_named_with_its_package() {
        let error = Machine::start(Command::new(QEMU).env("PATH", "/nowhere")).unwrap_err();
        assert_eq!(error.to_string(), "`qemu-system-x86_64` is not in PATH; the package qemu-system-x86 brings it");
    }
}
