//! [`WholeFile`]: an output that is complete or absent.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Output, OutputOptions};
use crate::compress::{Encoding, Packer, Workers};
use crate::{Error, ErrorKind};

/// How many names beside the final one are tried for the unfinished file.
const TRIES: u32 = 100;

/// A sink for a file that is worth nothing half written, such as a conversion: complete under its name, or not there.
///
/// A file takes its name in [`finish`](Self::finish), after its bytes have reached the device; with
/// [`force`](OutputOptions::force) the file that stood there is replaced at that moment, as a whole, and its permissions are
/// kept. Until then it has no name, on Linux and where the file system can do so, and is gone with the process however that
/// ends; elsewhere it lies beside its place as `.NAME.partN`, and is removed when this is dropped without `finish`. Standard
/// output (`-`), pipes and devices cannot be taken back and are written to as they are.
///
/// A recording that is to be read up to where it broke off goes to an [`Output`] instead.
///
/// ```
/// use std::io::Write;
/// use erf::writer::{OutputOptions, WholeFile};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("made.erf");
/// let mut file = WholeFile::create(&path, OutputOptions::new(), &[])?;
/// file.write_all(b"record")?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(std::fs::read(&path)?, b"record");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WholeFile {
    to: To,
    name: String,
    /// What compresses what is written, if anything does; `None` once all of it has been.
    packer: Option<Packer>,
}

#[derive(Debug)]
enum To {
    /// Whatever is taken as it comes.
    Stream(Output),
    Part {
        /// `None` once it is [parked](WholeFile::park).
        file: Option<File>,
        place: Place,
        target: PathBuf,
        force: bool,
    },
}

/// Where an unfinished file is.
#[derive(Debug)]
enum Place {
    /// Nowhere: it has no name yet.
    #[cfg(target_os = "linux")]
    Unnamed,
    Beside(PathBuf),
    /// It is finished and has its name.
    There,
}

impl WholeFile {
    /// Begins a file at `path`; `-` is standard output. `read` are the files it is made from.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when `path` is one of `read`, by whatever name, or a terminal. [`ErrorKind::Open`] when it
    /// exists and may not be replaced ([`Error::is_already_exists`]), or cannot be made.
    pub fn create(path: impl AsRef<Path>, options: OutputOptions, read: &[&Path]) -> Result<Self, Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        if read.iter().any(|read| is_same(opened(read, "/dev/stdin"), opened(path, "/dev/stdout"))) {
            let what = "would be written over while it is read; name another file";
            return Err(Error::new(ErrorKind::InvalidInput, what).in_file(name));
        }
        // Links are followed, so that what they point at is replaced and not they.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let is_place = match fs::metadata(&target) {
            Ok(there) => there.is_file(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if path.as_os_str() == "-" || !is_place {
            let output = Output::create(path, options)?;
            return Ok(Self { name: output.name().to_owned(), to: To::Stream(output), packer: None });
        }
        let there = fs::metadata(&target).ok();
        if there.is_some() && !options.forces() {
            return Err(already_exists(&name));
        }
        let failed = |cause| Error::new(ErrorKind::Open, "cannot open it for writing").in_file(&name).because(cause);
        let (file, place) = part_of(&target).map_err(failed)?;
        let to = To::Part { file: Some(file), place, target, force: options.forces() };
        let whole = Self { to, name: name.clone(), packer: None };
        if let (Some(there), To::Part { file: Some(file), .. }) = (there, &whole.to) {
            // What may not be written to may not be replaced either.
            OpenOptions::new().write(true).open(path).map_err(failed)?;
            file.set_permissions(there.permissions()).map_err(failed)?;
        }
        Ok(whole)
    }

    /// Compresses what is written from now on, by `workers`.
    pub fn compressed(mut self, encoding: Encoding, workers: Workers) -> Self {
        self.packer = Some(Packer::new(encoding, workers));
        self
    }

