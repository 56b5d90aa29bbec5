//! Small generators of stress, each a process of its own: it works until its standard input ends, and then says in one line what it has done.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{Error, Repr};

/// What is loaded, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// A processor, by square roots.
    Cpu,
    /// All file systems, by `sync()`.
    Io,
    /// The disk of this folder, by files that are written and removed.
    Hd(PathBuf),
    /// Memory, by allocating, touching and freeing it.
    Memory,
    /// The network, by sending to this address, under this congestion control.
    Send(SocketAddr, String),
    /// The network, by receiving at this address.
    Receive(SocketAddr),
}

/// Bytes of a file, and of an allocation.
const HD_BYTES: usize = 4 << 20;
const MEMORY_BYTES: usize = 64 << 20;
const BLOCK: usize = 64 << 10;

/// A page, each of which is touched.
const PAGE: usize = 4096;

/// Between two looks whether it is over.
const LOOK: Duration = Duration::from_millis(50);

/// Works, in so many threads, until `until` ends, and gives what it has done: `seconds`, `loops`, `bytes`, and of all its threads
/// `run_seconds`, which they have run, and `wait_seconds`, which they could have run and waited for a processor.
///
/// # Errors
///
/// When a file cannot be written, or an address not be had.
pub fn generate(load: &Load, threads: u32, mut until: impl Read + Send) -> Result<Value, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let [loops, bytes, ran, waited] = [0; 4].map(AtomicU64::new);
    let begun = Instant::now();
    let failed = |cause| Repr::Io { path: format!("stress {load:?}"), cause };
    let listener = match load {
        Load::Receive(at) => Some(TcpListener::bind(at).map_err(failed)?),
        _ => None,
    };
    let done: io::Result<()> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1))
            .map(|number| {
                let (stop, loops, bytes, listener) = (&stop, &loops, &bytes, listener.as_ref());
                let (ran, waited) = (&ran, &waited);
                scope.spawn(move || {
                    let done = work(load, number, listener, &Work { stop, loops, bytes });
                    let (run, wait) = schedule_of_thread();
                    ran.fetch_add(run, Ordering::Relaxed);
                    waited.fetch_add(wait, Ordering::Relaxed);
                    // One that cannot go on ends all, which is seen.
                    if done.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    done
                })
            })
            .collect();
        let over = Arc::clone(&stop);
        scope.spawn(move || {
            let _ = until.read_to_end(&mut Vec::new());
            over.store(true, Ordering::Relaxed);
        });
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread has panicked"))))
    });
    done.map_err(failed)?;
    let seconds = |nanos: &AtomicU64| nanos.load(Ordering::Relaxed) as f64 / 1e9;
    Ok(json!({
        "seconds": begun.elapsed().as_secs_f64(),
        "run_seconds": seconds(&ran),
        "wait_seconds": seconds(&waited),
        "loops": loops.load(Ordering::Relaxed),
        "bytes": bytes.load(Ordering::Relaxed),
    }))
}

/// Nanoseconds that this thread has run, and that it has waited for a processor: 0 where the kernel does not tell.
fn schedule_of_thread() -> (u64, u64) {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// What a thread is told, and tells.
struct Work<'a> {
    stop: &'a AtomicBool,
    loops: &'a AtomicU64,
    bytes: &'a AtomicU64,
}

impl Work<'_> {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn note(&self, bytes: usize) {
        self.loops.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

fn work(load: &Load, number: u32, listener: Option<&TcpListener>, work: &Work<'_>) -> io::Result<()> {
    match load {
        Load::Cpu => {
            let mut value = f64::from(number) + 2.0;
            while work.goes_on() {
                for _ in 0..100_000 {
                    value = black_box(value).sqrt() + 1.0;
                }
                work.note(0);
            }
        }
        Load::Io => {
            while work.goes_on() {
                nix::unistd::sync();
                work.note(0);
            }
        }
        Load::Hd(folder) => hd(&folder.join(format!("load{number}")), work)?,
        Load::Memory => {
            while work.goes_on() {
                let mut memory = vec![0u8; MEMORY_BYTES];
                memory.chunks_mut(PAGE).for_each(|page| page[0] = 1);
                black_box(&memory);
                work.note(MEMORY_BYTES);
            }
        }
        Load::Send(to, control) => send(*to, control, work)?,
        Load::Receive(_) => {
            if let Some(listener) = listener {
                receive(listener, work)?;
            }
        }
    }
    Ok(())
}

fn hd(file: &Path, work: &Work<'_>) -> io::Result<()> {
    let block = vec![0x5A; BLOCK];
    while work.goes_on() {
        let mut open = File::create(file)?;
        for _ in 0..HD_BYTES / BLOCK {
            if let Err(error) = open.write_all(&block) {
                let _ = fs::remove_file(file);
                return Err(error);
            }
        }
        // To the disk: what is only in memory loads none.
        let synced = open.sync_data();
        fs::remove_file(file)?;
        synced?;
        work.note(HD_BYTES);
    }
    Ok(())
}

fn send(to: SocketAddr, control: &str, work: &Work<'_>) -> io::Result<()> {
    let mut stream = connect(to, control, work)?;
    stream.set_write_timeout(Some(LOOK))?;
    let block = vec![0x5A; BLOCK];
    while work.goes_on() {
        match stream.write(&block) {
            Ok(sent) => work.note(sent),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
                ) => {}
            // The other end may have been stopped first.
            Err(_) if is_over_soon(work) => break,
            Err(error) => return Err(error),
        }
    }
    // What is in the queue is of no use to anybody, and would go on after the end.
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    Ok(())
}

/// Waits a while for the end.
fn is_over_soon(work: &Work<'_>) -> bool {
    let begun = Instant::now();
    while work.goes_on() && begun.elapsed() < Duration::from_secs(2) {
        thread::sleep(LOOK);
    }
    !work.goes_on()
}

/// Connects as soon as somebody listens.
fn connect(to: SocketAddr, control: &str, work: &Work<'_>) -> io::Result<TcpStream> {
    let begun = Instant::now();
    loop {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_tcp_congestion(control.as_bytes())?;
        match socket.connect_timeout(&to.into(), Duration::from_secs(2)) {
            Ok(()) => return Ok(socket.into()),
            Err(error) if begun.elapsed() > Duration::from_secs(10) || !work.goes_on() => return Err(error),
            Err(_) => thread::sleep(LOOK),
        }
    }
}

fn receive(listener: &TcpListener, work: &Work<'_>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && work.goes_on() => thread::sleep(LOOK),
            Err(_) if !work.goes_on() => return Ok(()),
            Err(error) => return Err(error),
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LOOK))?;
    let mut block = vec![0; BLOCK];
    while work.goes_on() {
        match stream.read(&mut block) {
            Ok(0) => break,
            Ok(got) => work.note(got),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
                ) => {}
            // Whoever sent was stopped.
            Err(_) => break,
        }
    }
    Ok(())
}
