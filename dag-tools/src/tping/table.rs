//! Probes under way, and what has become of each.

use std::collections::BTreeMap;

use wire_truth::UserProbe;

use super::socket::Sent;

/// What was counted beside the stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) sent: u32,
    pub(super) answered: u32,
    /// Without a reply in time.
    pub(super) lost: u32,
    /// Replies to a probe that had one.
    pub(super) duplicates: u32,
    /// Replies to a probe that counted as lost.
    pub(super) late: u32,
    /// Replies with the identifier of this run that are none of its own.
    pub(super) forged: u32,
    /// Could not be given to the kernel.
    pub(super) unsent: u32,
    /// Answered by "nobody is at that port".
    pub(super) unreachable: u32,
    /// Errors of hosts on the way: a probe could not be delivered, or may not.
    pub(super) undelivered: u32,
}

/// The probes of a run. Those that are done are handed out, and only what became of them is kept.
#[derive(Debug, Default)]
pub(super) struct Table {
    under_way: BTreeMap<u16, UserProbe>,
    /// By the sequence number, for what comes when a probe is done.
    done: BTreeMap<u16, Done>,
    /// Sequence numbers by the number that the kernel counts in stamps.
    numbers: Vec<u16>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Answered,
    Lost,
}

impl Table {
    /// `seq` was sent at `at`.
    pub(super) fn sent(&mut self, seq: u16, at: i64) {
        let mut probe = UserProbe::default();
        probe.user_send = Some(at);
        self.under_way.insert(seq, probe);
        self.numbers.push(seq);
        self.counts.sent += 1;
    }

    /// One could not be sent, after which the kernel counts anew.
    pub(super) fn unsent(&mut self) {
        self.counts.unsent += 1;
        self.numbers.clear();
    }

    /// A stamp has come. The first one of each kind counts: they come again at each device that a packet crosses.
    pub(super) fn stamped(&mut self, number: u32, stamp: Sent) {
        let seq = usize::try_from(number).ok().and_then(|number| self.numbers.get(number));
        let Some(probe) = seq.and_then(|seq| self.under_way.get_mut(seq)) else { return };
        let (place, at) = match stamp {
            Sent::Sched(at) => (&mut probe.sched, at),
            Sent::Snd(at) => (&mut probe.snd, at),
            Sent::Hw(at) => (&mut probe.hw, at),
        };
        place.get_or_insert(at);
    }

    /// A reply has come; the probe, if it is done with that.
    pub(super) fn replied(&mut self, seq: u16, kernel: Option<i64>, user: i64) -> Option<UserProbe> {
        let Some(mut probe) = self.under_way.remove(&seq) else {
            match self.done.get(&seq) {
                Some(Done::Answered) => self.counts.duplicates += 1,
                Some(Done::Lost) => self.counts.late += 1,
                // Never asked for.
                None => self.counts.forged += 1,
            }
            return None;
        };
        (probe.kernel_recv, probe.user_recv) = (kernel, Some(user));
        self.done.insert(seq, Done::Answered);
        self.counts.answered += 1;
        Some(probe)
    }

    /// Something with this run's identifier that it has not sent.
    pub(super) fn forged(&mut self) {
        self.counts.forged += 1;
    }

    /// An answer was that nobody is there.
    pub(super) fn unreachable(&mut self) {
        self.counts.unreachable += 1;
    }

    /// One did not get there.
    pub(super) fn undelivered(&mut self) {
        self.counts.undelivered += 1;
    }

    /// The probes sent before `deadline` that have no reply: they are lost.
    pub(super) fn give_up(&mut self, deadline: i64) -> Vec<(u16, UserProbe)> {
        let late = |probe: &UserProbe| probe.user_send.is_some_and(|sent| sent <= deadline);
        let seqs: Vec<u16> = self.under_way.iter().filter(|(_, probe)| late(probe)).map(|(seq, _)| *seq).collect();
        let mut lost = Vec::with_capacity(seqs.len());
        for seq in seqs {
            lost.extend(self.under_way.remove(&seq).map(|probe| (seq, probe)));
            self.done.insert(seq, Done::Lost);
            self.counts.lost += 1;
        }
        lost
    }

    /// Some are under way.
    pub(super) fn is_waiting(&self) -> bool {
        !self.under_way.is_empty()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stamp_of_each_kind_counts() {
        let mut table = Table::default();
        table.sent(7, 100);
        table.sent(8, 200);
        for stamp in [Sent::Sched(110), Sent::Sched(900), Sent::Snd(120), Sent::Snd(910), Sent::Hw(130)] {
            table.stamped(0, stamp);
        }
        table.stamped(5, Sent::Snd(1));
        let probe = table.replied(7, Some(400), 420).unwrap();
        assert_eq!((probe.user_send, probe.sched, probe.snd, probe.hw), (Some(100), Some(110), Some(120), Some(130)));
        assert_eq!((probe.kernel_recv, probe.rtt()), (Some(400), Some(320)));
        assert_eq!(table.replied(8, None, 500).unwrap().snd, None, "the stamp of another is not its own");
    }

    #[test]
    fn what_comes_again_late_or_from_nowhere_is_told_apart() {
        let mut table = Table::default();
        for seq in 0..4 {
            table.sent(seq, i64::from(seq) * 100);
        }
        assert!(table.replied(0, None, 50).is_some());
        assert!(table.replied(0, None, 60).is_none());
        let lost = table.give_up(200);
        assert_eq!(lost.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2]);
        assert!(table.replied(1, None, 900).is_none());
        assert!(table.replied(99, None, 900).is_none());
        table.forged();
        let counts = table.counts();
        assert_eq!((counts.sent, counts.answered, counts.lost), (4, 1, 2));
        assert_eq!((counts.duplicates, counts.late, counts.forged), (1, 1, 2));
        assert!(table.is_waiting(), "the last");
        table.give_up(i64::MAX);
        assert!(!table.is_waiting());
    }

    #[test]
    fn stamps_are_counted_anew_after_one_that_was_not_sent() {
        let mut table = Table::default();
        table.sent(1, 10);
        table.unsent();
        table.sent(3, 30);
        table.stamped(0, Sent::Snd(33));
        assert_eq!(table.replied(3, None, 40).unwrap().snd, Some(33));
        assert_eq!(table.replied(1, None, 40).unwrap().snd, None);
    }
}
