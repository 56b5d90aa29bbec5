//! [`Output`]: a file or standard output, opened so that nothing is lost by mistake.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

#[cfg(target_os = "linux")]
use super::pipe::Pipe;
use super::{ErfWriter, Room};
use crate::{Error, ErrorKind};

/// How to open an [`Output`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputOptions {
    force: bool,
}

impl OutputOptions {
    /// Never overwrite.
    pub const fn new() -> Self {
        Self { force: false }
    }

    /// Whether a file that exists may be overwritten; `false` unless said.
    pub const fn force(self, force: bool) -> Self {
        Self { force }
    }

    /// Whether a file that exists may be overwritten.
    pub const fn forces(self) -> bool {
        self.force
    }
}

/// A sink for records or any other binary data: a path, under its final name, or standard output.
///
/// * A file that exists is refused unless [`force`](OutputOptions::force) is on; so is a block
///   device. Pipes and character devices such as `/dev/null` hold nothing to lose and are opened.
/// * With `force`, the old content goes at the first write or flush, not before: a program that
///   fails to start leaves the old file as it was. It is emptied in place, so links and
///   permissions stay.
/// * A file made here that was never written nor flushed is removed again at drop, so that the next
///   try is not refused because of it.
/// * A directory and a terminal are refused.
///
/// It does not buffer.
#[derive(Debug)]
pub struct Output {
    file: File,
    name: String,
    fresh: Fresh,
    /// A regular file opened by path: it can be cut. Standard output is shared and never cut.
    is_regular: bool,
    /// A full disk is waited for.
    room: Option<Room>,
    /// Written to in place of `file`, where it is a pipe whose reader may be given up.
    #[cfg(target_os = "linux")]
    pipe: Option<Pipe>,
}

/// What is still to be done or undone while nothing has been written.
#[derive(Debug)]
enum Fresh {
    /// Made by us: remove it if it stays unused.
    Created(PathBuf),
    /// Old content to be removed.
    Old,
    Used,
}

impl Output {
    /// Opens `path`, or standard output for `-` (a file of that name is `./-`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Open`] with the path and the system's reason:
    /// [`is_already_exists`](Error::is_already_exists) for a file that is there and was not touched.
    /// [`ErrorKind::InvalidInput`] for a terminal.
    pub fn create(path: impl AsRef<Path>, options: OutputOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        if path.as_os_str() == "-" {
            return Self::stdout();
        }
        let name = path.display().to_string();
        let (file, fresh) = open(path, options).map_err(|cause| refusal(&name, cause))?;
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Self::assemble(file, name, fresh, is_regular)
    }

    /// Standard output, past the line buffer of [`std::io::stdout`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when it is a terminal, [`ErrorKind::Open`] when it cannot be had, or is closed. A program that
    /// is started with it closed finds `/dev/null` in its place, opened for reading and writing, as no shell opens it: that
    /// counts as closed.
    pub fn stdout() -> Result<Self, Error> {
        let name = String::from("standard output");
        #[cfg(target_os = "linux")]
        if is_stand_in() {
            let what = "is closed, and what is to be written would be gone; to throw it away name the file /dev/null";
            return Err(Error::new(ErrorKind::Open, what).in_file(&name));
        }
        let file = stdout_file().map_err(|cause| refusal(&name, cause))?;
        Self::assemble(file, name, Fresh::Used, false)
    }

    fn assemble(file: File, name: String, fresh: Fresh, is_regular: bool) -> Result<Self, Error> {
        let output = Self {
            file,
            name,
            fresh,
            is_regular,
            room: None,
            #[cfg(target_os = "linux")]
            pipe: None,
        };
        output.unless_terminal()
    }

    /// From when `ending` is true a pipe whose reader takes nothing for as long as `patience` is given up: the write fails, and
    /// [`Error::is_stalled_pipe`] says so. A reader that is slow and goes on reading gets everything. Only Linux can do so; a
    /// file is written to the end in any case.
    #[cfg_attr(not(target_os = "linux"), expect(unused_mut, unused_variables))]
    pub fn while_ending(mut self, ending: Arc<AtomicBool>, patience: Duration) -> Self {
        #[cfg(target_os = "linux")]
        {
            self.pipe = Pipe::open(&self.file, ending, patience);
        }
        self
    }

    /// From now on a write to a file for which there is no room waits until there is.
    pub fn wait_for_room(mut self, room: Room) -> Self {
        self.room = self.is_regular.then_some(room);
        self
    }

    /// The path as given, or `standard output`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until the data is on the device. Quota and network file systems may report a full disk
    /// only here. Pipes and devices that know no such thing succeed at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] with the system's reason.
    pub fn sync(&self) -> Result<(), Error> {
        if !self.is_regular {
            return Ok(());
        }
        self.file.sync_data().map_err(|cause| {
            Error::new(ErrorKind::Write, "the data did not reach the device").in_file(&self.name).because(cause)
        })
    }

    fn unless_terminal(self) -> Result<Self, Error> {
        if !self.file.is_terminal() {
            return Ok(self);
        }
        let what = "is a terminal, and what is to be written is binary; name a file or redirect to a pipe";
        Err(Error::new(ErrorKind::InvalidInput, what).in_file(&self.name))
    }

