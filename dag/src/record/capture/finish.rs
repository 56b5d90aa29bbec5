//! The end of a recording: its account, and the closing record.

use std::sync::atomic::{AtomicBool, Ordering};

use dag_emu::ring::PollRules;
use erf::session::{Account, Closing, StoppedBy};
use erf::{Records, Timestamp};

use super::Capture;
use crate::backend::{Drops, StreamBackend};
use crate::error::{Error, ErrorKind};
use crate::record::Recording;
use crate::record::loss::{Count, Told};
use crate::record::merge::Ends;
use crate::record::source::Source;
use crate::record::writer::Ended;

/// What lies in stream memory behind the last record looked at: packets, the drop counter, and the losses that the records tell.
pub(in crate::record) fn unread(
    backend: &mut dyn StreamBackend,
    looked_at: u64,
) -> Result<(u64, Option<Drops>, Told), Error> {
    backend.stop()?;
    backend.set_poll_rules(PollRules::non_blocking());
    let release = backend.position();
    backend.advance(release, &AtomicBool::new(false))?;
    let drops = backend.drops();
    let skip = usize::try_from(looked_at - backend.position()).unwrap_or(usize::MAX);
    let mut told = Told::default();
    let mut packets = 0;
    for record in Records::new(backend.bytes().get(skip..).unwrap_or_default()).recover(true).flatten() {
        if record.is_packet() {
            packets += 1;
            told.add(&record);
        }
    }
    Ok((packets, drops, told))
}

impl Capture {
    /// As [`unread`], of the one stream. A feed that has failed has nothing unread, and its failure has been told if it ended the recording.
    fn unread(&mut self) -> (u64, Told) {
        let Source::One { stream, .. } = &mut self.source else { return Default::default() };
        let Ok((packets, drops, told)) = unread(stream.backend(), self.looked_at) else { return Default::default() };
        self.look.loss.observe(drops);
        (packets, told)
    }

    /// Ends the file, and says where every packet went.
    pub(super) fn finish(mut self, stopped_by: StoppedBy, error: Option<Error>) -> Recording {
        self.ending.store(true, Ordering::Relaxed);
        let mut error = error;
        let limited = matches!(stopped_by, StoppedBy::Count | StoppedBy::Size);
        let ends = self.source.end(self.looked_at, self.look.shares.as_ref());
        let (unread, lost, pending) = match &ends {
            Some(ends) => (ends.unread(), ends.lost(), ends.pending()),
            None => {
                let (unread, told) = self.unread();
                let pending = if unread > 0 { 0 } else { self.look.loss.pending() };
                (unread, self.look.loss.up_to_last(told), pending)
            }
        };
        let lost_after = if limited { 0 } else { pending };
        // A recording without packets begins and ends now, by the host's clock.
        let first = self.look.tally.first.unwrap_or_else(Timestamp::now);
        // A rotated recording that has files already needs no other without packets.
        let is_to_open = self.look.boundary.as_ref().is_none_or(|boundary| !boundary.has_begun());
        if is_to_open
            && error.is_none()
            && !self.writer.has_failed()
            && let Err(late) = self.open(first)
        {
            error = Some(late);
        }
        let Self { source, writer, mut look, started, recorded_first, mut clocks, tick_bits, progress, .. } = self;
        let Some(Ended { parts, error: failure }) = writer.join() else {
            let error = error.unwrap_or_else(|| Error::state("the writer's thread has panicked"));
            return Recording::failed(error, tick_bits);
        };
        let started = started.unwrap_or_else(Timestamp::now);
        let ended = look.tally.last.unwrap_or(started).max(started);
        // The account says how the clock was.
        let clock = clocks.last();
        // The writer is joined: nobody reads stream memory any more.
        source.close();
        let defects = look.damage.defects + ends.as_ref().map_or(0, Ends::defects);
        let unfit = parts.unfit();
        let tell = |account: &mut Account| {
            account.unread = unread;
            account.tick_bits = tick_bits.unwrap_or(account.tick_bits);
            account.clock_synchronised = clocks.synchronised();
        };
        let mut tally = look.tally;
        tally.first = recorded_first.or(tally.first);
        let mut there = parts.in_files();
        let mut account = tally.account(there.packets, lost);
        tell(&mut account);
        account.bytes_written = there.bytes;
        // What a failed write took with it is not known packet by packet.
        account.last = account.last.filter(|_| failure.is_none());
        account.stopped_by = stopped_by;
        let error = match failure {
            // What the writer met comes first: it is why the rest happened.
            Some(failure) => Some(failure),
            None => error,
        };
        if let Some(error) = &error {
            // Whoever read the pipe has had enough: that is an end, not an error.
            account.stopped_by = match error.kind() {
                ErrorKind::ClosedPipe => StoppedBy::End,
                // What was asked for ended it; that not all could be written is told by the count.
                ErrorKind::StalledPipe => stopped_by,
                _ => StoppedBy::Error,
            };
        }
        let shares = look.shares.take().zip(ends);
        let streams = |account: &Account| {
            let same = |share: &mut Account| {
                tell(share);
                (share.bytes_written, share.stopped_by) = (account.bytes_written, account.stopped_by);
            };
            shares.map_or_else(Vec::new, |(shares, ends)| shares.recordings(ends, limited, &progress, same))
        };
        if error.is_some() {
            let (streams, bytes_uncompressed) = (streams(&account), there.content);
            return Recording {
                account,
                bytes_uncompressed,
                streams,
                defects,
                lost_after,
                unfit,
                has_begun: true,
                error,
            };
        }
        let closing = look.selection.meta.then(|| {
            // What complete files have not told yet.
            let mut rest = account;
            if let Some(boundary) = &look.boundary {
                let tally = look.tally.since(&boundary.before);
                let lost = Count { lost: lost.lost.saturating_sub(look.loss.earlier()), ..lost };
                rest = tally.account(tally.chosen, lost);
                tell(&mut rest);
                rest.stopped_by = stopped_by;
            }
            let mut closing = Closing::new(started, ended, rest);
            closing.clock = clock;
            closing
        });
        let error = match parts.finish(closing) {
            Ok(all) => {
                there = all;
                account.bytes_written = all.bytes;
                None
            }
            Err(failure) => {
                account.stopped_by = StoppedBy::Error;
                Some(failure)
            }
        };
        let (streams, bytes_uncompressed) = (streams(&account), there.content);
        Recording { account, bytes_uncompressed, streams, defects, lost_after, unfit, has_begun: true, error }
    }
}
