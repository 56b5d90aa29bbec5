//! The end of a recording: its account, and the closing record.

use std::sync::atomic::{AtomicBool, Ordering};

use dag_emu::ring::PollRules;
use erf::session::{Account, Closing, StoppedBy};
use erf::{Records, Timestamp};

use super::Capture;
use crate::error::{Error, ErrorKind};
use crate::record::Recording;
use crate::record::loss::{Count, Told};
use crate::record::writer::Ended;

impl Capture<'_> {
    /// What lies in stream memory behind the last record looked at: packets, and the losses they tell.
    fn unread(&mut self) -> Result<(u64, Told), Error> {
        let backend = self.stream.backend();
        backend.stop()?;
        backend.set_poll_rules(PollRules::non_blocking());
        let release = backend.position();
        backend.advance(release, &AtomicBool::new(false))?;
        let drops = backend.drops();
        let skip = usize::try_from(self.looked_at - backend.position()).unwrap_or(usize::MAX);
        let mut told = Told::default();
        let mut packets = 0;
        for record in Records::new(backend.bytes().get(skip..).unwrap_or_default()).recover(true).flatten() {
            if record.is_packet() {
                packets += 1;
                told.add(&record);
            }
        }
        self.look.loss.observe(drops);
        Ok((packets, told))
    }

    /// Ends the file, and says where every packet went.
    pub(super) fn finish(mut self, stopped_by: StoppedBy, error: Option<Error>) -> Recording {
        self.ending.store(true, Ordering::Relaxed);
        let mut error = error;
        // A feed that has failed has nothing unread, and its failure has been told if it ended the recording.
        let (unread, told) = self.unread().unwrap_or_default();
        let limited = matches!(stopped_by, StoppedBy::Count | StoppedBy::Size);
        let lost_after = if limited || unread > 0 { 0 } else { self.look.loss.pending() };
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
        let Self { writer, look, started, recorded_first, mut watch, tick_bits, .. } = self;
        let Some(Ended { parts, error: failure }) = writer.join() else {
            let error = error.unwrap_or_else(|| Error::state("the writer's thread has panicked"));
            return Recording::failed(error, tick_bits);
        };
        let started = started.unwrap_or_else(Timestamp::now);
        let ended = look.tally.last.unwrap_or(started).max(started);
        // The account says how the clock was.
        let clock = watch.last();
        let lost = look.loss.up_to_last(told);
        let unfit = parts.unfit();
        let tell = |account: &mut Account| {
            account.unread = unread;
            account.tick_bits = tick_bits.unwrap_or(account.tick_bits);
            account.clock_synchronised = watch.synchronised();
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
        if error.is_some() {
            let bytes_uncompressed = there.content;
            return Recording { account, bytes_uncompressed, defects: look.defects, lost_after, unfit, error };
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
        let bytes_uncompressed = there.content;
        Recording { account, bytes_uncompressed, defects: look.defects, lost_after, unfit, error }
    }
}
