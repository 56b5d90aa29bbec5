//! The account of a recording, for a person and as JSON.

use dag::Error;
use dag::file::session::{Account, StoppedBy};
use dag::file::{TimeDelta, Timestamp};
use dag::record::Recording;
use serde::Serialize;

/// How a recording of one stream or several went.
#[derive(Debug)]
pub struct Outcome {
    /// Where every packet went.
    pub account: Account,
    /// Places in stream memory that were no records.
    pub defects: u64,
    /// Packets lost behind the last one recorded.
    pub lost_after: u64,
    /// Packets that the format has no place for.
    pub unfit: u64,
    /// Bytes of the outputs before they were compressed; as many as were written where they are not.
    pub bytes_uncompressed: u64,
    /// What ended it, if it was an error.
    pub error: Option<Error>,
    /// The same for each of several streams.
    pub streams: Vec<StreamOutcome>,
}

/// How it went for one of several streams.
#[derive(Debug)]
pub struct StreamOutcome {
    /// The card, as it was named.
    pub device: String,
    /// The stream's number.
    pub stream: u16,
    /// Where its packets went.
    pub account: Account,
    /// Places in its memory that were no records.
    pub defects: u64,
    /// Packets lost behind the last one recorded.
    pub lost_after: u64,
    /// Packets behind later ones of other streams, and how much later those are at most.
    pub late: (u64, TimeDelta),
    /// What ended it, if it was an error.
    pub error: Option<Error>,
    /// Its files, where it has any for itself.
    pub files: Option<Vec<String>>,
}

impl From<Recording> for Outcome {
    fn from(recording: Recording) -> Self {
        let streams = recording.streams.into_iter().map(|stream| StreamOutcome {
            device: stream.device,
            stream: stream.stream,
            account: stream.account,
            defects: stream.defects,
            lost_after: stream.lost_after,
            late: (stream.late, stream.late_by),
            error: stream.error,
            files: None,
        });
        Self {
            account: recording.account,
            defects: recording.defects,
            lost_after: recording.lost_after,
            unfit: recording.unfit,
            bytes_uncompressed: recording.bytes_uncompressed,
            error: recording.error,
            streams: streams.collect(),
        }
    }
}

/// One stream of a recording whose streams have files for themselves.
#[derive(Debug)]
pub struct Apart {
    /// The card, as it was named.
    pub device: String,
    /// The stream's number.
    pub stream: u16,
    /// How it went.
    pub recording: Recording,
    /// Its files.
    pub files: Vec<String>,
}

impl Outcome {
    /// Of streams that have been recorded each by itself: their accounts, added up.
    pub fn of(streams: Vec<Apart>) -> Self {
        let mut all = Self {
            account: Account::default(),
            defects: 0,
            lost_after: 0,
            unfit: 0,
            bytes_uncompressed: 0,
            error: None,
            streams: Vec::with_capacity(streams.len()),
        };
        let mut reasons = Vec::new();
        let mut synchronised = None;
        for Apart { device, stream, recording, files } in streams {
            let (sum, account) = (&mut all.account, &recording.account);
            sum.received += account.received;
            sum.delivered += account.delivered;
            sum.lost_card += account.lost_card;
            sum.lost_writer += account.lost_writer;
            sum.filtered += account.filtered;
            sum.loss_exact = account.loss_exact && (sum.loss_exact || reasons.is_empty());
            sum.truncated += account.truncated;
            sum.rx_errors += account.rx_errors;
            sum.ds_errors += account.ds_errors;
            sum.unread += account.unread;
            sum.bytes_written += account.bytes_written;
            sum.first = [sum.first, account.first].into_iter().flatten().min();
            sum.last = sum.last.max(account.last);
            sum.tick_bits = sum.tick_bits.max(account.tick_bits);
            synchronised = [synchronised, account.clock_synchronised].into_iter().flatten().reduce(|a, b| a && b);
            sum.clock_synchronised = synchronised;
            reasons.push(account.stopped_by);
            all.defects += recording.defects;
            all.lost_after += recording.lost_after;
            all.unfit += recording.unfit;
            all.bytes_uncompressed += recording.bytes_uncompressed;
            all.streams.push(StreamOutcome {
                device,
                stream,
                account: recording.account,
                defects: recording.defects,
                lost_after: recording.lost_after,
                late: (0, TimeDelta::from_raw(0)),
                error: recording.error,
                files: Some(files),
            });
        }
        // What ended one of them only is not what ended all, unless it is an error.
        let first = reasons.first().copied().unwrap_or(StoppedBy::End);
        let order = [StoppedBy::Error, StoppedBy::Signal, StoppedBy::Duration, StoppedBy::Count, StoppedBy::Size];
        let named = order.into_iter().find(|reason| reasons.contains(reason)).unwrap_or(StoppedBy::End);
        all.account.stopped_by = if reasons.iter().all(|&reason| reason == first) { first } else { named };
        all
    }
}

