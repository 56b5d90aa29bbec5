//! ERF made into pcap and pcapng.

use std::path::Path;

use crate::bench::contest::{Against, Amount, Contest, Measure, Outcome};
use crate::bench::ground::{Ground, Made, Place};
use crate::bench::measure::Run;
use crate::shell::Result;

const CONVERT: &str = "erf convert";

/// A format by our name, editcap's, and libtrace's if it writes it.
const FORMATS: [(&str, &str, Option<&str>); 2] = [("pcap", "nsecpcap", Some("pcapfile:")), ("pcapng", "pcapng", None)];

pub(in crate::bench) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    let (place, words) = ground.best_place();
    for (mix, frames) in [("small", "64-byte frames"), ("imix", "IMIX")] {
        let made = ground.file(place, mix)?;
        for format in FORMATS {
            outcomes.push(to_file(ground, &made, (place, words), frames, format)?);
            outcomes.push(to_nowhere(ground, &made, words, frames, format)?);
        }
        ground.clear()?;
    }
    Ok(outcomes)
}

type Format = (&'static str, &'static str, Option<&'static str>);

fn to_file(ground: &Ground, made: &Made, place: (Place, &str), frames: &str, format: Format) -> Result<Outcome> {
    let (to, editcap, libtrace) = format;
    let (file, out) = (made.path(), ground.path(place.0, &format!("out.{to}")));
    let mut contest = Contest::new(
        format!("ERF to {to}, to a file {}, {frames}", place.1),
        "`editcap` and libtrace keep the FCS, or leave it without looking; `erf` and the plain program take it off.",
        Amount::Packets(made.packets),
    );
    let erf = Run::new(ground.program("erf")).arg("convert").arg(file).arg(&out).making(&out);
    contest.ours(CONVERT, erf.clone()).same_length().same_packets();
    contest.ours("erf convert --one-pass", erf.arg("--one-pass")).same_length();
    peers(&mut contest, ground, file, &out, editcap, libtrace);
    let plain = Run::new(ground.plain("convert")).arg(to).arg(file).arg(&out).making(&out);
    let plain = contest.limit("plain C", plain);
    if to == "pcap" {
        // A pcapng file also says who made it.
        plain.same_length();
    }
    contest.want(CONVERT, Against::Peers, Measure::Wall, 3.0);
    contest.want(CONVERT, Against::Limits, Measure::Wall, 0.9);
    contest.hold(ground)
}

fn to_nowhere(ground: &Ground, made: &Made, place: &str, frames: &str, format: Format) -> Result<Outcome> {
    let (to, editcap, libtrace) = format;
    let (file, null) = (made.path(), Path::new("/dev/null"));
    let mut contest = Contest::new(
        format!("ERF to {to}, to /dev/null, {frames}"),
        format!("The input is a file {place}."),
        Amount::Packets(made.packets),
    );
    let erf = Run::new(ground.program("erf")).arg("convert").arg(file).arg("-").arg("--to").arg(to);
    contest.ours(CONVERT, erf.clone());
    contest.ours("erf convert --one-pass", erf.arg("--one-pass"));
    peers(&mut contest, ground, file, null, editcap, libtrace);
    contest.limit("plain C", Run::new(ground.plain("convert")).arg(to).arg(file).arg("-"));
    contest.want(CONVERT, Against::Peers, Measure::Wall, 8.0);
    contest.want(CONVERT, Against::Limits, Measure::Wall, 0.9);
    contest.hold(ground)
}

fn peers(contest: &mut Contest, ground: &Ground, file: &Path, out: &Path, editcap: &str, libtrace: Option<&str>) {
    let mut peer = |program: &str, make: &dyn Fn(Run) -> Run| {
        let is_kept = out != Path::new("/dev/null");
        let contestant = contest.peer(ground, program, "", |run| {
            let run = make(run);
            if is_kept { run.making(out) } else { run }
        });
        if let Some(contestant) = contestant.filter(|_| is_kept) {
            contestant.same_packets();
        }
    };
    peer("editcap", &|run| run.args(["-F", editcap]).arg(file).arg(out));
    if let Some(scheme) = libtrace {
        peer("tracesplit", &|run| run.uri("erf:", file).uri(scheme, out));
        peer("traceconvert", &|run| run.uri("erf:", file).uri(scheme, out));
    }
}
