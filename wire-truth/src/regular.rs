//! Files of a run's folder are files: a pipe in their place would be waited for, and a device read, for ever.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// More than any description of a run or a cell has, in bytes.
const MOST: u64 = 16 << 20;

/// That what `path` leads to is a file.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = called(kind);
    Err(io::Error::other(format!("it is {what}, and only a file is read here: put one in its place, or remove it")))
}

fn called(kind: FileType) -> &'static str {
    match () {
        () if kind.is_dir() => "a folder",
        #[cfg(unix)]
        () if kind.is_fifo() => "a pipe (FIFO)",
        #[cfg(unix)]
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

/// All of a file that is one, and not larger than descriptions are.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    check(path)?;
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MOST {
        true => Err(io::Error::other(format!("it is larger than {} MiB, which no description is", MOST >> 20))),
        false => Ok(bytes),
    }
}

/// What in `folder` is neither file nor folder, with what it is.
pub(crate) fn others(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .filter_map(|entry| {
            // Followed: a link to a device is read as that. One that leads nowhere is not read.
            let kind = fs::metadata(entry.path()).ok()?.file_type();
            let odd = !kind.is_file() && !kind.is_dir();
            odd.then(|| format!("{} is {}, and no file", entry.file_name().to_string_lossy(), called(kind)))
        })
        .collect();
    found.sort();
    found
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "x").unwrap();
        symlink(path("file"), path("link")).unwrap();
        symlink("/dev/zero", path("endless")).unwrap();
        symlink("nowhere", path("broken")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        assert_eq!((read(&path("file")).unwrap(), read(&path("link")).unwrap()), (b"x".to_vec(), b"x".to_vec()));
        for (name, words) in [("endless", "it is a device"), ("socket", "it is a socket"), ("broken", "No such file")] {
            let error = read(&path(name)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(read(dir.path()).unwrap_err().to_string().contains("it is a folder"));
        assert_eq!(others(dir.path()), ["endless is a device, and no file", "socket is a socket, and no file"]);
        // Sparse: nothing of it is there.
        File::create(path("large")).unwrap().set_len(MOST + 1).unwrap();
        assert!(read(&path("large")).unwrap_err().to_string().contains("larger than 16 MiB"));
    }
}
