//! `erf gaps`: times between packets, and bursts.

use std::io::Write;
use std::path::{Path, PathBuf};

use erf::describe::{plain, utc};
use erf::gaps::{Bursts, Gaps, Side};
use erf::writer::WholeFile;
use serde_json::{Value, json};
use wire_truth::stats::Counts;

use super::check::one_or_all;
use super::defects::Defects;
use super::input::{Reading, files};
use super::output::{Writing, apart};
use super::pass::{self, Next};
use super::progress::Progress;
use super::summary::line;
use super::{Failure, PROGRAM, aligned, csv_field, instant, print};
use crate::account::StampJson;
use crate::exit::Exit;
use crate::messages::{counted, say};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files and folders; - is standard input. Several make a table.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// Look for bursts in windows of these lengths.
    #[arg(long, value_name = "TIME", value_delimiter = ',', default_value = "10us,100us,1ms", value_parser = instant::nanos)]
    window: Vec<u64>,

    /// What the link carries, for how full a window is: 10G, 100M, 2.5Gb/s, in bits per second.
    #[arg(long, value_name = "RATE", value_parser = crate::values::rate)]
    link_rate: Option<u64>,

    /// Draw the gaps between all packets of one file; - is standard output, and there is no text then.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Write the histograms: file, interface, gap in ns, how often; - is standard output, and there is no text then.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Print JSON: an object for one file, an array for several.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    reading: Reading,

    /// Replace files that exist.
    #[arg(long)]
    force: bool,
}

impl Args {
    /// What goes where.
    fn outputs(&self) -> Vec<(&'static str, &Path)> {
        let given = [("--csv", self.csv.as_deref()), ("--svg", self.svg.as_deref())];
        let json = self.json.then_some(("--json", Path::new("-")));
        given.into_iter().filter_map(|(option, path)| Some((option, path?))).chain(json).collect()
    }

    /// Begins a file before anything is read: that it may not be written is known at once. Standard output is none.
    fn begin(&self, output: Option<&PathBuf>, read: &[PathBuf]) -> Result<Option<WholeFile>, Failure> {
        let path = output.filter(|path| path.as_os_str() != "-");
        let read: Vec<&Path> = read.iter().map(AsRef::as_ref).collect();
        path.map(|path| Writing::whole(path, &read, self.force)).transpose()
    }
}

/// What was found in a file.
struct Found {
    name: String,
    gaps: Gaps,
    defects: Defects,
}

