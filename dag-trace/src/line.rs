//! [`Line`]: what stands in a log.

use serde::{Deserialize, Serialize};

/// Version of the log.
pub const FORMAT: u32 = 1;

/// One line of a log, an object of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first one.
    Opening(Opening),
    /// After a card was opened, what it has.
    Card(CardSeen),
    /// A call.
    Call(Call),
    /// The log is as long as it may be; calls after this are not in it.
    Full,
}

impl Line {
    /// The line as it stands in a file, with its end.
    pub fn to_text(&self) -> String {
        // Strings and numbers, of which JSON has every one.
        serde_json::to_string(self).map_or_else(|_| String::new(), |text| text + "\n")
    }
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Version of the log: [`FORMAT`].
    pub format: u32,
    /// The real library.
    pub library: String,
    /// Its version, if it is the emulated card's.
    pub emulated: Option<u32>,
    /// The program.
    pub program: String,
    /// Its process number.
    pub pid: u32,
}

/// What a card has, asked once when it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardSeen {
    /// Its descriptor.
    pub fd: i32,
    /// The name by which it was opened.
    pub name: String,
    /// Receive streams.
    pub rx_streams: Option<u32>,
    /// Transmit streams.
    pub tx_streams: Option<u32>,
    /// Streams that exist, with their memory in bytes.
    pub memory: Vec<(u16, u64)>,
}

/// A call and its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// From 1, in the order in which calls ended.
    pub n: u64,
    /// When it began, in microseconds since the log did.
    pub at_us: u64,
    /// How long it took, in nanoseconds.
    pub took_ns: u64,
    /// Who called: threads by number, in the order of their first call.
    pub thread: u32,
    /// The function.
    pub call: String,
    /// Its first argument, where that is a descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<i32>,
    /// The name of a device, or settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Other numbers, as given. Times are in microseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<i64>,
    /// What it returned; of a pointer whether there was one, of a reference to a card its number.
    pub result: i64,
    /// `errno`, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// Numbers that it gave by pointers. Times are in microseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out: Vec<i64>,
    /// Text that it gave by a pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What became of the window, for calls that receive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// A window on a stream: what was given back, and what was got. In bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How long the window before was.
    pub had: u64,
    /// How far the caller moved the begin of it; `None` where it gave a null pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumed: Option<i64>,
    /// Records in that.
    pub consumed_records: u64,
    /// How far the library moved the begin from where the caller had put it: 0, or a ring's length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<i64>,
    /// How long the new window is.
    pub len: i64,
    /// Whole records in it.
    pub records: u64,
    /// Whether it ends where a record does.
    pub whole: bool,
}
