//! How long calls that receive waited, measured by the poll rules that held (contract, section 2.9).

use std::collections::HashMap;

use crate::line::Call;

/// Below this a wait is not told from a busy machine.
const SHORTEST_US: i64 = 50_000;

/// So much fills a small ring, and ends any wait.
const ENOUGH: i64 = 256 << 10;

/// The poll rules of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rules {
    mindata: i64,
    maxwait_us: i64,
}

/// The poll rules that programs have set, by descriptor and stream.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    rules: HashMap<(i32, i32), Rules>,
}

impl Waits {
    /// Takes note of what a call has set.
    pub(crate) fn note(&mut self, call: &Call) {
        let (Some(fd), Some(stream)) = (call.fd, call.stream) else { return };
        let (from, to) = match call.call.as_str() {
            "dag_set_stream_poll" | "dag_set_stream_poll64" => (&call.args, true),
            "dag_get_stream_poll" | "dag_get_stream_poll64" => (&call.out, true),
            "dag_attach_stream" | "dag_attach_stream64" | "dag_detach_stream" => (&call.args, false),
            _ => return,
        };
        if !to {
            self.rules.remove(&(fd, stream));
        } else if let ([mindata, maxwait, ..], 0) = (from.as_slice(), call.result) {
            self.rules.insert((fd, stream), Rules { mindata: *mindata, maxwait_us: *maxwait });
        }
    }

    /// Whether the program has set rules for the stream of `call`.
    pub(crate) fn has_rules(&self, call: &Call) -> bool {
        call.fd.zip(call.stream).is_some_and(|key| self.rules.contains_key(&key))
    }

    /// In a word, how long the call waited; `None` where that says nothing.
    pub(crate) fn word(&self, call: &Call) -> Option<&'static str> {
        let rules = self.rules.get(&call.fd.zip(call.stream)?)?;
        if rules.maxwait_us < SHORTEST_US {
            return None;
        }
        let got = call.window.map_or(0, |window| window.len);
        // 80 % and 50 % of the longest wait: what is between is a slow machine or a quick clock.
        let took_us = i64::try_from(call.took_ns / 1000).unwrap_or(i64::MAX);
        match rules.mindata {
            0 if took_us >= rules.maxwait_us / 5 * 4 => Some("waits though it must not"),
            0 => Some("does not wait"),
            // Nobody can wait for more than a ring holds.
            mindata if got >= mindata.min(ENOUGH) => None,
            // For a single record the least is not asked for.
            _ if call.call == "dag_rx_stream_next_record" && got > 0 => None,
            _ if took_us < rules.maxwait_us / 2 => Some("gives up early"),
            _ => Some("waits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Window;

    fn call(name: &str, args: &[i64], took_us: u64, got: i64) -> Call {
        let window = Some(Window { len: got, ..Window::default() });
        let (fd, stream) = (Some(3), Some(0));
        Call {
            call: name.to_owned(),
            fd,
            stream,
            args: args.to_vec(),
            took_ns: took_us * 1000,
            window,
            ..Call::default()
        }
    }

    #[test]
    fn waits_are_judged_by_the_rules_that_hold() {
        let mut waits = Waits::default();
        let advance = |took_us, got| call("dag_advance_stream", &[], took_us, got);
        assert_eq!(waits.word(&advance(0, 0)), None);
        for (mindata, took_us, got, word) in [
            (0, 10, 0, Some("does not wait")),
            (0, 190_000, 0, Some("waits though it must not")),
            (1000, 200_000, 999, Some("waits")),
            (1000, 10_000, 999, Some("gives up early")),
            (1000, 10_000, 1000, None),
            (1 << 40, 10_000, 1 << 19, None),
            (1 << 40, 10_000, 1 << 17, Some("gives up early")),
        ] {
            waits.note(&call("dag_set_stream_poll64", &[mindata, 200_000, 10_000], 0, 0));
            assert_eq!(waits.word(&advance(took_us, got)), word, "{mindata} {took_us} {got}");
        }
        // Too short to be told.
        waits.note(&call("dag_set_stream_poll", &[0, 1_000, 0], 0, 0));
        assert_eq!(waits.word(&advance(10_000, 0)), None);
        // A new owner's rules are the default.
        waits.note(&call("dag_set_stream_poll", &[0, 200_000, 0], 0, 0));
        waits.note(&call("dag_detach_stream", &[], 0, 0));
        assert_eq!(waits.word(&advance(10, 0)), None);
    }
}
