//! [`UserLog`]: the stamps that a probing program has written down.
//!
//! ```text
//! # kernel 6.18, clock tsc, IP length 120
//! ident,seq,size,user_send_ns,sched_ns,snd_ns,hw_ns,kernel_recv_ns,user_recv_ns
//! 4711,1,100,1700000000000000000,1700000000000004000,1700000000000005100,,1700000000000250000,1700000000000262000
//! ```
//!
//! Also the same as one JSON object a line, and what `ping -D` prints, of which only round-trip times can be had.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::echo::ProbeKey;
use crate::error::{Error, Repr};
use crate::simulate::SIMULATED;
use crate::text;

/// The first line of a log that is no comment.
pub const HEADER: &str = "ident,seq,size,user_send_ns,sched_ns,snd_ns,hw_ns,kernel_recv_ns,user_recv_ns";

/// The columns of [`HEADER`] that are stamps.
const STAMPS: [&str; 6] = ["user_send_ns", "sched_ns", "snd_ns", "hw_ns", "kernel_recv_ns", "user_recv_ns"];

/// What a program knows of a probe. Stamps are nanoseconds since 1970 by the host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UserProbe {
    /// Just before it was sent.
    pub user_send: Option<i64>,
    /// When it entered the queueing discipline (`SOF_TIMESTAMPING_TX_SCHED`).
    pub sched: Option<i64>,
    /// When it was given to the driver (`SOF_TIMESTAMPING_TX_SOFTWARE`).
    pub snd: Option<i64>,
    /// When it left, by the network card.
    pub hw: Option<i64>,
    /// When the kernel received the reply.
    pub kernel_recv: Option<i64>,
    /// When the program had it.
    pub user_recv: Option<i64>,
    /// The round-trip time, where that is all that is known.
    pub rtt_only: Option<i64>,
    /// About when it was sent: of ping, when its line was printed, less the round trip.
    pub(crate) about: Option<i64>,
}

impl UserProbe {
    fn stamps(&self) -> [Option<i64>; 6] {
        [self.user_send, self.sched, self.snd, self.hw, self.kernel_recv, self.user_recv]
    }

    /// A line of a log, without its end.
    pub fn to_csv(&self, key: ProbeKey, size: usize) -> String {
        let stamps = self.stamps().map(|stamp| stamp.map_or_else(String::new, |stamp| stamp.to_string()));
        format!("{},{},{size},{}", key.ident, key.seq, stamps.join(","))
    }

    /// The same as one JSON object, with the names of [`HEADER`].
    pub fn to_json(&self, key: ProbeKey, size: usize) -> String {
        let mut object = serde_json::json!({ "ident": key.ident, "seq": key.seq, "size": size });
        for (name, stamp) in STAMPS.into_iter().zip(self.stamps()) {
            object[name] = stamp.into();
        }
        object.to_string()
    }

    /// The round-trip time as the program sees it.
    pub fn rtt(&self) -> Option<i64> {
        match (self.user_send, self.user_recv) {
            (Some(send), Some(recv)) => Some(recv - send),
            _ => self.rtt_only,
        }
    }
}

/// A log of probes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserLog {
    /// The file that it is from.
    name: String,
    probes: BTreeMap<ProbeKey, UserProbe>,
    /// Nanoseconds in which stamps or round-trip times are told: 1, or what `ping` rounds to.
    resolution: i64,
    duplicates: u64,
    kernel_stamps: bool,
    /// It says of itself that it was made up.
    simulated: bool,
}

