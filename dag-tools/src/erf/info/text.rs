//! The answer for people.

use std::fmt::Display;

use erf::check::Broken;
use erf::describe::{plain, utc};
use erf::meta::{SectionType, TagType};
use erf::pieces::Visited;
use erf::session::Ending;
use erf::summary::{FcsVerdict, Lengths, Summary};
use erf::{Severity, Timestamp};

use super::super::{aligned, counted};

/// Defects and comments shown at most; `erf check` and JSON have all.
const SHOWN: usize = 20;

pub(super) fn text(name: &str, visited: &Visited<Summary>, clock: Vec<Vec<String>>) -> String {
    let summary = &visited.piece;
    let mut rows = Rows::default();
    rows.add(
        "file",
        format_args!("{}, compression: {}, {} bytes of records", visited.format, visited.compression, visited.end),
    );
    let by_type: Vec<String> = summary.by_type().map(|(name, count)| format!("{count} {name}")).collect();
    rows.add("records", format_args!("{} ({})", summary.records(), none_or(&by_type.join(", "))));
    times(&mut rows, summary);
    sizes(&mut rows, summary);
    let at_least = if summary.lost_at_least { " at least: a counter was full" } else { "" };
    rows.add("lost", format_args!("{}{at_least}", summary.lost));
    if summary.coloured > 0 {
        rows.add("", format_args!("{} packets have a colour in place of a loss counter", summary.coloured));
    }
    rows.add("errors", format_args!("{} RX, {} DS", summary.rx_errors, summary.ds_errors));
    fcs(&mut rows, summary);
    ports(&mut rows, summary);
    described(&mut rows, summary);
    rows.0.extend(clock);
    findings(&mut rows, visited);
    format!("{}\n{}\n", plain(name), aligned(rows.0))
}

#[derive(Default)]
struct Rows(Vec<Vec<String>>);

impl Rows {
    fn add(&mut self, name: &str, value: impl Display) {
        // Names and comments are whatever somebody wrote into the file.
        self.0.push(vec![name.to_owned(), plain(&value.to_string()).to_string()]);
    }
}

