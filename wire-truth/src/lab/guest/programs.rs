//! Programs for a guest, with the libraries that they need: as the loader of this machine finds them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::elf;
use super::error::{About, Trouble};

/// What a program needs beside itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The loader: where programs look for it, which is where it has to be.
    pub(crate) loader: Option<PathBuf>,
    /// Libraries by the name that they are asked for.
    pub(crate) libraries: BTreeMap<String, PathBuf>,
}

/// What the program at `path`, whose bytes are `file`, needs. The loader is asked, so what it finds here is what is taken.
pub(crate) fn needs(path: &Path, file: &[u8]) -> Result<Needs, Trouble> {
    let unfit = |what: String| Trouble::Program { path: path.display().to_string(), what };
    if !elf::is_elf(file) {
        return Err(unfit("it is no ELF file of 64 bits".to_owned()));
    }
    let Some(loader) = elf::interpreter(file) else { return Ok(Needs::default()) };
    let whole = fs::canonicalize(path).about(path)?;
    let listed = Command::new(&loader).arg("--list").arg(whole).output().about(&loader)?;
    if !listed.status.success() {
        let said = String::from_utf8_lossy(&listed.stderr).trim().to_owned();
        return Err(unfit(format!("{loader} --list: {said}")));
    }
    let libraries = found(&path.display().to_string(), &String::from_utf8_lossy(&listed.stdout))?;
    Ok(Needs { loader: Some(loader.into()), libraries })
}

/// What a loader lists: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f...)`. Lines without an arrow are the loader, and what
/// the kernel itself brings.
fn found(program: &str, listed: &str) -> Result<BTreeMap<String, PathBuf>, Trouble> {
    let mut libraries = BTreeMap::new();
    for (name, place) in listed.lines().filter_map(|line| line.trim().split_once(" => ")) {
        let place = place.rsplit_once(" (0x").map_or(place, |(place, _)| place);
        if !place.starts_with('/') {
            return Err(Trouble::Library { program: program.to_owned(), library: name.to_owned() });
        }
        // The loader goes where programs look for it.
        if !name.starts_with('/') {
            libraries.insert(name.to_owned(), place.into());
        }
    }
    Ok(libraries)
}

/// The folder of the C library, in which a loader looks whatever it is told; all libraries of a guest go there.
pub(crate) fn library_folder(needs: &Needs) -> &Path {
    let c_library = needs.libraries.iter().find(|(name, _)| name.starts_with("libc.so"));
    c_library.and_then(|(_, path)| path.parent()).unwrap_or(Path::new("/lib"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_loader_lists_is_understood() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd3d9f2000)\n\tlibgcc_s.so.1 => /opt/a (b)/libgcc_s.so.1 (0x00007f1)\n\
                      \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f3)\n\
                      \t/lib64/ld-linux-x86-64.so.2 => /usr/lib64/ld-linux-x86-64.so.2 (0x00007f4)\n";
        let libraries = found("p", listed).unwrap();
        let wanted = [("libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6"), ("libgcc_s.so.1", "/opt/a (b)/libgcc_s.so.1")];
        assert_eq!(libraries, wanted.map(|(name, path)| (name.to_owned(), path.into())).into());
        let needs = Needs { loader: None, libraries };
        assert_eq!(library_folder(&needs), Path::new("/lib/x86_64-linux-gnu"));
        let missing = found("tping", "\tlibx.so.1 => not found\n").unwrap_err();
        assert_eq!(missing.to_string(), "tping needs the library libx.so.1, which is not on this machine");
    }

    #[test]
    fn this_test_needs_what_is_mapped_into_it() {
        let own = std::env::current_exe().unwrap();
        let needs = needs(&own, &fs::read(&own).unwrap()).unwrap();
        assert!(needs.loader.unwrap().is_file());
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        assert!(needs.libraries.contains_key("libc.so.6"), "{:?}", needs.libraries);
        for path in needs.libraries.values() {
            let real = fs::canonicalize(path).unwrap();
            assert!(maps.contains(real.to_str().unwrap()), "{}", real.display());
        }
    }

    #[test]
    fn a_script_is_no_program_for_a_guest() {
        let error = needs(Path::new("/some/script"), b"#!/bin/sh\n").unwrap_err();
        assert_eq!(error.to_string(), "/some/script is no program that a guest can run: it is no ELF file of 64 bits");
    }
}
