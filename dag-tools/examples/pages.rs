//! Writes what shells and `man` know about the programs, made from the definitions of their options.
//!
//! ```text
//! FOLDER/man/man1/erf.1 erf-cut.1 ...
//! FOLDER/bash-completion/completions/erf   zsh/site-functions/_erf   fish/vendor_completions.d/erf.fish
//! ```
//!
//! `cargo run -p dag-tools --example pages -- FOLDER`; `cargo xtask dist` does so for `target/dist/share`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use dag_tools::{dagcap, dagctl, dagemu, erf, tping, wiretruth};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        return Err("usage: pages FOLDER".into());
    };
    let programs = [
        dagcap::Args::command(),
        dagctl::Args::command(),
        dagemu::Args::command(),
        erf::Args::command(),
        tping::Args::command(),
        wiretruth::Args::command(),
    ];
    for mut program in programs {
        completions(&mut program, &folder)?;
        let man = folder.join("man/man1");
        fs::create_dir_all(&man)?;
        program.build();
        pages(&program, program.get_name(), &man)?;
    }
    Ok(())
}

fn completions(program: &mut Command, folder: &Path) -> Result<(), Box<dyn Error>> {
    let name = program.get_name().to_owned();
    let places = [
        (Shell::Bash, "bash-completion/completions", name.clone()),
        (Shell::Zsh, "zsh/site-functions", format!("_{name}")),
        (Shell::Fish, "fish/vendor_completions.d", format!("{name}.fish")),
    ];
    for (shell, place, file) in places {
        let place = folder.join(place);
        fs::create_dir_all(&place)?;
        let mut script = Vec::new();
        clap_complete::generate(shell, program, &name, &mut script);
        fs::write(place.join(file), script)?;
    }
    Ok(())
}

/// A page for `command`, called `name` with dashes between the words, and for all its sub-commands.
fn pages(command: &Command, name: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page)?;
    fs::write(folder.join(format!("{name}.1")), page)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        pages(sub, &format!("{name}-{}", sub.get_name()), folder)?;
    }
    Ok(())
}
