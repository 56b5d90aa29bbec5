//! [`compare`]: what differs between two logs of the same calls.

use std::collections::BTreeMap;
use std::fmt;

use crate::drive::is_driven;
use crate::line::{Call, Window};
use crate::log::Log;
use crate::wait::Waits;

/// Something that two cards do in different ways.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The function, and what of it differs: `attach_stream64.errno`. Stable.
    pub code: String,
    /// The call of the recorded log where it was seen first.
    pub n: u64,
    /// That call, as written in C.
    pub call: String,
    /// What the recorded card did.
    pub recorded: String,
    /// What the other one did.
    pub other: String,
    /// How often it was seen.
    pub count: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, n, call, recorded, other, count } = self;
        write!(f, "{code}: call {n}, {call}: recorded: {recorded}; emulated: {other}")?;
        if *count > 1 { write!(f, " ({count} times)") } else { Ok(()) }
    }
}

/// What differs between `recorded` and `other`, a log of the same calls. Only that is compared which does not depend on which packets
/// happened to come.
pub fn compare(recorded: &Log, other: &Log) -> Vec<Difference> {
    let mut found: BTreeMap<String, Difference> = BTreeMap::new();
    let mut note = |code: String, call: &Call, recorded: String, other: String| {
        let (n, written) = (call.n, written(call));
        let new = Difference { code: code.clone(), n, call: written, recorded, other, count: 0 };
        found.entry(code).or_insert(new).count += 1;
    };
    let (mut here, mut there) = (Waits::default(), Waits::default());
    let driven = |log: &Log| log.calls.iter().filter(|call| is_driven(call)).cloned().collect::<Vec<_>>();
    let (ours, theirs) = (driven(recorded), driven(other));
    for (one, two) in ours.iter().zip(&theirs) {
        let name = one.call.trim_start_matches("dag_");
        if one.call != two.call {
            note("replay.order".into(), one, one.call.clone(), two.call.clone());
            break;
        }
        for (what, one_does, two_does) in facets(one, two, &here, &there) {
            if one_does != two_does {
                note(format!("{name}.{what}"), one, one_does, two_does);
            }
        }
        here.note(one);
        there.note(two);
    }
    if theirs.len() < ours.len() {
        let call = &ours[theirs.len()];
        note("replay.end".into(), call, "returns".into(), "did not return, or ended the program".into());
    }
    let mut found: Vec<Difference> = found.into_values().collect();
    found.sort_by_key(|difference| difference.n);
    found
}

/// What is to be the same of two calls: its name, and what each did.
fn facets(one: &Call, two: &Call, here: &Waits, there: &Waits) -> Vec<(&'static str, String, String)> {
    let mut facets = Vec::new();
    let mut both = |what, facet: &dyn Fn(&Call) -> Option<String>| {
        if let (Some(one), Some(two)) = (facet(one), facet(two)) {
            facets.push((what, one, two));
        }
    };
    both("result", &|call| result(call));
    both("errno", &|call| errno(call));
    both("window", &|call| window(call.window.as_ref()?).map(str::to_owned));
    both("kept", &|call| kept(call.window.as_ref()?).map(str::to_owned));
    both("moved", &|call| moved(call.window.as_ref()?).map(str::to_owned));
    if let (Some(one), Some(two)) = (here.word(one), there.word(two)) {
        facets.push(("wait", one.to_owned(), two.to_owned()));
    }
    // What nobody has set is a default, which the contract leaves open.
    let is_get = one.call.starts_with("dag_get_stream_poll");
    if is_get && one.result == 0 && two.result == 0 {
        let what = if here.has_rules(one) { "values" } else { "default" };
        facets.push((what, format!("{:?}", one.out), format!("{:?}", two.out)));
    }
    if one.call == "dag_parse_name" && one.result >= 0 && two.result >= 0 {
        let said = |call: &Call| format!("{} {:?}", call.said.clone().unwrap_or_default(), call.out);
        facets.push(("values", said(one), said(two)));
    }
    facets
}

