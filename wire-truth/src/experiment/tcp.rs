//! TCP's own estimate of the round trip, beside what probes had on the wire at the same time.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::Experiment;
use super::instrument::pair;
use crate::delay::Probe;
use crate::error::{Error, Repr};
use crate::stats::Sample;

/// An estimate is of the time of a probe that was on the wire within this, in nanoseconds.
const NEAR: i64 = 1_000_000_000;

/// What the kernel has estimated for the connections that were the stress, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TcpEstimate {
    /// The smoothed round trip (`srtt`), each time that it was asked for.
    pub srtt: Sample,
    /// By how much that was above the round trip on the wire of the probe next to it in time.
    pub excess: Sample,
}

impl TcpEstimate {
    /// Reads `tcp.csv` of a cell; `probes` are those under stress, whose stamps are of the same clock.
    pub(super) fn read(file: &Path, probes: &[Probe]) -> Result<Self, Error> {
        let path = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|cause| Repr::Io { path: path.clone(), cause })?;
        let wire: Vec<(i64, i64)> =
            probes.iter().filter_map(|probe| Some((probe.wire.request?, probe.rtt.wire?))).collect();
        Self::parse(&text, &path, &wire)
    }

    /// `wire` is when each probe was on it, and its round trip there.
    fn parse(text: &str, path: &str, wire: &[(i64, i64)]) -> Result<Self, Error> {
        let nearest = |at: i64| {
            let next = wire.iter().min_by_key(|(sent, _)| sent.abs_diff(at))?;
            (next.0.abs_diff(at) <= NEAR as u64).then_some(next.1)
        };
        let (mut srtt, mut excess) = (Vec::new(), Vec::new());
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let wrong = |what: String| Error::from(Repr::Described { path: path.to_owned(), what });
        let names = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
        let column = |name: &str| {
            let at = names.iter().position(|each| each == name);
            at.ok_or_else(|| wrong(format!("it has no column {name}")))
        };
        let (at_column, srtt_column) = (column("at_ns")?, column("srtt_us")?);
        for row in reader.records() {
            let row = row.map_err(|error| wrong(error.to_string()))?;
            let line = row.position().map_or(0, csv::Position::line);
            let number = |column: usize| -> Result<Option<i64>, Error> {
                let text = row.get(column).unwrap_or_default();
                let number = text.parse::<i64>().ok().filter(|number| (0..1 << 62).contains(number));
                match number {
                    None if !text.is_empty() => Err(wrong(format!("line {line}: {text:?} is no time"))),
                    number => Ok(number),
                }
            };
            // There is none before the first round trip.
            let Some((at, micros)) = number(at_column)?.zip(number(srtt_column)?) else { continue };
            let ns = micros as f64 * 1e3;
            if let Some(wire) = nearest(at) {
                srtt.push(ns);
                excess.push(ns - wire as f64);
            }
        }
        Ok(Self { srtt: srtt.into_iter().collect(), excess: excess.into_iter().collect() })
    }
}

/// What TCP has estimated, beside the wire.
pub(super) fn section(experiment: &Experiment) -> String {
    let mut rows = String::new();
    for (cell, measured) in experiment.measured() {
        let Some(tcp) = &measured.tcp else { continue };
        let layers = &measured.analysis.layers;
        let part = tcp.excess.percentile(0.5).zip(layers.total.percentile(0.5)).filter(|(_, total)| *total > 0.0);
        let part = part.map_or_else(|| "-".to_owned(), |(excess, total)| format!("{:.2}", excess / total));
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{part}</td></tr>",
            cell.name(),
            tcp.srtt.len(),
            pair(&tcp.srtt),
            pair(&layers.wire),
            pair(&tcp.excess),
            pair(&layers.total)
        );
    }
    if rows.is_empty() {
        return "<p>No cell has connections whose estimate was asked for: network stress has, but in guests.</p>\n"
            .to_owned();
    }
    format!(
        "<div class=\"wide\"><table>\n<tr><th>median / p99</th><th>asked</th><th>TCP's estimate</th><th>probes on<br/>the wire</th>\
         <th>TCP's estimate<br/>less the wire</th><th>program<br/>less wire</th><th>of the medians,<br/>one by the other</th></tr>\n{rows}</table></div>\n\
         <p>The kernel was asked twice a second (<code>ss</code>) for the smoothed round trip of the connections that are the stress, and that is held \
         against the round trip on the wire of the probe next to it in time. At 1 TCP sees as much delay of the host as a probe does; at 0 none.</p>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_held_against_the_probe_next_to_it() {
        let probes = [(10_000_000_000, 1_000_000), (11_000_000_000, 3_000_000)];
        let text = "at_ns,peer,srtt_us,rttvar_us,minrtt_us\n10400000000,x:1,9000,1,1\n10600000000,x:1,9000,1,1\n\
                    10600000000,x:2,,,\n12000000001,x:1,9000,1,1\n8999999999,x:1,9000,1,1\n";
        let found = TcpEstimate::parse(text, "tcp.csv", &probes).unwrap();
        assert_eq!(found.srtt.sorted(), [9e6, 9e6], "those that no probe is near are left out");
        assert_eq!(found.excess.sorted(), [6e6, 8e6]);
        assert!(TcpEstimate::parse(text, "tcp.csv", &[]).unwrap().srtt.is_empty());
    }

    #[test]
    fn what_is_no_estimate_is_refused_with_its_place() {
        for (text, words) in [
            ("at_ns,peer\n", "tcp.csv: it has no column srtt_us"),
            ("at_ns,srtt_us\n1,2\n1,x\n", "line 3: \"x\" is no time"),
            ("at_ns,srtt_us\n-1,2\n", "line 2: \"-1\" is no time"),
            ("at_ns,srtt_us\n1\n", "tcp.csv: CSV error"),
        ] {
            let error = TcpEstimate::parse(text, "tcp.csv", &[]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