/// Parts of all gaps that are told.
const PERCENTILES: [(&str, f64); 5] = [("p1", 1.0), ("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9)];

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let outputs = args.outputs();
    apart(&outputs)?;
    instant::once("--window", args.window.iter().map(|window| length(*window)))?;
    let inputs = files(&args.inputs)?;
    if args.svg.is_some() && inputs.len() > 1 {
        return Err(Failure::Usage(format!("--svg draws one file, and there are {}", inputs.len())));
    }
    let (csv_file, svg_file) = (args.begin(args.csv.as_ref(), &inputs)?, args.begin(args.svg.as_ref(), &inputs)?);
    let mut progress = Progress::over(&inputs);
    let mut exit = Exit::Done;
    let mut all = Vec::new();
    for input in &inputs {
        match find(args, input, &mut progress) {
            Ok(found) => all.push(found),
            Err(failure) if inputs.len() == 1 => return Err(failure),
            Err(failure) => {
                say(PROGRAM, failure);
                exit = Exit::Failed;
            }
        }
    }
    let mut whole = Vec::new();
    if args.csv.is_some() {
        whole.extend(filled(csv_file, &csv(&all))?);
    }
    if let (true, [found]) = (args.svg.is_some(), all.as_slice()) {
        let counts: Counts = steps(found.gaps.all()).map(|(gap, count)| (gap as f64, count)).collect();
        whole.extend(filled(svg_file, &wire_truth::svg::histogram("time between packets", &found.name, &counts))?);
    }
    whole.into_iter().try_for_each(WholeFile::finish)?;
    match all.as_slice() {
        _ if args.json => line(&one_or_all(all.iter().map(|found| found_json(found, args.link_rate)).collect()))?,
        _ if outputs.iter().any(|(_, path)| path.as_os_str() == "-") => {}
        [found] if inputs.len() == 1 => {
            let sides = sides(&found.gaps);
            print(&sides.iter().map(|(name, side)| text(name, side, args.link_rate)).collect::<String>())?;
        }
        _ => print(&aligned(rows(&all, &args.window)))?,
    }
    for found in &all {
        if found.defects.end() == Exit::No && exit == Exit::Done {
            exit = Exit::No;
        }
    }
    Ok(exit)
}

fn find(args: &Args, input: &Path, progress: &mut Progress) -> Result<Found, Failure> {
    let (mut gaps, mut defects) = (Gaps::new(&args.window)?, Defects::default());
    let mut reader = args.reading.open(input)?;
    pass::read(&mut reader, progress, &mut defects, |_, record| {
        gaps.add(record);
        Ok(Next::Go)
    })?;
    Ok(Found { name: reader.name().to_owned(), gaps, defects })
}

fn found_json(found: &Found, link_rate: Option<u64>) -> Value {
    let of = |(name, side): &(String, &Side)| (name.clone(), side_json(side, link_rate));
    let interfaces: serde_json::Map<String, Value> = sides(&found.gaps).iter().skip(1).map(of).collect();
    json!({
        "schema": 1,
        "file": found.name,
        "all": side_json(found.gaps.all(), link_rate),
        "by_interface": interfaces,
        "defects": found.defects.json(),
    })
}

/// A table with a row for each interface of each file.
fn rows(all: &[Found], windows: &[u64]) -> Vec<Vec<String>> {
    const COLUMNS: [&str; 8] = ["file", "interface", "packets", "min ns", "mean ns", "p50 ns", "p99 ns", "max ns"];
    let fullest = windows.iter().map(|window| format!("Gb/s in {}", length(*window)));
    let mut rows = vec![COLUMNS.map(String::from).into_iter().chain(fullest).collect()];
    for found in all {
        for (name, side) in sides(&found.gaps) {
            let mut row = vec![plain(&found.name).to_string(), name, side.packets().to_string()];
            match side.extremes() {
                Some((least, most)) => row.extend([
                    least.to_string(),
                    format!("{:.1}", side.histogram().mean()),
                    at_percentile(side, 50.0).to_string(),
                    at_percentile(side, 99.0).to_string(),
                    most.to_string(),
                ]),
                None => row.extend(std::iter::repeat_n("-".to_owned(), 5)),
            }
            let rate = |bursts: &Bursts| format!("{:.3}", bursts.peak().of_line(bursts.window(), 1) / 1e9);
            row.extend(side.bursts().iter().map(rate));
            rows.push(row);
        }
    }
    rows
}

/// All packets, then those of each interface.
fn sides(gaps: &Gaps) -> Vec<(String, &Side)> {
    let of = |number: u8| gaps.interface(number).map(|side| (number.to_string(), side));
    std::iter::once(("all".to_owned(), gaps.all())).chain((0..8).filter_map(of)).collect()
}

/// The file with `text` in it, whole but for its name; where there is none, the text goes to standard output.
fn filled(file: Option<WholeFile>, text: &str) -> Result<Option<WholeFile>, Failure> {
    let Some(mut file) = file else { return print(text).map(|()| None) };
    let written = file.write_all(text.as_bytes());
    written.map_err(|cause| Failure::File { path: file.name().to_owned(), cause })?;
    file.sync()?;
    Ok(Some(file))
}

/// Gaps, as exactly as the histogram has them, and how often each was seen.
fn steps(side: &Side) -> impl Iterator<Item = (u64, u64)> + '_ {
    side.histogram().iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
}

/// The gap that so many percent are not longer than, as exactly as the histogram has it; none is longer than the longest.
fn at_percentile(side: &Side, percentile: f64) -> u64 {
    let most = side.extremes().map_or(u64::MAX, |(_, most)| most);
    side.histogram().value_at_percentile(percentile).min(most)
}