    /// The path as given, or `standard output`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the unfinished file lies, to be looked at before it gets its name; `None` for what cannot be taken back.
    pub fn unfinished(&self) -> Option<PathBuf> {
        match &self.to {
            #[cfg(target_os = "linux")]
            To::Part { file: Some(file), place: Place::Unnamed, .. } => {
                use std::os::fd::AsRawFd;
                Some(format!("/proc/self/fd/{}", file.as_raw_fd()).into())
            }
            To::Part { place: Place::Beside(part), .. } => Some(part.clone()),
            To::Part { .. } | To::Stream(_) => None,
        }
    }

    /// Brings what was written to the device, so that [`finish`](Self::finish) only has a name to give. For several files of which
    /// all are to be there or none. Nothing is to be written behind it to what is compressed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the bytes do not reach the device.
    pub fn sync(&mut self) -> Result<(), Error> {
        let failed = |what: &str, cause| Error::new(ErrorKind::Write, what).in_file(&self.name).because(cause);
        if let Some(packer) = self.packer.take() {
            packer.end(&mut self.to).map_err(|cause| failed("the end could not be written", cause))?;
        }
        match &mut self.to {
            To::Stream(output) => {
                output.flush().map_err(|cause| failed("the end could not be written", cause))?;
                output.sync()
            }
            To::Part { file: Some(file), .. } => {
                file.sync_data().map_err(|cause| failed("the data did not reach the device", cause))
            }
            To::Part { file: None, .. } => Ok(()),
        }
    }

    /// Ends writing but for the name, and closes the file, so that more of them can wait for theirs than may be open. Until then it
    /// lies beside its place as `.NAME.partN`. What cannot be taken back stays open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the bytes do not reach the device, or there cannot be such a name.
    pub fn park(&mut self) -> Result<(), Error> {
        self.sync()?;
        let To::Part { file, place, target, .. } = &mut self.to else { return Ok(()) };
        place.beside(file.as_ref(), target).map_err(|cause| {
            Error::new(ErrorKind::Write, "cannot be put beside its place").in_file(&self.name).because(cause)
        })?;
        *file = None;
        Ok(())
    }

    /// Gives the file its name; from here on it is there, whole and on the device.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the bytes do not reach the device or the name cannot be had; nothing is left then.
    /// [`ErrorKind::Open`] when somebody has put a file there meanwhile that may not be replaced.
    pub fn finish(mut self) -> Result<(), Error> {
        self.sync()?;
        let To::Part { file, place, target, force } = &mut self.to else { return Ok(()) };
        place.name(file.as_ref(), target, *force).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => already_exists(&self.name),
            _ => Error::new(ErrorKind::Write, "cannot be given its name").in_file(&self.name).because(cause),
        })
    }
}

impl Place {
    /// Gives the file a name beside `target`, if it has none yet.
    fn beside(&mut self, file: Option<&File>, target: &Path) -> io::Result<()> {
        #[cfg(not(target_os = "linux"))]
        let _ = (file, target);
        #[cfg(target_os = "linux")]
        if let (Self::Unnamed, Some(file)) = (&self, file) {
            let (part, ()) = beside(target, |part| link(file, part))?;
            *self = Self::Beside(part);
        }
        Ok(())
    }

    /// Gives the file its name.
    fn name(&mut self, file: Option<&File>, target: &Path, force: bool) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let (Self::Unnamed, Some(file), false) = (&self, file, force) {
            link(file, target)?;
            *self = Self::There;
            return Ok(());
        }
        // A link does not replace; a move does, and needs a name to move from.
        self.beside(file, target)?;
        if let Self::Beside(part) = self {
            if force { fs::rename(part, target) } else { name_new(part, target) }?;
        }
        *self = Self::There;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.packer {
            Some(packer) => packer.write(&mut self.to, bytes).map(|()| bytes.len()),
            None => self.to.write(bytes),
        }
    }

    /// What is to be compressed stays until there is a block of it.
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Write for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stream(output) => output.write(bytes),
            Self::Part { file: Some(file), .. } => file.write(bytes),
            Self::Part { file: None, .. } => Err(io::Error::other("it is parked, and takes no more")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stream(output) => output.flush(),
            Self::Part { file, .. } => file.as_mut().map_or(Ok(()), File::flush),
        }
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let To::Part { place: Place::Beside(part), .. } = &self.to
            && let Err(error) = fs::remove_file(part)
        {
            log::warn!("{}: unfinished and not removed: {error}", part.display());
        }
    }
}

