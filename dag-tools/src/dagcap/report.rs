//! What is told when a recording is over.

use std::io::Write;
use std::path::Path;

use dag::{Error, ErrorKind, StampSource};

use super::Args;
use super::failure::Failure;
use super::outputs::same_file;
use super::sources::Sources;
use crate::account::{AccountJson, Outcome, StreamJson, lines};
use crate::exit::Exit;
use crate::messages::say;

/// How the program ends.
pub(super) fn exit_of(sources: &Sources, outcome: &Outcome) -> Exit {
    let account = &outcome.account;
    let defects = outcome.defects + sources.defects();
    let mut stalled = false;
    for error in outcome.streams.iter().map(|stream| &stream.error).chain([&outcome.error]).flatten() {
        match error.kind() {
            // Whoever read the pipe has had enough.
            ErrorKind::ClosedPipe => {}
            // It ran and was stopped as asked; some of what it took did not get out, and is counted.
            ErrorKind::StalledPipe => stalled = true,
            _ => return Exit::Failed,
        }
    }
    if stalled {
        return Exit::No;
    }
    // What a reader had no use for is not lost.
    let closed = outcome.error.iter().any(|error| error.kind() == ErrorKind::ClosedPipe);
    match account.lost() + outcome.lost_after + defects > 0 || !account.loss_exact {
        true if !closed => Exit::No,
        _ => Exit::Done,
    }
}

/// Whoever read the pipe has had enough: that is no error.
pub(super) fn to_be_told(error: Option<&Error>) -> Option<&Error> {
    error.filter(|error| error.kind() != ErrorKind::ClosedPipe)
}

/// Tells how it went.
pub(super) fn report(
    program: &str,
    args: &Args,
    sources: &Sources,
    outcome: &Outcome,
    files: Vec<String>,
) -> Result<(), Failure> {
    let account = &outcome.account;
    let error = to_be_told(outcome.error.as_ref());
    if let Some(error) = error {
        say(program, error);
    }
    for note in sources.cards.iter().flat_map(|opened| opened.card.notes()) {
        say(program, note);
    }
    if !args.quiet {
        let out = match files.as_slice() {
            [one] => one.clone(),
            many => format!("{} files", many.len()),
        };
        let reason = account.stopped_by;
        let (bytes, content) = (account.bytes_written, outcome.bytes_uncompressed);
        let of = if bytes == content { String::new() } else { format!(" (of {content} before compression)") };
        say(program, format_args!("{out}: {bytes} bytes{of}, stopped by {reason}"));
        for line in lines(outcome) {
            say(program, line);
        }
    }
    if args.json {
        let stamps = sources.cards.first().map_or(StampSource::Card, |opened| opened.info.stamp_source);
        let json = AccountJson {
            schema: 1,
            device: sources.names(),
            emulated: sources.cards.iter().any(|opened| opened.info.emulated),
            stamp_source: stamps.name(),
            stream: if let [one] = sources.streams.as_slice() { Some(one.stream) } else { None },
            filter: args.filter.as_deref(),
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
            lost_after_last: outcome.lost_after,
            defects: outcome.defects + sources.defects(),
            bytes_written: account.bytes_written,
            bytes_uncompressed: outcome.bytes_uncompressed,
            files,
            first: account.first.map(Into::into),
            last: account.last.map(Into::into),
            tick_bits: account.tick_bits,
            clock_synchronised: account.clock_synchronised,
            stopped_by: account.stopped_by.as_str(),
            error: error.map(ToString::to_string),
            streams: outcome.streams.iter().map(StreamJson::from).collect(),
        };
        let packets_there = args.out == Path::new("-") || same_file(&args.out, Path::new("/dev/stdout"));
        print_json(&json, packets_there)?;
    }
    Ok(())
}

/// One line on standard output, or on standard error when packets go there.
pub(super) fn print_json(json: &impl serde::Serialize, on_stderr: bool) -> Result<(), Failure> {
    let print = || -> std::io::Result<()> {
        let text = serde_json::to_string(json)?;
        if on_stderr { writeln!(std::io::stderr(), "{text}") } else { writeln!(std::io::stdout(), "{text}") }
    };
    match print() {
        // A reader that has gone wants none.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Failure::Json),
    }
}
