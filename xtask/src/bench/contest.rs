//! Who takes part in a contest, in which order they run, and which ratios are wanted.

use std::fs;
use std::path::{Path, PathBuf};

use super::ground::Ground;
use super::measure::{Run, Taken};
use super::statistics::Spread;
use super::table;
use crate::shell::{self, About, Result, finding};

/// Debian has libtrace 3, and libtrace 4 is this much faster, as measured on a machine that had both. Its users deserve to be compared with.
pub(super) const LIBTRACE_4: f64 = 1.6;

/// What a contestant is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// Of this project.
    Ours,
    /// Somebody else's; its rate is taken times the factor.
    Peer(f64),
    /// What the machine can do.
    Limit,
}

/// How much work a run is.
#[derive(Clone, Debug)]
pub(super) enum Amount {
    /// Packets, told as millions.
    Packets(u64),
    /// Bytes, as many as this file has afterwards, told as millions.
    BytesOf(PathBuf),
    /// Packets, in nanoseconds by its own clock, both said on standard output: what comes before the work does not count.
    Said,
}

/// What a run has to say besides.
pub(super) type Remark = Box<dyn Fn() -> Option<String>>;

/// Somebody or something that takes part.
pub(super) struct Contestant {
    pub(super) name: String,
    pub(super) role: Role,
    run: Run,
    amount: Amount,
    same: Vec<Same>,
    /// What came of the run to warm up, for each of `same`.
    results: Vec<(Same, String)>,
    remark: Option<Remark>,
    pub(super) remarks: Vec<String>,
    runs: Vec<(Taken, f64)>,
    /// What its standard output has among its words, or it did not do its work.
    says: Option<String>,
    /// Why it is out of the contest.
    failed: Option<String>,
}

/// What must be alike among the contestants that say so: else they did not do the same, and some programs end well having done nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Same {
    /// The words on standard output.
    Words,
    /// The length of what was made.
    Length,
    /// The packets in what was made, as capinfos counts them.
    Packets,
}

/// What a contestant has reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reached {
    /// Millions of packets or bytes a second.
    pub(super) rate: Spread,
    /// The same for a second of processor time.
    pub(super) per_cpu: f64,
    /// MiB at most.
    pub(super) resident: f64,
}

/// What a ratio is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Wall,
    /// For a second of processor time.
    Cpu,
}

/// What a ratio is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// The best peer.
    Peers,
    /// The best limit.
    Limits,
    /// One contestant, by name.
    One(&'static str),
}

/// A ratio that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) ours: &'static str,
    pub(super) against: Against,
    pub(super) measure: Measure,
    pub(super) least: f64,
}

/// Contestants and targets.
pub(super) struct Contest {
    pub(super) title: String,
    pub(super) about: String,
    pub(super) unit: &'static str,
    pub(super) contestants: Vec<Contestant>,
    pub(super) targets: Vec<Target>,
    pub(super) absent: Vec<String>,
    /// Of each run, unless a contestant has its own.
    amount: Amount,
}

/// A table that was filled in, and targets that were missed.
pub(super) struct Outcome {
    pub(super) text: String,
    pub(super) missed: Vec<String>,
}

impl Contest {
    pub(super) fn new(title: impl Into<String>, about: impl Into<String>, amount: Amount) -> Self {
        let unit = if matches!(amount, Amount::BytesOf(_)) { "MB/s" } else { "Mpps" };
        Self {
            title: title.into(),
            about: about.into(),
            unit,
            contestants: Vec::new(),
            targets: Vec::new(),
            absent: Vec::new(),
            amount,
        }
    }

    fn add(&mut self, name: &str, role: Role, run: Run) -> &mut Contestant {
        self.contestants.push(Contestant {
            name: name.to_owned(),
            role,
            run,
            amount: self.amount.clone(),
            same: Vec::new(),
            results: Vec::new(),
            remark: None,
            remarks: Vec::new(),
            runs: Vec::new(),
            says: None,
            failed: None,
        });
        let last = self.contestants.len() - 1;
        &mut self.contestants[last]
    }

    pub(super) fn ours(&mut self, name: &str, run: Run) -> &mut Contestant {
        self.add(name, Role::Ours, run)
    }

