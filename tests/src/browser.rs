//! Chromium without a window, told what to do through a pipe (the DevTools protocol): a page as a reader meets it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::run::{PATIENCE, Running, start};

/// Chromium with one page. Whatever that asks of any network comes to a listener of ours, which keeps the request and answers none.
#[derive(Debug)]
pub struct Browser {
    running: Running,
    to: ChildStdin,
    from: Receiver<Value>,
    calls: u64,
    session: String,
    events: Vec<Value>,
    asked: Arc<Mutex<Vec<String>>>,
    _profile: TempDir,
}

/// What became known while a page was loaded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Messages on the console, errors and warnings of the page and of the browser about it.
    pub console: Vec<String>,
    /// The addresses that the page has asked for, beside its own.
    pub requests: Vec<String>,
    /// The first lines of what was sent into the network for it, and each connection.
    pub sent: Vec<String>,
}

impl Browser {
    /// A new one, with a profile of its own; `None`, aloud, where there is no Chromium.
    pub fn new() -> Option<Self> {
        if !house_skip::need_program("chromium") {
            return None;
        }
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let (proxy, asked) = listen();
        // The browser reads commands from descriptor 3 and answers at 4.
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "exec 3<&0 4>&1 </dev/null >&2 && exec \"$@\"",
            "sh",
            "chromium",
            "--remote-debugging-pipe",
        ]);
        command.args("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync".split(' '));
        command.args("--disable-background-networking --disable-component-update --disable-dev-shm-usage".split(' '));
        // What the browser wants for itself, updates and accounts, leads nowhere.
        command.arg("--proxy-server=127.0.0.1:1");
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = start(&mut command);
        let to = running.take_stdin();
        let (said, from) = channel();
        let pipe = BufReader::new(running.take_stdout());
        std::thread::spawn(move || read(pipe, &said));
        let (session, events) = (String::new(), Vec::new());
        let mut browser = Self { running, to, from, calls: 0, session, events, asked, _profile: profile };
        // What the page wants comes to us, of addresses of this machine, too.
        let proxy = json!({"proxyServer": format!("127.0.0.1:{proxy}"), "proxyBypassList": "<-loopback>"});
        let context = text(&browser.call("Target.createBrowserContext", proxy), "browserContextId");
        let page = json!({"url": "about:blank", "browserContextId": context});
        let target = text(&browser.call("Target.createTarget", page), "targetId");
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = text(&attached, "sessionId");
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// The answer to `method`.
    ///
    /// # Panics
    ///
    /// When that is an error, or does not come.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser takes commands");
        loop {
            let mut message = self.next(method);
            if message["id"] == self.calls {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    fn next(&mut self, what: &str) -> Value {
        self.from.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("chromium at {what}: {error}"))
    }

    /// Loads the page in `file`, to its end, and lets it be drawn.
    pub fn open(&mut self, file: &Path) -> Seen {
        self.events.clear();
        self.asked.lock().expect("the listener's list").clear();
        let own = format!("file://{}", file.display());
        let went = self.call("Page.navigate", json!({"url": own}));
        assert!(went.get("errorText").is_none(), "{own}: {went}");
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next("the end of loading");
            self.events.push(event);
        }
        self.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(() => drawn(0))))");
        let mut seen = Seen { sent: self.asked.lock().expect("the listener's list").clone(), ..Seen::default() };
        for event in &self.events {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => {
                    seen.console.push(params.to_string());
                }
                "Network.requestWillBeSent" if params["request"]["url"] != own.as_str() => {
                    seen.requests.push(text(&params["request"], "url"));
                }
                _ => {}
            }
        }
        seen
    }

    /// What an expression of the page's is, or promises to be.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", params);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Makes the window this wide, as a telephone's if it is to be one: that goes by what the page says of its width.
    pub fn width(&mut self, pixels: u32, mobile: bool) {
        let params = json!({"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": mobile});
        self.call("Emulation.setDeviceMetricsOverride", params);
    }

    /// Shows the page to a reader of this medium ("print", or "" for the screen) who prefers this scheme ("dark", "light").
    pub fn reader(&mut self, medium: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"media": medium, "features": features}));
    }

    /// What is drawn in a part of the page: of each of these colours ("#rrggbb"), in how many columns of pixels it is.
    pub fn columns(&mut self, area: [f64; 4], colours: &[&str]) -> Vec<u64> {
        let [x, y, width, height] = area;
        let clip = json!({"x": x, "y": y, "width": width, "height": height, "scale": 1});
        let picture =
            text(&self.call("Page.captureScreenshot", json!({"clip": clip, "captureBeyondViewport": true})), "data");
        // The browser reads its own PNG: a picture is not the page, and what is in it was drawn.
        let script = COLUMNS.replace("PICTURE", &picture).replace("COLOURS", &json!(colours).to_string());
        let counted = self.evaluate(&script);
        let counted = counted.as_array().unwrap_or_else(|| panic!("no list: {counted}"));
        counted.iter().map(|count| count.as_u64().expect("a number")).collect()
    }

    /// Lets it end by itself, which it does well, and gives what it has sent into the network since the last page was opened.
    pub fn close(mut self) -> Vec<String> {
        self.session.clear();
        self.call("Browser.close", json!({}));
        self.running.wait().exits(0);
        self.asked.lock().expect("the listener's list").clone()
    }
}

/// Curves are blended with what is behind them at their edges only.
const COLUMNS: &str = "
new Promise((done, failed) => {
    const picture = new Image();
    picture.onerror = () => failed('no picture');
    picture.onload = () => {
        const canvas = new OffscreenCanvas(picture.width, picture.height), context = canvas.getContext('2d');
        context.drawImage(picture, 0, 0);
        const {data, width} = context.getImageData(0, 0, picture.width, picture.height);
        done(COLOURS.map(colour => {
            const parts = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16)), columns = new Set();
            for (let at = 0; at < data.length; at += 4)
                if (parts.every((part, i) => Math.abs(data[at + i] - part) <= 12)) columns.add(at / 4 % width);
            return columns.size;
        }));
    };
    picture.src = 'data:image/png;base64,PICTURE';
})";

/// The string in field `key`.
fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {value}")).to_owned()
}

/// Messages end with a byte of 0.
fn read(mut pipe: impl BufRead, said: &Sender<Value>) {
    let mut message = Vec::new();
    while pipe.read_until(0, &mut message).is_ok_and(|length| length > 0) {
        message.pop();
        let Ok(value) = serde_json::from_slice(&message) else { return };
        if said.send(value).is_err() {
            return;
        }
        message.clear();
    }
}

/// A port of this machine, and the first lines of what comes there.
fn listen() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let list = Arc::clone(&list);
            std::thread::spawn(move || {
                let note = |what: &str| list.lock().expect("the list").push(what.to_owned());
                // Without a word, too.
                note("a connection");
                let mut line = String::new();
                if BufReader::new(&stream).read_line(&mut line).is_ok_and(|length| length > 0) {
                    note(line.trim_end());
                }
                // Closed now, and not before it is noted: then the page can be at its end.
                drop(stream);
            });
        }
    });
    (port, asked)
}
