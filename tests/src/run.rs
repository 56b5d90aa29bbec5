//! Programs, run as a user runs them.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Once, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How long a test waits for what must come before it gives up. Far more than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The program `dagcap`, built for this run of the tests.
pub fn dagcap_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built("dagcap"))
}

/// The program `dagemu`, built for this run of the tests, with the libraries that it looks for beside it.
pub fn dagemu_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        crate::library::libdag();
        built("dagemu")
    })
}

/// The program `wiretruth`, for a run in a namespace.
pub fn wiretruth_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built("wiretruth"))
}

/// The program `wiretruth`.
pub fn wiretruth() -> Command {
    prepared(wiretruth_path())
}

/// The program `tping`, for a run in a namespace.
pub fn tping_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built("tping"))
}

/// The program `tping`.
pub fn tping() -> Command {
    prepared(tping_path())
}

/// The program `dagctl`, with arguments separated by blanks; cards of `dagemu` lie in `folder`.
pub fn dagctl(folder: &Path, args: &str) -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let mut command = prepared(PATH.get_or_init(|| built("dagctl")));
    command.env("DAG_EMU_DIR", folder).args(args.split_whitespace());
    command
}

/// The program `erf`, with arguments separated by blanks.
pub fn erf(args: &str) -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let mut command = prepared(PATH.get_or_init(|| built("erf")));
    command.args(args.split_whitespace());
    command
}

/// What writes the pages for `man` and the completions for shells, an example of dag-tools.
pub fn pages() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    prepared(PATH.get_or_init(|| {
        build();
        profile().join("examples/pages")
    }))
}

fn built(program: &str) -> PathBuf {
    build();
    let path = profile().join(program);
    assert!(path.is_file(), "{} is not there", path.display());
    path
}

/// The folder of what cargo builds with the profile of this run.
pub fn profile() -> PathBuf {
    // TARGET/PROFILE/deps/TEST-HASH
    let test = std::env::current_exe().expect("the test's own path");
    test.parent().and_then(Path::parent).expect("the profile's folder").to_owned()
}

/// What cargo builds to have every program and library that tests run. The one test among them makes it choose the features that
/// `cargo test` has chosen: for programs alone it would choose fewer, and build all dependencies once more.
const PROGRAMS: [&str; 5] = ["--lib", "--bins", "--examples", "--test", "walk"];

/// Lets cargo build all programs and libraries with the profile of this run, once: by itself it does so for the tests of their own
/// package only. That is quick where they are built.
pub(crate) fn build() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let profile = profile();
        let target = profile.parent().expect("the target folder");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet"]).args(PROGRAMS);
        build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).env("CARGO_TARGET_DIR", target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let built = build.output().expect("cargo runs");
        assert!(built.status.success(), "{build:?}: {}", String::from_utf8_lossy(&built.stderr));
    });
}

/// `dagcap`, to be given arguments: nothing on standard input, output and messages kept, and no setting of the caller's that would
/// change what it does.
pub fn dagcap() -> Command {
    prepared(dagcap_path())
}

/// Any `program`, prepared as [`dagcap`] is.
pub fn prepared(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for setting in [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "DAG_LIBRARY",
        "DAG_REQUIRE_CARD",
        "DAG_EMU_CARDS",
        "DAG_EMU_CONFIG",
        "DAG_EMU_DIR",
        "DAG_VALUES",
        "RUST_LOG",
    ] {
        command.env_remove(setting);
    }
    // A panic is to be seen as one.
    command.env("RUST_BACKTRACE", "1");
    command
}

/// `dagemu`, whose cards lie in `folder`.
pub fn dagemu(folder: &Path) -> Command {
    let mut command = prepared(dagemu_path());
    command.env("DAG_EMU_DIR", folder);
    command
}

/// A card that is served under `name` in `folder`, from now until the answer is dropped.
pub fn serve(folder: &Path, name: &str, feed: &str, options: &[&str]) -> Running {
    let mut running = start(dagemu(folder).args(["run", name, "--feed", feed]).args(options));
    // There may be a socket that one before has left.
    running.until("it serves", || dagemu(folder).args(["stat", name]).output().is_ok_and(|said| said.status.success()));
    running
}

/// Runs `command` to its end.
pub fn run(command: &mut Command) -> Ran {
    start(command).wait()
}

/// `dagcap` with these arguments, separated by blanks, run to its end.
pub fn dagcap_with(args: &str) -> Ran {
    run(dagcap().args(args.split_whitespace()))
}

