//! [`SignalLog`]: host signals sampled beside probes, as CSV in the way of CoMon.
//!
//! ```text
//! # interface: eth0
//! # queue: own
//! # sampled every: 50000000 ns
//! at_ns,interval_ns,cpu_some_us,io_some_us,memory_some_us,run_delay_ns,steal_ns,softnet_dropped,softnet_squeezed,qdisc_backlog_bytes,qdisc_backlog_packets
//! 1700000000050000000,50000000,120,0,0,35000,0,0,1,15140,10
//! ```
//!
//! Integers; empty is what was not to be seen. Of all but the backlog it is what was added in the interval that ends at `at_ns`; the backlog is what it
//! was at that moment.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;

use super::queue::Queue;
use crate::error::{Error, Repr};
use crate::text;

/// The first line of a log of signals that is no comment.
pub const SIGNALS_HEADER: &str = "at_ns,interval_ns,cpu_some_us,io_some_us,memory_some_us,run_delay_ns,steal_ns,softnet_dropped,softnet_squeezed,\
                                  qdisc_backlog_bytes,qdisc_backlog_packets";

/// Columns behind the two of time.
const VALUES: usize = 9;

/// A sample that begins so much later than the one before has ended is not next to it, in nanoseconds.
const GAP: i64 = 1_000_000;

/// What a host has said at one moment. `None` is what could not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SignalSample {
    /// When, in nanoseconds since 1970.
    pub at: i64,
    /// Since the sample before, in nanoseconds.
    pub interval: i64,
    /// Microseconds in which some task waited for a CPU.
    pub cpu_some_us: Option<i64>,
    /// Microseconds in which some task waited for I/O.
    pub io_some_us: Option<i64>,
    /// Microseconds in which some task waited for memory.
    pub memory_some_us: Option<i64>,
    /// Nanoseconds that threads were ready and did not run, together.
    pub run_delay_ns: Option<i64>,
    /// Nanoseconds that the hypervisor took, of all CPUs together.
    pub steal_ns: Option<i64>,
    /// Packets dropped before a soft interrupt took them.
    pub softnet_dropped: Option<i64>,
    /// How often a soft interrupt had to leave packets for later.
    pub softnet_squeezed: Option<i64>,
    /// Bytes in the queueing discipline.
    pub qdisc_backlog_bytes: Option<i64>,
    /// Packets in the queueing discipline.
    pub qdisc_backlog_packets: Option<i64>,
}

impl SignalSample {
    fn values(&self) -> [Option<i64>; VALUES] {
        [
            self.cpu_some_us,
            self.io_some_us,
            self.memory_some_us,
            self.run_delay_ns,
            self.steal_ns,
            self.softnet_dropped,
            self.softnet_squeezed,
            self.qdisc_backlog_bytes,
            self.qdisc_backlog_packets,
        ]
    }

    fn of(at: i64, interval: i64, values: [Option<i64>; VALUES]) -> Self {
        let [cpu, io, memory, run_delay, steal, dropped, squeezed, bytes, packets] = values;
        Self {
            at,
            interval,
            cpu_some_us: cpu,
            io_some_us: io,
            memory_some_us: memory,
            run_delay_ns: run_delay,
            steal_ns: steal,
            softnet_dropped: dropped,
            softnet_squeezed: squeezed,
            qdisc_backlog_bytes: bytes,
            qdisc_backlog_packets: packets,
        }
    }

    /// When its interval began.
    fn from(&self) -> i64 {
        self.at - self.interval
    }

    /// A line of a log, without its end.
    pub fn to_csv(&self) -> String {
        let values = self.values().map(|value| value.map_or_else(String::new, |value| value.to_string()));
        format!("{},{},{}", self.at, self.interval, values.join(","))
    }

    fn parse(line: &str) -> Result<Self, String> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [at, interval, values @ ..] = fields.as_slice() else { return Err("it has fewer than two columns".into()) };
        if values.len() != VALUES {
            return Err(format!("it has {} columns and not {}", fields.len(), VALUES + 2));
        }
        let names: Vec<&str> = SIGNALS_HEADER.split(',').collect();
        let number = |column: usize, text: &str| {
            let name = names.get(column).copied().unwrap_or_default();
            // 2^62 ns after 1970 are 146 years; nothing counted in one interval is as much.
            let value = text.parse::<i64>().ok().filter(|value| (0..1 << 62).contains(value));
            value.ok_or_else(|| format!("{name}: {text:?} is no whole number from 0 to 2^62"))
        };
        let (at, interval) = (number(0, at)?, number(1, interval)?);
        if interval == 0 || interval > at {
            return Err(format!("interval_ns: {interval} is no time that had passed"));
        }
        let mut found = [None; VALUES];
        for (column, (place, text)) in (2..).zip(found.iter_mut().zip(values)) {
            *place = if text.is_empty() { None } else { Some(number(column, text)?) };
        }
        Ok(Self::of(at, interval, found))
    }
}

