//! What runs: windows where comparisons make some, single entries for the rest.

use super::fused::{self, Op};
use super::gather::{Gathered, gather};
use super::machine::{State, byte, half, step, taken, word};
use super::program::{BACKWARD, Instruction};
use super::window::Window;

/// A program as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nodes {
    nodes: Box<[Node]>,
    /// Where it begins.
    start: u16,
    /// What it returns, each once, by numbers from the highest one down.
    results: Box<[u32]>,
    /// The number of the result 0. Without one, that of no node and no result.
    reject: u16,
    /// Nothing but loads, comparisons and constant results: neither A nor memory are kept.
    is_plain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    One(Window<1>),
    Two(Window<2>),
    Four(Window<4>),
    Op(Op),
}

/// What a program begins with.
pub(super) enum First<'a> {
    One(&'a Window<1>),
    Two(&'a Window<2>),
    Four(&'a Window<4>),
    /// No window.
    None,
}

/// The packet ends before the last byte of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooShort;

impl Nodes {
    /// Of a verified program.
    pub(super) fn new(instructions: &[Instruction]) -> Nodes {
        let ops = fused::table(instructions);
        let mut ways = vec![0; ops.len()];
        for next in ops.iter().flat_map(Op::followers) {
            if let Some(ways) = ways.get_mut(usize::from(next)) {
                *ways += 1;
            }
        }
        let mut builder = Builder { ops: &ops, numbers: vec![None; ops.len()], order: Vec::new(), results: Vec::new() };
        let start = builder.number(0);
        let mut nodes = Vec::new();
        // Making a node may number those that follow it.
        while let Some(&at) = builder.order.get(nodes.len()) {
            let op = ops.get(usize::from(at)).copied().unwrap_or(Op::Return { result: 0 });
            nodes.push(match gather(&ops, &ways, at) {
                Some(gathered) => builder.window(gathered),
                None => Node::Op(op.renumbered(|next| builder.number(next))),
            });
        }
        let is_plain = !ops.iter().any(Op::reads_a) && !ops.iter().any(|op| matches!(op, Op::Back { .. }));
        let reject = match builder.results.iter().position(|&result| result == 0) {
            Some(place) => u16::MAX - place as u16,
            // Nodes and results together are fewer than numbers.
            None => nodes.len() as u16,
        };
        Nodes { nodes: nodes.into(), start, results: builder.results.into(), reject, is_plain }
    }

    /// The window at the beginning, if there is one.
    #[inline]
    pub(super) fn first(&self) -> First<'_> {
        match self.nodes.first() {
            Some(Node::One(window)) => First::One(window),
            Some(Node::Two(window)) => First::Two(window),
            Some(Node::Four(window)) => First::Four(window),
            Some(Node::Op(_)) | None => First::None,
        }
    }

    /// Whether a run that has come to `at` is over, with 0.
    #[inline(always)]
    pub(super) fn is_rejected(&self, at: u16) -> bool {
        at == self.reject
    }

    /// Where a run begins.
    #[inline]
    pub(super) fn start(&self) -> u16 {
        self.start
    }

    /// What the program returns that goes on `at` a number that the [first](Self::first) window or [`start`](Self::start) has given. It is not said for a packet that
    /// ends so early that not all of what is looked at together is there.
    #[inline]
    pub(super) fn run(&self, mut at: u16, packet: &[u8], wire_len: u32) -> Result<u32, TooShort> {
        if !self.is_plain {
            return self.run_with_memory(at, packet, wire_len);
        }
        let mut x = 0;
        while let Some(node) = self.nodes.get(usize::from(at)) {
            at = match node {
                Node::One(window) => window.next(packet, &mut x).ok_or(TooShort)?,
                Node::Two(window) => window.next(packet, &mut x).ok_or(TooShort)?,
                Node::Four(window) => window.next(packet, &mut x).ok_or(TooShort)?,
                Node::Op(op) => match follow(op, packet, wire_len, x) {
                    Some((next, set)) => {
                        x = set;
                        next
                    }
                    None => return Ok(0),
                },
            };
        }
        Ok(self.result(at))
    }

    #[inline]
    fn result(&self, at: u16) -> u32 {
        self.results.get(usize::from(u16::MAX - at)).copied().unwrap_or(0)
    }

    #[inline(never)]
    fn run_with_memory(&self, mut at: u16, packet: &[u8], wire_len: u32) -> Result<u32, TooShort> {
        let mut state = State::default();
        let mut backward = BACKWARD;
        while let Some(node) = self.nodes.get(usize::from(at)) {
            let next = match node {
                Node::One(window) => Some(window.next(packet, &mut state.x).ok_or(TooShort)?),
                Node::Two(window) => Some(window.next(packet, &mut state.x).ok_or(TooShort)?),
                Node::Four(window) => Some(window.next(packet, &mut state.x).ok_or(TooShort)?),
                Node::Op(Op::ReturnA) => return Ok(state.a),
                Node::Op(Op::AgainstX { operation, yes, no }) => {
                    Some(if taken(*operation, state.a, state.x) { *yes } else { *no })
                }
                Node::Op(Op::Step { one, next }) => step(*one, &mut state, packet, wire_len).map(|()| *next),
                Node::Op(Op::Back { target }) => backward.checked_sub(1).map(|left| {
                    backward = left;
                    *target
                }),
                Node::Op(op) => compare(op, packet, wire_len, &mut state.a, &mut state.x),
            };
            match next {
                Some(next) => at = next,
                None => return Ok(0),
            }
        }
        Ok(self.result(at))
    }
}

/// The number that follows a load and comparison, and X behind it.
#[inline(never)]
fn follow(op: &Op, packet: &[u8], wire_len: u32, mut x: u32) -> Option<(u16, u32)> {
    let next = compare(op, packet, wire_len, &mut 0, &mut x)?;
    Some((next, x))
}

/// Does what a load and comparison say. `None`: the packet ends before the field.
#[inline(always)]
fn compare(op: &Op, packet: &[u8], wire_len: u32, a: &mut u32, x: &mut u32) -> Option<u16> {
    let test = op.test()?;
    let absolute = u64::from(test.offset);
    let loaded = match op {
        Op::Half(_) => half(packet, absolute)?,
        Op::Byte(_) => byte(packet, absolute)?,
        Op::Word(_) => word(packet, absolute)?,
        Op::IndHalf(_) => half(packet, u64::from(*x) + absolute)?,
        Op::IndByte(_) => byte(packet, u64::from(*x) + absolute)?,
        Op::IndWord(_) => word(packet, u64::from(*x) + absolute)?,
        Op::TransportHalf { header, .. } => {
            *x = (byte(packet, (*header).into())? & 0xf) << 2;
            half(packet, u64::from(*x) + absolute)?
        }
        Op::Len(_) => wire_len,
        Op::Held(_) => *a,
        // Without a test.
        Op::AgainstX { .. } | Op::Step { .. } | Op::Back { .. } | Op::Return { .. } | Op::ReturnA => return None,
    };
    *a = loaded & test.keep;
    let is_taken = (*a & test.probe).wrapping_sub(test.low) <= test.span;
    Some(if is_taken { test.yes } else { test.no })
}

struct Builder<'a> {
    ops: &'a [Op],
    /// Of the node or result that an entry has become.
    numbers: Vec<Option<u16>>,
    /// Entries that have become nodes.
    order: Vec<u16>,
    results: Vec<u32>,
}

