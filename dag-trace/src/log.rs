//! [`Log`]: a log that has been read.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::line::{Call, CardSeen, FORMAT, Line, Opening};

/// A log, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Log {
    /// Its first line.
    pub opening: Opening,
    /// Cards, in the order in which they were opened.
    pub cards: Vec<CardSeen>,
    /// Calls, in the order in which they ended.
    pub calls: Vec<Call>,
    /// Whether the log became full before the program ended.
    pub is_cut: bool,
    /// Whether the last line is torn, as it is when a program is killed.
    pub is_torn: bool,
}

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The system refuses it.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// It is something else.
    #[error("{path} is no log of the flight recorder: its first line is no opening")]
    NoLog {
        /// The file.
        path: String,
    },
    /// It is of another version.
    #[error("{path} is a log of version {version}, and this program reads version {FORMAT}")]
    Version {
        /// The file.
        path: String,
        /// Its version.
        version: u32,
    },
    /// A line is none.
    #[error("{path}, line {line} (byte {offset}): {cause}; cut the file before it to use what stands there")]
    Line {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
        /// Where it begins.
        offset: u64,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
}

impl Log {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no log, or has a line in the middle that is none. A torn last line is left out.
    pub fn read(path: &Path) -> Result<Self, LogError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|cause| LogError::Io { path: name.clone(), cause })?;
        Self::from_reader(BufReader::new(file), &name)
    }

    /// Reads the text of a log; `path` is for messages.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn from_reader(mut reader: impl BufRead, path: &str) -> Result<Self, LogError> {
        let path = path.to_owned();
        let (mut offset, mut line, mut bytes) = (0u64, 0, Vec::new());
        let mut log: Option<Self> = None;
        loop {
            bytes.clear();
            let len =
                reader.read_until(b'\n', &mut bytes).map_err(|cause| LogError::Io { path: path.clone(), cause })?;
            if len == 0 {
                return log.ok_or(LogError::NoLog { path });
            }
            line += 1;
            let parsed = serde_json::from_slice::<Line>(&bytes);
            match (parsed, &mut log) {
                (Ok(Line::Opening(opening)), None) if opening.format == FORMAT => {
                    let (cards, calls) = (Vec::new(), Vec::new());
                    log = Some(Self { opening, cards, calls, is_cut: false, is_torn: false });
                }
                (Ok(Line::Opening(opening)), None) => {
                    return Err(LogError::Version { path, version: opening.format });
                }
                (_, None) => return Err(LogError::NoLog { path }),
                (Ok(Line::Card(card)), Some(log)) => log.cards.push(card),
                (Ok(Line::Call(call)), Some(log)) => log.calls.push(call),
                (Ok(Line::Full), Some(log)) => log.is_cut = true,
                // Two logs in one file: what follows is another program's.
                (Ok(Line::Opening(_)), Some(log)) => {
                    log.is_cut = true;
                    return Ok(log.clone());
                }
                (Err(_), Some(log)) if bytes.last() != Some(&b'\n') => log.is_torn = true,
                (Err(cause), Some(_)) => return Err(LogError::Line { path, line, offset, cause }),
            }
            offset += len as u64;
        }
    }

    /// How long it lasts, in microseconds.
    pub fn duration_us(&self) -> u64 {
        self.calls.iter().map(|call| call.at_us + call.took_ns / 1000).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: &str = r#"{"line":"opening","format":1,"library":"x","emulated":null,"program":"p","pid":1}"#;
    const CALL: &str = r#"{"line":"call","n":1,"at_us":5,"took_ns":3000,"thread":1,"call":"dag_open","result":3}"#;

    fn read(text: &str) -> Result<Log, String> {
        Log::from_reader(text.as_bytes(), "log").map_err(|error| error.to_string())
    }

    #[test]
    fn a_log_is_read_and_a_torn_end_left_out() {
        let log = read(&format!("{OPENING}\n{CALL}\n{CALL}\n")).unwrap();
        assert_eq!((log.calls.len(), log.is_torn, log.is_cut, log.duration_us()), (2, false, false, 8));
        assert_eq!(log.calls[0].call, "dag_open");
        let torn = read(&format!("{OPENING}\n{CALL}\n{}", &CALL[..40])).unwrap();
        assert_eq!((torn.calls.len(), torn.is_torn), (1, true));
        let full = read(&format!("{OPENING}\n{CALL}\n{{\"line\":\"full\"}}\n")).unwrap();
        assert!(full.is_cut);
    }

    #[test]
    fn what_is_no_log_is_refused_with_its_place() {
        assert!(read("").unwrap_err().contains("is no log"));
        assert!(read("hello\n").unwrap_err().contains("is no log"));
        assert!(read(&format!("{CALL}\n")).unwrap_err().contains("is no log"));
        let newer = OPENING.replace("\"format\":1", "\"format\":2");
        assert!(read(&newer).unwrap_err().contains("version 2, and this program reads version 1"));
        let error = read(&format!("{OPENING}\nnonsense\n{CALL}\n")).unwrap_err();
        assert!(error.contains(&format!("log, line 2 (byte {})", OPENING.len() + 1)), "{error}");
    }
}