fn already_exists(name: &str) -> Error {
    let cause = io::ErrorKind::AlreadyExists.into();
    Error::new(ErrorKind::Open, "exists already and was not touched").in_file(name).because(cause)
}

/// Gives the finished file `from` the name `to`, in the same folder; what is there is replaced only where `options` say so.
///
/// # Errors
///
/// [`ErrorKind::Open`] when something is there ([`Error::is_already_exists`]), [`ErrorKind::Write`] when the system refuses.
pub fn give_name(from: &Path, to: &Path, options: OutputOptions) -> Result<(), Error> {
    let named = if options.forces() { fs::rename(from, to) } else { name_new(from, to) };
    named.map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => already_exists(&to.display().to_string()),
        _ => Error::new(ErrorKind::Write, "cannot be given its name").in_path(to).because(cause),
    })
}

/// A new file in the folder of `target`, so that it can be given that name.
fn part_of(target: &Path) -> io::Result<(File, Place)> {
    #[cfg(target_os = "linux")]
    if let Some(file) = unnamed(target) {
        return Ok((file, Place::Unnamed));
    }
    let (part, file) = beside(target, |part| OpenOptions::new().write(true).create_new(true).open(part))?;
    Ok((file, Place::Beside(part)))
}

/// A name beside `target` that `make` finds free.
fn beside<T>(target: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
    let mut tried = 0;
    loop {
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".part{}", std::process::id().wrapping_add(tried)));
        let part = target.with_file_name(name);
        match make(&part) {
            Ok(made) => return Ok((part, made)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < TRIES => tried += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A file without a name; `None` where the file system has none, or it could not get one later for want of `/proc`.
#[cfg(target_os = "linux")]
fn unnamed(target: &Path) -> Option<File> {
    use nix::fcntl::OFlag;
    use std::os::unix::fs::OpenOptionsExt;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = OpenOptions::new().write(true).custom_flags(OFlag::O_TMPFILE.bits()).open(folder).ok()?;
    fs::metadata(descriptor(&file)).is_ok().then_some(file)
}

#[cfg(target_os = "linux")]
fn descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Gives a file without a name the name `to`, unless something is there.
#[cfg(target_os = "linux")]
fn link(file: &File, to: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, AtFlags};
    Ok(nix::unistd::linkat(AT_FDCWD, &descriptor(file), AT_FDCWD, to, AtFlags::AT_SYMLINK_FOLLOW)?)
}

/// Moves `from` to `target` unless something is there; a link, where the file system has them, leaves no moment between.
fn name_new(from: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(from, target) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if fs::symlink_metadata(target).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, target),
    }
}

/// What `-` leads to, where the system has a name for it; else the path itself.
fn opened<'a>(path: &'a Path, standard: &'a str) -> &'a Path {
    if path.as_os_str() == "-" { Path::new(standard) } else { path }
}