/// What is known of a log as a whole: the lines that begin with `#`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignalContext {
    /// `# name: value`, in order.
    pub lines: Vec<(String, String)>,
}

impl SignalContext {
    /// The value of a line.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    /// Adds a line.
    pub fn add(&mut self, name: &str, value: impl ToString) {
        // A line is a line, whatever something is called.
        self.lines.push((name.to_owned(), value.to_string().replace(['\n', '\r'], " ")));
    }

    /// What the queue before the wire is, where it is told.
    pub fn queue(&self) -> Option<Queue> {
        self.get("queue").and_then(Queue::parse)
    }

    /// The interface that probes leave by, where it is told.
    pub fn interface(&self) -> Option<&str> {
        self.get("interface")
    }

    /// From one sample to the next, in nanoseconds.
    pub fn sampled_every(&self) -> Option<i64> {
        self.get("sampled every")?.strip_suffix(" ns")?.parse().ok()
    }
}

/// Writes a log, a line at a time, so that it is there whatever happens next.
#[derive(Debug)]
pub struct SignalWriter<W> {
    to: W,
}

impl<W: Write> SignalWriter<W> {
    /// Begins a log.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub fn begin(mut to: W, context: &SignalContext) -> io::Result<Self> {
        let lines: String = context.lines.iter().map(|(name, value)| format!("# {name}: {value}\n")).collect();
        to.write_all(format!("{lines}{SIGNALS_HEADER}\n").as_bytes())?;
        Ok(Self { to })
    }

    /// Writes a sample.
    ///
    /// # Errors
    ///
    /// Those of what is written to.
    pub fn note(&mut self, sample: &SignalSample) -> io::Result<()> {
        self.to.write_all((sample.to_csv() + "\n").as_bytes())
    }

    /// Writes what is known at the end only.
    ///
    /// # Errors
    ///
    /// Those of what is written to.
    pub fn end(mut self, how: &str) -> io::Result<W> {
        self.to.write_all(format!("# end: {how}\n").as_bytes())?;
        self.to.flush()?;
        Ok(self.to)
    }
}

/// Samples, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignalLog {
    /// What is known of all of them.
    pub context: SignalContext,
    /// The file that it is from.
    name: String,
    samples: VecDeque<SignalSample>,
}

/// The samples around a span of time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// Their intervals together, in nanoseconds.
    pub interval: i64,
    /// What was added in them, and of the backlog the most that was seen, just before among it.
    pub total: SignalSample,
}

impl SignalLog {
    /// A log without samples.
    pub fn new(context: SignalContext) -> Self {
        Self { context, ..Self::default() }
    }

