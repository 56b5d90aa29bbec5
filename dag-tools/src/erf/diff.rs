//! `erf diff`: two files compared.

use std::path::PathBuf;

use erf::TimeDelta;
use erf::describe::plain;
use erf::diff::{Counts, Diff, Finding, Side, Tolerance};
use serde_json::{Value, json};

use super::defects::Defects;
use super::input::Reading;
use super::summary::line;
use super::{Failure, instant, print};
use crate::exit::Exit;
use crate::messages::counted;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The first file; - is standard input.
    a: PathBuf,

    /// The second file; - is standard input.
    b: PathBuf,

    /// Show so many differences at most; all are counted.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    show: usize,

    /// Stamps may be so far apart.
    #[arg(long, value_name = "TIME", value_parser = instant::span)]
    stamps: Option<TimeDelta>,

    /// One may be cut shorter than the other.
    #[arg(long)]
    ignore_snap: bool,

    /// One may have an FCS that the other has not; it is not compared.
    #[arg(long)]
    ignore_fcs: bool,

    /// Interfaces may differ.
    #[arg(long)]
    ignore_interface: bool,

    /// Loss counters and colours may differ.
    #[arg(long)]
    ignore_loss: bool,

    /// Extension headers may differ.
    #[arg(long)]
    ignore_ext: bool,

    /// META records are passed over, as PAD always is.
    #[arg(long)]
    ignore_meta: bool,

    #[command(flatten)]
    reading: Reading,

    /// Print the counts and the first differences as one JSON object.
    #[arg(long)]
    json: bool,
}

impl Args {
    fn tolerance(&self) -> Tolerance {
        Tolerance::default()
            .stamp(self.stamps.unwrap_or(TimeDelta::ZERO))
            .snap(self.ignore_snap)
            .fcs(self.ignore_fcs)
            .interface(self.ignore_interface)
            .loss(self.ignore_loss)
            .extensions(self.ignore_ext)
            .meta(self.ignore_meta)
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.a.as_os_str() == "-" && args.b.as_os_str() == "-" {
        return Err(Failure::Usage("standard input can be read only once: give - one time".to_owned()));
    }
    let (a, b) = (args.reading.open(&args.a)?, args.reading.open(&args.b)?);
    let names = [a.name().to_owned(), b.name().to_owned()];
    let mut defects = Defects::default();
    let mut shown = Vec::new();
    let mut diff = Diff::new(a, b, args.tolerance());
    let result = diff.run(
        &mut |side, defect| defects.tell(if side == Side::A { &names[0] } else { &names[1] }, defect),
        &mut |finding| {
            if shown.len() < args.show {
                shown.push(finding);
            }
        },
    );
    let counts = match result {
        Ok(counts) => counts,
        Err(error) if defects.broken(&error) => diff.counts(),
        Err(error) => return Err(error.into()),
    };
    if args.json {
        line(&json!({
            "schema": 1,
            "same": counts.same,
            "different": counts.different,
            "only_a": counts.only_a,
            "only_b": counts.only_b,
            "differences": shown.iter().map(finding_json).collect::<Vec<_>>(),
            "defects_total": defects.total(),
            "defects": defects.json(),
        }))?;
    } else {
        print(&text(&shown, &counts, &names))?;
    }
    let clean = defects.end();
    Ok(if counts.is_same() { clean } else { Exit::No })
}

fn text(shown: &[Finding], counts: &Counts, names: &[String; 2]) -> String {
    let mut text = String::new();
    for finding in shown {
        match finding {
            Finding::Differs { a_record, a_offset, b_record, b_offset, fields } => {
                text +=
                    &format!("record {a_record} at byte {a_offset} and record {b_record} at byte {b_offset} differ:\n");
                for field in fields {
                    text += &format!("    {field}\n");
                }
            }
            Finding::Only { side, record, offset } => {
                let name = if *side == Side::A { &names[0] } else { &names[1] };
                text += &format!("record {record} at byte {offset} is only in {}\n", plain(name));
            }
            _ => {}
        }
    }
    let all = counts.different + counts.only_a + counts.only_b;
    if all > shown.len() as u64 {
        text += &format!("... and {} more\n", counted(all - shown.len() as u64, "difference"));
    }
    text + &format!(
        "{} the same, {} differ, {} only in {}, {} only in {}\n",
        counted(counts.same, "record"),
        counts.different,
        counts.only_a,
        plain(&names[0]),
        counts.only_b,
        plain(&names[1])
    )
}

fn finding_json(finding: &Finding) -> Value {
    match finding {
        Finding::Differs { a_record, a_offset, b_record, b_offset, fields } => json!({
            "kind": "differs",
            "a": { "record": a_record, "offset": a_offset },
            "b": { "record": b_record, "offset": b_offset },
            "fields": fields
                .iter()
                .map(|field| json!({ "field": field.name(), "text": field.to_string() }))
                .collect::<Vec<_>>(),
        }),
        Finding::Only { side, record, offset } => {
            let place = json!({ "record": record, "offset": offset });
            match side {
                Side::A => json!({ "kind": "only_a", "a": place }),
                Side::B => json!({ "kind": "only_b", "b": place }),
            }
        }
        _ => Value::Null,
    }
}