/// Starts `command`.
pub fn start(command: &mut Command) -> Running {
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = child.stderr.take().map(collect);
    Running { what: format!("{command:?}"), child, stdout: None, stderr }
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is what there is.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// A program that runs; killed if nobody waits for it.
#[derive(Debug)]
pub struct Running {
    what: String,
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Its standard output, for a test that reads it in its own way.
    pub fn take_stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("standard output is a pipe and nobody else's")
    }

    /// Its standard input.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("standard input is a pipe and nobody else's")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number");
        kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.what));
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// Waits until `holds`, which it must before the program ends.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        self.until_with(what, |_| holds());
    }

    /// As [`until`](Self::until), with the program itself at hand.
    pub fn until_with(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            if self.has_ended() {
                let said = self.stderr.take().map(|thread| thread.join().unwrap_or_default()).unwrap_or_default();
                panic!("{} has ended before {what}: {}", self.what, String::from_utf8_lossy(&said));
            }
            assert!(begun.elapsed() < PATIENCE, "{}: waited in vain until {what}", self.what);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until `file` has more than `bytes` bytes.
    pub fn until_written(&mut self, file: &Path, bytes: u64) {
        self.until("it has written", || file.metadata().is_ok_and(|data| data.len() > bytes));
    }

    /// Does `something` again and again until `file` has something in it: from then on the program takes note.
    pub fn until_written_with(&mut self, file: &Path, mut something: impl FnMut()) {
        self.until("it has written", || {
            something();
            file.metadata().is_ok_and(|data| data.len() > 0)
        });
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ran {
        self.stdout = self.child.stdout.take().map(collect);
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "{} does not end", self.what);
            std::thread::sleep(Duration::from_millis(2));
        };
        let text = |thread: Option<JoinHandle<Vec<u8>>>| {
            thread.map(|thread| thread.join().expect("a thread that reads")).unwrap_or_default()
        };
        let stderr = String::from_utf8(text(self.stderr.take())).expect("messages in UTF-8");
        Ran { what: self.what.clone(), status, stdout: text(self.stdout.take()), stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // It may have ended this moment.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// How a program went.
#[derive(Debug)]
pub struct Ran {
    what: String,
    /// Exit status.
    pub status: ExitStatus,
    /// Everything on standard output, unless it went elsewhere.
    pub stdout: Vec<u8>,
    /// Everything on standard error.
    pub stderr: String,
}

impl Ran {
    /// Checks the exit code, and that nobody panicked.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", self.what, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}\n{}", self.what, self.stderr);
        self
    }

    /// Checks that it was ended by `signal`.
    #[track_caller]
    pub fn dies_of(self, signal: Signal) -> Self {
        assert_eq!(self.status.signal(), Some(signal as i32), "{}\n{}", self.what, self.stderr);
        self
    }

    /// Checks that `words` stand in one line of its messages, and gives that line.
    #[track_caller]
    pub fn says(&self, words: &str) -> &str {
        let line = self.stderr.lines().find(|line| line.contains(words));
        line.unwrap_or_else(|| panic!("{}\ndoes not say {words:?}:\n{}", self.what, self.stderr))
    }

    /// The account on standard output, which must be all that is there.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = std::str::from_utf8(&self.stdout).expect("JSON in UTF-8");
        assert_eq!(text.lines().count(), 1, "one line of JSON: {text}\n{}", self.stderr);
        checked(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    /// The account on standard error, the one line of JSON there.
    #[track_caller]
    pub fn json_on_stderr(&self) -> Value {
        let lines: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with('{')).collect();
        assert_eq!(lines.len(), 1, "{}", self.stderr);
        checked(serde_json::from_str(lines[0]).unwrap_or_else(|error| panic!("{error}: {}", lines[0])))
    }
}

/// The number in field `key` of an account.
#[track_caller]
pub fn number(account: &Value, key: &str) -> u64 {
    account[key].as_u64().unwrap_or_else(|| panic!("`{key}` is no number in {account}"))
}

/// What holds for every account: all fields are there, and it adds up.
#[track_caller]
fn checked(account: Value) -> Value {
    assert_eq!(account["schema"], 1, "{account}");
    for key in ["device", "emulated", "stamp_source", "loss_exact", "files", "first", "last", "stopped_by"] {
        assert!(account.get(key).is_some(), "no `{key}` in {account}");
    }
    for key in ["truncated", "rx_errors", "ds_errors", "unread", "bytes_written", "tick_bits"] {
        number(&account, key);
    }
    let sum: u64 = ["delivered", "filtered", "lost_card", "lost_writer"].map(|key| number(&account, key)).iter().sum();
    assert_eq!(number(&account, "received"), sum, "{account}");
    let reasons = ["count", "duration", "size", "signal", "end", "error"];
    assert!(account["stopped_by"].as_str().is_some_and(|word| reasons.contains(&word)), "{account}");
    account
}