fn none_or(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn shown(stamp: Option<Timestamp>) -> String {
    stamp.map_or_else(|| "-".to_owned(), |stamp| format!("{} ({:#018x})", utc(stamp), stamp.raw()))
}

fn times(rows: &mut Rows, summary: &Summary) {
    let times = summary.times();
    rows.add("first", shown(times.first));
    rows.add("last", shown(times.last));
    if (times.first, times.last) != (times.earliest, times.latest) {
        rows.add("earliest", shown(times.earliest));
        rows.add("latest", shown(times.latest));
    }
    rows.add("duration", format_args!("{} s", times.duration()));
    let bits = summary.sizes.wire.sum.saturating_mul(8);
    if let (Some(packets), Some(bits)) = (summary.stamps.per_second(summary.packets()), summary.stamps.per_second(bits))
    {
        rows.add("rate", format_args!("{packets:.1} packets/s, {bits:.1} bit/s"));
    }
    match summary.stamps.tick() {
        Some(tick) => rows.add("tick", format_args!("{tick}, the coarsest that fits all stamps; no accuracy")),
        None => rows.add("tick", "not known"),
    }
    let (back, jumps) = (summary.backward_steps(), summary.forward_jumps());
    let greatest = if back > 0 { format!(" of at most {} s", summary.greatest_step_back) } else { String::new() };
    let order = summary.stamps.out_of_order;
    rows.add(
        "steps",
        format_args!("{back} back{greatest}, {jumps} ahead by more than a year; {order} packets out of order"),
    );
}

fn sizes(rows: &mut Rows, summary: &Summary) {
    let lengths = |lengths: &Lengths| match lengths.mean() {
        Some(mean) => format!("{} bytes; {} least, {mean:.1} mean, {} greatest", lengths.sum, lengths.min, lengths.max),
        None => "0 bytes".to_owned(),
    };
    rows.add("on the wire", lengths(&summary.sizes.wire));
    rows.add("captured", lengths(&summary.sizes.captured));
    let classes = summary.sizes.classes().filter(|class| class.count > 0);
    let classes: Vec<String> = classes
        .map(|class| match (class.from, class.to) {
            (from, to) if from == to => format!("{from}: {}", class.count),
            (from, u16::MAX) => format!("{from} and more: {}", class.count),
            (from, to) => format!("{from}-{to}: {}", class.count),
        })
        .collect();
    rows.add("sizes", none_or(&classes.join(", ")));
    rows.add("snapped", summary.snapped);
}

fn fcs(rows: &mut Rows, summary: &Summary) {
    let verdict = summary.fcs.verdict();
    let (tried, right) = summary.fcs.tried();
    match verdict {
        FcsVerdict::Unknown | FcsVerdict::NotStored => rows.add("FCS", verdict),
        _ => rows.add("FCS", format_args!("{verdict}: right in {right} of {tried} packets looked at")),
    }
}

fn ports(rows: &mut Rows, summary: &Summary) {
    for (identity, port) in summary.ports() {
        let name = summary.described.interface(identity).and_then(|object| object.get(TagType::NAME));
        let name = name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let (packets, bytes, lost) = (port.packets, port.wire_bytes, port.lost);
        rows.add("interface", format_args!("{identity}{name}: {packets} packets, {bytes} bytes, {lost} lost"));
    }
    if summary.other_ports() > 0 {
        rows.add("", format_args!("{} packets of still others", summary.other_ports()));
    }
}

fn described(rows: &mut Rows, summary: &Summary) {
    let described = &summary.described;
    let kinds: [(&str, SectionType, &[TagType]); 4] = [
        (
            "capture",
            SectionType::CAPTURE,
            &[TagType::APP_NAME, TagType::APP_VERSION, TagType::ORG_NAME, TagType::FILTER],
        ),
        ("host", SectionType::HOST, &[TagType::HOSTNAME, TagType::MODEL, TagType::OS]),
        (
            "card",
            SectionType::MODULE,
            &[
                TagType::MODEL,
                TagType::DEV_NAME,
                TagType::SERIAL_NO,
                TagType::FW_VERSION,
                TagType::CLK_STATE,
                TagType::CLK_SOURCE,
            ],
        ),
        ("port", SectionType::INTERFACE, &[TagType::NAME, TagType::DESCR, TagType::IF_SPEED, TagType::IF_MAC]),
    ];
    for (name, section_type, tags) in kinds {
        let objects = described.objects.iter().filter(|object| object.section.section_type == section_type);
        for object in objects.take(SHOWN) {
            let facts = tags.iter().filter_map(|&tag| Some(format!("{tag} {}", object.get(tag)?)));
            let facts: Vec<String> = facts.collect();
            rows.add(name, format_args!("{}: {}", object.section.id.number(), none_or(&facts.join(", "))));
        }
    }
    for comment in described.comments.iter().take(SHOWN) {
        rows.add("comment", format_args!("{:?}", comment.text));
    }
    match described.ending() {
        Ending::Closed(account) => {
            rows.add(
                "recording",
                format_args!(
                    "ended ({}): {} received = {} delivered + {} filtered + {} lost by the card + {} not written",
                    account.stopped_by,
                    account.received,
                    account.delivered,
                    account.filtered,
                    account.lost_card,
                    account.lost_writer,
                ),
            );
            if account.delivered != summary.packets() {
                let here = counted(summary.packets(), "packet");
                rows.add("", format_args!("that is the whole recording; of it, this file has {here}"));
            }
        }
        Ending::Open => rows.add("recording", "has no end: it was killed, or could not write"),
        _ => {}
    }
}

fn findings(rows: &mut Rows, visited: &Visited<Summary>) {
    let findings = &visited.piece.findings;
    let notes = findings.by_code().filter(|(_, severity, _)| *severity < Severity::Warning);
    let notes: Vec<String> = notes.map(|(code, _, count)| format!("{count} {code}")).collect();
    if !notes.is_empty() {
        rows.add("notes", notes.join(", "));
    }
    if let Some((packets, why)) = visited.refused {
        rows.add("refused", format_args!("{}, without a place in ERF: {why}", counted(packets, "packet")));
    }
    rows.add("defects", super::defects(visited));
    for defect in findings.listed().iter().take(SHOWN) {
        rows.add("", defect);
    }
    if findings.defects() > SHOWN as u64 {
        rows.add("", "and more: see erf check");
    }
    if let Some(broken) = visited.broken() {
        rows.add("", format_args!("{} [{}]", broken.text, Broken::CODE));
    }
}
