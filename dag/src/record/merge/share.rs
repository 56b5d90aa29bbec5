//! [`Shares`]: what of a merged recording is whose.

use std::collections::VecDeque;

use erf::session::{Account, StoppedBy};
use erf::{Record, TimeDelta};

use super::{End, Ends};
use crate::error::Error;
use crate::record::loss::{Count, Told};
use crate::record::progress::Progress;
use crate::record::tally::Tally;

/// Where a record of a block is from.
#[derive(Debug, Clone, Copy)]
pub(in crate::record) struct Origin {
    pub(in crate::record) stream: u8,
    /// Whether it is asked for, as far as that is known already.
    pub(in crate::record) taken: Option<bool>,
}

/// What is whose among the records looked at.
#[derive(Debug)]
pub(in crate::record) struct Shares {
    /// Of the records of the block.
    origins: Vec<Origin>,
    /// The one of them that is looked at next.
    next: usize,
    each: Vec<Share>,
    /// Whose the packets are that have been handed to the writer and are not known to be in the file, in order.
    on_their_way: VecDeque<u8>,
    /// Packets before these.
    settled: u64,
    /// Packets of those that are in the file.
    written: u64,
    /// Numbers of packets that the format has no place for, and that are not settled.
    unfit: VecDeque<u64>,
}

/// What is one stream's.
#[derive(Debug, Default)]
struct Share {
    tally: Tally,
    told: Told,
    unfit: u64,
}

/// How it went for one of several streams that were recorded into one file.
#[derive(Debug)]
#[non_exhaustive]
pub struct StreamRecording {
    /// What the card was called when it was opened.
    pub device: String,
    /// The stream's number.
    pub stream: u16,
    /// Where its packets went. The accounts of all streams add up to that of the recording; `bytes_written` is that of the whole file.
    pub account: Account,
    /// Places in its memory that were no records.
    pub defects: u64,
    /// As [`Recording::lost_after`](crate::record::Recording::lost_after).
    pub lost_after: u64,
    /// As [`Recording::unfit`](crate::record::Recording::unfit).
    pub unfit: u64,
    /// Packets that came too late for the order: in the file they stand behind packets of other streams with later stamps.
    pub late: u64,
    /// How much later those were stamped, at most.
    pub late_by: TimeDelta,
    /// What ended it, if it was an error of the stream or its card. The others have gone on.
    pub error: Option<Error>,
}

impl Shares {
    /// Of so many streams.
    pub(in crate::record) fn of(streams: usize) -> Self {
        let each = std::iter::repeat_with(Share::default).take(streams).collect();
        let (on_their_way, unfit) = (VecDeque::new(), VecDeque::new());
        Self { origins: Vec::new(), next: 0, each, on_their_way, settled: 0, written: 0, unfit }
    }

    /// For the origins of another block, all of which is to be looked at.
    pub(in crate::record) fn renew(&mut self) -> &mut Vec<Origin> {
        self.next = 0;
        self.origins.clear();
        &mut self.origins
    }

    /// Whether the record looked at is asked for, if that is known.
    #[inline]
    pub(in crate::record) fn is_taken(&self) -> Option<bool> {
        self.origins.get(self.next)?.taken
    }

    /// On to the next record.
    #[inline]
    pub(in crate::record) fn step(&mut self) {
        self.next += 1;
    }

    /// Where the records are from that have not been looked at.
    pub(super) fn rest(&self) -> &[Origin] {
        self.origins.get(self.next..).unwrap_or_default()
    }

    fn share(&mut self) -> Option<(u8, &mut Share)> {
        let stream = self.origins.get(self.next)?.stream;
        Some((stream, self.each.get_mut(usize::from(stream))?))
    }

    /// The packet looked at is left out.
    #[inline]
    pub(in crate::record) fn leave(&mut self, packet: &Record<'_>) {
        if let Some((_, share)) = self.share() {
            share.told.add(packet);
            share.tally.filtered += 1;
        }
    }

    /// The packet looked at goes to the writer and takes `bytes` of the file.
    #[inline]
    pub(in crate::record) fn choose(&mut self, packet: &Record<'_>, bytes: u64) {
        if let Some((stream, share)) = self.share() {
            share.told.add(packet);
            share.tally.choose(packet, bytes);
            self.on_their_way.push_back(stream);
        }
    }

    /// What the records of stream `at` that have been looked at tell of loss.
    pub(super) fn told(&self, at: usize) -> Told {
        self.each.get(at).map_or_else(Told::default, |share| share.told)
    }

    /// Takes note of what is in the file.
    pub(in crate::record) fn settle(&mut self, progress: &Progress) {
        // In this order: what has no place is told before what comes behind it is written.
        let written = progress.snapshot().written;
        self.unfit.extend(progress.take_unfit());
        while let Some(&stream) = self.on_their_way.front() {
            if self.unfit.front() == Some(&self.settled) {
                self.unfit.pop_front();
                if let Some(share) = self.each.get_mut(usize::from(stream)) {
                    share.unfit += 1;
                }
            } else if self.written < written {
                self.written += 1;
            } else {
                break;
            }
            self.on_their_way.pop_front();
            self.settled += 1;
        }
    }

    /// Shows the numbers of each stream.
    pub(in crate::record) fn show<'p>(&self, streams: impl Iterator<Item = &'p Progress>) {
        for (share, progress) in self.each.iter().zip(streams) {
            progress.took(share.tally.chosen, share.tally.filtered, share.tally.bytes);
        }
    }

    /// How it went for each stream. `limited`: what came last was not wanted; `rest` fills in what is the same for all.
    pub(in crate::record) fn recordings(
        mut self,
        ends: Ends,
        limited: bool,
        progress: &Progress,
        rest: impl Fn(&mut Account),
    ) -> Vec<StreamRecording> {
        self.settle(progress);
        let mut missing = vec![0; self.each.len()];
        for &stream in &self.on_their_way {
            if let Some(missing) = missing.get_mut(usize::from(stream)) {
                *missing += 1;
            }
        }
        let streams = ends.streams.into_iter().zip(self.each).zip(missing);
        streams
            .map(|((end, share), missing)| {
                let End { device, number, unread, lost, pending, defects, late: (late, late_by), error } = end;
                let mut account = share.tally.account(share.tally.chosen - share.unfit - missing, lost);
                rest(&mut account);
                account.unread = unread;
                if error.is_some() {
                    account.stopped_by = StoppedBy::Error;
                }
                StreamRecording {
                    device,
                    stream: number,
                    account,
                    defects,
                    lost_after: if limited { 0 } else { pending },
                    unfit: share.unfit,
                    late,
                    late_by: TimeDelta::from_raw(i64::try_from(late_by).unwrap_or(i64::MAX)),
                    error,
                }
            })
            .collect()
    }
}

impl Ends {
    /// What the card has lost of all streams.
    pub(in crate::record) fn lost(&self) -> Count {
        let none = Count { lost: 0, exact: true };
        self.streams
            .iter()
            .fold(none, |sum, end| Count { lost: sum.lost + end.lost.lost, exact: sum.exact && end.lost.exact })
    }

    /// Packets that nobody has looked at.
    pub(in crate::record) fn unread(&self) -> u64 {
        self.streams.iter().map(|end| end.unread).sum()
    }

    /// Drops behind the last record of each stream.
    pub(in crate::record) fn pending(&self) -> u64 {
        self.streams.iter().map(|end| end.pending).sum()
    }

    /// Places that were no records.
    pub(in crate::record) fn defects(&self) -> u64 {
        self.streams.iter().map(|end| end.defects).sum()
    }
}
