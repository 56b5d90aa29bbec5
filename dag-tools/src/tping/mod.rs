//! `tping`: a ping that writes down every stamp there is.

mod args;
mod clock;
mod feedback;
mod log;
mod reflect;
mod schedule;
mod socket;
mod summary;
mod table;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::utsname::{UtsName, uname};

pub use args::Args;
use args::Plan;
use feedback::Feedback;
use log::Log;
use schedule::Schedule;
use socket::{Event, NoSocket, Prober, Probes};
use summary::Spans;
use table::Table;
use wire_truth::message::{Cookie, Heard, heard, quoted, request};
use wire_truth::verdict::Judgement;
use wire_truth::{ProbeKey, UserProbe};

use crate::exit::Exit;
use crate::messages::say;
use crate::signals;

const PROGRAM: &str = "tping";

/// From asking for stamps to the first probe.
const BEFORE_THE_FIRST: Duration = Duration::from_millis(20);

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("{host}: {cause}")]
    Name { host: String, cause: io::Error },
    #[error("{host} has no address of IPv{version}")]
    NoAddress { host: String, version: u8 },
    #[error(
        "ICMP sockets are refused: give it CAP_NET_RAW (setcap cap_net_raw+ep, or root), or allow your group datagram ones (sysctl \
         net.ipv4.ping_group_range='0 2147483647'), or use --udp PORT, which needs nothing"
    )]
    NoIcmp,
    #[error(
        "raw sockets are refused: probes of TCP need CAP_NET_RAW (setcap cap_net_raw+ep, or root); --udp PORT needs nothing"
    )]
    NoRaw,
    #[error("identifier {0} is in use by another program: choose another, or leave it out")]
    Taken(u16),
    #[error("the socket to {host}: {cause}")]
    Socket { host: String, cause: io::Error },
    #[error("port {port} cannot be had for reflecting: {cause}")]
    Reflect { port: u16, cause: io::Error },
    #[error("{path} is there already; add --force to replace it, or name another file")]
    Exists { path: String },
    #[error("{path}: {cause}")]
    Log { path: String, cause: io::Error },
    #[error("standard output: {0}")]
    Output(io::Error),
    #[error("signals: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Truth(#[from] wire_truth::Error),
}

impl Failure {
    /// A file cannot be written.
    fn writing(path: &Path, cause: io::Error) -> Self {
        let path = path.display().to_string();
        match cause.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Log { path, cause },
        }
    }
}

/// Does what `args` say.
pub fn run(args: &Args) -> Exit {
    let stop = Arc::new(AtomicBool::new(false));
    let done = signals::stop_on_signals(&stop).map_err(Failure::Signals).and_then(|()| match args.reflect {
        Some(port) => {
            let answered = reflect::serve(port, args.v4, args.count, &stop)?;
            say(PROGRAM, format_args!("{answered} probes answered"));
            Ok(Exit::Done)
        }
        None => ping(args, &stop),
    });
    done.unwrap_or_else(|failure| {
        say(PROGRAM, failure);
        Exit::Failed
    })
}

/// The address of `host`, of the version wanted.
fn resolve(args: &Args, host: &str) -> Result<SocketAddr, Failure> {
    let port = args.udp.or(args.tcp).unwrap_or(0);
    let found = (host, port).to_socket_addrs().map_err(|cause| Failure::Name { host: host.to_owned(), cause })?;
    let wanted = |address: &SocketAddr| !(args.v4 && address.is_ipv6() || args.v6 && address.is_ipv4());
    let version = if args.v6 { 6 } else { 4 };
    found.into_iter().find(wanted).ok_or(Failure::NoAddress { host: host.to_owned(), version })
}

/// A run under way.
struct Run<'a> {
    args: &'a Args,
    plan: Plan,
    schedule: Schedule,
    /// Bytes of a probe with its header.
    size: usize,
    host: &'a str,
    prober: Prober,
    cookie: Cookie,
    table: Table,
    spans: Spans,
    log: Option<Log>,
    feedback: Option<Feedback>,
    /// What comes is received into this.
    buffer: Vec<u8>,
    /// Nobody reads standard output any more.
    unheard: bool,
}

