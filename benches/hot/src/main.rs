//! What `cargo xtask bench` runs of ours besides the programs: files made out of a seed, and loops of the library by themselves.
//!
//! ```text
//! house-hot generate MIX SEED BYTES FILE...    records of about BYTES in all, spread over the files in the order of their stamps
//! house-hot walk FILE auto|blocks|map          reads a file through `erf::Reader`, every header field used
//! house-hot memory FILE BYTES TIMES            walks so much of its beginning, read into memory first, so many times, by the clock
//! house-hot card DEVICE                        reads a card to its end, every header field used, from the start of its stream on
//! house-hot loop NAME RECORDS TIMES            a loop over records in memory, the instructions of which are counted
//! house-hot loops                              the names of the loops
//! ```

#![forbid(unsafe_code)]

mod card;
mod loops;
mod traffic;
mod walk;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use erf::Access;

const USAGE: &str = "usage: house-hot generate MIX SEED BYTES FILE... | walk FILE ACCESS | memory FILE BYTES TIMES | card DEVICE | loop NAME RECORDS TIMES | loops";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("house-hot: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<String, Box<dyn Error>> {
    match words {
        ["generate", mix, seed, bytes, files @ ..] if !files.is_empty() => {
            let packets = traffic::write_files(mix.parse()?, seed.parse()?, bytes.parse()?, files)?;
            Ok(format!("packets {packets}\n"))
        }
        ["walk", file, access] => {
            let access = match *access {
                "auto" => Access::Auto,
                "blocks" => Access::Blocks,
                "map" => Access::Map,
                other => return Err(format!("{other} is no way to read: auto, blocks, map").into()),
            };
            let seen = walk::file(Path::new(file), access)?;
            Ok(format!("packets {} sum {:016x}\n", seen.packets, seen.sum()))
        }
        ["memory", file, bytes, times] => {
            let (seen, took) = walk::memory(Path::new(file), bytes.parse()?, times.parse()?)?;
            Ok(format!("packets {} nanos {} sum {:016x}\n", seen.packets, took.as_nanos(), seen.sum()))
        }
        ["card", device] => {
            let (seen, took) = card::read(device)?;
            Ok(format!("packets {} nanos {} sum {:016x}\n", seen.packets, took.as_nanos(), seen.sum()))
        }
        ["loop", name, records, times] => {
            let seen = loops::run(name, records.parse()?, times.parse()?)?;
            Ok(format!("records {seen}\n"))
        }
        ["loops"] => Ok(loops::NAMES.iter().map(|name| format!("{name}\n")).collect()),
        _ => Err(USAGE.into()),
    }
}
