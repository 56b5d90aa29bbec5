//! What this machine has for guests, and which package brings what it lacks.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use super::accel::{Accel, Kvm};
use super::error::FETCH;
use super::files::GuestFiles;
use super::qemu::{QEMU, QEMU_PACKAGE};

/// One thing that guests need, or that does them good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// Whether it is there and fit for use.
    pub ok: bool,
    /// Whether there are no guests without it.
    pub needed: bool,
    /// Its version, or why it is of no use.
    pub detail: String,
    /// What to do about it: the package that brings it, or the command.
    pub remedy: Option<String>,
}

/// Looks at everything that guests need; files are looked for in `folder`. Takes 10 s at most, of which the timing of KVM is most.
pub fn check(folder: &Path) -> Vec<Finding> {
    let mut findings = vec![qemu(), files(folder), tun(), mkfs()];
    // Without QEMU nothing is timed.
    if findings.iter().any(|finding| finding.what == QEMU && finding.ok) {
        let kvm = Kvm::probe();
        let ok = kvm.accel() == Accel::Kvm;
        let detail = format!("{kvm}{}", if ok { "" } else { "; guests are emulated, which is no comparison with Xen" });
        findings.push(Finding { what: "/dev/kvm", ok, needed: false, detail, remedy: None });
    }
    findings
}

fn qemu() -> Finding {
    let asked = Command::new(QEMU).arg("--version").output();
    let said = asked.as_ref().map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
    let version = said.lines().next().unwrap_or_default().to_owned();
    let ok = asked.is_ok_and(|done| done.status.success());
    let remedy = (!ok).then(|| format!("apt-get install {QEMU_PACKAGE}"));
    let detail = if ok { version } else { "it is not in PATH, or does not run".to_owned() };
    Finding { what: QEMU, ok, needed: true, detail, remedy }
}

fn files(folder: &Path) -> Finding {
    let found = GuestFiles::open(folder);
    let ok = found.is_ok();
    let detail = match found {
        Ok(files) => format!("Linux {} in {}", files.release(), folder.display()),
        Err(error) => error.to_string(),
    };
    let remedy = (!ok).then(|| format!("{FETCH} --dir {}", folder.display()));
    Finding { what: "kernel and busybox for guests", ok, needed: true, detail, remedy }
}

/// Of guests under disk stress.
fn mkfs() -> Finding {
    let ok = Command::new("mkfs.ext4").arg("-V").output().is_ok_and(|done| done.status.success());
    let remedy = (!ok).then(|| "apt-get install e2fsprogs".to_owned());
    let detail = if ok { "there" } else { "it is not in PATH: guests have no disk to be stressed" };
    Finding { what: "mkfs.ext4", ok, needed: true, detail: detail.to_owned(), remedy }
}

fn tun() -> Finding {
    let path = "/dev/net/tun";
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let ok = opened.is_ok();
    let detail = opened.map_or_else(|error| error.to_string(), |_| "it can be opened".to_owned());
    let remedy = (!ok).then(|| "be root of the machine itself, with the module tun (modprobe tun)".to_owned());
    Finding { what: path, ok, needed: true, detail, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_has_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let findings = check(dir.path());
        assert!(findings.len() >= 4);
        for finding in &findings {
            assert_eq!(finding.ok || !finding.needed, finding.remedy.is_none(), "{finding:?}");
        }
        let files = &findings[1];
        assert!(!files.ok && files.needed && files.remedy.as_ref().unwrap().starts_with("wiretruth lab fetch-guest"));
    }
}
