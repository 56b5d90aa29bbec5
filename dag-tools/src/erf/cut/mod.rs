//! `erf cut`: the records that are wanted.

mod shared;

use std::ops::RangeInclusive;

use erf::convert::{FcsChoice, FcsPolicy, Survey};
use erf::filter::{Filter, FilterOptions, Mismatch, Sieve};
use erf::select::{Bound, Selection, Selector};
use erf::{Batch, Record, RecordType};
use serde_json::{Map, json};

use super::pass::{Files, Next, Pass};
use super::{Failure, PROGRAM, counted, instant};
use crate::exit::Exit;
use crate::messages::say;
use crate::values;

/// Bytes of records that say how frames end: as many as `erf convert` looks at.
const SURVEYED: u64 = 256 << 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,

    /// Packets stamped from this time on: 2026-11-29T13:28:43.25Z, 1700000000.25 (seconds since 1970), or +10s after the first
    /// packet.
    #[arg(long, value_name = "TIME", value_parser = instant::bound)]
    from: Option<Bound>,

    /// Packets stamped before this time, in the same forms.
    #[arg(long, value_name = "TIME", value_parser = instant::bound)]
    until: Option<Bound>,

    /// Capture interfaces (ports), 0 to 7.
    #[arg(short, long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..8))]
    interface: Vec<u8>,

    /// Record types, by name or number: ETH, COLOR_ETH, 22.
    #[arg(short = 't', long = "type", value_name = "TYPE", value_delimiter = ',', value_parser = record_type)]
    types: Vec<RecordType>,

    /// Lengths on the wire in bytes, as the record has them, for Ethernet with FCS: 64, 64-128, 1519-, -63.
    #[arg(long, value_name = "MIN-MAX", value_parser = lengths, allow_hyphen_values = true)]
    size: Option<RangeInclusive<u16>>,

    /// Packets that match an expression of tcpdump's language: "udp port 53" (docs/filters.md).
    #[arg(short, long, value_name = "EXPR")]
    filter: Option<String>,

    /// Leave out META records, which stay with the packets otherwise.
    #[arg(long)]
    no_meta: bool,

    /// Pass over the first packets, so many of those that are wanted otherwise.
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,

    /// So many packets at most.
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,

    /// So many bytes of records at most: 64MiB.
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    bytes: Option<u64>,
}

fn record_type(text: &str) -> Result<RecordType, String> {
    if let Ok(number) = text.parse::<u8>() {
        return if number < 128 { Ok(RecordType::new(number)) } else { Err("a type is 0 to 127".to_owned()) };
    }
    let name = text.to_ascii_uppercase().replace('-', "_");
    let mut named = erf::NAMED.iter().filter(|known| known.name() == Some(name.as_str()));
    named.next().copied().ok_or_else(|| "no name of a record type: ETH, HDLC_POS, IPV4, COLOR_ETH".to_owned())
}

fn lengths(text: &str) -> Result<RangeInclusive<u16>, String> {
    let length = |text: &str, open: u16| match text {
        "" => Ok(open),
        text => text.parse::<u16>().map_err(|_| format!("{text} is no length: 0 to 65535")),
    };
    let range = match text.split_once('-') {
        Some((least, greatest)) => length(least, 0)?..=length(greatest, u16::MAX)?,
        None if text.is_empty() => return Err("a length, or two with - between them".to_owned()),
        None => length(text, 0)?..=length(text, 0)?,
    };
    if range.is_empty() { Err(format!("{text}: nothing lies between these")) } else { Ok(range) }
}

impl Args {
    fn selection(&self) -> Selection {
        let mut selection = Selection::new().skip(self.skip).meta(!self.no_meta);
        if let Some(from) = self.from {
            selection = selection.from(from);
        }
        if let Some(until) = self.until {
            selection = selection.until(until);
        }
        if !self.interface.is_empty() {
            selection = selection.interfaces(self.interface.iter().copied());
        }
        if !self.types.is_empty() {
            selection = selection.types(self.types.iter().copied());
        }
        if let Some(size) = &self.size {
            selection = selection.wire_len(size.clone());
        }
        if let Some(count) = self.count {
            selection = selection.count(count);
        }
        match self.bytes {
            Some(bytes) => selection.bytes(bytes),
            None => selection,
        }
    }
}

/// Nothing can lie between these.
fn is_backward(from: Bound, until: Bound) -> bool {
    match (from, until) {
        (Bound::At(from), Bound::At(until)) => from >= until,
        (Bound::After(from), Bound::After(until)) => from >= until,
        // Where the first packet is decides.
        _ => false,
    }
}

/// What becomes of the records.
struct Cut {
    selector: Selector,
    seen: u64,
    taken: u64,
    pads: u64,
    lost: u64,
}

impl Cut {
    const fn new(selector: Selector) -> Self {
        Self { selector, seen: 0, taken: 0, pads: 0, lost: 0 }
    }

    /// Gives `record` to `write` if it is wanted, as far as a filter has nothing to say.
    #[inline]
    fn take<'r, E>(&mut self, record: &Record<'r>, write: impl FnOnce(&Record<'r>) -> Result<(), E>) -> Result<(), E> {
        if self.selector.wants(record) {
            self.taken += 1;
            return write(record);
        }
        if record.is_pad() {
            self.pads += 1;
            self.lost += u64::from(record.loss().unwrap_or(0));
        }
        Ok(())
    }

    /// Counts what has become of the next stretch.
    fn add(&mut self, next: &Self) {
        self.seen += next.seen;
        self.taken += next.taken;
        self.pads += next.pads;
        self.lost += next.lost;
    }

