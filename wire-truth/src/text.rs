//! [`read`]: a file of words, whole, but none without an end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Repr};

/// Bytes of a log, at most: some millions of probes.
pub(crate) const LOG: u64 = 256 << 20;

/// Bytes of what describes something, at most.
pub(crate) const DESCRIPTION: u64 = 16 << 20;

/// The text of a file, or of a pipe that somebody writes into, of `most` bytes at most.
///
/// # Errors
///
/// When it is something else (a device may have no end), when there is more, when it is no text, and those of the system.
pub(crate) fn read(path: &Path, most: u64) -> Result<String, Error> {
    let failed = |cause| Error::from(Repr::Io { path: path.display().to_string(), cause });
    let refused = |what: String| failed(io::Error::new(io::ErrorKind::InvalidInput, what));
    let kind = path.metadata().map_err(failed)?.file_type();
    let (mut file, mut text) = match kind {
        kind if kind.is_file() => (File::open(path).map_err(failed)?, Vec::new()),
        kind if is_pipe(kind) => pipe(path).map_err(failed)?,
        kind if kind.is_dir() => return Err(refused("it is a folder; name a file in it".to_owned())),
        _ => return Err(refused("it is neither a file nor a pipe, and may have no end; name a file".to_owned())),
    };
    Read::take(&mut file, most + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > most {
        return Err(refused(format!("there are more than {} MiB of it; give a part", most >> 20)));
    }
    String::from_utf8(text).map_err(|error| {
        refused(format!("it is no text: at byte {} there is no UTF-8", error.utf8_error().valid_up_to()))
    })
}

#[cfg(unix)]
fn is_pipe(kind: std::fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_: std::fs::FileType) -> bool {
    false
}

/// Opens a pipe that somebody writes into, and gives what was read of it. Its writer may come a little later.
#[cfg(target_os = "linux")]
fn pipe(path: &Path) -> io::Result<(File, Vec<u8>)> {
    use std::os::unix::fs::OpenOptionsExt;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    const TIMES: u32 = 40;
    const APART: std::time::Duration = std::time::Duration::from_millis(50);

    // Opened so, a pipe without a writer is at its end at once, and one with a writer that has nothing yet is not.
    let mut file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    for _ in 0..TIMES {
        let mut first = [0];
        let begun = match file.read(&mut first) {
            Ok(0) => {
                std::thread::sleep(APART);
                continue;
            }
            Ok(_) => first.to_vec(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Vec::new(),
            Err(error) => return Err(error),
        };
        fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))?;
        return Ok((file, begun));
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "nobody writes into this pipe"))
}

#[cfg(not(target_os = "linux"))]
fn pipe(path: &Path) -> io::Result<(File, Vec<u8>)> {
    Ok((File::open(path)?, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn told(path: &Path, most: u64) -> String {
        read(path, most).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_up_to_what_is_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(read(&path, 1 << 20).unwrap().len(), 1 << 20);
        fs::write(&path, vec![b'x'; (1 << 20) + 1]).unwrap();
        assert!(told(&path, 1 << 20).ends_with("log: there are more than 1 MiB of it; give a part"));
        fs::write(&path, [b'a', 0xFF]).unwrap();
        assert!(told(&path, LOG).ends_with("it is no text: at byte 1 there is no UTF-8"));
        assert!(told(dir.path(), LOG).ends_with("it is a folder; name a file in it"));
        assert!(told(&dir.path().join("none"), LOG).contains("No such file"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_has_no_end_is_refused_and_a_pipe_is_read() {
        use nix::sys::stat::Mode;
        use nix::unistd::mkfifo;

        for endless in ["/dev/zero", "/dev/null"] {
            assert!(told(Path::new(endless), LOG).contains("may have no end; name a file"), "{endless}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert!(told(&path, LOG).ends_with("pipe: nobody writes into this pipe"));
        for pause in [0, 300] {
            let write = std::thread::spawn({
                let path = path.clone();
                move || {
                    let mut file = File::options().write(true).open(path).unwrap();
                    std::thread::sleep(std::time::Duration::from_millis(pause));
                    io::Write::write_all(&mut file, b"# x\n").unwrap();
                }
            });
            assert_eq!(read(&path, LOG).unwrap(), "# x\n");
            write.join().unwrap();
        }
    }
}
