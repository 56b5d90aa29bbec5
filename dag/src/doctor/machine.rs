//! The machine: driver, library, device nodes.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use dag_sys::Libdag;
use dag_sys::values::Values;

use super::Finding;
use crate::list::known_numbers;

/// Endace's number as a maker of PCI devices, as the public list of them (`pci.ids`) has it.
const VENDOR: &str = "0xeace";

/// A file system to look at.
pub(super) struct Machine {
    root: PathBuf,
}

impl Machine {
    pub(super) fn here() -> Self {
        Self { root: "/".into() }
    }

    /// The card with the lowest number.
    pub(super) fn first_card(&self) -> Option<u32> {
        known_numbers(&self.root).first().copied()
    }

    pub(super) fn driver(&self) -> Finding {
        let (plugged, class) = (self.plugged_in(), self.root.join("sys/class/dag"));
        if class.exists() {
            return Finding::good("driver", format!("loaded: {} exists", class.display()));
        }
        if !known_numbers(&self.root).is_empty() {
            return Finding::notice(
                "driver",
                format!("{} does not exist, though there are device nodes", class.display()),
                "if the card cannot be opened, load the driver: modprobe dag",
            );
        }
        match plugged.as_slice() {
            [] => Finding::bad(
                "driver",
                "no DAG card is plugged in: no PCI device is Endace's, and no driver is loaded",
                "plug a card in, or work with an emulated one: emu:synthetic",
            ),
            some => Finding::bad(
                "driver",
                format!("a card is plugged in ({}), and its driver is not loaded", some.join(", ")),
                "install Endace's software and load the driver: modprobe dag",
            ),
        }
    }

    /// Places of Endace's PCI devices.
    fn plugged_in(&self) -> Vec<String> {
        let devices = fs::read_dir(self.root.join("sys/bus/pci/devices")).into_iter().flatten().flatten();
        let ours = devices.filter(|device| {
            fs::read_to_string(device.path().join("vendor")).is_ok_and(|vendor| vendor.trim() == VENDOR)
        });
        let mut places: Vec<String> = ours.filter_map(|device| device.file_name().into_string().ok()).collect();
        places.sort();
        places
    }

    /// The device node of card `number`, and whether this program may open it.
    pub(super) fn device(&self, number: u32) -> Vec<Finding> {
        let path = self.root.join(format!("dev/dag{number}"));
        let name = path.display().to_string();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let fix = "see what the driver says: dmesg | grep -i dag; its software makes the device nodes";
                return vec![Finding::bad("device", format!("{name} does not exist"), fix)];
            }
            Err(error) => {
                return vec![Finding::bad("device", format!("{name}: {error}"), "look at the folder's rights")];
            }
        };
        if !metadata.file_type().is_char_device() {
            return vec![Finding::bad("device", format!("{name} is no device"), "remove it and load the driver anew")];
        }
        let mut findings = vec![Finding::good("device", name.clone())];
        findings.push(match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(_) => Finding::good("permission", format!("{name} may be read and written")),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::bad(
                "permission",
                format!(
                    "{name} may not be read and written by this user; its mode is {:o}, its group {}",
                    metadata.mode() & 0o7777,
                    metadata.gid()
                ),
                format!("run as root, or let a group use it: chgrp GROUP {name} && chmod g+rw {name} (an udev rule makes it last)"),
            ),
            Err(error) => Finding::bad("permission", format!("{name}: {error}"), "see what the driver says: dmesg | grep -i dag"),
        });
        findings
    }
}

/// What was found of the library.
pub(super) struct Library {
    pub(super) is_there: bool,
    pub(super) emulated: bool,
    pub(super) findings: Vec<Finding>,
}

