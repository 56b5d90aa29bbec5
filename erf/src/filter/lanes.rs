//! The batch interpreter: one entry of the table for many packets, then the next one.
//!
//! What a packet-by-packet interpreter pays for is guessing wrong which entry comes next. Here each entry has a list of the packets
//! (lanes) that have come to it; running it deals them out to the lists of the two entries that may follow, without a branch that
//! depends on the packet. Entries run in the order of their instructions, so that all lanes of an entry have arrived before it runs;
//! programs that jump backward, and very long ones, are left to the other interpreter.

use super::fused::{Op, Test};
use super::machine::{State, byte, half, step, taken, word};
use super::program::MEMORY;

/// Packets that are looked at together; lists hold their numbers in a byte each.
pub(super) const LANES: usize = 256;

/// More entries than this make lists that leave the first-level cache.
const MAX_OPS: usize = 96;

/// Packets in their lanes.
pub(super) struct Packets<'p> {
    captured: [&'p [u8]; LANES],
    wire_len: [u32; LANES],
    count: usize,
}

impl<'p> Packets<'p> {
    pub(super) const fn new() -> Self {
        Self { captured: [&[]; LANES], wire_len: [0; LANES], count: 0 }
    }

    /// Puts a packet into the next lane, whose number is returned. `None`: there is no lane left.
    #[inline]
    pub(super) fn push(&mut self, captured: &'p [u8], wire_len: u32) -> Option<usize> {
        let lane = self.count;
        *self.captured.get_mut(lane)? = captured;
        *self.wire_len.get_mut(lane)? = wire_len;
        self.count += 1;
        Some(lane)
    }

    /// How many there are.
    pub(super) const fn len(&self) -> u64 {
        self.count as u64
    }

    /// Each packet with its length on the wire, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'p [u8], u32)> + '_ {
        self.captured.iter().copied().zip(self.wire_len).take(self.count)
    }
}

/// A table in the order of its instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    entries: Box<[Entry]>,
    /// Scratch memory is used, and has to be cleared.
    memory: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    op: Op,
    /// An entry that may follow looks at A.
    keeps_a: bool,
    /// What the entry that follows a comparison that failed compares the same A with: both are done at once.
    also: Option<Test>,
}

/// What a run works in, to be used again.
pub(super) struct Scratch {
    registers: Box<Registers>,
    lists: Vec<List>,
}

/// Registers and scratch memory of each lane.
struct Registers {
    a: [u32; LANES],
    x: [u32; LANES],
    memory: [[u32; MEMORY]; LANES],
}

/// Lanes that have come to an entry.
#[derive(Clone)]
struct List {
    lanes: [u8; LANES],
    len: usize,
}

impl List {
    const EMPTY: List = List { lanes: [0; LANES], len: 0 };

    fn push(&mut self, lane: u8) {
        // There are no more lanes than places.
        self.lanes[self.len % LANES] = lane;
        self.len += 1;
    }
}

impl Default for Scratch {
    fn default() -> Self {
        let registers = Registers { a: [0; LANES], x: [0; LANES], memory: [[0; MEMORY]; LANES] };
        Self { registers: Box::new(registers), lists: Vec::new() }
    }
}

impl Lanes {
    /// From a table and the instruction at which each of its entries begins.
    pub(super) fn new(table: &[Op], begins: &[usize]) -> Option<Lanes> {
        if table.len() > MAX_OPS || table.iter().any(|op| matches!(op, Op::Back { .. })) {
            return None;
        }
        let mut order: Vec<usize> = (0..table.len()).collect();
        order.sort_by_key(|&place| begins.get(place).copied());
        let mut places = vec![0u16; table.len()];
        for (new, &old) in (0u16..).zip(&order) {
            *places.get_mut(old)? = new;
        }
        let ops: Option<Vec<Op>> = order.iter().map(|&old| table.get(old)?.renumbered(&places)).collect();
        let ops = ops?;
        let at = |place: u16| ops.get(usize::from(place));
        let entry = |op: &Op| {
            let reads =
                |place| matches!(at(place), Some(Op::Held(_) | Op::AgainstX { .. } | Op::Step { .. } | Op::ReturnA));
            let also = match op.test().and_then(|test| at(test.no)) {
                Some(Op::Held(also)) => Some(*also),
                _ => None,
            };
            // Of the second comparison, too.
            let keeps_a = op.test().into_iter().chain(also.as_ref()).any(|test| reads(test.yes) || reads(test.no));
            Entry { op: *op, keeps_a, also }
        };
        let memory = ops.iter().any(|op| matches!(op, Op::Step { .. }));
        Some(Lanes { entries: ops.iter().map(entry).collect(), memory })
    }

