//! Instructions that belong together as one entry of a table, jumps resolved.
//!
//! What compilers emit is mostly "load a field, mask it, compare, branch". Here that is one entry: where the field is,
//! what to keep of it, the range of values that takes the branch, and the two entries that may follow. Every comparison is brought to
//! one form, `(A & probe) - low <= span` modulo 2^32, so an entry differs from another only in how it loads. The load of X with the
//! length of an IPv4 header, which comes before every look at a port, is fused with the load behind it.

use super::program::{Instruction, code, jump_target};

/// Load, mask, compare, branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Test {
    /// Offset of the field, from X where the load is relative to it.
    pub(super) offset: u32,
    /// What A keeps of it.
    pub(super) keep: u32,
    /// What is looked at.
    pub(super) probe: u32,
    /// The branch is taken from here ...
    pub(super) low: u32,
    /// ... to so much more.
    pub(super) span: u32,
    /// Entry that follows when taken.
    pub(super) yes: u16,
    /// Entry that follows when not.
    pub(super) no: u16,
}

/// An entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Byte(Test),
    Half(Test),
    Word(Test),
    /// Relative to X.
    IndByte(Test),
    IndHalf(Test),
    IndWord(Test),
    /// Sets X to the IPv4 header length told by the byte at `header`, then loads relative to it.
    TransportHalf {
        header: u16,
        test: Test,
    },
    /// The length on the wire.
    Len(Test),
    /// A as it is.
    Held(Test),
    /// A conditional jump against X.
    AgainstX {
        operation: u16,
        yes: u16,
        no: u16,
    },
    /// Any other instruction.
    Step {
        one: Instruction,
        next: u16,
    },
    /// A jump backward.
    Back {
        target: u16,
    },
    Return {
        result: u32,
    },
    ReturnA,
}

impl Op {
    /// What it compares, if it loads and compares.
    pub(super) fn test(&self) -> Option<&Test> {
        match self {
            Op::Byte(test) | Op::Half(test) | Op::Word(test) => Some(test),
            Op::IndByte(test) | Op::IndHalf(test) | Op::IndWord(test) => Some(test),
            Op::TransportHalf { test, .. } | Op::Len(test) | Op::Held(test) => Some(test),
            Op::AgainstX { .. } | Op::Step { .. } | Op::Back { .. } | Op::Return { .. } | Op::ReturnA => None,
        }
    }

    /// The entries that may follow.
    pub(super) fn followers(&self) -> impl Iterator<Item = u16> {
        let (one, other) = match self {
            Op::AgainstX { yes, no, .. } => (Some(*yes), Some(*no)),
            Op::Step { next: only, .. } | Op::Back { target: only } => (Some(*only), None),
            op => (op.test().map(|test| test.yes), op.test().map(|test| test.no)),
        };
        one.into_iter().chain(other)
    }

    /// Whether it looks at what A held before.
    pub(super) fn reads_a(&self) -> bool {
        matches!(self, Op::Held(_) | Op::AgainstX { .. } | Op::Step { .. } | Op::ReturnA)
    }

    /// What A holds behind it, as the load that has put it there and nothing else; `before` is what it held.
    fn loads(&self, before: Option<Op>) -> Option<Op> {
        let nothing = |test: &Test| Test { probe: 0, low: 0, span: 0, yes: 0, no: 0, ..*test };
        match self {
            // X is set already.
            Op::TransportHalf { test, .. } => Some(Op::IndHalf(nothing(test))),
            Op::Held(_) | Op::AgainstX { .. } | Op::Back { .. } => before,
            op => op.test().map(|test| op.with_test(nothing(test))),
        }
    }

    /// The same load, or none, with another comparison.
    fn with_test(&self, test: Test) -> Op {
        match *self {
            Op::Byte(_) => Op::Byte(test),
            Op::Half(_) => Op::Half(test),
            Op::Word(_) => Op::Word(test),
            Op::IndByte(_) => Op::IndByte(test),
            Op::IndHalf(_) => Op::IndHalf(test),
            Op::IndWord(_) => Op::IndWord(test),
            Op::TransportHalf { header, .. } => Op::TransportHalf { header, test },
            Op::Len(_) => Op::Len(test),
            Op::Held(_) => Op::Held(test),
            other => other,
        }
    }

    /// The same with the entries that may follow numbered anew.
    pub(super) fn renumbered(self, mut place: impl FnMut(u16) -> u16) -> Op {
        match self {
            Op::AgainstX { operation, yes, no } => Op::AgainstX { operation, yes: place(yes), no: place(no) },
            Op::Step { one, next } => Op::Step { one, next: place(next) },
            Op::Back { target } => Op::Back { target: place(target) },
            op => match op.test() {
                Some(test) => op.with_test(Test { yes: place(test.yes), no: place(test.no), ..*test }),
                None => op,
            },
        }
    }
}

/// Makes the table of a verified program; it begins with the first entry.
pub(super) fn table(instructions: &[Instruction]) -> Vec<Op> {
    let mut builder = Builder { instructions, places: vec![None; instructions.len()], order: Vec::new() };
    builder.place(0);
    let mut ops = Vec::new();
    // Placing an entry may add those that follow it.
    while let Some(&at) = builder.order.get(ops.len()) {
        ops.push(builder.op(at));
    }
    load_again(&mut ops);
    ops
}

