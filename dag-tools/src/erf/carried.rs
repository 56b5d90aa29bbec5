//! What an output does not say of its input: the same lines and the same JSON for a conversion and for every pass.

use erf::convert::{FcsGround, FcsPolicy, Refusal, Summary, Unread};
use serde_json::{Map, Value, json};

use super::counted;

/// In lines: what was done about the FCS, what has no place in the output, what packets do not say of their records.
pub(super) fn lines(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((policy, ground)) = summary.fcs {
        lines.push(format!("Ethernet FCS {}: {}", policy_text(policy), ground_text(ground)));
    }
    if summary.lost > 0 {
        let lost = counted(summary.lost, "packet");
        lines.push(format!("the loss counters say that {lost} were lost before the recording"));
    }
    for left in &summary.skipped {
        lines.push(format!(
            "left out {}: {}",
            counted(left.count, &format!("{} record", left.record_type)),
            left.reason
        ));
    }
    for (what, count) in summary.uncarried.iter().filter(|(_, count)| *count > 0) {
        lines.push(match what {
            "comments" => format!("not carried over: {}", counted(count, "comment")),
            _ => format!("not carried over: {} of {}", what.replace('_', " "), counted(count, "record")),
        });
    }
    if summary.described_late {
        lines.push("META describes the capture in the middle of the file, too late for what was written before; converted into a file all of it counts".to_owned());
    }
    lines
}

/// The same as JSON.
pub(super) fn json(summary: &Summary) -> Map<String, Value> {
    let skipped: Vec<_> = summary
        .skipped
        .iter()
        .map(|left| {
            let name = left.record_type.to_string();
            json!({"type": name, "reason": left.reason.code(), "text": left.reason.to_string(), "count": left.count})
        })
        .collect();
    let fcs = summary.fcs.map(|(policy, ground)| json!({"policy": policy_text(policy), "ground": ground_text(ground)}));
    let mut map = Map::new();
    map.insert("fcs".to_owned(), json!(fcs));
    map.insert("skipped".to_owned(), json!(skipped));
    map.insert("not_carried".to_owned(), counts(summary.uncarried.iter()));
    map.insert("described_late".to_owned(), json!(summary.described_late));
    map
}

/// In lines: what of a pcap or pcapng input no record says.
pub(super) fn input_lines(refused: Option<(u64, Refusal)>, unread: &Unread) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((count, first)) = refused {
        let (packets, which) = (counted(count, "packet"), if count > 1 { ", the first" } else { "" });
        lines.push(format!("left out {packets}{which} because of this: {first}"));
    }
    let is_told = |&(what, count): &(&str, u64)| count > 0 && !what.starts_with("cut_");
    let things = unread.iter().filter(is_told).map(|(what, count)| {
        let what = what.replace('_', " ");
        counted(count, what.strip_suffix('s').unwrap_or(&what))
    });
    let things: Vec<String> = things.collect();
    if !things.is_empty() {
        lines.push(format!("not carried over: {}", things.join(", ")));
    }
    if unread.cut_bytes > 0 {
        let (bytes, packets) = (counted(unread.cut_bytes, "byte"), counted(unread.cut_packets, "snapped packet"));
        lines.push(format!("cut off: {bytes} of {packets}, so that records are multiples of 8 bytes"));
    }
    lines
}

/// The same as JSON.
pub(super) fn input_json(refused: Option<(u64, Refusal)>, unread: &Unread) -> [(&'static str, Value); 2] {
    let refused = refused.map(|(count, first)| json!({"count": count, "first": first.to_string()}));
    [("refused", json!(refused)), ("not_read", counts(unread.iter()))]
}

fn counts(counts: impl Iterator<Item = (&'static str, u64)>) -> Value {
    Value::Object(counts.map(|(name, count)| (name.to_owned(), count.into())).collect())
}

fn policy_text(policy: FcsPolicy) -> &'static str {
    match policy {
        FcsPolicy::Strip => "taken off",
        FcsPolicy::Keep => "kept",
        FcsPolicy::Absent => "absent",
    }
}

fn ground_text(ground: FcsGround) -> String {
    match ground {
        FcsGround::Asked => "as asked".to_owned(),
        FcsGround::Meta => "META states its length".to_owned(),
        FcsGround::Checked { right, of } => format!("{right} of the first {of} whole frames end in the right one"),
        FcsGround::Assumed => "assumed, no frame is stored whole".to_owned(),
        _ => "for another reason".to_owned(),
    }
}
