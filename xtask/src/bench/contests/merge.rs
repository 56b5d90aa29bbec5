//! Eight files into one, in the order of their stamps. mergecap writes no ERF that has several inputs.

use crate::bench::contest::{Against, Amount, Contest, Contestant, Measure, Outcome};
use crate::bench::ground::{Ground, Place};
use crate::bench::measure::Run;
use crate::shell::Result;

const MERGE: &str = "erf merge";
const MERGE_ONE: &str = "erf merge, one processor";

const FILES: usize = 8;

pub(in crate::bench) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    let (place, words) = ground.best_place();
    for (mix, frames) in [("small", "64-byte frames"), ("imix", "IMIX")] {
        outcomes.push(merge(ground, (place, words), mix, frames, false)?);
        outcomes.push(merge(ground, (place, words), mix, frames, true)?);
        ground.clear()?;
    }
    Ok(outcomes)
}

fn merge(ground: &Ground, place: (Place, &str), mix: &str, frames: &str, to_nowhere: bool) -> Result<Outcome> {
    let made = ground.files(place.0, mix, FILES)?;
    let (out, capture) = (ground.path(place.0, "out.erf"), ground.path(place.0, "out.pcapng"));
    let (title, about) = match to_nowhere {
        false => (place.1.to_owned(), "The limit reads the inputs once and writes as much to a file."),
        true => (
            "to /dev/null".to_owned(),
            "The limit reads the inputs once. Every record goes to one of the files by chance.",
        ),
    };
    let mut contest =
        Contest::new(format!("Merge {FILES} files, {title}, {frames}"), about, Amount::Packets(made.packets));
    let merge = |run: Run| run.arg("merge").args(&made.paths).arg("--out");
    let erf = merge(Run::new(ground.program("erf")));
    let one = ground.on_one_processor("erf").map(merge);
    let copy = Run::new(ground.plain("copy"));
    if to_nowhere {
        contest.ours(MERGE, erf.clone().arg("-"));
        if let Some(one) = one {
            contest.ours(MERGE_ONE, one.arg("-"));
        }
        contest.ours("erf merge, to pcapng", erf.args(["-", "--to", "pcapng"]));
        contest.peer(ground, "mergecap", "to pcapng", |run| run.args(["-w", "-"]).args(&made.paths));
        contest.limit("plain C, reads the inputs once", copy.arg("-").args(&made.paths));
    } else {
        contest.ours(MERGE, erf.clone().arg(&out).making(&out)).same_length().same_packets();
        if let Some(one) = one {
            contest.ours(MERGE_ONE, one.arg(&out).making(&out)).same_length().same_packets();
        }
        contest.ours("erf merge, to pcapng", erf.arg(&capture).making(&capture)).same_packets();
        let mergecap = contest.peer(ground, "mergecap", "to pcapng", |run| {
            run.arg("-w").arg(&capture).args(&made.paths).making(&capture)
        });
        mergecap.map(Contestant::same_packets);
        let tracemerge = contest.peer(ground, "tracemerge", "", |run| {
            made.paths.iter().fold(run.uri("erf:", &out).making(&out), |run, path| run.uri("erf:", path))
        });
        tracemerge.map(Contestant::same_packets);
        let copy = copy.arg(&out).args(&made.paths).making(&out);
        contest.limit("plain C, copies the inputs", copy).same_length();
    }
    contest.want(MERGE, Against::Peers, Measure::Wall, 3.0);
    contest.want(MERGE, Against::Limits, Measure::Wall, 0.7);
    contest.hold(ground)
}
