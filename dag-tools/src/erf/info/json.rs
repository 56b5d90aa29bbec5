//! The answer for programs.

use erf::check::Broken;
use erf::pieces::Visited;
use erf::session::{Account, Ending};
use erf::summary::{Described, Summary};
use erf::{Severity, Timestamp};
use serde_json::{Map, Value, json};

pub(super) fn value(name: &str, visited: &Visited<Summary>) -> Value {
    let summary = &visited.piece;
    let times = summary.times();
    let lengths =
        |lengths: &erf::summary::Lengths| json!({ "min": lengths.min, "mean": lengths.mean(), "max": lengths.max });
    let classes: Vec<Value> = summary
        .sizes
        .classes()
        .map(|class| json!({ "from": class.from, "to": class.to, "packets": class.count }))
        .collect();
    let who = json!({
        "schema": 1,
        "file": name,
        "format": visited.format.to_string(),
        "compression": visited.compression.to_string(),
        "bytes": visited.end,
        "records": summary.records(),
        "packets": summary.packets(),
        "pads": summary.pads(),
        "by_type": counts(summary.by_type()),
        "by_interface": counts(summary.by_interface()),
        "interfaces": ports(summary),
        "packets_of_other_interfaces": summary.other_ports(),
        "first": stamp(times.first),
        "last": stamp(times.last),
        "earliest": stamp(times.earliest),
        "latest": stamp(times.latest),
        "duration_ns": times.duration().to_nanos(),
        "packets_per_second": summary.stamps.per_second(summary.packets()),
        "bits_per_second": summary.stamps.per_second(summary.sizes.wire.sum.saturating_mul(8)),
    });
    let (tried, right) = summary.fcs.tried();
    let numbers = json!({
        "wire_bytes": summary.sizes.wire.sum,
        "captured_bytes": summary.sizes.captured.sum,
        "wire_length": lengths(&summary.sizes.wire),
        "captured_length": lengths(&summary.sizes.captured),
        "sizes": classes,
        "lost": summary.lost,
        "lost_at_least": summary.lost_at_least,
        "coloured": summary.coloured,
        "rx_errors": summary.rx_errors,
        "ds_errors": summary.ds_errors,
        "snapped": summary.snapped,
        "fcs": { "verdict": summary.fcs.verdict().word(), "tried": tried, "right": right, "not_stored": summary.fcs_not_stored },
        "backward_steps": summary.backward_steps(),
        "greatest_step_back_ns": summary.greatest_step_back.to_nanos(),
        "forward_jumps": summary.forward_jumps(),
        "out_of_order": summary.stamps.out_of_order,
        "tick_bits": summary.stamps.tick().map_or(0, |tick| tick.bits()),
    });
    let words = json!({
        "meta": meta(&summary.described),
        "recording": recording(summary),
        "notes": counts(
            summary.findings.by_code().filter(|(_, severity, _)| *severity < Severity::Warning).map(|(code, _, n)| (code, n)),
        ),
        "defects_total": super::defects(visited),
        "defects": defects(visited),
        "refused": visited.refused.map(|(packets, why)| json!({ "packets": packets, "first": why.to_string() })),
        "error": visited.failure().map(ToString::to_string),
    });
    [who, numbers, words].into_iter().fold(json!({}), |mut all, part| {
        if let (Some(all), Value::Object(part)) = (all.as_object_mut(), part) {
            all.extend(part);
        }
        all
    })
}

fn defects(visited: &Visited<Summary>) -> Vec<Value> {
    let listed = visited.piece.findings.listed().iter();
    let listed = listed
        .map(|defect| json!({ "offset": defect.offset, "code": defect.kind.code(), "text": defect.kind.to_string() }));
    let broken = visited.broken();
    listed
        .chain(broken.map(|broken| json!({ "offset": broken.offset, "code": Broken::CODE, "text": broken.text })))
        .collect()
}

fn counts<K: ToString>(counts: impl Iterator<Item = (K, u64)>) -> Value {
    Value::Object(counts.map(|(key, count)| (key.to_string(), count.into())).collect::<Map<_, _>>())
}

fn stamp(stamp: Option<Timestamp>) -> Value {
    stamp.map_or(Value::Null, |stamp| json!({ "raw": format!("{:#018x}", stamp.raw()), "ns": stamp.nanos() }))
}

fn ports(summary: &Summary) -> Value {
    let ports = summary.ports();
    let values = ports.iter().map(|(identity, port)| {
        let interface = summary.described.interface(*identity);
        json!({
            "host": identity.has_host().then(|| format!("{:012x}", identity.host_id)),
            "source": identity.source_id,
            "interface": identity.interface,
            "name": interface.and_then(|object| object.get(erf::meta::TagType::NAME)),
            "packets": port.packets,
            "wire_bytes": port.wire_bytes,
            "captured_bytes": port.captured_bytes,
            "lost": port.lost,
            "rx_errors": port.rx_errors,
            "first": stamp(port.first),
            "last": stamp(port.last),
        })
    });
    Value::Array(values.collect())
}

fn meta(described: &Described) -> Value {
    let objects: Vec<Value> = described
        .objects
        .iter()
        .map(|object| {
            let tags: Vec<Value> =
                object.tags.iter().map(|(tag, value)| json!({ "name": tag.to_string(), "value": value })).collect();
            json!({
                "section": object.section.section_type.to_string(),
                "id": object.section.id.number(),
                "host": format!("{:012x}", object.said_by.host_id),
                "source": object.said_by.source_id,
                "generated": stamp(Some(object.generated)),
                "tags": tags,
            })
        })
        .collect();
    let comments: Vec<Value> = described
        .comments
        .iter()
        .map(
            |comment| json!({ "offset": comment.offset, "time": stamp(Some(comment.timestamp)), "text": comment.text }),
        )
        .collect();
    json!({ "objects": objects, "comments": comments, "left_out": described.left_out })
}

fn recording(summary: &Summary) -> Value {
    match summary.described.ending() {
        Ending::Closed(account) => account_value(&account, summary.packets()),
        Ending::Open => json!({ "ended": "no" }),
        _ => Value::Null,
    }
}

fn account_value(account: &Account, packets: u64) -> Value {
    json!({
        "ended": "yes",
        "stopped_by": account.stopped_by.to_string(),
        "received": account.received,
        "delivered": account.delivered,
        "filtered": account.filtered,
        "lost_card": account.lost_card,
        "lost_writer": account.lost_writer,
        "adds_up": account.adds_up(),
        // A part of a recording has the account of the whole.
        "is_of_this_file": account.delivered == packets,
    })
}