impl UserLog {
    /// Reads a log: of `tping` in CSV or JSON lines, or the output of `ping -D`. A program that was stopped leaves a last line that is
    /// not whole, which is left out.
    ///
    /// # Errors
    ///
    /// When it cannot be read, a line is none, or there is no probe in it.
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
        let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let log = match first {
            Some(line) if line == HEADER => Self::of_lines(text, path, |line| csv(line).transpose())?,
            Some(line) if line.starts_with('{') => Self::of_lines(text, path, |line| Some(json(line)))?,
            Some(_) => Self::of_ping(text),
            None => Self::default(),
        };
        let log = Self { name: path.to_owned(), simulated: is_simulated(text), ..log };
        match log.probes.is_empty() {
            true => Err(Repr::NoProbes { path: path.to_owned() }.into()),
            false => Ok(log),
        }
    }

    fn of_lines(
        text: &str,
        path: &str,
        read: impl Fn(&str) -> Option<Result<(ProbeKey, UserProbe), String>>,
    ) -> Result<Self, Error> {
        let mut log = Self { resolution: 1, ..Self::default() };
        let whole = text.ends_with('\n');
        let last = text.lines().count();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line == HEADER {
                continue;
            }
            match read(line) {
                Some(Ok((key, probe))) => log.note(key, probe),
                // Torn, by an end that nobody had planned.
                Some(Err(_)) if number == last && !whole => {}
                Some(Err(what)) => return Err(Repr::Line { path: path.to_owned(), line: number, what }.into()),
                None => {}
            }
        }
        Ok(log)
    }

    /// `[1700000000.123456] 64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.045 ms`. Its identifier is not told: 0.
    fn of_ping(text: &str) -> Self {
        let mut log = Self { resolution: 1, ..Self::default() };
        let mut newest: Option<ProbeKey> = None;
        for line in text.lines() {
            let value = |key: &str| line.split_once(key)?.1.split_whitespace().next();
            let (Some(seq), Some(time)) = (value("icmp_seq="), value("time=")) else { continue };
            let (Ok(seq), Some((rtt, step))) = (seq.parse(), millis(time)) else { continue };
            log.resolution = log.resolution.max(step);
            // Sequence numbers go on from 0; what is more than half of them away is of the turn before or after.
            let turn = newest.map_or(0, |last| match i32::from(seq) - i32::from(last.seq) {
                ..-0x8000 => last.turn + 1,
                0x8000.. => last.turn.saturating_sub(1),
                _ => last.turn,
            });
            let key = ProbeKey { turn, ..ProbeKey::new(0, seq) };
            newest = newest.max(Some(key));
            let about = printed(line).map(|printed| printed - rtt);
            log.note(key, UserProbe { rtt_only: Some(rtt), about, ..UserProbe::default() });
        }
        log
    }

    fn note(&mut self, key: ProbeKey, probe: UserProbe) {
        self.kernel_stamps |= probe.snd.is_some() && probe.kernel_recv.is_some();
        // The first answer counts, as at any other place.
        match self.probes.entry(key) {
            std::collections::btree_map::Entry::Vacant(place) => drop(place.insert(probe)),
            std::collections::btree_map::Entry::Occupied(_) => self.duplicates += 1,
        }
    }

    /// What it is called: the path of its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known of a probe. A log of `ping` has no identifiers, and knows any.
    pub fn get(&self, key: ProbeKey) -> Option<UserProbe> {
        let without = ProbeKey { ident: 0, ..key };
        self.probes.get(&key).or_else(|| self.probes.get(&without).filter(|probe| probe.rtt_only.is_some())).copied()
    }

    /// All probes, in order.
    pub fn probes(&self) -> impl Iterator<Item = (ProbeKey, UserProbe)> {
        self.probes.iter().map(|(key, probe)| (*key, *probe))
    }

    /// Nobody has measured it: [`simulate`](crate::simulate) has made it up, as it says.
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// The step of its times in nanoseconds.
    pub fn resolution(&self) -> i64 {
        self.resolution
    }

    /// It has stamps of the kernel for both directions: given to the driver, and received.
    pub fn has_kernel_stamps(&self) -> bool {
        self.kernel_stamps
    }

    /// Lines about a probe that had one already.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

fn is_simulated(text: &str) -> bool {
    let comments = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    comments.into_iter().any(|comment| comment.trim().starts_with(SIMULATED))
}

/// A stamp, unless it is so far off that differences would not fit: 2^62 ns after 1970 are 146 years, and those of ERF end in 2106.
fn stamp(name: &str, ns: i64) -> Result<Option<i64>, String> {
    match (0..1 << 62).contains(&ns) {
        true => Ok(Some(ns)),
        false => Err(format!("{name}: {ns} is no time from 1970 to 2116, in nanoseconds since 1970")),
    }
}

/// When `ping -D` printed a line, in nanoseconds since 1970.
fn printed(line: &str) -> Option<i64> {
    let (seconds, fraction) = line.strip_prefix('[')?.split_once(']')?.0.split_once('.')?;
    let seconds: i64 = seconds.parse().ok()?;
    let digits = u32::try_from(fraction.len()).ok().filter(|digits| (1..=9).contains(digits))?;
    let fraction = i64::from(fraction.parse::<u32>().ok()?);
    let ns = seconds.checked_mul(1_000_000_000)?.checked_add(fraction * 10i64.pow(9 - digits))?;
    stamp("[time]", ns).ok()?
}

/// Milliseconds as `ping` prints them, in nanoseconds, with the step of the last digit.
fn millis(text: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 6 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Nanoseconds of the last digit.
    let step = 10i64.pow(6 - fraction.len() as u32);
    let digits = if fraction.is_empty() { 0 } else { fraction.parse::<i64>().ok()? };
    let whole = whole.parse::<i64>().ok().filter(|whole| (0..1_000_000_000).contains(whole))?;
    Some((whole * 1_000_000 + digits * step, step))
}

