//! The account of a recording, for a person and as JSON.

use dag::file::Timestamp;
use dag::record::Recording;
use serde::Serialize;

/// What `--json` prints: one object.
#[derive(Debug, Serialize)]
pub struct AccountJson<'a> {
    /// Version of this form.
    pub schema: u32,
    /// The card, as it was named.
    pub device: &'a str,
    /// Whether it is emulated.
    pub emulated: bool,
    /// Who made the stamps.
    pub stamp_source: &'a str,
    /// Receive stream.
    pub stream: u16,
    /// The expression that packets had to match; null where there was none.
    pub filter: Option<&'a str>,
    /// Packets that arrived up to the last one looked at: the sum of the next five but `loss_exact`.
    pub received: u64,
    /// Packets in the output.
    pub delivered: u64,
    /// Packets that nobody took from the card in time.
    pub lost_card: u64,
    /// Packets taken from the card that are not in the output.
    pub lost_writer: u64,
    /// Packets not asked for.
    pub filtered: u64,
    /// Otherwise `lost_card` is a lower bound.
    pub loss_exact: bool,
    /// Packets that the card cut, or that were too long for a record.
    pub truncated: u64,
    /// Packets with the RX error flag.
    pub rx_errors: u64,
    /// Packets with the DS error flag.
    pub ds_errors: u64,
    /// Packets left in stream memory, outside the sum.
    pub unread: u64,
    /// Packets lost behind the last one recorded, outside the sum.
    pub lost_after_last: u64,
    /// Places in stream memory, or in the recording that an emulated card replays, that were no records.
    pub defects: u64,
    /// Bytes of the output.
    pub bytes_written: u64,
    /// The same before it was compressed; as many where it was not.
    pub bytes_uncompressed: u64,
    /// Where the output is.
    pub files: Vec<String>,
    /// Stamp of the first packet delivered.
    pub first: Option<StampJson>,
    /// Stamp of the last packet delivered.
    pub last: Option<StampJson>,
    /// Active fraction bits of the card's clock.
    pub tick_bits: u8,
    /// Whether the card's clock was synchronised whenever it was asked; null where it does not say.
    pub clock_synchronised: Option<bool>,
    /// Why it ended.
    pub stopped_by: &'a str,
    /// What went wrong, if something did.
    pub error: Option<String>,
}

/// A timestamp, all of it.
#[derive(Debug, Serialize)]
pub struct StampJson {
    /// The raw 32.32 value, in hexadecimal.
    pub raw: String,
    /// Nanoseconds since 1970-01-01 UTC, rounded.
    pub ns: u64,
}

impl From<Timestamp> for StampJson {
    fn from(stamp: Timestamp) -> Self {
        Self { raw: format!("{:#018x}", stamp.raw()), ns: stamp.nanos() }
    }
}

/// The account in lines for a person.
pub fn lines(recording: &Recording) -> Vec<String> {
    let account = &recording.account;
    let mut lines = vec![format!(
        "received {} = delivered {} + filtered {} + lost by card {}{} + lost by writer {}",
        account.received,
        account.delivered,
        account.filtered,
        if account.loss_exact { "" } else { "at least " },
        account.lost_card,
        account.lost_writer,
    )];
    let extras = [
        (recording.lost_after, "lost behind the last one recorded"),
        (recording.unfit, "that this format has no place for (counted as lost by writer)"),
        (account.unread, "left unread in stream memory"),
        (account.truncated, "cut by the card or too long for a record"),
        (account.rx_errors, "with RX errors"),
        (account.ds_errors, "with DS errors"),
    ];
    if account.clock_synchronised == Some(false) {
        lines.push(
            "the card's clock was not synchronised: stamps are good among themselves, not against other clocks".into(),
        );
    }
    lines.extend(
        extras
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{n} packet{} {what}", if *n == 1 { "" } else { "s" })),
    );
    lines
}