    /// Whether the packet of each lane matches.
    pub(super) fn run(&self, scratch: &mut Scratch, packets: &Packets<'_>, matches: &mut [bool; LANES]) {
        *matches = [false; LANES];
        let Scratch { registers, lists } = scratch;
        let Registers { a, x, memory } = &mut **registers;
        (*a, *x) = ([0; LANES], [0; LANES]);
        if self.memory {
            *memory = [[0; MEMORY]; LANES];
        }
        if lists.len() < self.entries.len() {
            lists.resize(self.entries.len(), List::EMPTY);
        }
        for list in &mut lists[..] {
            list.len = 0;
        }
        if let Some(first) = lists.first_mut() {
            first.lanes = std::array::from_fn(|lane| lane as u8);
            first.len = packets.count;
        }

        let Packets { captured, wire_len, .. } = packets;
        for (at, Entry { op, keeps_a, also }) in self.entries.iter().enumerate() {
            // Entries name only entries behind them.
            let Some((here, after)) = lists.get_mut(at..).and_then(<[List]>::split_first_mut) else { return };
            let Some(lanes) = here.lanes.get(..here.len) else { return };
            if lanes.is_empty() {
                continue;
            }
            let mut after = After { at, lists: after, keeps_a: *keeps_a, also: also.as_ref() };
            match op {
                Op::Half(test) => {
                    let offset = u64::from(test.offset);
                    after.deal(test, lanes, a, |lane, _| half(captured[lane], offset));
                }
                Op::Byte(test) => {
                    let offset = u64::from(test.offset);
                    after.deal(test, lanes, a, |lane, _| byte(captured[lane], offset));
                }
                Op::Word(test) => {
                    let offset = u64::from(test.offset);
                    after.deal(test, lanes, a, |lane, _| word(captured[lane], offset));
                }
                Op::TransportHalf { header, test } => {
                    let (header, offset) = (u64::from(*header), u64::from(test.offset));
                    after.deal(test, lanes, a, |lane, _| {
                        x[lane] = (byte(captured[lane], header)? & 0xf) << 2;
                        half(captured[lane], u64::from(x[lane]) + offset)
                    });
                }
                Op::IndHalf(test) => {
                    let offset = u64::from(test.offset);
                    after.deal(test, lanes, a, |lane, _| half(captured[lane], u64::from(x[lane]) + offset));
                }
                Op::IndByte(test) => {
                    let offset = u64::from(test.offset);
                    after.deal(test, lanes, a, |lane, _| byte(captured[lane], u64::from(x[lane]) + offset));
                }
                Op::IndWord(test) => {
                    let offset = u64::from(test.offset);
                    after.deal(test, lanes, a, |lane, _| word(captured[lane], u64::from(x[lane]) + offset));
                }
                Op::Held(test) => after.deal(test, lanes, a, |_, held| Some(held)),
                Op::Len(test) => after.deal(test, lanes, a, |lane, _| Some(wire_len[lane])),
                Op::Return { result } => lanes.iter().for_each(|&lane| matches[usize::from(lane)] = *result != 0),
                Op::ReturnA => lanes.iter().for_each(|&lane| matches[usize::from(lane)] = a[usize::from(lane)] != 0),
                Op::AgainstX { operation, yes, no } => {
                    for &lane in lanes {
                        let is_taken = taken(*operation, a[usize::from(lane)], x[usize::from(lane)]);
                        after.push(if is_taken { *yes } else { *no }, lane);
                    }
                }
                Op::Step { one, next } => {
                    for &number in lanes {
                        let lane = usize::from(number);
                        let mut state = State { a: a[lane], x: x[lane], memory: memory[lane] };
                        if step(*one, &mut state, captured[lane], wire_len[lane]).is_some() {
                            after.push(*next, number);
                        }
                        (a[lane], x[lane], memory[lane]) = (state.a, state.x, state.memory);
                    }
                }
                // Such programs are not run here.
                Op::Back { .. } => return,
            }
        }
    }
}

/// The lists of the entries behind the one at `at`.
struct After<'l> {
    at: usize,
    lists: &'l mut [List],
    keeps_a: bool,
    also: Option<&'l Test>,
}