fn csv(line: &str) -> Result<Option<(ProbeKey, UserProbe)>, String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [ident, seq, _, stamps @ ..] = fields.as_slice() else { return Err("it has fewer than three columns".into()) };
    if stamps.len() != STAMPS.len() {
        return Err(format!("it has {} columns and not 9", fields.len()));
    }
    let number = |name: &str, text: &str| match text {
        "" => Ok(None),
        text => text
            .parse()
            .map_err(|_| format!("{name}: {text:?} is no number of nanoseconds"))
            .and_then(|ns| stamp(name, ns)),
    };
    let mut values = [None; 6];
    for ((value, name), text) in values.iter_mut().zip(STAMPS).zip(stamps) {
        *value = number(name, text)?;
    }
    let small = |name: &str, text: &str| text.parse().map_err(|_| format!("{name}: {text:?} is none"));
    Ok(Some((ProbeKey::new(small("ident", ident)?, small("seq", seq)?), probe(values))))
}

fn json(line: &str) -> Result<(ProbeKey, UserProbe), String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let small = |name: &str| {
        let number = value[name].as_u64().and_then(|number| u16::try_from(number).ok());
        number.ok_or_else(|| format!("{name:?} is no number from 0 to 65535"))
    };
    let mut values = [None; 6];
    for (place, name) in values.iter_mut().zip(STAMPS) {
        *place = match &value[name] {
            Value::Null => None,
            number => stamp(name, number.as_i64().ok_or_else(|| format!("{name:?} is no number of nanoseconds"))?)?,
        };
    }
    Ok((ProbeKey::new(small("ident")?, small("seq")?), probe(values)))
}

fn probe([user_send, sched, snd, hw, kernel_recv, user_recv]: [Option<i64>; 6]) -> UserProbe {
    UserProbe { user_send, sched, snd, hw, kernel_recv, user_recv, ..UserProbe::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<UserLog, String> {
        UserLog::parse(text, "log").map_err(|error| error.to_string())
    }

    fn key(seq: u16) -> ProbeKey {
        ProbeKey::new(7, seq)
    }

    #[test]
    fn csv_and_json_say_the_same() {
        let csv = parse(&format!("# kernel 6.18\n{HEADER}\n7,1,100,100,110,120,,900,950\n7,2,100,200,,,,,\n")).unwrap();
        let json = parse(
            "{\"ident\":7,\"seq\":1,\"size\":100,\"user_send_ns\":100,\"sched_ns\":110,\"snd_ns\":120,\"hw_ns\":null,\
             \"kernel_recv_ns\":900,\"user_recv_ns\":950}\n{\"ident\":7,\"seq\":2,\"size\":100,\"user_send_ns\":200}\n",
        )
        .unwrap();
        assert_eq!(csv, json);
        let one = csv.get(key(1)).unwrap();
        assert_eq!((one.rtt(), one.sched, one.hw, one.kernel_recv), (Some(850), Some(110), None, Some(900)));
        assert_eq!(csv.get(key(2)).unwrap().rtt(), None, "it was lost");
        assert_eq!(csv.get(ProbeKey::new(8, 1)), None, "that of another run");
    }

    #[test]
    fn what_is_written_is_read() {
        let probe = UserProbe { user_send: Some(5), snd: Some(7), user_recv: Some(1 << 60), ..UserProbe::default() };
        assert_eq!(probe.to_csv(key(3), 100), "7,3,100,5,,7,,,1152921504606846976");
        for text in [format!("{HEADER}\n{}\n", probe.to_csv(key(3), 100)), probe.to_json(key(3), 100)] {
            assert_eq!(parse(&text).unwrap().get(key(3)), Some(probe), "{text}");
        }
    }

    #[test]
    fn the_output_of_ping_has_round_trips_with_its_rounding() {
        let log = parse(
            "PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.\n\
             [1700000000.123456] 64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.045 ms\n\
             [1700000001.123456] 64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=12.3 ms\n\
             [1700000002.1] 64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=15 ms (DUP!)\n",
        )
        .unwrap();
        assert_eq!(log.get(key(1)).unwrap().rtt(), Some(45_000));
        assert_eq!(log.get(key(2)).unwrap().rtt(), Some(12_300_000));
        assert_eq!((log.resolution(), log.duplicates()), (1_000_000, 1));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_a_torn_end_is_left_out() {
        let head = format!("{HEADER}\n7,1,100,100,,,,,200\n");
        for (line, words) in [
            ("7,1", "line 3: it has fewer than three columns"),
            ("7,1,100,1", "line 3: it has 4 columns and not 9"),
            ("7,1,100,1e9,,,,,", "user_send_ns: \"1e9\" is no number"),
            ("70000,1,100,1,,,,,", "ident: \"70000\" is none"),
        ] {
            let error = parse(&format!("{head}{line}\n")).unwrap_err();
            assert!(error.starts_with("log, ") && error.contains(words), "{error}");
            assert_eq!(parse(&format!("{head}{line}")).unwrap().probes().count(), 1, "torn: {line}");
        }
        assert!(parse("").unwrap_err().contains("has no probes"));
        assert!(parse("hello\nworld\n").unwrap_err().contains("has no probes"));
        assert!(parse(&format!("{HEADER}\n")).unwrap_err().contains("has no probes"));
    }
}
