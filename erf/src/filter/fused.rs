//! The fast interpreter: instructions that belong together are one step, jumps are resolved.
//!
//! What compilers emit is mostly "load a field, mask it, compare, branch". Here that is one entry of a table: where the field is,
//! what to keep of it, the range of values that takes the branch, and the two entries that may follow. Every comparison is brought to
//! one form, `(A & probe) - low <= span` modulo 2^32, so an entry differs from another only in how it loads. The load of X with the
//! length of an IPv4 header, which comes before every look at a port, is fused with the load behind it.

use super::machine::{State, byte, half, step, taken, word};
use super::program::{BACKWARD, Instruction, code, jump_target};

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

    /// The same with its entries numbered as `places` says. `None`: it names one that is not there.
    pub(super) fn renumbered(self, places: &[u16]) -> Option<Op> {
        let place = |old: u16| places.get(usize::from(old)).copied();
        let both = |test: Test| Some(Test { yes: place(test.yes)?, no: place(test.no)?, ..test });
        Some(match self {
            Op::Byte(test) => Op::Byte(both(test)?),
            Op::Half(test) => Op::Half(both(test)?),
            Op::Word(test) => Op::Word(both(test)?),
            Op::IndByte(test) => Op::IndByte(both(test)?),
            Op::IndHalf(test) => Op::IndHalf(both(test)?),
            Op::IndWord(test) => Op::IndWord(both(test)?),
            Op::TransportHalf { header, test } => Op::TransportHalf { header, test: both(test)? },
            Op::Len(test) => Op::Len(both(test)?),
            Op::Held(test) => Op::Held(both(test)?),
            Op::AgainstX { operation, yes, no } => Op::AgainstX { operation, yes: place(yes)?, no: place(no)? },
            Op::Step { one, next } => Op::Step { one, next: place(next)? },
            Op::Back { target } => Op::Back { target: place(target)? },
            Op::Return { .. } | Op::ReturnA => self,
        })
    }
}

/// Makes the table of a verified program, and says at which instruction each entry begins.
pub(super) fn table(instructions: &[Instruction]) -> (Box<[Op]>, Vec<usize>) {
    let mut builder = Builder { instructions, places: vec![None; instructions.len()], order: Vec::new() };
    builder.place(0);
    let mut ops = Vec::new();
    // Placing an entry may add those that follow it.
    while let Some(&at) = builder.order.get(ops.len()) {
        ops.push(builder.op(at));
    }
    (ops.into(), builder.order)
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

/// Runs a table over a packet.
pub(super) fn run(table: &[Op], packet: &[u8], wire_len: u32) -> u32 {
    run_inside(table, packet, wire_len).unwrap_or(0)
}

/// `None`: the packet ends before a field, or a division by zero.
#[inline]
fn run_inside(table: &[Op], packet: &[u8], wire_len: u32) -> Option<u32> {
    let mut state = State::default();
    let mut backward = BACKWARD;
    let mut at = 0u16;
    loop {
        // Entries name only entries.
        let (loaded, test) = match table.get(usize::from(at))? {
            Op::Half(test) => (half(packet, test.offset.into())?, test),
            Op::Byte(test) => (byte(packet, test.offset.into())?, test),
            Op::Word(test) => (word(packet, test.offset.into())?, test),
            Op::TransportHalf { header, test } => {
                state.x = (byte(packet, (*header).into())? & 0xf) << 2;
                (half(packet, u64::from(state.x) + u64::from(test.offset))?, test)
            }
            Op::IndHalf(test) => (half(packet, u64::from(state.x) + u64::from(test.offset))?, test),
            Op::IndByte(test) => (byte(packet, u64::from(state.x) + u64::from(test.offset))?, test),
            Op::IndWord(test) => (word(packet, u64::from(state.x) + u64::from(test.offset))?, test),
            Op::Held(test) => (state.a, test),
            Op::Len(test) => (wire_len, test),
            Op::Return { result } => return Some(*result),
            Op::ReturnA => return Some(state.a),
            Op::AgainstX { operation, yes, no } => {
                at = if taken(*operation, state.a, state.x) { *yes } else { *no };
                continue;
            }
            Op::Step { one, next } => {
                step(*one, &mut state, packet, wire_len)?;
                at = *next;
                continue;
            }
            Op::Back { target } => {
                backward = backward.checked_sub(1)?;
                at = *target;
                continue;
            }
        };
        state.a = loaded & test.keep;
        at = if (state.a & test.probe).wrapping_sub(test.low) <= test.span { test.yes } else { test.no };
    }
}