    /// Reads a log. A program that was stopped leaves a last line that is not whole, which is left out.
    ///
    /// # Errors
    ///
    /// When it cannot be read, a line is none, time goes back in it, or there is no sample in it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let text = text::read(path, text::LOG)?;
        Self::parse(&text, &name)
    }

    /// Reads the text of a log; `path` is for messages.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn parse(text: &str, path: &str) -> Result<Self, Error> {
        let mut log = Self { name: path.to_owned(), ..Self::default() };
        let mut has_header = false;
        let whole = text.ends_with('\n');
        let last = text.lines().count();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            let wrong = |what: String| Error::from(Repr::Line { path: path.to_owned(), line: number, what });
            if let Some(comment) = line.strip_prefix('#') {
                if let Some((name, value)) = comment.split_once(": ") {
                    log.context.add(name.trim(), value.trim());
                }
            } else if line.is_empty() {
            } else if !has_header {
                if line != SIGNALS_HEADER {
                    return Err(wrong(
                        "it is not the header of a log of signals, which tping --signals writes".to_owned(),
                    ));
                }
                has_header = true;
            } else {
                match SignalSample::parse(line).and_then(|sample| log.push(sample)) {
                    // Torn, by an end that nobody had planned.
                    Err(_) if number == last && !whole => {}
                    done => done.map_err(wrong)?,
                }
            }
        }
        match log.samples.is_empty() {
            true => Err(Repr::NoSignals { path: path.to_owned() }.into()),
            false => Ok(log),
        }
    }

    /// Adds a sample, which must be of a later time than all before.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub fn push(&mut self, sample: SignalSample) -> Result<(), String> {
        match self.samples.back() {
            Some(last) if sample.at <= last.at => Err(format!(
                "at_ns: {} is not after {}: the clock was set back, or these are two logs",
                sample.at, last.at
            )),
            _ => {
                self.samples.push_back(sample);
                Ok(())
            }
        }
    }

    /// Forgets what ended before `at`, but for the last one before it.
    pub fn forget_before(&mut self, at: i64) {
        while self.samples.get(1).is_some_and(|second| second.at < at) {
            self.samples.pop_front();
        }
    }

    /// All samples, in order.
    pub fn samples(&self) -> impl Iterator<Item = &SignalSample> {
        self.samples.iter()
    }

    /// What it is called: the path of its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the interval of the first sample began.
    pub fn since(&self) -> Option<i64> {
        self.samples.front().map(SignalSample::from)
    }

    /// Whoever wrote it has ended it: it has a closing line.
    pub fn is_ended(&self) -> bool {
        self.context.get("end").is_some()
    }

    /// When the last sample was taken.
    pub fn until(&self) -> Option<i64> {
        self.samples.back().map(|sample| sample.at)
    }

    /// What was seen from `from` to `to`; `None` where samples do not reach over all of it.
    pub fn around(&self, from: i64, to: i64) -> Option<Window> {
        let first = self.samples.partition_point(|sample| sample.at <= from);
        let begin = self.samples.get(first)?;
        let mut window = Window { interval: 0, total: SignalSample::of(begin.at, 0, [Some(0); VALUES]) };
        let mut covered = begin.from();
        // The backlog that the first interval began with.
        let before = first.checked_sub(1).and_then(|at| self.samples.get(at));
        if let Some(before) = before.filter(|before| covered - before.at < GAP) {
            window.total.qdisc_backlog_bytes = before.qdisc_backlog_bytes;
            window.total.qdisc_backlog_packets = before.qdisc_backlog_packets;
            covered = covered.min(before.at);
        }
        if covered > from {
            return None;
        }
        for sample in self.samples.range(first..) {
            if sample.from() - covered >= GAP {
                return None;
            }
            window.add(sample);
            covered = sample.at;
            if covered >= to {
                return Some(window);
            }
        }
        None
    }
}