/// What `--json` prints: one object.
#[derive(Debug, Serialize)]
pub struct AccountJson<'a> {
    /// Version of this form.
    pub schema: u32,
    /// The card, as it was named; several, one after the other.
    pub device: String,
    /// Whether it is emulated.
    pub emulated: bool,
    /// Who made the stamps.
    pub stamp_source: &'a str,
    /// Receive stream; null where there are several.
    pub stream: Option<u16>,
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
    /// Each of several streams; not there for one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamJson<'a>>,
}

/// What `--json` says of one of several streams; names are as in [`AccountJson`], whose numbers are the sums of these.
#[derive(Debug, Serialize)]
pub struct StreamJson<'a> {
    device: &'a str,
    stream: u16,
    received: u64,
    delivered: u64,
    lost_card: u64,
    lost_writer: u64,
    filtered: u64,
    loss_exact: bool,
    truncated: u64,
    rx_errors: u64,
    ds_errors: u64,
    unread: u64,
    lost_after_last: u64,
    defects: u64,
    /// Bytes of its own files; null where it has none.
    bytes_written: Option<u64>,
    /// Its own files; null where it has none.
    files: Option<&'a [String]>,
    first: Option<StampJson>,
    last: Option<StampJson>,
    /// Packets that stand behind packets of other streams with later stamps.
    late: u64,
    /// How much later those are at most, in nanoseconds.
    late_by_ns: i64,
    stopped_by: &'a str,
    error: Option<String>,
}

impl<'a> From<&'a StreamOutcome> for StreamJson<'a> {
    fn from(stream: &'a StreamOutcome) -> Self {
        let account = &stream.account;
        Self {
            device: &stream.device,
            stream: stream.stream,
            received: account.received,
            delivered: account.delivered,
            lost_card: account.lost_card,
            lost_writer: account.lost_writer,
            filtered: account.filtered,
            loss_exact: account.loss_exact,
            truncated: account.truncated,
            rx_errors: account.rx_errors,
            ds_errors: account.ds_errors,
            unread: account.unread,
            lost_after_last: stream.lost_after,
            defects: stream.defects,
            bytes_written: stream.files.as_ref().map(|_| account.bytes_written),
            files: stream.files.as_deref(),
            first: account.first.map(Into::into),
            last: account.last.map(Into::into),
            late: stream.late.0,
            late_by_ns: stream.late.1.to_nanos(),
            stopped_by: account.stopped_by.as_str(),
            error: stream.error.as_ref().map(ToString::to_string),
        }
    }
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

/// The sum of an account.
fn sum(account: &Account) -> String {
    format!(
        "received {} = delivered {} + filtered {} + lost by card {}{} + lost by writer {}",
        account.received,
        account.delivered,
        account.filtered,
        if account.loss_exact { "" } else { "at least " },
        account.lost_card,
        account.lost_writer,
    )
}

/// The account in lines for a person.
pub fn lines(outcome: &Outcome) -> Vec<String> {
    let account = &outcome.account;
    let mut lines = vec![sum(account)];
    for StreamOutcome { device, stream, account, late: (late, by), .. } in &outcome.streams {
        lines.push(format!("{device} stream {stream}: {}", sum(account)));
        if *late > 0 {
            let (packets, ms) = (if *late == 1 { "packet" } else { "packets" }, by.to_nanos() as f64 / 1e6);
            lines.push(format!(
                "{device} stream {stream}: {late} {packets} came too late for the order, by {ms:.3} ms at most"
            ));
        }
    }
    let extras = [
        (outcome.lost_after, "lost behind the last one recorded"),
        (outcome.unfit, "that this format has no place for (counted as lost by writer)"),
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