impl After<'_> {
    /// Where the list of an entry is.
    fn place(&self, entry: u16) -> usize {
        usize::from(entry).wrapping_sub(self.at + 1)
    }

    fn push(&mut self, entry: u16, lane: u8) {
        let place = self.place(entry);
        if let Some(list) = self.lists.get_mut(place) {
            list.push(lane);
        }
    }

    /// Runs a test for `lanes`: each goes to one of two lists, or to none where its packet is too short for `load`, which is given A.
    #[inline(always)]
    fn deal(&mut self, test: &Test, lanes: &[u8], a: &mut [u32; LANES], load: impl FnMut(usize, u32) -> Option<u32>) {
        // The common one costs a comparison and nothing else.
        let is_plain = (test.keep, test.probe, test.span) == (u32::MAX, u32::MAX, 0);
        match (self.also, is_plain, self.keeps_a) {
            (Some(also), _, _) => self.deal_three(test, also, lanes, a, load),
            (None, true, false) => self.deal_two::<false>(test, lanes, a, load, |loaded| (loaded, loaded == test.low)),
            (None, _, false) => self.deal_two::<false>(test, lanes, a, load, |loaded| decide(test, loaded)),
            (None, _, true) => self.deal_two::<true>(test, lanes, a, load, |loaded| decide(test, loaded)),
        }
    }

    #[inline(always)]
    fn deal_two<const KEEPS_A: bool>(
        &mut self,
        test: &Test,
        lanes: &[u8],
        a: &mut [u32; LANES],
        mut load: impl FnMut(usize, u32) -> Option<u32>,
        decide: impl Fn(u32) -> (u32, bool),
    ) {
        let (yes, no) = (self.place(test.yes), self.place(test.no));
        if yes == no {
            for &number in lanes {
                let lane = usize::from(number);
                let Some(loaded) = load(lane, a[lane]) else { continue };
                a[lane] = decide(loaded).0;
                self.push(test.yes, number);
            }
            return;
        }
        let Ok([yes, no]) = self.lists.get_disjoint_mut([yes, no]) else { return };
        // In registers while it lasts.
        let (mut taken, mut passed) = (yes.len, no.len);
        for &number in lanes {
            let lane = usize::from(number);
            let Some(loaded) = load(lane, a[lane]) else { continue };
            let (kept, is_taken) = decide(loaded);
            if KEEPS_A {
                a[lane] = kept;
            }
            // Written to both; what does not belong is written over by the next one. No list gets more lanes than there are.
            yes.lanes[taken % LANES] = number;
            no.lanes[passed % LANES] = number;
            taken += usize::from(is_taken);
            passed += usize::from(!is_taken);
        }
        (yes.len, no.len) = (taken, passed);
    }

    /// Two tests of the same field, the second where the first fails.
    #[inline(always)]
    fn deal_three(
        &mut self,
        test: &Test,
        also: &Test,
        lanes: &[u8],
        a: &mut [u32; LANES],
        mut load: impl FnMut(usize, u32) -> Option<u32>,
    ) {
        let places = [test.yes, also.yes, also.no].map(|entry| self.place(entry));
        let Ok([first, second, no]) = self.lists.get_disjoint_mut(places) else {
            // Two of them are the same: one after the other.
            for &number in lanes {
                let lane = usize::from(number);
                let Some(loaded) = load(lane, a[lane]) else { continue };
                let (kept, is_taken) = decide(test, loaded);
                a[lane] = kept;
                let then = if decide(also, kept).1 { also.yes } else { also.no };
                self.push(if is_taken { test.yes } else { then }, number);
            }
            return;
        };
        let (mut taken, mut then, mut passed) = (first.len, second.len, no.len);
        for &number in lanes {
            let lane = usize::from(number);
            let Some(loaded) = load(lane, a[lane]) else { continue };
            let (kept, is_first) = decide(test, loaded);
            a[lane] = kept;
            let is_second = decide(also, kept).1 & !is_first;
            first.lanes[taken % LANES] = number;
            second.lanes[then % LANES] = number;
            no.lanes[passed % LANES] = number;
            taken += usize::from(is_first);
            then += usize::from(is_second);
            passed += usize::from(!(is_first | is_second));
        }
        (first.len, second.len, no.len) = (taken, then, passed);
    }
}

/// What A keeps of what was loaded, and whether the branch is taken.
#[inline(always)]
fn decide(test: &Test, loaded: u32) -> (u32, bool) {
    let kept = loaded & test.keep;
    (kept, (kept & test.probe).wrapping_sub(test.low) <= test.span)
}
