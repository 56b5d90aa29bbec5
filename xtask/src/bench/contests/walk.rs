//! Following the records of a file, with every field of their headers used; and what `erf info` makes of them.

use crate::bench::contest::{Against, Amount, Contest, Measure, Outcome};
use crate::bench::ground::Ground;
use crate::bench::measure::Run;
use crate::shell::Result;

const READER: &str = "erf::Reader, its own choice";
const INFO: &str = "erf info";
const INFO_ONE: &str = "erf info, one processor";

pub(in crate::bench) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (place, words) in ground.places() {
        for (mix, frames) in [("small", "64-byte frames"), ("imix", "IMIX")] {
            let made = ground.file(place, mix)?;
            let file = made.path();
            let mut contest = Contest::new(
                format!("Walk a file {words}, {frames}"),
                "`erf info` does much more than follow the records; the reader, the plain loops and `tracestats` do that.",
                Amount::Packets(made.packets),
            );
            let hot = ground.program("house-hot");
            let walk = |access: &str| Run::new(&hot).arg("walk").arg(file).arg(access);
            contest.ours(READER, walk("auto")).same_words(ground, "auto");
            contest.ours("erf::Reader, blocks", walk("blocks")).same_words(ground, "blocks");
            contest.ours("erf::Reader, map", walk("map")).same_words(ground, "map");
            contest.ours(INFO, Run::new(ground.program("erf")).arg("info").arg(file));
            if let Some(one) = ground.on_one_processor("erf") {
                contest.ours(INFO_ONE, one.arg("info").arg(file));
                contest.want(INFO, Against::One(INFO_ONE), Measure::Wall, 1.6);
            }
            contest.counting_peer(ground, "tracestats", |run| run.uri("erf:", file));
            contest.counting_peer(ground, "capinfos", |run| run.args(["-c", "-M"]).arg(file));
            for how in ["read", "map"] {
                let plain = Run::new(ground.plain("walk")).arg(how).arg(file);
                contest.limit(&format!("plain C, {how}"), plain).same_words(ground, &format!("plain-{how}"));
            }
            contest.want(READER, Against::Peers, Measure::Wall, 3.0);
            contest.want(READER, Against::Peers, Measure::Cpu, 3.3);
            contest.want(READER, Against::Limits, Measure::Wall, 0.95);
            contest.want(INFO, Against::Peers, Measure::Wall, 3.0);
            contest.want(INFO, Against::Peers, Measure::Cpu, 3.3);
            outcomes.push(contest.hold(ground)?);
        }
        ground.clear()?;
    }
    Ok(outcomes)
}