impl Window {
    fn add(&mut self, sample: &SignalSample) {
        let add = |one: Option<i64>, other: Option<i64>| Some(one?.saturating_add(other?));
        let most = |one: Option<i64>, other: Option<i64>| Some(one?.max(other?));
        let (mut values, more) = (self.total.values(), sample.values());
        for (column, (value, more)) in values.iter_mut().zip(more).enumerate() {
            // The last two are no differences.
            *value = if column < VALUES - 2 { add(*value, more) } else { most(*value, more) };
        }
        self.interval = self.interval.saturating_add(sample.interval);
        self.total = SignalSample::of(sample.at, self.interval, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<SignalLog, String> {
        SignalLog::parse(text, "log").map_err(|error| error.to_string())
    }

    fn log(lines: &str) -> SignalLog {
        parse(&format!("# queue: own\n# sampled every: 100 ns\n{SIGNALS_HEADER}\n{lines}")).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut context = SignalContext::default();
        context.add("interface", "a\nb");
        context.add("queue", Queue::Hidden("a veth: b".to_owned()));
        let mut writer = SignalWriter::begin(Vec::new(), &context).unwrap();
        let one = SignalSample { at: 1000, interval: 10, cpu_some_us: Some(3), ..SignalSample::default() };
        let two = SignalSample { at: 1010, qdisc_backlog_packets: Some(7), cpu_some_us: None, ..one };
        writer.note(&one).unwrap();
        writer.note(&two).unwrap();
        let text = String::from_utf8(writer.end("all").unwrap()).unwrap();
        assert!(text.contains("1000,10,3,,,,,,,,\n1010,10,,,,,,,,,7\n"), "{text}");
        let log = parse(&text).unwrap();
        assert_eq!(log.samples().copied().collect::<Vec<_>>(), [one, two]);
        assert_eq!((log.context.interface(), log.context.get("end")), (Some("a b"), Some("all")));
        assert_eq!(log.context.queue(), Some(Queue::Hidden("a veth: b".to_owned())));
    }

    #[test]
    fn nonsense_is_refused_with_its_line_and_a_torn_end_is_left_out() {
        let head = format!("{SIGNALS_HEADER}\n1000,10,3,,,,,,,,\n");
        for (line, words) in [
            ("1010", "line 3: it has fewer than two columns"),
            ("1010,10,3", "line 3: it has 3 columns and not 11"),
            ("1010,0,,,,,,,,,", "interval_ns: 0 is no time"),
            ("1010,1011,,,,,,,,,", "interval_ns: 1011 is no time"),
            ("1010,10,-1,,,,,,,,", "cpu_some_us: \"-1\" is no whole number"),
            ("1010,10,1.5,,,,,,,,", "cpu_some_us: \"1.5\" is no whole number"),
            ("9223372036854775807,10,,,,,,,,,", "at_ns: \"9223372036854775807\" is no whole number"),
            ("1000,10,,,,,,,,,", "at_ns: 1000 is not after 1000"),
            (SIGNALS_HEADER, "at_ns: \"at_ns\" is no whole number"),
        ] {
            let error = parse(&format!("{head}{line}\n")).unwrap_err();
            assert!(error.starts_with("log, line 3: ") && error.contains(words), "{error}");
            assert_eq!(parse(&format!("{head}{line}")).unwrap().samples().count(), 1, "torn: {line}");
        }
        assert!(parse("ident,seq\n").unwrap_err().contains("line 1: it is not the header"));
        assert!(parse(&format!("{SIGNALS_HEADER}\n")).unwrap_err().contains("no sample"));
        assert!(parse("").unwrap_err().contains("no sample"));
    }

    #[test]
    fn a_window_is_what_reaches_over_a_span() {
        let log =
            log("1100,100,1,,,10,,,,50,1\n1200,100,2,,,20,,,,0,0\n1300,100,4,,,,,,,0,0\n9000000,100,8,,,1,,,,0,0\n");
        assert_eq!(log.context.sampled_every(), Some(100));
        let one = log.around(1110, 1150).unwrap();
        assert_eq!((one.interval, one.total.cpu_some_us, one.total.run_delay_ns), (100, Some(2), Some(20)));
        assert_eq!(one.total.qdisc_backlog_bytes, Some(50), "that before, in which the probe was sent");
        let two = log.around(1110, 1250).unwrap();
        assert_eq!((two.interval, two.total.cpu_some_us, two.total.run_delay_ns), (200, Some(6), None));
        assert_eq!(log.around(1210, 1220).unwrap().total.qdisc_backlog_bytes, Some(0));
        let falling = self::log("1100,100,,,,,,,,50,3\n1200,99,,,,,,,,40,2\n1300,100,,,,,,,,30,1\n");
        let most = falling.around(1110, 1250).unwrap().total;
        assert_eq!((most.qdisc_backlog_bytes, most.qdisc_backlog_packets), (Some(50), Some(3)));
        let between = falling.around(1100, 1150);
        assert!(between.is_some(), "a sample that took a little is next to the one before");
        let touching = log.around(1200, 1220).unwrap();
        assert_eq!((touching.interval, touching.total.cpu_some_us), (100, Some(4)), "what had ended is not around it");
        // Before the first, in a gap, over a gap, after the last.
        for (from, to) in [(900, 1050), (8_000_000, 8_000_001), (1250, 9_000_000), (8_999_950, 9_000_001)] {
            assert_eq!(log.around(from, to), None, "{from} to {to}");
        }
    }

    #[test]
    fn what_is_over_is_forgotten_but_for_the_backlog_before() {
        let mut log = log("1100,100,1,,,,,,,50,1\n1200,100,2,,,,,,,0,0\n1300,100,4,,,,,,,0,0\n");
        let before = log.around(1210, 1250);
        log.forget_before(1210);
        assert_eq!((log.samples().count(), log.around(1210, 1250)), (2, before));
        log.forget_before(i64::MAX);
        assert_eq!(log.until(), Some(1300));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(# ?[a-z: ]{0,9}\n|[0-9,-]{0,40}\n?){0,9}") {
            let _ = parse(&text);
            if let Ok(log) = parse(&format!("{SIGNALS_HEADER}\n{text}")) {
                let _ = log.around(0, 1 << 61);
            }
        }

        #[test]
        fn any_sample_comes_back(at in 1i64..1 << 62, part in 1i64..1 << 62, values in proptest::array::uniform9(proptest::option::of(0i64..1 << 62))) {
            let sample = SignalSample::of(at, 1 + part % at, values);
            prop_assert_eq!(SignalSample::parse(&sample.to_csv()), Ok(sample));
        }
    }
}