    fn next(&self) -> Next {
        if self.selector.is_over() { Next::Stop } else { Next::Go }
    }
}

/// Cuts out what `filter` matches.
fn filtered(cut: &mut Cut, pass: &mut Pass, filter: &Filter, args: &Args) -> Result<(), Failure> {
    // It may be over at any record; none behind that is to be asked about.
    let one_by_one = args.count.is_some() || args.bytes.is_some();
    let is_open = cut.selector.is_open() && !one_by_one;
    let mut fcs = None;
    pass.each_batch(|batch, mut told, sink| {
        let fcs = *fcs.get_or_insert_with(|| found_fcs(batch));
        let mut sieve = Sieve::new(filter.clone(), fcs);
        let mut records = batch.iter();
        loop {
            if is_open {
                // Nothing is to be told of these.
                cut.seen += sieve.put_plain(&mut records);
                if sieve.is_full() {
                    sieve.try_sift(|record| cut.take(record, |record| sink.write(record)))?;
                    continue;
                }
            }
            let offset = records.offset();
            let Some(item) = records.next() else { break };
            let Some(record) = told.hear(offset, item) else { continue };
            cut.seen += 1;
            if cut.selector.fits(&record) {
                if !(sieve.put(&record)? | one_by_one) {
                    continue;
                }
                sieve.try_sift(|record| cut.take(record, |record| sink.write(record)))?;
            } else {
                if record.is_meta() {
                    // It is written, and those before it come before it.
                    sieve.try_sift(|record| cut.take(record, |record| sink.write(record)))?;
                }
                cut.take(&record, |record| sink.write(record))?;
            }
            if cut.next() == Next::Stop {
                return Ok(Next::Stop);
            }
        }
        sieve.try_sift(|record| cut.take(record, |record| sink.write(record)))?;
        Ok(cut.next())
    })
}

/// How Ethernet frames end, by the first records: a filter sees packets as they are in a file that is converted.
fn found_fcs(batch: &Batch<'_>) -> FcsPolicy {
    let mut survey = Survey::default();
    let mut records = batch.iter();
    while records.offset() < batch.offset() + SURVEYED
        && let Some(item) = records.next()
    {
        item.iter().for_each(|record| survey.observe(record));
    }
    survey.fcs(FcsChoice::Auto).0
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.from.zip(args.until).is_some_and(|(from, until)| is_backward(from, until)) {
        return Err(Failure::Usage("--from is not before --until: there is nothing between them".to_owned()));
    }
    let mut options = FilterOptions::default();
    options.mismatch = Mismatch::NoMatch;
    let filter = args.filter.as_deref().map(|text| Filter::new(text, options)).transpose()?;
    let mut cut = Cut::new(Selector::new(args.selection()));
    let mut pass;
    match &filter {
        Some(filter) => {
            pass = Pass::begin_whole(&args.files)?;
            let each_alone = args.selection().looks_at_each_alone();
            if !(each_alone && shared::filtered(&mut cut, &mut pass, filter)?) {
                filtered(&mut cut, &mut pass, filter, args)?;
            }
        }
        None => {
            pass = Pass::begin(&args.files)?;
            pass.each(|_, record, sink| {
                cut.seen += 1;
                cut.take(record, |record| sink.write(record))?;
                Ok(cut.next())
            })?;
        }
    }
    let Cut { seen, taken, pads, lost, .. } = cut;
    if lost > 0 {
        let (pads, lost) = (counted(pads, "PAD record"), counted(lost, "lost packet"));
        say(PROGRAM, format_args!("{pads} left out, whose loss counters stood for {lost}"));
    }
    let meaningless: Vec<_> = filter.iter().flat_map(Filter::meaningless).collect();
    for (link_type, count) in &meaningless {
        say(
            PROGRAM,
            format_args!("not matched, because the filter has no meaning for them: {count} {link_type} packets"),
        );
    }
    let meaningless: Map<_, _> =
        meaningless.into_iter().map(|(link_type, count)| (link_type.to_string(), count.into())).collect();
    pass.end(json!({
        "passed_over": seen - taken,
        "pads_left_out": pads,
        "lost_left_out": lost,
        "filter_without_meaning": meaningless,
    }))
}

#[cfg(test)]
mod tests {
    use erf::{TimeDelta, Timestamp};

    use super::*;

    #[test]
    fn bounds_with_nothing_between_them_are_known() {
        let at = |second| Bound::At(Timestamp::from_parts(second, 0));
        let after = |raw| Bound::After(TimeDelta::from_raw(raw));
        assert!(is_backward(at(5), at(4)) && is_backward(at(5), at(5)) && !is_backward(at(4), at(5)));
        assert!(is_backward(after(5), after(4)) && !is_backward(after(4), after(5)));
        assert!(!is_backward(at(5), after(4)) && !is_backward(after(5), at(4)));
    }

    #[test]
    fn types_and_lengths_are_read() {
        assert_eq!(record_type("eth"), Ok(RecordType::ETH));
        assert_eq!(record_type("color-eth"), Ok(RecordType::COLOR_ETH));
        assert_eq!(record_type("22"), Ok(RecordType::IPV4));
        assert!(record_type("128").is_err() && record_type("ether").is_err());
        assert_eq!(lengths("64-128"), Ok(64..=128));
        assert_eq!(lengths("-63"), Ok(0..=63));
        assert_eq!(lengths("1519-"), Ok(1519..=u16::MAX));
        assert_eq!(lengths("64"), Ok(64..=64));
        assert!(lengths("").is_err() && lengths("9-8").is_err() && lengths("65536").is_err());
    }
}