pub(super) fn library() -> Library {
    let lib = match Libdag::open() {
        Ok(lib) => lib,
        Err(error) => {
            let fix = if error.is_not_found() {
                "install Endace's software, run ldconfig, or name the file: DAG_LIBRARY=/path/to/libdag.so"
            } else {
                "name another file with DAG_LIBRARY, or unset it"
            };
            let findings = vec![Finding::bad("library", error.to_string(), fix)];
            return Library { is_there: false, emulated: false, findings };
        }
    };
    if let Some(version) = lib.emulated() {
        let found = format!("{}: the emulated card's, version {version}", lib.path());
        return Library { is_there: true, emulated: true, findings: vec![Finding::good("library", found)] };
    }
    let findings = vec![Finding::good("library", lib.path()), values(Values::of_machine(), lib.path())];
    Library { is_there: true, emulated: false, findings }
}

fn values(known: Result<Option<Values>, dag_sys::values::ValuesError>, library: &str) -> Finding {
    let learn = "dagctl learn --include DIR, where DIR has the dagapi.h of Endace's software";
    match known {
        Ok(Some(values)) => match values.missing().len() {
            0 => Finding::good("values", format!("all {} are known", values.len())),
            missing => Finding::good("values", format!("{} are known, its headers lack {missing}", values.len())),
        },
        Ok(None) => Finding::notice(
            "values",
            format!(
                "the numbers of {library} are not known: drops come from the records alone, model, clock and links are unknown"
            ),
            learn,
        ),
        Err(error) => Finding::bad("values", error.to_string(), learn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;
    use std::path::Path;

    impl Machine {
        fn at(root: &Path) -> Self {
            Self { root: root.into() }
        }
    }

    fn put(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn no_card_no_driver_and_a_driver_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(root.path());
        let finding = machine.driver();
        assert_eq!(finding.verdict, Verdict::Bad);
        assert!(finding.found.contains("no DAG card is plugged in"), "{finding:?}");

        put(root.path(), "sys/bus/pci/devices/0000:00:01.0/vendor", "0x8086\n");
        assert!(machine.driver().found.contains("no DAG card is plugged in"));
        put(root.path(), "sys/bus/pci/devices/0000:03:00.0/vendor", "0xeace\n");
        let finding = machine.driver();
        assert_eq!(finding.verdict, Verdict::Bad);
        assert!(finding.found.contains("0000:03:00.0") && !finding.found.contains("00:01.0"), "{finding:?}");
        assert!(finding.fix.unwrap().contains("modprobe dag"));

        put(root.path(), "dev/dag2", "");
        assert_eq!(machine.driver().verdict, Verdict::Notice);
        put(root.path(), "sys/class/dag/dag2/info", "");
        assert_eq!(machine.driver().verdict, Verdict::Good);
        assert_eq!(machine.first_card(), Some(2));
    }

    #[test]
    fn a_node_that_is_none_is_told() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(root.path());
        let [finding] = machine.device(0).try_into().unwrap();
        assert!(finding.verdict == Verdict::Bad && finding.found.ends_with("dev/dag0 does not exist"), "{finding:?}");
        put(root.path(), "dev/dag0", "");
        let [finding] = machine.device(0).try_into().unwrap();
        assert!(finding.found.ends_with("dev/dag0 is no device"), "{finding:?}");
        fs::remove_file(root.path().join("dev/dag0")).unwrap();
        std::os::unix::fs::symlink("/dev/null", root.path().join("dev/dag0")).unwrap();
        let findings = machine.device(0);
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:?}");
        assert_eq!(findings.len(), 2);
    }

    #[test]
    fn values_are_asked_for_where_they_lack_and_where_they_are_damaged() {
        let none = values(Ok(None), "libdag.so.5");
        assert!(none.verdict == Verdict::Notice && none.fix.unwrap().contains("dagctl learn"));
        let damaged = values(Values::parse("nonsense", "here").map(Some), "libdag.so.5");
        assert!(damaged.verdict == Verdict::Bad && damaged.found.contains("line 1"), "{damaged:?}");
        let some = values(Values::parse("kTerfNoStrip = 1", "here").map(Some), "libdag.so.5");
        assert!(some.verdict == Verdict::Good && some.found.starts_with("1 are known"), "{some:?}");
    }
}
