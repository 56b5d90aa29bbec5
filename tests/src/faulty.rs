//! [`FaultyDisk`]: a disk that fails, is full, stalls or is slow when it is told to.
//!
//! A file system in the process of the test, by FUSE, which keeps what is written to it in memory. It is mounted in a mount namespace of the
//! thread that makes it, so that nobody else sees it, and so that it is gone when the test is, however that ends.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyCreate, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Bytes of one request at most. An append is several of them, so that a fault can strike in the middle of one.
const LARGEST_WRITE: u32 = 128 << 10;

/// What the kernel may remember of a file: nothing.
const TTL: Duration = Duration::ZERO;

/// A disk for one test.
#[derive(Debug)]
pub struct FaultyDisk {
    root: PathBuf,
    shared: Arc<Shared>,
    session: Option<BackgroundSession>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A word when it stalls no longer.
    goes_on: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By name. The number of its inode is 2 for the first.
    files: BTreeMap<OsString, u64>,
    content: BTreeMap<u64, Vec<u8>>,
    /// Bytes that it takes still, and what it says then.
    takes: Option<(u64, Fault)>,
    /// Cutting a file fails, too.
    cannot_cut: bool,
    stalls: bool,
    bytes_per_second: Option<u64>,
    /// Files are opened with `FOPEN_DIRECT_IO`.
    direct: bool,
}

/// What a write gets that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`.
    Error,
    /// `ENOSPC`.
    Full,
}

/// Gives `test` a disk, on a thread of its own: the programs that it starts see the disk, and nobody else does. With `direct` the kernel keeps nothing of
/// its files in the page cache, however they are opened (`FOPEN_DIRECT_IO`). Where there is no FUSE the test is skipped.
///
/// # Panics
///
/// As `test` does.
pub fn with_faulty_disk(direct: bool, test: impl FnOnce(&FaultyDisk) + Send) {
    if !house_skip::need_root() {
        return;
    }
    if !Path::new("/dev/fuse").exists() {
        return house_skip::skip("no /dev/fuse");
    }
    let folder = tempfile::tempdir().expect("a folder to mount at");
    let run = || {
        let disk = FaultyDisk::mount(folder.path(), direct).expect("a file system by FUSE");
        test(&disk);
    };
    // Its name is how a test is told.
    let name = thread::current().name().unwrap_or("a test").to_owned();
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, run).expect("a thread");
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

impl FaultyDisk {
    fn mount(root: &Path, direct: bool) -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        // What is mounted from here on is to be seen here only.
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
        let shared = Arc::new(Shared::default());
        shared.state().direct = direct;
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("faulty".to_owned())];
        let session = fuser::spawn_mount(Served(Arc::clone(&shared)), root, &config)?;
        Ok(Self { root: root.to_owned(), shared, session: Some(session) })
    }

    /// Where the file `name` on it is found by the programs that the test starts.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// It takes so many more bytes, to the last one of them, and gives `fault` to what is written after that.
    pub fn takes(&self, bytes: u64, fault: Fault) {
        self.shared.state().takes = Some((bytes, fault));
    }

    /// It takes everything again.
    pub fn is_well(&self) {
        let mut state = self.shared.state();
        state.takes = None;
        state.cannot_cut = false;
    }

    /// Files cannot be cut, either.
    pub fn cannot_cut(&self) {
        self.shared.state().cannot_cut = true;
    }

    /// Writes are neither taken nor refused until what this gives is dropped.
    pub fn stall(&self) -> Stall<'_> {
        self.shared.state().stalls = true;
        Stall(self)
    }

    fn go_on(&self) {
        self.shared.state().stalls = false;
        self.shared.goes_on.notify_all();
    }

    /// It takes that many bytes a second.
    pub fn is_slow(&self, bytes_per_second: u64) {
        self.shared.state().bytes_per_second = Some(bytes_per_second);
    }

    /// Length of the file `name`; 0 where there is none.
    pub fn len(&self, name: &str) -> u64 {
        let state = self.shared.state();
        state.content_of(name).map_or(0, |bytes| bytes.len() as u64)
    }

    /// A copy of the file `name`, as it is now, in `folder`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn copy(&self, name: &str, folder: &Path) -> PathBuf {
        let copy = folder.join(name);
        let state = self.shared.state();
        fs::write(&copy, state.content_of(name).expect("a file on the disk")).expect("a copy of it");
        copy
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        // A write that still waits would hold up the end.
        self.go_on();
        if let Some(Err(error)) = self.session.take().map(BackgroundSession::umount_and_join) {
            eprintln!("{}: not unmounted: {error}", self.root.display());
        }
    }
}