/// What a call returned, as far as packets and machine do not matter.
fn result(call: &Call) -> Option<String> {
    let failed = call.errno.is_some();
    match call.call.as_str() {
        // Pointers. That there is nothing now, or no room, depends on packets.
        "dag_rx_stream_next_record" | "dag_tx_get_stream_space" | "dag_tx_get_stream_space64" => {
            let now_or_later = !failed || call.errno == Some(EAGAIN);
            Some(if now_or_later { "a pointer, or null with EAGAIN" } else { "null" }.to_owned())
        }
        "dag_advance_stream"
        | "dag_tx_stream_commit_bytes"
        | "dag_tx_stream_commit_bytes64"
        | "dag_tx_stream_commit_records64"
        | "dag_pciinfo"
        | "dag_info" => Some(if failed { "null" } else { "a pointer" }.to_owned()),
        // Descriptors, references, levels, lists: what matters is whether there is one.
        "dag_open"
        | "dag_config_init"
        | "dag_config_get_card_fd"
        | "dag_get_stream_buffer_level"
        | "dag_get_stream_buffer_level64"
        | "dag_get_stream_erf_types"
        | "dag_get_erf_types"
        | "dag_linktype"
        | "dag_tx_stream_copy_bytes"
        | "dag_tx_stream_copy_bytes64" => Some(if failed { "fails" } else { "succeeds" }.to_owned()),
        // How much memory a stream has is its own affair, whether it has some is not.
        "dag_get_stream_buffer_size" | "dag_get_stream_buffer_size64" => Some(
            match call.result {
                ..0 => "no such stream",
                0 => "no memory",
                _ => "some memory",
            }
            .to_owned(),
        ),
        "dag_config_dispose" | "dag_close" | "dagutil_set_progname" => None,
        "dag_config_get_interface_count" => None,
        _ => Some(call.result.to_string()),
    }
}

const EAGAIN: i32 = 11;

fn errno(call: &Call) -> Option<String> {
    // What `dag_close` returns means nothing (contract, section 5).
    if call.call == "dag_close" {
        return None;
    }
    call.errno
        .filter(|errno| *errno != EAGAIN || call.call == "dag_advance_stream")
        .map(|errno| name_of(errno).to_owned())
}

fn window(window: &Window) -> Option<&'static str> {
    match window {
        Window { len: ..0, .. } => Some("ends before it begins"),
        Window { len: 0, .. } => None,
        Window { whole: true, .. } => Some("ends with a record"),
        Window { whole: false, .. } => Some("ends inside a record"),
    }
}

/// What was left in the window stays there.
fn kept(window: &Window) -> Option<&'static str> {
    let consumed = u64::try_from(window.consumed?).ok()?;
    let left = window.had.checked_sub(consumed).filter(|left| *left > 0)?;
    let there = u64::try_from(window.len).unwrap_or(0);
    Some(if there >= left { "what was left is there" } else { "what was left is gone" })
}

/// By what the library moves the begin of a window: by nothing, or by the length of its ring, which is at least this.
const SHORTEST_RING: i64 = 64 << 10;

fn moved(window: &Window) -> Option<&'static str> {
    let moved = window.moved?;
    Some(match moved.unsigned_abs() {
        0 => "the begin is where it was put",
        by if by >= SHORTEST_RING.unsigned_abs() && by.is_multiple_of(4096) => "the begin is where it was put",
        _ => "the begin is elsewhere",
    })
}

/// A call as one would write it in C.
fn written(call: &Call) -> String {
    let text = call.text.as_ref().map(|text| format!("{text:?}"));
    let numbers = call.fd.into_iter().chain(call.stream).map(i64::from).chain(call.args.iter().copied());
    let arguments: Vec<String> = text.into_iter().chain(numbers.map(|number| number.to_string())).collect();
    format!("{}({})", call.call, arguments.join(", "))
}

