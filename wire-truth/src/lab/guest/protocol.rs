//! What host and guest say to each other; the bytes that belong to it are the parts of the [`Frame`](super::frame::Frame).

use serde::{Deserialize, Serialize};

/// A request with its number, which the answer has too: answers come in any order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbered<T> {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) what: T,
}

/// What the host wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Say that you are there.
    Hello,
    /// Start a program.
    Spawn { argv: Vec<String> },
    /// Wait for the end of a program, or so long; its answer brings output and messages.
    Collect { job: u64, wait_ms: Option<u64> },
    /// Send a signal to a program and its children.
    Signal { job: u64, signal: i32 },
    /// The bytes of a file.
    Get { path: String },
    /// Write the part into a file, with these permissions.
    Put { path: String, mode: u32 },
    /// Power off.
    Stop,
}

/// What the guest answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// It is there.
    Hello { release: String, clock_source: String },
    /// The program runs under this number.
    Spawned { job: u64 },
    /// The program runs still.
    Running,
    /// The program has ended, by itself or by a signal.
    Ended { code: Option<i32>, signal: Option<i32> },
    /// It is done; bytes, if any were asked for, are the part.
    Done,
    /// It cannot be done.
    Failed { why: String },
}

impl Request {
    /// As a message shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Hello => "hello".to_owned(),
            Self::Spawn { argv } => argv.join(" "),
            Self::Collect { job, .. } => format!("collect {job}"),
            Self::Signal { job, signal } => format!("signal {signal} to {job}"),
            Self::Get { path } => format!("get {path}"),
            Self::Put { path, .. } => format!("put {path}"),
            Self::Stop => "stop".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_come_back() {
        let spawn = Numbered { id: 7, what: Request::Spawn { argv: vec!["a b".into(), "ü".into()] } };
        let value = serde_json::to_value(&spawn).unwrap();
        assert_eq!(value.to_string(), r#"{"argv":["a b","ü"],"do":"spawn","id":7}"#);
        assert_eq!(serde_json::from_value::<Numbered<Request>>(value).unwrap(), spawn);
        let ended = Numbered { id: 7, what: Answer::Ended { code: None, signal: Some(9) } };
        let value = serde_json::to_value(&ended).unwrap();
        assert_eq!(serde_json::from_value::<Numbered<Answer>>(value).unwrap(), ended);
    }
}
