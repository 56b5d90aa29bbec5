//! Command lines to be copied into a shell.

use std::ffi::OsString;

/// `args` as one would type them, and `more` behind.
pub fn line<'a>(args: impl IntoIterator<Item = OsString>, more: impl IntoIterator<Item = &'a str>) -> String {
    let args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
    let all = args.chain(more.into_iter().map(str::to_owned));
    all.map(|arg| quote(&arg)).collect::<Vec<_>>().join(" ")
}

fn quote(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        let args = ["dagcap", "--out", "my wire's.erf", "", "emu:tap=a+b"].map(OsString::from);
        assert_eq!(line(args, ["--force"]), r"dagcap --out 'my wire'\''s.erf' '' emu:tap=a+b --force");
    }
}