/// Comparisons of what an entry before has loaded load it themselves, wherever that is the same for all ways to them: then nobody
/// needs to keep A for them. The load has been done, so it can be.
fn load_again(ops: &mut [Op]) {
    // What A is known to be where an entry begins; without one where nothing is, or different things.
    let mut held: Vec<Option<Option<Op>>> = vec![None; ops.len()];
    let mut open = Vec::new();
    if let Some(first) = held.first_mut() {
        *first = Some(None);
        open.push(0);
    }
    while let Some(at) = open.pop() {
        let (Some(op), Some(Some(before))) = (ops.get(usize::from(at)), held.get(usize::from(at))) else { continue };
        let after = op.loads(*before);
        for next in op.followers() {
            let Some(known) = held.get_mut(usize::from(next)) else { continue };
            let joined = known.map_or(after, |known| known.filter(|known| after == Some(*known)));
            if *known != Some(joined) {
                *known = Some(joined);
                open.push(next);
            }
        }
    }
    for (op, held) in ops.iter_mut().zip(held) {
        if let (Op::Held(test), Some(Some(load))) = (&*op, held)
            && let Some(loaded) = load.test()
        {
            let Test { offset, keep, .. } = *loaded;
            *op = load.with_test(Test { offset, keep, ..*test });
        }
    }
}

struct Builder<'a> {
    instructions: &'a [Instruction],
    /// Where the entry that begins at an instruction is.
    places: Vec<Option<u16>>,
    /// Instructions at which entries begin.
    order: Vec<usize>,
}

impl Builder<'_> {
    fn get(&self, at: usize) -> Instruction {
        // Verified programs end in a return, so nothing is read behind it.
        self.instructions.get(at).copied().unwrap_or(Instruction::new(code::RET_K, 0))
    }

    /// The entry for what begins at instruction `at`, jumps followed.
    fn place(&mut self, mut at: usize) -> u16 {
        while let one = self.get(at)
            && one.code == code::JA
            && let Some(target) = jump_target(at, one.k, self.instructions.len())
            && target > at
        {
            at = target;
        }
        if let Some(Some(place)) = self.places.get(at) {
            return *place;
        }
        // No more entries than instructions, and those are numbered by 16 bits.
        let place = self.order.len() as u16;
        self.order.push(at);
        if let Some(slot) = self.places.get_mut(at) {
            *slot = Some(place);
        }
        place
    }

    /// The longest entry that begins at instruction `at`.
    fn op(&mut self, at: usize) -> Op {
        let one = self.get(at);
        let absolute = |wrap: fn(Test) -> Op| (wrap, one.k);
        let load = match one.code {
            code::LD_ABS_B => Some(absolute(Op::Byte)),
            code::LD_ABS_H => Some(absolute(Op::Half)),
            code::LD_ABS_W => Some(absolute(Op::Word)),
            code::LD_IND_B => Some(absolute(Op::IndByte)),
            code::LD_IND_H => Some(absolute(Op::IndHalf)),
            code::LD_IND_W => Some(absolute(Op::IndWord)),
            code::LD_LEN => Some(absolute(Op::Len)),
            _ => None,
        };
        if let Some((wrap, offset)) = load
            && let Some(test) = self.test(at + 1, offset)
        {
            return wrap(test);
        }
        if one.code == code::LDX_MSH
            && let Ok(header) = u16::try_from(one.k)
            && self.get(at + 1).code == code::LD_IND_H
            && let Some(test) = self.test(at + 2, self.get(at + 1).k)
        {
            return Op::TransportHalf { header, test };
        }
        match one.code & code::CLASS {
            code::RET if one.code == code::RET_A => Op::ReturnA,
            code::RET => Op::Return { result: one.k },
            // Jumps forward have been followed.
            code::JMP if one.code == code::JA => {
                let target = jump_target(at, one.k, self.instructions.len()).unwrap_or(0);
                Op::Back { target: self.place(target) }
            }
            code::JMP if one.code & code::X == 0 => match self.compare(at, 0, u32::MAX) {
                Some(test) => Op::Held(test),
                None => Op::Return { result: 0 },
            },
            code::JMP => {
                let (yes, no) = self.branches(at);
                Op::AgainstX { operation: one.code & code::OPERATION, yes, no }
            }
            _ => Op::Step { one, next: self.place(at + 1) },
        }
    }

    /// A mask, if there is one, and a comparison from instruction `at` on.
    fn test(&mut self, at: usize, offset: u32) -> Option<Test> {
        let one = self.get(at);
        if one.code == code::ALU | code::AND {
            self.compare(at + 1, offset, one.k)
        } else {
            self.compare(at, offset, u32::MAX)
        }
    }

    fn compare(&mut self, at: usize, offset: u32, keep: u32) -> Option<Test> {
        let one = self.get(at);
        if one.code & (code::CLASS | code::X) != code::JMP || one.code == code::JA {
            return None;
        }
        let (yes, no) = self.branches(at);
        let test = Test { offset, keep, probe: u32::MAX, low: one.k, span: 0, yes, no };
        Some(match one.code & code::OPERATION {
            code::JEQ => test,
            code::JGE => Test { span: u32::MAX - one.k, ..test },
            code::JGT => match one.k.checked_add(1) {
                Some(low) => Test { low, span: u32::MAX - low, ..test },
                // Nothing is greater.
                None => Test { yes: no, ..test },
            },
            // None of the bits is set: the other way round.
            _ => Test { probe: one.k, low: 0, yes: no, no: yes, ..test },
        })
    }

    fn branches(&mut self, at: usize) -> (u16, u16) {
        let one = self.get(at);
        let no = self.place(at + 1 + usize::from(one.jf));
        let yes = self.place(at + 1 + usize::from(one.jt));
        (yes, no)
    }
}
