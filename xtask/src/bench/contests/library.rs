//! What `house-benches` measures within one process: the emulated card, and the ways to it. It prints tables of its own.

use std::fmt::Write;

use crate::bench::contest::Outcome;
use crate::bench::ground::Ground;
use crate::shell::{self, Result, cargo, output};

/// The benchmarks that no other contest does better.
const BENCHES: [&str; 1] = ["routes"];

pub(in crate::bench) fn run(_: &Ground) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for bench in BENCHES {
        let mut command = cargo();
        command
            .args(["bench", "--quiet", "--package", "house-benches", "--bench", bench])
            .env("CARGO_INCREMENTAL", "0");
        println!("\n$ {}", shell::shown(&command));
        let text = with_headings(&output(&mut command)?);
        println!("{text}");
        outcomes.push(Outcome { text, missed: Vec::new() });
    }
    Ok(outcomes)
}

/// The titles of tables are lines of words that stand alone before them.
fn with_headings(printed: &str) -> String {
    let lines: Vec<&str> = printed.trim().lines().collect();
    let is_table = |line: Option<&&str>| line.is_some_and(|line| line.starts_with('|'));
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let is_title = !line.is_empty() && !is_table(Some(line)) && is_table(lines.get(number + 2));
        let _ = writeln!(text, "{}{line}", if is_title { "### " } else { "" });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_headings_and_remarks_do_not() {
        let printed = "\nA title\n\n| what |\n|---|\n| a |\n\nlost: 0\n";
        assert_eq!(with_headings(printed), "### A title\n\n| what |\n|---|\n| a |\n\nlost: 0\n");
    }
}