/// A disk stalls until this is dropped. Whoever writes to it cannot even be killed before.
#[derive(Debug)]
pub struct Stall<'a>(&'a FaultyDisk);

impl Drop for Stall<'_> {
    fn drop(&mut self) {
        self.0.go_on();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn content_of(&self, name: &str) -> Option<&Vec<u8>> {
        self.content.get(self.files.get(OsStr::new(name))?)
    }

    fn attributes(&self, inode: u64) -> Option<FileAttr> {
        let content = self.content.get(&inode);
        let is_root = inode == INodeNo::ROOT.0;
        if content.is_none() && !is_root {
            return None;
        }
        let size = content.map_or(0, |bytes| bytes.len() as u64);
        Some(FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_root { FileType::Directory } else { FileType::RegularFile },
            perm: if is_root { 0o755 } else { 0o644 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    /// Takes as much of `bytes` as it takes; how much that is.
    fn write(&mut self, inode: u64, offset: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let mut taken = bytes.len();
        if let Some((left, fault)) = &mut self.takes {
            taken = taken.min(usize::try_from(*left).unwrap_or(usize::MAX));
            if taken == 0 {
                return Err(match fault {
                    Fault::Error => Errno::EIO,
                    Fault::Full => Errno::ENOSPC,
                });
            }
            *left -= taken as u64;
        }
        let content = self.content.get_mut(&inode).ok_or(Errno::ENOENT)?;
        let start = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
        let end = start + taken;
        if content.len() < end {
            content.resize(end, 0);
        }
        content[start..end].copy_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flags(&self) -> FopenFlags {
        if self.direct { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() }
    }
}

/// What answers the kernel.
#[derive(Debug)]
struct Served(Arc<Shared>);

impl Filesystem for Served {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        config.set_max_write(LARGEST_WRITE).map_err(|most| io::Error::other(format!("{most} bytes at most")))?;
        Ok(())
    }

    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let state = self.0.state();
        match state.files.get(name).and_then(|inode| state.attributes(*inode)) {
            Some(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.state().attributes(inode.0) {
            Some(attributes) => reply.attr(&TTL, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut state = self.0.state();
        if let Some(size) = size.and_then(|size| usize::try_from(size).ok()) {
            if state.cannot_cut {
                return reply.error(Errno::EIO);
            }
            if let Some(content) = state.content.get_mut(&inode.0) {
                content.resize(size, 0);
            }
        }
        match state.attributes(inode.0) {
            Some(attributes) => reply.attr(&TTL, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn create(&self, _: &Request, _: INodeNo, name: &OsStr, _mode: u32, _umask: u32, _flags: i32, reply: ReplyCreate) {
        let mut state = self.0.state();
        let inode = 2 + state.content.len() as u64;
        state.files.insert(name.to_owned(), inode);
        state.content.insert(inode, Vec::new());
        match state.attributes(inode) {
            Some(attributes) => reply.created(&TTL, &attributes, Generation(0), FileHandle(0), state.flags()),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), self.0.state().flags());
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = self.0.state();
        while state.stalls {
            state = self.0.goes_on.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let pace = state.bytes_per_second;
        let written = state.write(inode.0, offset, bytes);
        drop(state);
        if let (Some(pace), Ok(count)) = (pace, written) {
            thread::sleep(Duration::from_secs(1).mul_f64(count as f64 / pace as f64));
        }
        match written {
            Ok(count) => reply.written(count as u32),
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        // The content stays: it may be open, and the number is nobody else's.
        match self.0.state().files.remove(name) {
            Some(_) => reply.ok(),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let blocks = 1 << 20;
        reply.statfs(blocks, blocks, blocks, 1 << 20, 1 << 20, 4096, 255, 4096);
    }
}
