//! Numbers of a recording for Prometheus: in a file, or on a port of this machine.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dag::record::Snapshot;

use crate::messages::say;
use crate::numbers::{Numbers, StreamNumbers};

/// How often the file is written.
const EVERY: Duration = Duration::from_secs(1);

/// Between two looks for somebody who asks.
const LOOK: Duration = Duration::from_millis(50);

/// How long somebody who asks may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the numbers go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Written anew every second, as the textfile collector of the node exporter reads it.
    File(PathBuf),
    /// Given to whoever asks by HTTP.
    Port(SocketAddr),
}

impl Place {
    /// `127.0.0.1:9090`, `[::1]:9090`, or the path of a file.
    ///
    /// # Errors
    ///
    /// An address that others can reach.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<SocketAddr>() {
            Ok(address) if !address.ip().is_loopback() => {
                Err("an address of this machine only, such as 127.0.0.1:9090: there is neither encryption nor password"
                    .into())
            }
            Ok(address) => Ok(Self::Port(address)),
            Err(_) if text.is_empty() => Err("the path of a file, or an address such as 127.0.0.1:9090".into()),
            Err(_) => Ok(Self::File(text.into())),
        }
    }
}

/// Shows the numbers of a recording until it is dropped.
#[derive(Debug)]
pub struct Metrics {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Metrics {
    /// Shows `numbers` at `place`.
    ///
    /// # Errors
    ///
    /// When the file cannot be written or the port is not to be had.
    pub fn show(program: &'static str, place: Place, numbers: Numbers) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let builder = thread::Builder::new().name("metrics".to_owned());
        let thread = match place {
            Place::File(path) => {
                write(&path, &numbers)?;
                builder.spawn(move || keep_written(program, &path, &numbers, &ends))
            }
            Place::Port(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                builder.spawn(move || serve(&listener, &numbers, &ends))
            }
        }?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A look less is no reason to fail.
            let _ = thread.join();
        }
    }
}

fn keep_written(program: &str, path: &Path, numbers: &Numbers, over: &AtomicBool) {
    let (mut written, mut failed) = (Instant::now(), false);
    loop {
        let last = over.load(Ordering::Acquire);
        if last || written.elapsed() >= EVERY {
            match write(path, numbers) {
                Ok(()) => failed = false,
                // Once is enough.
                Err(error) if !failed => {
                    say(program, format_args!("{}: the metrics could not be written: {error}", path.display()));
                    failed = true;
                }
                Err(_) => {}
            }
            written = Instant::now();
        }
        if last {
            return;
        }
        thread::sleep(LOOK);
    }
}

/// A reader sees the old file or the new one, never half of it.
fn write(path: &Path, numbers: &Numbers) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text(numbers))?;
    fs::rename(&beside, path)
}

fn serve(listener: &TcpListener, numbers: &Numbers, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) {
        match listener.accept() {
            // Who asks and then goes has had enough.
            Ok((asker, _)) => drop(answer(asker, numbers)),
            Err(_) => thread::sleep(LOOK),
        }
    }
}

fn answer(mut asker: TcpStream, numbers: &Numbers) -> io::Result<()> {
    asker.set_nonblocking(false)?;
    asker.set_read_timeout(Some(PATIENCE))?;
    asker.set_write_timeout(Some(PATIENCE))?;
    let (mut request, mut piece) = (Vec::new(), [0; 1024]);
    let begun = Instant::now();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 16 * 1024 && begun.elapsed() < PATIENCE {
        match asker.read(&mut piece)? {
            0 => break,
            n => request.extend_from_slice(piece.get(..n).unwrap_or_default()),
        }
    }
    let (status, body) = match request.starts_with(b"GET ") {
        true => ("200 OK", text(numbers)),
        false => ("405 Method Not Allowed", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    asker.write_all(head.as_bytes())?;
    asker.write_all(body.as_bytes())
}

/// The numbers in Prometheus' text format.
fn text(numbers: &Numbers) -> String {
    let now = numbers.snapshot();
    let fill = now.fill_percent as f64 / 100.0;
    let mut text = String::new();
    for (name, kind, help, value) in [
        ("packets_delivered_total", "counter", "Packets chosen to be recorded.", now.delivered as f64),
        ("packets_filtered_total", "counter", "Packets not asked for.", now.filtered as f64),
        ("packets_lost", "gauge", "Packets lost so far, as near as can be told on the way.", now.lost as f64),
        ("packets_written_total", "counter", "Packets in the file: a kill does not take them.", now.written as f64),
        ("packets_synced_total", "counter", "Packets that survive a loss of power (--sync).", now.synced as f64),
        ("record_bytes_total", "counter", "Bytes of records chosen.", now.bytes as f64),
        ("received_bytes_total", "counter", "Bytes put into stream memory.", now.arrived_bytes as f64),
        ("stream_memory_fill_ratio", "gauge", "How full stream memory is.", fill),
        ("stream_memory_free_bytes", "gauge", "Stream memory that is free.", now.free_bytes as f64),
        ("disk_full", "gauge", "1 while a full disk is waited for.", f64::from(u8::from(now.waiting))),
    ] {
        // Writing into a string does not fail.
        let _ = writeln!(text, "# HELP dagcap_{name} {help}\n# TYPE dagcap_{name} {kind}\ndagcap_{name} {value}");
    }
    if !numbers.streams.is_empty() {
        each_stream(&mut text, &numbers.streams);
    }
    text
}

/// What is told of one of several streams, as a number.
type Of = fn(&Snapshot) -> f64;

/// The numbers of each of several streams, by device and stream.
fn each_stream(text: &mut String, streams: &[StreamNumbers]) {
    let now: Vec<_> = streams.iter().map(|stream| stream.progress.snapshot()).collect();
    let families: [(&str, &str, &str, Of); 4] = [
        ("packets_delivered_total", "counter", "Packets of the stream chosen to be recorded.", |now| {
            now.delivered as f64
        }),
        ("packets_filtered_total", "counter", "Packets of the stream not asked for.", |now| now.filtered as f64),
        ("packets_lost", "gauge", "Packets of the stream lost so far.", |now| now.lost as f64),
        ("memory_fill_ratio", "gauge", "How full the stream's memory is.", |now| now.fill_percent as f64 / 100.0),
    ];
    for (name, kind, help, value) in families {
        let _ =
            writeln!(text, "# HELP dagcap_receive_stream_{name} {help}\n# TYPE dagcap_receive_stream_{name} {kind}");
        for (StreamNumbers { device, stream, .. }, now) in streams.iter().zip(&now) {
            let device = device.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let value = value(now);
            let _ = writeln!(text, "dagcap_receive_stream_{name}{{device=\"{device}\",stream=\"{stream}\"}} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_a_port_of_this_machine() {
        assert_eq!(Place::parse("/run/x.prom"), Ok(Place::File("/run/x.prom".into())));
        assert!(matches!(Place::parse("127.0.0.1:9090"), Ok(Place::Port(_))));
        assert!(matches!(Place::parse("[::1]:0"), Ok(Place::Port(_))));
        assert!(Place::parse("0.0.0.0:9090").unwrap_err().contains("this machine only"));
        assert!(Place::parse("").is_err());
    }
}