    pub(super) fn limit(&mut self, name: &str, run: Run) -> &mut Contestant {
        self.add(name, Role::Limit, run)
    }

    /// A program that takes part if it is installed.
    pub(super) fn peer(
        &mut self,
        ground: &Ground,
        program: &str,
        words: &str,
        make: impl FnOnce(Run) -> Run,
    ) -> Option<&mut Contestant> {
        let factor = if program.starts_with("trace") { LIBTRACE_4 } else { 1.0 };
        let Some(path) = ground.installed(program) else {
            self.absent.push(program.to_owned());
            return None;
        };
        let name = if words.is_empty() { program.to_owned() } else { format!("{program}, {words}") };
        Some(self.add(&name, Role::Peer(factor), make(Run::new(path))))
    }

    /// A peer that counts packets, and says on standard output how many there are.
    pub(super) fn counting_peer(&mut self, ground: &Ground, program: &str, make: impl FnOnce(Run) -> Run) {
        let wanted = match self.amount {
            Amount::Packets(packets) => packets.to_string(),
            Amount::BytesOf(_) | Amount::Said => String::new(),
        };
        let output = ground.scratch(&format!("words-{program}"));
        if let Some(contestant) = self.peer(ground, program, "", |run| make(run).into_file(&output)) {
            contestant.says = Some(wanted);
        }
    }

    pub(super) fn want(&mut self, ours: &'static str, against: Against, measure: Measure, least: f64) {
        self.targets.push(Target { ours, against, measure, least });
    }

    /// Lets them run in turn, and prints the table.
    pub(super) fn hold(mut self, ground: &Ground) -> Result<Outcome> {
        println!("\n{} ...", self.title);
        ground.settle()?;
        for round in 0..=ground.rounds {
            for contestant in &mut self.contestants {
                contestant.run_once(ground, round > 0)?;
            }
            if round == 0 {
                self.compare_results()?;
            }
        }
        for contestant in &self.contestants {
            contestant.run.clear()?;
        }
        let outcome = table::outcome(&self);
        println!("{}", outcome.text);
        Ok(outcome)
    }

    /// Those that do the same have the same result.
    fn compare_results(&mut self) -> Result {
        for kind in [Same::Words, Same::Length, Same::Packets] {
            let mut first: Option<(String, String)> = None;
            for contestant in self.contestants.iter_mut().filter(|one| one.failed.is_none()) {
                let Some((_, found)) = contestant.results.iter().find(|(same, _)| *same == kind) else { continue };
                let (name, wanted) = first.get_or_insert_with(|| (contestant.name.clone(), found.clone()));
                if wanted == found {
                    continue;
                }
                let words =
                    format!("{name} has the result {}, {} has {}", wanted.trim(), contestant.name, found.trim());
                match contestant.role {
                    Role::Peer(_) => contestant.failed = Some(words),
                    _ => return finding(format!("{}: {words}", self.title)),
                }
            }
        }
        Ok(())
    }
}

impl Contestant {
    /// Its standard output is kept and must be that of the others of which this is said.
    pub(super) fn same_words(&mut self, ground: &Ground, slot: &str) -> &mut Self {
        self.heard(ground, slot).same.push(Same::Words);
        self
    }

    /// Its standard output is kept, for what it says.
    pub(super) fn heard(&mut self, ground: &Ground, slot: &str) -> &mut Self {
        self.run.output = Some(ground.scratch(&format!("words-{slot}")));
        self
    }

    /// What it makes must be as long as that of the others of which this is said.
    pub(super) fn same_length(&mut self) -> &mut Self {
        self.same.push(Same::Length);
        self
    }

    /// What it makes must hold as many packets as that of the others of which this is said.
    pub(super) fn same_packets(&mut self) -> &mut Self {
        self.same.push(Same::Packets);
        self
    }

    /// `None` where it cannot be known.
    fn result(&self, kind: Same, ground: &Ground) -> Result<Option<String>> {
        let made = self.run.makes.first().or(self.run.output.as_ref()).map_or(Path::new(""), PathBuf::as_path);
        Ok(match kind {
            Same::Words => Some(fs::read_to_string(made).about(made)?),
            Same::Length => Some(fs::metadata(made).about(made)?.len().to_string()),
            Same::Packets => match ground.installed("capinfos") {
                // A line of the name and the count.
                Some(capinfos) => {
                    let said = shell::output(shell::program(capinfos).args(["-c", "-M", "-r", "-T"]).arg(made))?;
                    said.split_whitespace().last().map(str::to_owned)
                }
                None => None,
            },
        })
    }