fn ping(args: &Args, stop: &AtomicBool) -> Result<Exit, Failure> {
    let plan = args.plan().map_err(Failure::Usage)?;
    if args.log.is_some() && args.log == args.signals {
        return Err(Failure::Usage("--log and --signals are to be two files".to_owned()));
    }
    let host = args.host.as_deref().unwrap_or_default();
    let to = resolve(args, host)?;
    let probes = match (args.udp, args.tcp) {
        (Some(port), _) => Probes::Udp(port),
        (_, Some(port)) => Probes::Tcp(port),
        _ => Probes::Icmp,
    };
    let prober = Prober::open(to, probes, args.ident).map_err(|error| match error {
        NoSocket::NoIcmp => Failure::NoIcmp,
        NoSocket::NoRaw => Failure::NoRaw,
        NoSocket::Taken(port) => Failure::Taken(port),
        NoSocket::Failed(cause) => Failure::Socket { host: host.to_owned(), cause },
    })?;
    let kind = prober.kind();
    if let Some(size) = plan.size.filter(|size| *size > kind.most()) {
        let (least, most) = (kind.least(), kind.most());
        return Err(Failure::Usage(format!("--size {size}: probes of {} have {least} to {most} bytes", prober.name())));
    }
    // Bytes as they leave, so that a link's share of the delay can be told.
    let size = kind.fitting(plan.size.unwrap_or(kind.usual()));
    let log = args.log.as_ref().map(|path| {
        Log::create(path, args.force, &context(host, to, &prober, plan.interval, size))
            .map_err(|cause| Failure::writing(path, cause))
    });
    let log = log.transpose()?;
    // Known to nobody: the keys of the hasher are the system's random numbers.
    let cookie = RandomState::new().hash_one(clock::now()).to_be_bytes();
    let (table, spans) = (Table::default(), Spans::default());
    let schedule = Schedule::new(plan.interval, &args.gap);
    let feedback = Feedback::start(args, to.ip())?;
    let mut run = Run {
        args,
        plan,
        schedule,
        size,
        host,
        prober,
        cookie,
        table,
        spans,
        log,
        feedback,
        buffer: vec![0; 65_536],
        unheard: false,
    };
    run.say_line(&format!(
        "TPING {host} ({}) by {}, {} bytes, identifier {}",
        to.ip(),
        run.prober.name(),
        run.size,
        run.prober.ident()
    ))?;
    // The kernel begins to stamp what arrives some time after it was asked to.
    std::thread::sleep(BEFORE_THE_FIRST);
    run.all(stop)?;
    run.end(stop.load(Ordering::Relaxed))
}

fn context(
    host: &str,
    to: SocketAddr,
    prober: &Prober,
    interval: Duration,
    size: usize,
) -> Vec<(&'static str, String)> {
    let kernel = uname().ok();
    let of = |name: fn(&UtsName) -> &std::ffi::OsStr| {
        kernel.as_ref().map_or_else(|| "unknown".to_owned(), |kernel| name(kernel).to_string_lossy().into_owned())
    };
    let ip_header = if to.is_ipv4() { 20 } else { 40 };
    vec![
        ("tping", env!("CARGO_PKG_VERSION").to_owned()),
        ("host", of(UtsName::nodename)),
        ("kernel", of(UtsName::release)),
        ("clock source", clock::source()),
        ("target", format!("{host} ({})", to.ip())),
        ("source address", prober.local()),
        ("socket", prober.name().to_owned()),
        ("message bytes", size.to_string()),
        ("IP length", (size + ip_header).to_string()),
        ("interval", format!("{interval:?}")),
        ("command line", std::env::args().collect::<Vec<_>>().join(" ")),
    ]
}