impl Builder<'_> {
    /// The number under which entry `at` is found. Nodes count up and results down; together they are no more than there are entries.
    fn number(&mut self, at: u16) -> u16 {
        if let Some(Some(number)) = self.numbers.get(usize::from(at)) {
            return *number;
        }
        let number = if let Some(&Op::Return { result }) = self.ops.get(usize::from(at)) {
            let place = self.results.iter().position(|&known| known == result).unwrap_or_else(|| {
                self.results.push(result);
                self.results.len() - 1
            });
            u16::MAX - place as u16
        } else {
            self.order.push(at);
            (self.order.len() - 1) as u16
        };
        if let Some(slot) = self.numbers.get_mut(usize::from(at)) {
            *slot = Some(number);
        }
        number
    }

    fn window(&mut self, gathered: Gathered) -> Node {
        let Gathered { base, from, to, rows, otherwise } = gathered;
        let rows: Vec<_> = rows.into_iter().map(|(pattern, next)| (pattern, self.number(next))).collect();
        let otherwise = self.number(otherwise);
        match to - from {
            ..=8 => Node::One(Window::new(base, to, &rows, otherwise)),
            9..=16 => Node::Two(Window::new(base, to, &rows, otherwise)),
            _ => Node::Four(Window::new(base, to, &rows, otherwise)),
        }
    }
}
