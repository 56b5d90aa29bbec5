//! As much of ELF (System V ABI, x86-64) as taking a program into a guest needs: its loader, and its end without debugging information.

const MAGIC: &[u8] = b"\x7fELF\x02\x01";
const PT_INTERP: u32 = 3;
/// Bytes of a program header.
const HEADER: usize = 56;

/// One part of a file that a loader looks at.
struct Segment {
    kind: u32,
    offset: usize,
    size: usize,
}

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(file.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u64_at(file: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(file.get(at..at.checked_add(8)?)?.try_into().ok()?)).ok()
}

/// `None` for what is no 64-bit little-endian ELF file, or a broken one.
fn segments(file: &[u8]) -> Option<Vec<Segment>> {
    if !file.starts_with(MAGIC) {
        return None;
    }
    let (table, size, count) = (u64_at(file, 32)?, usize::from(u16_at(file, 54)?), usize::from(u16_at(file, 56)?));
    let segment = |n: usize| {
        let at = table.checked_add(n.checked_mul(size)?)?;
        let header = file.get(at..at.checked_add(HEADER)?)?;
        let kind = u32::from_le_bytes(header.get(..4)?.try_into().ok()?);
        Some(Segment { kind, offset: u64_at(header, 8)?, size: u64_at(header, 32)? })
    };
    (0..count).map(segment).collect()
}

/// Whether `file` is an ELF file at all.
pub(crate) fn is_elf(file: &[u8]) -> bool {
    segments(file).is_some()
}

/// The loader that `file` names; `None` for a static program.
pub(crate) fn interpreter(file: &[u8]) -> Option<String> {
    let segment = segments(file)?.into_iter().find(|segment| segment.kind == PT_INTERP)?;
    let name = file.get(segment.offset..segment.offset.checked_add(segment.size)?)?;
    String::from_utf8(name.strip_suffix(b"\0").unwrap_or(name).to_vec()).ok()
}

/// `file` as far as a loader looks at it: no symbols and no debugging information, which are most of what a compiler makes, and would
/// fill a small guest's memory.
pub(crate) fn loaded(mut file: Vec<u8>) -> Vec<u8> {
    let Some(segments) = segments(&file) else { return file };
    let table = u64_at(&file, 32).unwrap_or(0).saturating_add(segments.len() * HEADER);
    let ends = segments.iter().map(|segment| segment.offset.saturating_add(segment.size));
    let end = ends.fold(table, usize::max).max(64);
    if end >= file.len() {
        return file;
    }
    file.truncate(end);
    // The table of sections is gone: its place, and their number and that of their names.
    for gone in [40..48, 60..64] {
        if let Some(bytes) = file.get_mut(gone) {
            bytes.fill(0);
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn this_test_names_its_loader() {
        let file = fs::read(std::env::current_exe().unwrap()).unwrap();
        let loader = interpreter(&file).unwrap();
        assert!(fs::metadata(&loader).unwrap().is_file(), "{loader}");
        // A loader itself has none.
        assert_eq!(interpreter(&fs::read(&loader).unwrap()), None);
    }

    #[test]
    fn it_runs_without_what_no_loader_looks_at() {
        let file = fs::read(std::env::current_exe().unwrap()).unwrap();
        let short = loaded(file.clone());
        assert!(short.len() < file.len() * 2 / 3, "{} of {}", short.len(), file.len());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("short");
        fs::write(&path, &short).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let listed = Command::new(&path).args(["--list", "names_its_loader"]).output().unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains("this_test_names_its_loader: test"), "{listed:?}");
        // Nothing more to take away.
        assert_eq!(loaded(short.clone()), short);
    }

    #[test]
    fn what_is_no_elf_file_stays_as_it_is() {
        for bytes in [&b"#!/bin/sh\n"[..], b"", b"\x7fELF\x02\x01", &[0xFF; 100]] {
            assert!(!is_elf(bytes));
            assert_eq!(interpreter(bytes), None);
            assert_eq!(loaded(bytes.to_vec()), bytes);
        }
        let mut broken = fs::read(std::env::current_exe().unwrap()).unwrap()[..64].to_vec();
        broken[32..40].fill(0xFF);
        assert!(!is_elf(&broken));
    }
}