    /// The work is the bytes of this file.
    pub(super) fn bytes_of(&mut self, path: &Path) -> &mut Self {
        self.amount = Amount::BytesOf(path.to_owned());
        self
    }

    /// Asked after each run.
    pub(super) fn remark(&mut self, remark: Remark) {
        self.remark = Some(remark);
    }

    fn run_once(&mut self, ground: &Ground, counts: bool) -> Result {
        if self.failed.is_some() {
            return Ok(());
        }
        let mut taken = match self.run.measure(&ground.measured, &ground.folder) {
            Ok(taken) => taken,
            // A peer that cannot do it is no reason to go without the others.
            Err(error) if matches!(self.role, Role::Peer(_)) => {
                println!("  {}: {error}", self.name);
                self.failed = Some(error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if let (Some(wanted), Some(path)) = (&self.says, &self.run.output) {
            let text = fs::read_to_string(path).about(path)?;
            if !text.split_whitespace().any(|word| word == wanted) {
                self.failed = Some(format!("it does not count {wanted} packets"));
                return Ok(());
            }
        }
        if !counts {
            // Now: the next one may make a file of the same name.
            for kind in &self.same {
                self.results.extend(self.result(*kind, ground)?.map(|result| (*kind, result)));
            }
        }
        if counts {
            let amount = match &self.amount {
                Amount::Packets(packets) => *packets,
                Amount::BytesOf(path) => fs::metadata(path).about(path)?.len(),
                Amount::Said => {
                    let path = self.run.output.clone().unwrap_or_default();
                    let text = fs::read_to_string(&path).about(&path)?;
                    let Some((packets, seconds)) = said(&text) else {
                        return finding(format!("{} says no packets and nanoseconds: {text}", self.name));
                    };
                    (taken.wall, taken.cpu) = (seconds, seconds);
                    packets
                }
            };
            self.runs.push((taken, amount as f64 / 1e6));
        }
        if let Some(remark) = self.remark.as_ref().and_then(|remark| remark())
            && !self.remarks.contains(&remark)
        {
            self.remarks.push(remark);
        }
        Ok(())
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// What it has reached; `None` where it did not run.
    pub(super) fn reached(&self) -> Option<Reached> {
        if self.failed.is_some() {
            return None;
        }
        // The clocks of processor time count microseconds: what takes none is not infinitely fast.
        let rate = Spread::of(self.runs.iter().map(|(taken, amount)| amount / taken.wall.max(1e-9)))?;
        let per_cpu = Spread::of(self.runs.iter().map(|(taken, amount)| amount / taken.cpu.max(1e-6)))?.median;
        let resident = self.runs.iter().map(|(taken, _)| taken.resident).fold(0.0, f64::max);
        Some(Reached { rate, per_cpu, resident })
    }

    #[cfg(test)]
    pub(super) fn with_runs(mut self, runs: &[(f64, f64)]) -> Self {
        let taken = |&(wall, cpu): &(f64, f64)| (Taken { wall, cpu, resident: 1.0 }, 10.0);
        self.runs = runs.iter().map(taken).collect();
        self
    }

    #[cfg(test)]
    pub(super) fn for_test(name: &str, role: Role) -> Self {
        let mut contest = Contest::new("", "", Amount::Packets(10_000_000));
        contest.add(name, role, Run::new("/bin/true"));
        contest.contestants.remove(0)
    }
}

/// Packets and seconds in a line such as `packets 5 nanos 1000 sum 0`.
fn said(text: &str) -> Option<(u64, f64)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |name: &str| words.iter().skip_while(|word| **word != name).nth(1)?.parse::<u64>().ok();
    Some((after("packets")?, after("nanos")? as f64 / 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_measured_of_itself_is_read() {
        assert_eq!(said("packets 5 nanos 2000000000 sum 00ff\n"), Some((5, 2.0)));
        assert_eq!(said("packets 5 sum 00ff\n"), None);
        assert_eq!(said("packets many nanos 1\n"), None);
    }
}
