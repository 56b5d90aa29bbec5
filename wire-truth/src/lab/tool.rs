//! Programs of the system that are asked to do something: `ip`, `tc` and their like.

use std::process::{Command, Stdio};

use crate::error::{Error, Repr};

/// Which package of Debian brings a program.
pub(super) fn package(program: &str) -> &'static str {
    match program {
        "ip" | "tc" | "ss" => "iproute2",
        "ethtool" => "ethtool",
        _ => "util-linux",
    }
}

/// What a command prints.
///
/// # Errors
///
/// When it is not there or fails, with what it said.
pub(super) fn output(command: &mut Command) -> Result<String, Error> {
    let line = words(command);
    let done = command.stdin(Stdio::null()).output().map_err(|cause| Repr::Program { line: line.clone(), cause })?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
            let said = if said.is_empty() { done.status.to_string() } else { said };
            Err(Repr::Tool { line, said }.into())
        }
    }
}

/// A command as one would type it.
pub(super) fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A command of one line, its words between spaces.
pub(super) fn line(text: &str) -> Command {
    let mut words = text.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}