/// Whether both paths lead to one regular file.
fn is_same(one: &Path, other: &Path) -> bool {
    let (Ok(a), Ok(b)) = (fs::metadata(one), fs::metadata(other)) else { return false };
    if !a.is_file() || !b.is_file() {
        return false;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (a.dev(), a.ino()) == (b.dev(), b.ino())
    }
    #[cfg(not(unix))]
    {
        matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unfinished_file_is_nowhere_where_the_file_system_can_do_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for force in [false, true] {
            let mut file = WholeFile::create(&path, OutputOptions::new().force(force), &[]).unwrap();
            file.write_all(b"half").unwrap();
            let is_unnamed = matches!(&file.to, To::Part { place: Place::Unnamed, .. });
            assert_eq!(is_unnamed, names(dir.path()).len() == usize::from(force), "{:?}", names(dir.path()));
            file.finish().unwrap();
            assert_eq!(names(dir.path()), ["x"]);
        }
    }

    #[test]
    fn where_a_file_needs_a_name_it_lies_beside_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x");
        let part = |force| {
            let (part, file) =
                beside(&target, |part| OpenOptions::new().write(true).create_new(true).open(part)).unwrap();
            let to = To::Part { file: Some(file), place: Place::Beside(part), target: target.clone(), force };
            WholeFile { to, name: "x".to_owned(), packer: None }
        };
        let (first, second) = (part(false), part(false));
        assert_eq!(names(dir.path()).len(), 2);
        drop(first);
        second.finish().unwrap();
        assert_eq!(names(dir.path()), ["x"]);
        assert!(part(false).finish().unwrap_err().is_already_exists());
        part(true).finish().unwrap();
        assert_eq!(names(dir.path()), ["x"]);
    }

    #[test]
    fn complete_or_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let mut file = WholeFile::create(&path, OutputOptions::new(), &[]).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(names(dir.path()).is_empty());

        let mut file = WholeFile::create(&path, OutputOptions::new(), &[]).unwrap();
        file.write_all(b"whole").unwrap();
        file.finish().unwrap();
        assert_eq!((names(dir.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"whole".to_vec()));
    }

    #[test]
    fn a_parked_file_lies_beside_its_place_until_it_has_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let parked = |force| {
            let mut file = WholeFile::create(&path, OutputOptions::new().force(force), &[]).unwrap();
            file.write_all(b"whole").unwrap();
            file.park().unwrap();
            assert!(file.write_all(b"more").is_err() && !path.exists());
            assert_eq!(fs::read(file.unfinished().unwrap()).unwrap(), b"whole");
            file
        };
        drop(parked(false));
        assert!(names(dir.path()).is_empty());
        for force in [false, true] {
            let (mut first, second) = (parked(force), parked(force));
            first.park().unwrap();
            first.finish().unwrap();
            assert_eq!(second.finish().is_ok(), force);
            assert_eq!((names(dir.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"whole".to_vec()));
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn what_is_compressed_is_whole_when_it_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gz");
        let mut file = WholeFile::create(&path, OutputOptions::new(), &[]).unwrap();
        file = file.compressed("gzip".parse().unwrap(), Workers::new(1).unwrap());
        file.write_all(b"whole").unwrap();
        file.sync().unwrap();
        file.finish().unwrap();
        let mut bytes = [0; 9];
        let mut input = crate::input::Input::open(crate::input::Source::from(path.as_path())).unwrap();
        assert_eq!(input.read_full(&mut bytes).unwrap(), 5);
        assert_eq!((input.compression(), &bytes[..5]), (crate::input::Compression::Gzip, &b"whole"[..]));
    }

    #[test]
    fn what_is_there_is_replaced_only_by_force_and_only_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, "old").unwrap();
        assert!(WholeFile::create(&path, OutputOptions::new(), &[]).unwrap_err().is_already_exists());
        let mut file = WholeFile::create(&path, OutputOptions::new().force(true), &[]).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.finish().unwrap();
        assert_eq!((names(dir.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"new".to_vec()));
    }

    #[test]
    fn what_somebody_puts_there_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let file = WholeFile::create(&path, OutputOptions::new(), &[]).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(file.finish().unwrap_err().is_already_exists());
        assert_eq!((names(dir.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"theirs".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn an_input_by_any_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, "data").unwrap();
        let (soft, hard) = (dir.path().join("soft"), dir.path().join("hard"));
        std::os::unix::fs::symlink(&path, &soft).unwrap();
        fs::hard_link(&path, &hard).unwrap();
        for other in [&path, &soft, &hard] {
            let error = WholeFile::create(other, OutputOptions::new().force(true), &[&path]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"data");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_of_what_is_replaced_stay() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("x"), dir.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("x", &link).unwrap();
        let mut file = WholeFile::create(&link, OutputOptions::new().force(true), &[]).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = WholeFile::create(dir.path(), OutputOptions::new().force(true), &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Open, "{error}");
    }
}
