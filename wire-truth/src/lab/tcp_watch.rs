//! TCP's own estimate of the round trip, of the connections that are the stress: asked of the kernel twice a second by `ss`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The columns of the log; times in microseconds.
const COLUMNS: &str = "at_ns,peer,srtt_us,rttvar_us,minrtt_us";

const EVERY: Duration = Duration::from_millis(500);

/// A watch that goes on until it is ended.
pub(super) struct TcpWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
}

impl TcpWatch {
    /// Asks by `ss`, which is to list connections with what is known of them, and writes into `file`, behind what is there.
    pub(super) fn start(mut ss: Command, file: &Path) -> io::Result<Self> {
        let mut out = File::options().create(true).append(true).open(file)?;
        if out.metadata()?.len() == 0 {
            writeln!(out, "{COLUMNS}")?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
                let said = ss.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
                for row in rows(&String::from_utf8_lossy(&said.stdout)) {
                    writeln!(out, "{at},{row}")?;
                }
                thread::sleep(EVERY);
            }
            Ok(())
        });
        Ok(Self { stop, thread })
    }

    /// Ends it.
    pub(super) fn end(self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread has panicked")))
    }
}

/// Of each connection its peer and what is estimated, as columns: of `ss` a line with addresses, and one that is indented with words `name:value`.
fn rows(said: &str) -> Vec<String> {
    let mut peer = String::new();
    let mut rows = Vec::new();
    for line in said.lines() {
        if !line.starts_with(char::is_whitespace) {
            peer = line.split_whitespace().rfind(|word| word.contains(':')).unwrap_or_default().to_owned();
            continue;
        }
        let value = |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
        let micros = |text: Option<&str>| {
            let ms = text.and_then(|text| text.parse::<f64>().ok()).filter(|ms| (0.0..1e9).contains(ms));
            ms.map_or_else(String::new, |ms| format!("{:.0}", ms * 1e3))
        };
        let Some((srtt, var)) = value("rtt").and_then(|both| both.split_once('/')) else { continue };
        rows.push(format!("{peer},{},{},{}", micros(Some(srtt)), micros(Some(var)), micros(value("minrtt"))));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ss_says_is_read() {
        let said = "ESTAB 0 4344 10.77.0.1:47064 10.77.0.2:7000 \n\t cubic wscale:7,7 rto:220 rtt:19.512/0.25 ato:40 mss:1448 minrtt:0.119\n\
                    ESTAB 0 0 10.77.0.1:7000 10.77.0.2:41814\n\t cubic rto:200\nESTAB 0 0 a:1 b:2\n\t rtt:x/-1 minrtt:1e99\n";
        assert_eq!(rows(said), ["10.77.0.2:7000,19512,250,119", "b:2,,,"]);
        assert!(rows("").is_empty() && rows("\t rtt:1").is_empty());
    }

    #[test]
    fn a_watch_writes_until_it_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tcp.csv");
        let mut says = Command::new("printf");
        says.arg("ESTAB 0 0 a:1 b:2\n\t rtt:1.5/0.5\n");
        let again = says.get_args().map(Into::into).collect::<Vec<std::ffi::OsString>>();
        TcpWatch::start(says, &file).unwrap().end().unwrap();
        let before = std::fs::read_to_string(&file).unwrap();
        let mut says = Command::new("printf");
        says.args(again);
        TcpWatch::start(says, &file).unwrap().end().unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().starts_with(&before), "stress that comes again goes on in it");
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS);
        assert!(lines.iter().skip(1).all(|line| line.ends_with(",b:2,1500,500,")), "{text}");
        assert!(TcpWatch::start(Command::new("ss"), Path::new("/no/such/file")).is_err());
    }
}
