//! Archives of the kind that a kernel unpacks into its first file system: cpio, "newc" (Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::collections::BTreeSet;
use std::io::{self, Write};

/// What a file is, as bits of its mode (inode(7)).
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const CHAR_DEVICE: u32 = 0o020_000;

/// The last entry of every archive.
const TRAILER: &str = "TRAILER!!!";

/// Writes an archive, entry by entry. Everything belongs to root and has the time 0: equal contents make equal archives.
pub(crate) struct Cpio<W> {
    out: W,
    /// Bytes written, for padding.
    at: usize,
    inode: u32,
    folders: BTreeSet<String>,
}

impl<W: Write> Cpio<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, at: 0, inode: 0, folders: BTreeSet::new() }
    }

    /// A regular file at the absolute `path`, with its folders.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, data: &[u8]) -> io::Result<()> {
        self.parents(path)?;
        self.entry(path, FILE | permissions, (0, 0), data)
    }

    /// A character device at `path`.
    pub(crate) fn device(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        self.parents(path)?;
        self.entry(path, CHAR_DEVICE | 0o600, (major, minor), &[])
    }

    /// A folder at `path`, with those that it is in; once only.
    pub(crate) fn folder(&mut self, path: &str) -> io::Result<()> {
        let path = path.trim_matches('/');
        if path.is_empty() || self.folders.contains(path) {
            return Ok(());
        }
        self.parents(path)?;
        self.folders.insert(path.to_owned());
        self.entry(path, FOLDER | 0o755, (0, 0), &[])
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        match path.trim_matches('/').rsplit_once('/') {
            Some((parent, _)) => self.folder(parent),
            None => Ok(()),
        }
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), data: &[u8]) -> io::Result<()> {
        let too_big = |_| io::Error::new(io::ErrorKind::FileTooLarge, "an entry of an archive has 4 GiB at most");
        let name = path.trim_start_matches('/');
        let size = u32::try_from(data.len()).map_err(too_big)?;
        let name_size = u32::try_from(name.len() + 1).map_err(too_big)?;
        self.inode += 1;
        let links = if mode & FOLDER == FOLDER { 2 } else { 1 };
        // In this order: inode, mode, owner, group, links, time, size, device of the file, device that it is, name, checksum.
        let (major, minor) = device;
        let fields = [self.inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0];
        self.put(b"070701")?;
        for field in fields {
            self.put(format!("{field:08X}").as_bytes())?;
        }
        self.put(name.as_bytes())?;
        self.put(&[0])?;
        self.pad()?;
        self.put(data)?;
        self.pad()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len();
        self.out.write_all(bytes)
    }

    /// Names end, and data begins, at multiples of four.
    fn pad(&mut self) -> io::Result<()> {
        let short = self.at.next_multiple_of(4) - self.at;
        self.put([0; 3].get(..short).unwrap_or_default())
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.inode = 0;
        self.entry(TRAILER, 0, (0, 0), &[])?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn archive() -> Vec<u8> {
        let mut cpio = Cpio::new(Vec::new());
        cpio.folder("/proc").unwrap();
        cpio.device("/dev/console", 5, 1).unwrap();
        cpio.file("/usr/bin/a", 0o755, b"12345").unwrap();
        cpio.file("/usr/bin/bcd", 0o644, b"").unwrap();
        cpio.file("/usr/lib/e", 0o644, &[0xA5; 1000]).unwrap();
        cpio.folder("/usr/lib/").unwrap();
        cpio.folder("/bin").unwrap();
        cpio.finish().unwrap()
    }

    /// Entries as the format has them: name, mode, data.
    fn parsed(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let whole = bytes.len();
        let mut entries = Vec::new();
        loop {
            assert_eq!((whole - bytes.len()) % 4, 0, "entries begin at multiples of four");
            assert_eq!(&bytes[..6], b"070701");
            let field = |n: usize| {
                let text = std::str::from_utf8(&bytes[6 + 8 * n..14 + 8 * n]).unwrap();
                u32::from_str_radix(text, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name = std::str::from_utf8(&bytes[110..110 + name_size - 1]).unwrap().to_owned();
            assert_eq!(bytes[110 + name_size - 1], 0);
            let data = (110 + name_size).next_multiple_of(4);
            if name == TRAILER {
                assert_eq!(bytes.len(), data);
                return entries;
            }
            entries.push((name, mode, bytes[data..data + size].to_vec()));
            bytes = &bytes[(data + size).next_multiple_of(4)..];
        }
    }

    #[test]
    fn folders_come_once_and_before_what_is_in_them() {
        let entries = parsed(&archive());
        let names: Vec<&str> = entries.iter().map(|entry| entry.0.as_str()).collect();
        let wanted =
            ["proc", "dev", "dev/console", "usr", "usr/bin", "usr/bin/a", "usr/bin/bcd", "usr/lib", "usr/lib/e", "bin"];
        assert_eq!(names, wanted);
        assert_eq!(entries[5], ("usr/bin/a".to_owned(), 0o100_755, b"12345".to_vec()));
        assert_eq!(entries[8].2, [0xA5; 1000]);
        assert_eq!(entries[0].1, 0o040_755);
        assert_eq!(entries[2].1, 0o020_600);
    }

    /// Other people's programs read it: each that is on this machine.
    #[test]
    fn cpio_and_tar_list_it() {
        for line in [&["cpio", "-t", "--quiet"][..], &["bsdtar", "-t", "-f", "-"], &["busybox", "cpio", "-t"]] {
            let mut command = Command::new(line[0]);
            command.args(&line[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let Ok(mut child) = command.spawn() else { continue };
            child.stdin.take().unwrap().write_all(&archive()).unwrap();
            let done = child.wait_with_output().unwrap();
            assert!(done.status.success(), "{line:?}: {}", String::from_utf8_lossy(&done.stderr));
            let listed = String::from_utf8(done.stdout).unwrap();
            let names: Vec<&str> = listed.lines().map(|name| name.trim_end_matches('/')).collect();
            let ours: Vec<String> = parsed(&archive()).into_iter().map(|entry| entry.0).collect();
            assert_eq!(names, ours, "{line:?}");
        }
    }
}
