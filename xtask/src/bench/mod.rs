//! The speed and the memory of this project beside other programs and the machine's limit: `cargo xtask bench`.
//!
//! Each contest has a file of its own in `contests`: it names who takes part and which ratios are wanted. Contestants run in turn, so that
//! what else happens on the machine meets all of them, and only figures of one run are compared. Needs a C compiler for the plain
//! programs in `benches/c`, which are the limit; other people's programs take part where they are installed.

mod assembly;
mod contest;
mod contests;
mod document;
mod ground;
mod instructions;
mod machine;
mod measure;
mod memory;
mod size;
mod statistics;
mod table;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::shell::{Result, finding};
use document::Document;
use ground::Ground;

pub(crate) use assembly::step as assembly;
pub(crate) use instructions::step as instructions;

/// From so many bytes and rounds on, figures are worth being kept.
const WORTH: (u64, usize) = (1 << 30, 5);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Name {
    /// Following records in memory
    Records,
    /// The emulated card and its reader
    Card,
    /// The ways to an emulated card: libdag, another process
    Routes,
    /// Following the records of a file
    Walk,
    /// The same, compressed
    Compressed,
    /// ERF to pcap and pcapng
    Convert,
    /// Expressions of tcpdump's language
    Filter,
    /// The emulated card to disk
    Record,
    /// Eight files into one
    Merge,
    /// The peak of every sub-command of `erf`
    Memory,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these; all where none is named
    #[arg(value_enum, value_name = "NAME", conflicts_with_all = ["instructions", "assembly"])]
    names: Vec<Name>,
    /// Bytes of each file that is made
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size::parse)]
    size: u64,
    /// How often each contestant runs, after once to warm up
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Where files are made, in a folder that goes away; `target` if not given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Write the tables into this file too, between the marks that are there for them; docs/bench.md gets only those of files of
    /// at least 1 GiB and of five rounds or more
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Count instructions for each record instead, and compare with benches/instructions.txt
    #[arg(long, conflicts_with = "assembly")]
    instructions: bool,
    /// Keep the counts as those to compare with
    #[arg(long, requires = "instructions")]
    bless: bool,
    /// Look at the machine code of the loop over records instead
    #[arg(long)]
    assembly: bool,
}

pub(crate) fn chore(args: &Args) -> Result {
    if args.instructions {
        return instructions::chore(args.bless);
    }
    if args.assembly {
        return assembly::step();
    }
    let names = if args.names.is_empty() { Name::value_variants() } else { &args.names };
    let rounds = usize::from(args.rounds);
    let is_worth = args.size >= WORTH.0 && rounds >= WORTH.1;
    let mut document = match &args.write {
        Some(path) => Some(Document::open(path)?),
        None if is_worth => Some(Document::open(&crate::shell::root().join("docs/bench.md"))?),
        None => None,
    };
    machine::warn_if_busy();
    let ground = Ground::prepare(args.size, rounds, args.dir.as_deref())?;
    let mut missed = Vec::new();
    for name in names {
        let word = name.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let outcomes = match name {
            Name::Records => contests::memory_walk::run(&ground)?,
            Name::Card => contests::card::run(&ground)?,
            Name::Routes => contests::library::run(&ground)?,
            Name::Walk => contests::walk::run(&ground)?,
            Name::Compressed => contests::compressed::run(&ground)?,
            Name::Convert => contests::convert::run(&ground)?,
            Name::Filter => contests::filter::run(&ground)?,
            Name::Record => contests::record::run(&ground)?,
            Name::Merge => contests::merge::run(&ground)?,
            Name::Memory => memory::run(&ground)?,
        };
        missed.extend(outcomes.iter().flat_map(|outcome| &outcome.missed).map(|words| format!("{word}: {words}")));
        if let Some(document) = &mut document {
            let tables: Vec<&str> = outcomes.iter().map(|outcome| outcome.text.as_str()).collect();
            let under = machine::described(&format!(
                "cargo xtask bench {word} --size {} --rounds {rounds}",
                size::shown(args.size)
            ));
            document.put(&word, &format!("{}\n{under}", tables.join("\n")));
            document.save()?;
        }
        ground.clear()?;
    }
    if document.is_none() {
        println!("\nNothing was written to docs/bench.md: that takes --size 1GiB and --rounds 5, or more.");
    }
    match missed.as_slice() {
        [] => Ok(()),
        missed => finding(format!("{} targets were missed:\n  {}", missed.len(), missed.join("\n  "))),
    }
}
