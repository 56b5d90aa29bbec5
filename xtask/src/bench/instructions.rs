//! How many instructions the hot loops take for each record, as Valgrind counts them: what does not depend on how busy a machine is, and so
//! can be held by CI.
//!
//! `benches/instructions.txt` has the counts to compare with. They depend on the compiler too: a new one may move them.

use std::fs;
use std::path::{Path, PathBuf};

use super::ground;
use crate::shell::{self, About, Result, finding, output};

/// Records in memory, and how often a loop goes over them: the difference of two runs is the loop and nothing else.
const RECORDS: u64 = 4000;
const FEW: u64 = 1;
const MANY: u64 = 5;

/// By so much of what it was a count may grow.
const TOLERANCE: f64 = 0.05;

/// Large copies are counted as such on every machine, and not as one instruction a byte where the C library likes `rep movsb`.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000";

const HEAD: &str = "\
# Instructions for each record of the loops in benches/hot/src/loops.rs, counted by Valgrind on x86_64.
# `cargo xtask bench --instructions` compares, and with --bless writes this file.
";

/// The step of CI.
pub(crate) fn step() -> Result {
    chore(false)
}

/// Counts, and compares with what is kept or keeps it.
pub(crate) fn chore(bless: bool) -> Result {
    if !cfg!(target_arch = "x86_64") {
        println!("instructions are counted for x86_64 only");
        return Ok(());
    }
    if !shell::has_program("valgrind") {
        return finding("`valgrind` is needed to count instructions; .ci/run installs it");
    }
    let hot = ground::build(&["house-hot"])?.join("house-hot");
    let names = output(shell::program(&hot).arg("loops"))?;
    let mut counts = Vec::new();
    for name in names.lines() {
        let (few, many) = (count(&hot, name, FEW)?, count(&hot, name, MANY)?);
        let per_record = many.saturating_sub(few) as f64 / (RECORDS * (MANY - FEW)) as f64;
        counts.push((name.to_owned(), per_record));
    }
    let path = shell::root().join("benches/instructions.txt");
    if bless {
        fs::write(&path, written(&counts)).about(&path)?;
        println!("{} has the counts of now", path.display());
        return Ok(());
    }
    let text = fs::read_to_string(&path).about(&path)?;
    let kept = match parse(&text) {
        Ok(kept) => kept,
        Err(line) => return finding(format!("{}: no name and number: {line}", path.display())),
    };
    let compared = compare(&kept, &counts);
    print!("{}", compared.text);
    match compared.worse.as_slice() {
        [] => Ok(()),
        worse => finding(format!(
            "more instructions for each record than {} has, by more than {:.0} %: {}. If that is meant, or the compiler's doing: \
             `cargo xtask bench --instructions --bless`, and say why in the commit",
            path.display(),
            TOLERANCE * 100.0,
            worse.join("; ")
        )),
    }
}

/// Instructions of a run, start and all.
fn count(hot: &Path, name: &str, times: u64) -> Result<u64> {
    let file: PathBuf = shell::target().join(format!("xtask-callgrind-{}", std::process::id()));
    let mut valgrind = shell::program("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", file.display()));
    valgrind.arg(hot).args(["loop", name, &RECORDS.to_string(), &times.to_string()]).env("GLIBC_TUNABLES", TUNABLES);
    output(&mut valgrind)?;
    let text = fs::read_to_string(&file).about(&file)?;
    fs::remove_file(&file).about(&file)?;
    match total(&text) {
        Some(count) => Ok(count),
        None => finding(format!("valgrind gave no sum for the loop {name}")),
    }
}

/// The sum in a file of callgrind.
fn total(text: &str) -> Option<u64> {
    text.lines().rev().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}

fn written(counts: &[(String, f64)]) -> String {
    counts.iter().fold(HEAD.to_owned(), |text, (name, count)| text + &format!("{name} {count:.1}\n"))
}

fn parse(text: &str) -> std::result::Result<Vec<(String, f64)>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (name, count) = line.split_once(' ').ok_or(line)?;
            Ok((name.to_owned(), count.trim().parse().map_err(|_| line)?))
        })
        .collect()
}

struct Compared {
    text: String,
    worse: Vec<String>,
}

fn compare(kept: &[(String, f64)], counts: &[(String, f64)]) -> Compared {
    let (mut text, mut worse) = (String::new(), Vec::new());
    for (name, count) in counts {
        let Some((_, before)) = kept.iter().find(|(kept, _)| kept == name) else {
            text += &format!("{name:<16} {count:>8.1}\n");
            worse.push(format!("{name} is not among them"));
            continue;
        };
        let change = count / before - 1.0;
        let word = match () {
            () if change > TOLERANCE => "MORE",
            () if change < -TOLERANCE => "less: --bless holds it",
            () => "",
        };
        text += format!("{name:<16} {count:>8.1}, was {before:>8.1} ({:+.1} %) {word}", change * 100.0).trim_end();
        text.push('\n');
        if change > TOLERANCE {
            worse.push(format!("{name} takes {count:.1}, was {before:.1} ({:+.1} %)", change * 100.0));
        }
    }
    for (name, _) in kept.iter().filter(|(kept, _)| counts.iter().all(|(name, _)| name != kept)) {
        worse.push(format!("{name} is kept, and is no loop any more"));
    }
    Compared { text, worse }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(all: &[(&str, f64)]) -> Vec<(String, f64)> {
        all.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let some = counts(&[("records", 20.5), ("filter", 101.0)]);
        assert_eq!(parse(&written(&some)), Ok(some));
        assert_eq!(parse("records\n"), Err("records".to_owned()));
        assert_eq!(parse("records many\n"), Err("records many".to_owned()));
    }

    #[test]
    fn what_grew_too_much_is_worse_and_what_shrank_is_told() {
        let kept = counts(&[("records", 100.0), ("filter", 100.0), ("merge", 100.0), ("gone", 1.0)]);
        let compared = compare(&kept, &counts(&[("records", 106.0), ("filter", 104.0), ("merge", 80.0), ("new", 5.0)]));
        assert_eq!(
            compared.worse,
            [
                "records takes 106.0, was 100.0 (+6.0 %)",
                "new is not among them",
                "gone is kept, and is no loop any more"
            ]
        );
        assert!(compared.text.contains("(-20.0 %) less"), "{}", compared.text);
        assert!(compare(&kept, &kept).worse.is_empty());
    }

    #[test]
    fn the_sum_of_callgrind_is_found() {
        assert_eq!(total("events: Ir\nsummary: 14\n\nfn=(1)\n1 2\ntotals: 15\n"), Some(15));
        assert_eq!(total("events: Ir\n"), None);
    }
}