fn csv(all: &[Found]) -> String {
    let mut text = "file,interface,gap_ns,count\n".to_owned();
    for found in all {
        let file = csv_field(&found.name);
        for (name, side) in sides(&found.gaps) {
            text.extend(steps(side).map(|(gap, count)| format!("{file},{name},{gap},{count}\n")));
        }
    }
    text
}

fn text(name: &str, side: &Side, link_rate: Option<u64>) -> String {
    let who = if name == "all" { "all interfaces".to_owned() } else { format!("interface {name}") };
    let histogram = side.histogram();
    let (packets, bytes) = (counted(side.packets(), "packet"), counted(side.wire_bytes(), "byte"));
    let mut text = format!("{who}: {packets}, {bytes} on the wire");
    text += &match side.backward_steps() {
        0 => "\n".to_owned(),
        steps => format!(", {steps} stamped earlier than the one before\n"),
    };
    if histogram.is_empty() {
        return text;
    }
    text += &format!("  gap ns: min {}, mean {:.1}", side.extremes().unwrap_or_default().0, histogram.mean());
    for (name, percentile) in PERCENTILES {
        text += &format!(", {name} {}", at_percentile(side, percentile));
    }
    text += &format!(", max {}\n", side.extremes().unwrap_or_default().1);
    for bursts in side.bursts() {
        let peak = bursts.peak();
        let rate = peak.of_line(bursts.window(), 1);
        text += &format!(
            "  fullest {}: {}{}, {} of line time, {:.3} Gbit/s{}, from {}\n",
            length(bursts.window()),
            if bursts.is_lower_bound() { "at least " } else { "" },
            counted(peak.packets, "packet"),
            counted(peak.bytes, "byte"),
            rate / 1e9,
            link_rate.map_or(String::new(), |link| format!(" ({:.1} % of the link)", rate / link as f64 * 100.0)),
            utc(peak.at),
        );
    }
    text
}

fn length(nanos: u64) -> String {
    match nanos {
        nanos if nanos.is_multiple_of(1_000_000) => format!("{} ms", nanos / 1_000_000),
        nanos if nanos.is_multiple_of(1_000) => format!("{} us", nanos / 1_000),
        nanos => format!("{nanos} ns"),
    }
}

fn side_json(side: &Side, link_rate: Option<u64>) -> Value {
    let histogram = side.histogram();
    let mut gaps = serde_json::Map::new();
    if !histogram.is_empty() {
        gaps.insert("min".to_owned(), json!(side.extremes().map(|(least, _)| least)));
        gaps.insert("mean".to_owned(), json!(histogram.mean()));
        for (name, percentile) in PERCENTILES {
            gaps.insert(name.to_owned(), json!(at_percentile(side, percentile)));
        }
        gaps.insert("max".to_owned(), json!(side.extremes().map(|(_, most)| most)));
    }
    let span = side.span();
    json!({
        "packets": side.packets(),
        "wire_bytes": side.wire_bytes(),
        "line_bytes": side.line_bytes(),
        "first": span.map(|(first, _)| StampJson::from(first)),
        "last": span.map(|(_, last)| StampJson::from(last)),
        "backward_steps": side.backward_steps(),
        "gap_ns": gaps,
        "bursts": side.bursts().iter().map(|bursts| burst_json(bursts, link_rate)).collect::<Vec<_>>(),
    })
}

fn burst_json(bursts: &Bursts, link_rate: Option<u64>) -> Value {
    let peak = bursts.peak();
    json!({
        "window_ns": bursts.window(),
        "packets": peak.packets,
        "line_bytes": peak.bytes,
        "at": StampJson::from(peak.at),
        "bits_per_second": peak.of_line(bursts.window(), 1),
        "of_link": link_rate.map(|link| peak.of_line(bursts.window(), link)),
        "at_least": bursts.is_lower_bound(),
    })
}