fn name_of(errno: i32) -> &'static str {
    // Those that the contract names, and what else libraries answer with; the numbers are Linux's.
    match errno {
        0 => "none",
        1 => "EPERM",
        2 => "ENOENT",
        4 => "EINTR",
        5 => "EIO",
        6 => "ENXIO",
        9 => "EBADF",
        EAGAIN => "EAGAIN",
        12 => "ENOMEM",
        13 => "EACCES",
        14 => "EFAULT",
        16 => "EBUSY",
        19 => "ENODEV",
        22 => "EINVAL",
        25 => "ENOTTY",
        38 => "ENOSYS",
        95 => "ENOTSUP",
        110 => "ETIMEDOUT",
        _ => "another",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Opening;

    fn log(calls: Vec<Call>) -> Log {
        let opening = Opening { format: 1, library: String::new(), emulated: None, program: String::new(), pid: 1 };
        Log { opening, cards: Vec::new(), calls, is_cut: false, is_torn: false }
    }

    fn call(name: &str, result: i64, errno: Option<i32>) -> Call {
        Call { n: 1, call: name.to_owned(), fd: Some(3), stream: Some(0), result, errno, ..Call::default() }
    }

    fn codes(one: Call, two: Call) -> Vec<String> {
        compare(&log(vec![one]), &log(vec![two])).into_iter().map(|difference| difference.code).collect()
    }

    #[test]
    fn results_and_errno_are_compared_and_traffic_is_not() {
        let attach = |result, errno| call("dag_attach_stream64", result, errno);
        assert_eq!(codes(attach(0, None), attach(0, None)), [""; 0]);
        assert_eq!(codes(attach(-1, Some(16)), attach(0, None)), ["attach_stream64.result"]);
        assert_eq!(codes(attach(-1, Some(16)), attach(-1, Some(22))), ["attach_stream64.errno"]);
        let next = |result, errno| call("dag_rx_stream_next_record", result, errno);
        assert_eq!(codes(next(1, None), next(0, Some(11))), [""; 0], "there was nothing");
        assert_eq!(codes(next(1, None), next(0, Some(5))), ["rx_stream_next_record.result"]);
        let advance = |result, errno| call("dag_advance_stream", result, errno);
        assert_eq!(codes(advance(1, None), advance(0, Some(11))), ["advance_stream.result"]);
        let size = |result| call("dag_get_stream_buffer_size64", result, None);
        assert_eq!(codes(size(1 << 20), size(32 << 20)), [""; 0]);
        assert_eq!(codes(size(0), size(32 << 20)), ["get_stream_buffer_size64.result"]);
    }

    #[test]
    fn windows_are_compared_in_what_does_not_depend_on_packets() {
        let advance = |window: Window| Call { window: Some(window), ..call("dag_advance_stream", 1, None) };
        let whole = Window { len: 960, records: 10, whole: true, moved: Some(0), ..Window::default() };
        let more = Window { len: 96, records: 1, moved: Some(-(1 << 20)), ..whole };
        assert_eq!(codes(advance(whole), advance(more)), [""; 0]);
        assert_eq!(codes(advance(whole), advance(Window { whole: false, ..whole })), ["advance_stream.window"]);
        assert_eq!(codes(advance(whole), advance(Window { moved: Some(96), ..whole })), ["advance_stream.moved"]);
        let kept = Window { had: 960, consumed: Some(96), ..whole };
        let gone = Window { len: 96, ..kept };
        assert_eq!(codes(advance(kept), advance(gone)), ["advance_stream.kept"]);
        assert_eq!(codes(advance(whole), advance(Window { len: -8, ..whole })), ["advance_stream.window"]);
    }

    #[test]
    fn an_end_too_early_and_another_order_are_told() {
        let (one, two) = (call("dag_start_stream", 0, None), call("dag_stop_stream", 0, None));
        let short = compare(&log(vec![one.clone(), two.clone()]), &log(vec![one.clone()]));
        assert_eq!((short[0].code.as_str(), short.len()), ("replay.end", 1));
        assert_eq!(codes(one, two), ["replay.order"]);
        let shown = short[0].to_string();
        assert!(shown.starts_with("replay.end: call 1, dag_stop_stream(3, 0): recorded: returns"), "{shown}");
    }

    #[test]
    fn the_same_difference_is_told_once_and_counted() {
        let (one, two) = (call("dag_start_stream", 0, None), call("dag_start_stream", -1, Some(22)));
        let found = compare(&log(vec![one.clone(), one]), &log(vec![two.clone(), two]));
        assert_eq!((found.len(), found[0].count), (1, 2));
    }
}
