//! Packets that match an expression of tcpdump's language, written to a file.

use std::path::Path;

use crate::bench::contest::{Against, Amount, Contest, Contestant, Measure, Outcome};
use crate::bench::ground::Ground;
use crate::bench::measure::Run;
use crate::shell::Result;

const CUT: &str = "erf cut --filter";
const CUT_ONE: &str = "erf cut --filter, one processor";

/// The one that is also written by hand in C.
const BY_HAND: &str = "udp port 53";

const EXPRESSIONS: [&str; 4] = [
    BY_HAND,
    "tcp and net 10.0.0.0/24 and not port 80",
    "ip6 and udp and greater 500",
    "vlan and ip and host 10.1.0.7",
];

pub(in crate::bench) fn run(ground: &Ground) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    let (place, words) = ground.best_place();
    for (mix, frames) in [("small", "64-byte frames"), ("imix", "IMIX")] {
        let made = ground.file(place, mix)?;
        let file = made.path();
        // libpcap reads no ERF files.
        let pcap = ground.path(place, "in.pcap");
        let convert = Run::new(ground.program("erf")).arg("convert").arg(file).arg(&pcap).making(&pcap);
        convert.measure(&ground.measured, &ground.folder)?;
        for expression in EXPRESSIONS {
            if mix == "small" && expression != BY_HAND {
                continue;
            }
            let mut contest = Contest::new(
                format!("Filter `{expression}`, {frames}"),
                format!("From a file {words} into another; tcpdump reads the same packets from a pcap file."),
                Amount::Packets(made.packets),
            );
            let out = |name: &str| ground.path(place, name);
            let cut =
                |run: Run, out: &Path| run.arg("cut").arg(file).arg(out).arg("--filter").arg(expression).making(out);
            let ours = contest.ours(CUT, cut(Run::new(ground.program("erf")), &out("out.erf"))).same_packets();
            if expression == BY_HAND {
                ours.same_length();
            }
            // What is written by hand has one, too.
            if let Some(one) = ground.on_one_processor("erf") {
                contest.ours(CUT_ONE, cut(one, &out("one.erf"))).same_packets();
                if expression == BY_HAND {
                    contest.want(CUT_ONE, Against::Limits, Measure::Wall, 0.8);
                }
            }
            if expression == BY_HAND {
                let plain = Run::new(ground.plain("filter")).arg(file).arg(out("plain.erf"));
                contest.limit("plain C, by hand", plain.making(&out("plain.erf"))).same_length();
                contest.want(CUT, Against::Limits, Measure::Wall, 0.8);
            }
            let tcpdump = contest.peer(ground, "tcpdump", "", |run| {
                // To standard output: as root it writes files as somebody else.
                run.arg("-r").arg(&pcap).args(["-w", "-", expression]).into_file(&out("out.pcap"))
            });
            tcpdump.map(Contestant::same_packets);
            let tracesplit = contest.peer(ground, "tracesplit", "", |run| {
                let run = run.arg("-f").arg(expression).uri("erf:", file);
                run.uri("erf:", &out("trace.erf")).making(&out("trace.erf"))
            });
            tracesplit.map(Contestant::same_packets);
            contest.peer(ground, "tracestats", "counting only", |run| run.arg("-f").arg(expression).uri("erf:", file));
            contest.want(CUT, Against::Peers, Measure::Wall, 3.0);
            outcomes.push(contest.hold(ground)?);
        }
        convert.clear()?;
        ground.clear()?;
    }
    Ok(outcomes)
}