    /// Another handle of the file, for who places bytes in it past [`Write`]: what is set on the one, such as `O_DIRECT`, holds for
    /// both. [`begin`](Self::begin) is to come before the first byte. `None` for what is no regular file opened by its path.
    ///
    /// # Errors
    ///
    /// When the system has no more handles.
    pub fn file(&self) -> io::Result<Option<File>> {
        self.is_regular.then(|| self.file.try_clone()).transpose()
    }

    /// Removes the old content, and keeps the file from then on even if nothing is written. The first write does so itself.
    ///
    /// # Errors
    ///
    /// When the system cannot empty the file.
    pub fn begin(&mut self) -> io::Result<()> {
        if matches!(self.fresh, Fresh::Old) && self.is_regular {
            self.file.set_len(0)?;
        }
        self.fresh = Fresh::Used;
        Ok(())
    }

    /// Removes what lies behind the first `len` bytes; `false` where that cannot be.
    pub fn cut(&mut self, len: u64) -> io::Result<bool> {
        // An old content that could not even be removed is not ours to cut.
        if !self.is_regular || !matches!(self.fresh, Fresh::Used) {
            return Ok(false);
        }
        self.file.set_len(len)?;
        self.file.seek(SeekFrom::Start(len))?;
        Ok(true)
    }
}

impl ErfWriter<Output> {
    /// Writes to `output`. A file is cut back to its last whole record when a write fails, and errors
    /// name it.
    ///
    /// ```no_run
    /// use erf::writer::{ErfWriter, Output, OutputOptions};
    ///
    /// let output = Output::create("wire.erf", OutputOptions::new())?;
    /// let mut writer = ErfWriter::for_output(output);
    /// // ... writer.write_record(&record)? ...
    /// writer.finish()?.sync()?;
    /// # Ok::<(), erf::Error>(())
    /// ```
    pub fn for_output(output: Output) -> Self {
        let name = output.name.clone();
        Self::assemble(Self::CAPACITY, output, Some(name), Output::cut)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin()?;
        #[cfg(target_os = "linux")]
        if let Some(pipe) = &mut self.pipe {
            return pipe.write(bytes);
        }
        let Self { file, room, name, .. } = self;
        match room {
            Some(room) => room.wait_for(name, || file.write(bytes)),
            None => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.begin()?;
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Fresh::Created(path) = &self.fresh
            && is_still_ours(&self.file, path)
            && let Err(error) = fs::remove_file(path)
        {
            log::warn!("{}: empty and not removed: {error}", self.name);
        }
    }
}

fn open(path: &Path, options: OutputOptions) -> io::Result<(File, Fresh)> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if !holds_data(&metadata) => Ok((OpenOptions::new().write(true).open(path)?, Fresh::Used)),
        Ok(_) if !options.force => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) => Ok((OpenOptions::new().write(true).open(path)?, Fresh::Old)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match OpenOptions::new().write(true).create_new(true).open(path) {
                Ok(file) => Ok((file, Fresh::Created(path.to_owned()))),
                // Somebody was faster, or it is a symbolic link to nothing, which `create` follows.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && options.force => {
                    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
                    Ok((file, Fresh::Old))
                }
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

fn refusal(name: &str, cause: io::Error) -> Error {
    let what = match cause.kind() {
        io::ErrorKind::AlreadyExists => "exists already and was not touched",
        io::ErrorKind::IsADirectory => "cannot write there; name a file inside it",
        _ => "cannot open it for writing",
    };
    Error::new(ErrorKind::Open, what).in_file(name).because(cause)
}

/// Overwriting it would lose something: a regular file or a block device.
#[cfg(unix)]
fn holds_data(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.is_file() || metadata.file_type().is_block_device()
}

#[cfg(not(unix))]
fn holds_data(metadata: &Metadata) -> bool {
    metadata.is_file()
}

/// `path` is still the empty file that was made, not one that somebody has put there since.
#[cfg(unix)]
fn is_still_ours(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => ours.len() == 0 && (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still_ours(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => ours.len() == 0 && there.is_file() && there.len() == 0,
        _ => false,
    }
}

/// Standard output was closed when the program began: the Rust runtime puts `/dev/null` in its place, and opens that for reading
/// as well.
#[cfg(target_os = "linux")]
fn is_stand_in() -> bool {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let flags = fcntl(io::stdout().as_fd(), FcntlArg::F_GETFL).unwrap_or(0);
    let both_ways = OFlag::from_bits_truncate(flags) & OFlag::O_ACCMODE == OFlag::O_RDWR;
    let device = |metadata: io::Result<Metadata>| metadata.map(|metadata| metadata.rdev()).unwrap_or(0);
    let null = device(fs::metadata("/dev/null"));
    both_ways && null != 0 && device(stdout_file().and_then(|file| file.metadata())) == null
}

#[cfg(unix)]
fn stdout_file() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn stdout_file() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdout().as_handle().try_clone_to_owned().map(File::from)
}
