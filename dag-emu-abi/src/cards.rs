//! Which cards there are.
//!
//! `DAG_EMU_CARDS` describes cards for a single process: `dag0=SPEC`, several separated by `;`, where SPEC is what stands behind
//! `emu:` in a device name (a `;` in it is `\;`). Without it, the file that `DAG_EMU_CONFIG` names: one card a line, empty lines and
//! lines that begin with `#` aside. A card begins when it is first opened, and ends when its last descriptor is closed; all
//! who open it in one process share it.
//!
//! A card that is not described is looked for among those that `dagemu` serves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::{env, fs};

use dag_emu::{Card, CardSpec, FeedSpec};

use crate::guard::Errno;
use crate::rx::Slots;

/// An open card and its streams.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) number: u16,
    pub(crate) card: Card,
    /// Types of the records it gives, without the bit for extension headers.
    pub(crate) types: Vec<u8>,
    /// Who has attached what.
    pub(crate) slots: Slots,
}

/// The cards of this process that are open.
#[derive(Debug, Default)]
pub(crate) struct Boards(Mutex<BTreeMap<u16, Weak<Board>>>);

impl Boards {
    /// Opens card `number`, or finds it open.
    pub(crate) fn open(&self, number: u16) -> Result<Arc<Board>, Errno> {
        let mut boards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(board) = boards.get(&number).and_then(Weak::upgrade) {
            return Ok(board);
        }
        let (card, types) = match description(number)? {
            Some(description) => {
                let spec: CardSpec = description.parse().map_err(|error: dag_emu::Error| complain(number, &error))?;
                (Card::open(&spec).map_err(|error| complain(number, &error))?, types(&spec))
            }
            // Without a word: programs try every number there can be.
            None => {
                let card = Card::connect(&format!("dag{number}")).map_err(|error| Errno::from(&error))?;
                (card, vec![erf::RecordType::ETH.number()])
            }
        };
        let board = Arc::new(Board { number, card, types, slots: Slots::default() });
        boards.insert(number, Arc::downgrade(&board));
        Ok(board)
    }
}

/// A card that is described and cannot be: whoever described it is told, since `errno` cannot say what is wrong.
fn complain(number: u16, error: &dag_emu::Error) -> Errno {
    eprintln!("libdag (emulated): dag{number}: {error}");
    error.into()
}

/// The description of card `number`, where there is one.
fn description(number: u16) -> Result<Option<String>, Errno> {
    let text = match env::var("DAG_EMU_CARDS") {
        Ok(cards) => split(&cards).join("\n"),
        Err(_) => match env::var_os("DAG_EMU_CONFIG") {
            Some(path) => fs::read_to_string(&path).map_err(|error| {
                eprintln!("libdag (emulated): DAG_EMU_CONFIG: {}: {error}", path.to_string_lossy());
                Errno(libc::EINVAL)
            })?,
            None => return Ok(None),
        },
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (name, spec) = line.split_once('=').unwrap_or((line, ""));
        match crate::name::parse(name.trim()) {
            Some((named, 0)) if named == number => return Ok(Some(spec.trim().to_owned())),
            Some((_, 0)) => {}
            _ => {
                eprintln!("libdag (emulated): {line:?} describes no card; write dag0=synthetic,rate=1Mpps");
                return Err(Errno(libc::EINVAL));
            }
        }
    }
    Ok(None)
}

/// Splits at semicolons; `\;` is one.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some(';')) => parts.last_mut().into_iter().for_each(|part| part.push(';')),
            (';', _) => {
                parts.push(String::new());
                continue;
            }
            (c, _) => {
                parts.last_mut().into_iter().for_each(|part| part.push(c));
                continue;
            }
        }
        rest.next();
    }
    parts
}

/// The types of the first records of a replayed file; all other feeds are Ethernet.
fn types(spec: &CardSpec) -> Vec<u8> {
    const LOOK: usize = 1000;
    let mut types = Vec::new();
    if let FeedSpec::Replay(replay) = &spec.feed
        && let Ok(mut reader) = erf::Reader::open(&replay.path)
    {
        let mut seen = 0;
        // What is wrong with the file is said when it is replayed.
        while seen < LOOK {
            let Ok(Some(batch)) = reader.next_batch() else { break };
            for record in batch.iter().flatten().filter(|record| record.is_packet()) {
                seen += 1;
                let number = record.record_type().number();
                if !types.contains(&number) && number != 0 {
                    types.push(number);
                }
            }
        }
    }
    if types.is_empty() {
        types.push(erf::RecordType::ETH.number());
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_part_cards_and_can_be_part_of_one() {
        assert_eq!(split("dag0=a;dag1=b"), ["dag0=a", "dag1=b"]);
        assert_eq!(split(r"dag0=replay=x\;y.erf;"), ["dag0=replay=x;y.erf", ""]);
        assert_eq!(split(r"a\,b"), [r"a\,b"]);
        assert_eq!(split(""), [""]);
    }
}
