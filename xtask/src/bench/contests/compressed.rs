//! Following the records of a compressed file.

use crate::bench::contest::{Against, Amount, Contest, Measure, Outcome};
use crate::bench::ground::{Ground, Place};
use crate::bench::measure::Run;
use crate::shell::Result;

const READER: &str = "erf::Reader";

/// Programs that compress and decompress, with what names end in.
const COMPRESSIONS: [(&str, &str); 3] = [("gzip", "gz"), ("zstd", "zst"), ("lz4", "lz4")];

pub(in crate::bench) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (program, ending) in COMPRESSIONS {
        let Some(path) = ground.installed(program) else {
            println!("{program} is not installed: files compressed with it are left out");
            continue;
        };
        let made = ground.file(Place::Disk, "imix")?;
        let file = made.path().with_extension(format!("erf.{ending}"));
        // Each reads standard input here, so that none says how well it did.
        let mut compress = Run::new(&path).arg("-c").into_file(&file);
        compress.input = Some(made.path().to_owned());
        compress.measure(&ground.measured, &ground.folder)?;
        let mut contest = Contest::new(
            format!("Walk a file compressed with {program}, IMIX"),
            format!("The limit is what `{program} -dc` takes to decompress it to nowhere."),
            Amount::Packets(made.packets),
        );
        let hot = ground.program("house-hot");
        contest.ours(READER, Run::new(hot).arg("walk").arg(&file).arg("auto"));
        contest.ours("erf info", Run::new(ground.program("erf")).arg("info").arg(&file));
        contest.counting_peer(ground, "tracestats", |run| run.uri("erf:", &file));
        contest.counting_peer(ground, "capinfos", |run| run.args(["-c", "-M"]).arg(&file));
        contest.limit(&format!("{program} -dc"), Run::new(&path).arg("-dc").arg(&file));
        contest.want(READER, Against::Peers, Measure::Wall, 1.0);
        contest.want(READER, Against::Limits, Measure::Wall, 0.95);
        outcomes.push(contest.hold(ground)?);
        compress.clear()?;
    }
    Ok(outcomes)
}