impl Run<'_> {
    /// Sends all probes by a schedule that nothing shifts, and waits for the last reply.
    fn all(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        let timeout = self.args.timeout.as_nanos() as i64;
        let start = clock::even();
        let mut next = 0u32;
        while !stop.load(Ordering::Relaxed) {
            let due = start.saturating_add(self.schedule.due(next));
            let left = due - clock::even();
            if next < self.plan.count && left <= 0 {
                self.send(next as u16, due);
                next += 1;
            } else if next >= self.plan.count && !self.table.is_waiting() {
                break;
            } else {
                // Lost ones are noticed at the next probe, or soon.
                let pause = if next < self.plan.count { left.min(timeout) } else { 10_000_000.min(timeout) };
                let pause = Duration::from_nanos(pause.clamp(1, 100_000_000) as u64);
                self.prober.wait(pause).map_err(|cause| self.failed(cause))?;
            }
            self.hear()?;
            for (seq, probe) in self.table.give_up(clock::now() - timeout) {
                self.done(seq, &probe)?;
            }
            self.tell_judged()?;
        }
        for (seq, probe) in self.table.give_up(i64::MAX) {
            self.done(seq, &probe)?;
        }
        Ok(())
    }

    fn failed(&self, cause: io::Error) -> Failure {
        Failure::Socket { host: self.host.to_owned(), cause }
    }

    fn send(&mut self, seq: u16, due: i64) {
        let key = ProbeKey::new(self.prober.ident(), seq);
        let message = request(self.prober.kind(), key, self.cookie, self.size);
        let sent = self.prober.send(&message).or_else(|error| match error.raw_os_error() {
            // The answer to an earlier one, told when the next is sent; this one was not sent.
            Some(number) if number == Errno::ECONNREFUSED as i32 => self.prober.send(&message),
            _ => Err(error),
        });
        match sent {
            Ok(at) => {
                self.table.sent(seq, at);
                self.spans.sent(clock::even(), due);
            }
            Err(error) => {
                say(PROGRAM, format_args!("probe {seq} was not sent: {error}"));
                self.table.unsent();
                self.prober.ask_for_stamps();
            }
        }
    }

    /// Takes all that has come.
    fn hear(&mut self) -> Result<(), Failure> {
        // Taken for as long as it lends messages.
        let mut buffer = std::mem::take(&mut self.buffer);
        let heard = self.hear_into(&mut buffer);
        self.buffer = buffer;
        heard
    }

    fn hear_into(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        while let Some(event) = self.prober.next(buffer).map_err(|cause| self.failed(cause))? {
            match event {
                Event::Sent { number, stamp } => self.table.stamped(number, stamp),
                Event::Nothing => {}
                Event::Message { len, kernel, user } => {
                    let message = self.prober.message(&buffer[..len]);
                    match heard(self.prober.kind(), message, self.prober.ident(), self.cookie) {
                        Heard::Reply(key) => self.reply(key.seq, kernel, user)?,
                        Heard::Forged => self.table.forged(),
                        Heard::Other => {}
                    }
                }
                // What comes back is as much of it as the host that refuses quotes.
                Event::Unreachable { len, kernel, user } => {
                    let key = quoted(self.prober.kind(), &buffer[..len]);
                    if let Some(key) = key.filter(|key| key.ident == self.prober.ident()) {
                        self.table.unreachable();
                        self.reply(key.seq, kernel, user)?;
                    }
                }
                Event::Undelivered => self.table.undelivered(),
            }
        }
        Ok(())
    }

    fn reply(&mut self, seq: u16, kernel: Option<i64>, user: i64) -> Result<(), Failure> {
        match self.table.replied(seq, kernel, user) {
            Some(probe) => self.done(seq, &probe),
            None => Ok(()),
        }
    }

    /// A probe is answered or lost.
    fn done(&mut self, seq: u16, probe: &UserProbe) -> Result<(), Failure> {
        self.spans.note(probe);
        let key = ProbeKey::new(self.prober.ident(), seq);
        if let (Some(log), Some(path)) = (&mut self.log, &self.args.log) {
            let failed = |cause| Failure::Log { path: path.display().to_string(), cause };
            log.note(key, self.size, probe).map_err(failed)?;
        }
        match self.feedback.as_mut().map_or(Some((seq, *probe)), |feedback| feedback.note((seq, *probe))) {
            Some((seq, probe)) => self.tell(seq, &probe, None),
            None => Ok(()),
        }
    }

    /// Tells of those of which there is a verdict now.
    fn tell_judged(&mut self) -> Result<(), Failure> {
        while let Some(((seq, probe), judgement)) = self.feedback.as_mut().and_then(Feedback::next) {
            self.tell(seq, &probe, judgement.as_ref())?;
        }
        Ok(())
    }

    /// The line of a probe.
    fn tell(&mut self, seq: u16, probe: &UserProbe, judgement: Option<&Judgement>) -> Result<(), Failure> {
        if self.args.json {
            let text = probe.to_json(ProbeKey::new(self.prober.ident(), seq), self.size);
            let Some(judgement) = judgement else { return self.print(&text) };
            let mut object = serde_json::from_str(&text).unwrap_or_default();
            feedback::add(&mut object, judgement);
            return self.print(&object.to_string());
        }
        let ms = |ns: i64| format!("{:.3} ms", ns as f64 / 1e6);
        let line = match (probe.rtt(), probe.snd.zip(probe.kernel_recv)) {
            (Some(rtt), Some((snd, recv))) => {
                format!("seq={seq} time={}, of it driver to kernel {}", ms(rtt), ms(recv - snd))
            }
            (Some(rtt), None) => format!("seq={seq} time={}", ms(rtt)),
            (None, _) => format!("seq={seq} lost"),
        };
        self.say_line(&(line + &judgement.map_or_else(String::new, feedback::words)))
    }

    /// A line for a person, if one wants lines.
    fn say_line(&mut self, line: &str) -> Result<(), Failure> {
        if self.args.quiet || self.args.json { Ok(()) } else { self.print(line) }
    }

    fn print(&mut self, line: &str) -> Result<(), Failure> {
        match if self.unheard { Ok(()) } else { writeln!(io::stdout(), "{line}") } {
            // Who has gone wants no more; the log goes on.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.unheard = true,
            Err(error) => return Err(Failure::Output(error)),
            Ok(()) => {}
        }
        Ok(())
    }

    fn end(mut self, stopped: bool) -> Result<Exit, Failure> {
        if let Some(feedback) = &mut self.feedback {
            feedback.stop(self.args)?;
        }
        self.tell_judged()?;
        let counts = self.table.counts();
        let mut text = summary::text(self.host, counts, &self.spans);
        text += &self.feedback.as_ref().and_then(Feedback::summary).unwrap_or_default();
        if self.args.json {
            for line in text.lines() {
                say(PROGRAM, line);
            }
        } else {
            self.print(text.trim_end())?;
        }
        if let (Some(log), Some(path)) = (self.log.take(), &self.args.log) {
            let how = if stopped { "stopped by a signal" } else { "all were sent" };
            log.end(how).map_err(|cause| Failure::Log { path: path.display().to_string(), cause })?;
        }
        let all = counts.answered > 0 && counts.lost == 0 && counts.unsent == 0;
        Ok(if all { Exit::Done } else { Exit::No })
    }
}
