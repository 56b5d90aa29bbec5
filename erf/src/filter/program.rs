//! [`Program`]: instructions of the classic BPF machine, verified before they run.

use super::machine;
use super::nodes::{Nodes, TooShort};

/// The numbers of classic BPF, as `bpf(4)` and `pcap-filter` documentation have them.
pub(super) mod code {
    pub(crate) const CLASS: u16 = 0x07;
    pub(crate) const LD: u16 = 0x00;
    pub(crate) const LDX: u16 = 0x01;
    pub(crate) const ST: u16 = 0x02;
    pub(crate) const STX: u16 = 0x03;
    pub(crate) const ALU: u16 = 0x04;
    pub(crate) const JMP: u16 = 0x05;
    pub(crate) const RET: u16 = 0x06;
    pub(crate) const MISC: u16 = 0x07;

    pub(crate) const LD_IMM: u16 = LD;
    pub(crate) const LD_ABS_W: u16 = LD | 0x20;
    pub(crate) const LD_ABS_H: u16 = LD | 0x28;
    pub(crate) const LD_ABS_B: u16 = LD | 0x30;
    pub(crate) const LD_IND_W: u16 = LD | 0x40;
    pub(crate) const LD_IND_H: u16 = LD | 0x48;
    pub(crate) const LD_IND_B: u16 = LD | 0x50;
    pub(crate) const LD_MEM: u16 = LD | 0x60;
    pub(crate) const LD_LEN: u16 = LD | 0x80;
    pub(crate) const LDX_IMM: u16 = LDX;
    pub(crate) const LDX_MEM: u16 = LDX | 0x60;
    pub(crate) const LDX_LEN: u16 = LDX | 0x80;
    pub(crate) const LDX_MSH: u16 = LDX | 0xb0;

    /// The operand is X, not the constant.
    pub(crate) const X: u16 = 0x08;
    /// Operation of an ALU or JMP instruction.
    pub(crate) const OPERATION: u16 = 0xf0;
    pub(crate) const ADD: u16 = 0x00;
    pub(crate) const SUB: u16 = 0x10;
    pub(crate) const MUL: u16 = 0x20;
    pub(crate) const DIV: u16 = 0x30;
    pub(crate) const OR: u16 = 0x40;
    pub(crate) const AND: u16 = 0x50;
    pub(crate) const LSH: u16 = 0x60;
    pub(crate) const RSH: u16 = 0x70;
    pub(crate) const NEG: u16 = 0x80;
    pub(crate) const MOD: u16 = 0x90;
    pub(crate) const XOR: u16 = 0xa0;

    pub(crate) const JA: u16 = JMP;
    pub(crate) const JEQ: u16 = 0x10;
    pub(crate) const JGT: u16 = 0x20;
    pub(crate) const JGE: u16 = 0x30;
    pub(crate) const JSET: u16 = 0x40;

    pub(crate) const RET_K: u16 = RET;
    pub(crate) const RET_A: u16 = RET | 0x10;
    pub(crate) const TAX: u16 = MISC;
    pub(crate) const TXA: u16 = MISC | 0x80;
}

/// Words of scratch memory.
pub(super) const MEMORY: usize = 16;

/// Jumps backward that one packet may cause. A loop over the header chain of the longest packet needs 8192.
pub(super) const BACKWARD: u32 = 1 << 16;

/// One instruction of classic BPF, in the host's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// Class, size, mode and operation.
    pub code: u16,
    /// Instructions to skip when a conditional jump is taken.
    pub jt: u8,
    /// Instructions to skip when it is not.
    pub jf: u8,
    /// Constant operand: offset in bytes, value, memory word, distance of a jump, or result.
    pub k: u32,
}

impl Instruction {
    /// An instruction that does not branch.
    pub const fn new(code: u16, k: u32) -> Instruction {
        Instruction { code, jt: 0, jf: 0, k }
    }

    /// A conditional jump.
    pub const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
        Instruction { code, jt, jf, k }
    }
}

/// Why instructions are no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// There are none.
    #[error("the program is empty")]
    Empty,
    /// More than [`Program::MAX_LEN`].
    #[error("{0} instructions; {max} are the most", max = Program::MAX_LEN)]
    TooLong(usize),
    /// The machine has no such instruction.
    #[error("instruction {at}: unknown code {code:#x}")]
    Unknown {
        /// Index of the instruction.
        at: usize,
        /// Its code.
        code: u16,
    },
    /// A jump leads out of the program.
    #[error("instruction {at}: jumps out of the program")]
    JumpOutside {
        /// Index of the instruction.
        at: usize,
    },
    /// Scratch memory has 16 words.
    #[error("instruction {at}: memory word {word} of {MEMORY}")]
    Memory {
        /// Index of the instruction.
        at: usize,
        /// The word it names.
        word: u32,
    },
    /// Division by the constant zero.
    #[error("instruction {at}: divides by zero")]
    DivisionByZero {
        /// Index of the instruction.
        at: usize,
    },
    /// The last instruction is no return.
    #[error("the program does not end in a return")]
    NoReturn,
}

/// A verified program of classic BPF.
///
/// Every jump lands inside, memory words exist, nothing divides by a constant zero, and the last instruction returns; so running
/// it ends for any packet. `ja` may go backward, as libpcap's programs for `protochain` do; a packet that causes more than
/// 65 536 such jumps is not accepted.
///
/// ```
/// use erf::filter::{Instruction, Program};
///
/// // `udp`, on raw IPv4.
/// let program = Program::from_instructions(vec![
///     Instruction::new(0x30, 9),             // ldb [9]
///     Instruction::jump(0x15, 17, 0, 1),     // jeq #0x11
///     Instruction::new(0x06, 262_144),       // ret
///     Instruction::new(0x06, 0),
/// ])?;
/// let packet = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
/// assert_eq!(program.run(&packet, 20), 262_144);
/// println!("{program}"); // as `tcpdump -d` prints it
/// # Ok::<(), erf::filter::ProgramError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    instructions: Box<[Instruction]>,
    nodes: Nodes,
}

impl Program {
    /// Most instructions of a program. Kernels take 4096; a filter of files may name more addresses than fit into that.
    pub const MAX_LEN: usize = u16::MAX as usize;

    /// Verifies `instructions`.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, and where.
    pub fn from_instructions(instructions: impl Into<Box<[Instruction]>>) -> Result<Program, ProgramError> {
        let instructions = instructions.into();
        verify(&instructions)?;
        let nodes = Nodes::new(&instructions);
        Ok(Program { instructions, nodes })
    }

    /// The instructions as they were given.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// What the program returns for a packet of which `packet` was captured and `wire_len` bytes were on the wire: how many bytes
    /// to keep, 0 where it does not match. A load beyond what was captured gives 0, as does a division by zero.
    pub fn run(&self, packet: &[u8], wire_len: u32) -> u32 {
        self.run_on(self.nodes.start(), packet, wire_len)
    }

    /// What runs.
    #[inline]
    pub(super) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The rest of a run that has come to `at`.
    pub(super) fn run_on(&self, at: u16, packet: &[u8], wire_len: u32) -> u32 {
        match self.nodes.run(at, packet, wire_len) {
            Ok(result) => result,
            Err(TooShort) => self.run_plainly(packet, wire_len),
        }
    }

    /// The same, one instruction after the other: slow and plain, what [`run`](Program::run) is held to in tests.
    pub fn run_plainly(&self, packet: &[u8], wire_len: u32) -> u32 {
        machine::run(&self.instructions, packet, wire_len)
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program {{\n{self}\n}}")
    }
}

fn verify(instructions: &[Instruction]) -> Result<(), ProgramError> {
    let len = instructions.len();
    if len > Program::MAX_LEN {
        return Err(ProgramError::TooLong(len));
    }
    for (at, one) in instructions.iter().enumerate() {
        let Instruction { code, jt, jf, k } = *one;
        match code & code::CLASS {
            code::LD | code::LDX => match code {
                code::LD_IMM | code::LD_ABS_W | code::LD_ABS_H | code::LD_ABS_B | code::LD_LEN => {}
                code::LD_IND_W | code::LD_IND_H | code::LD_IND_B => {}
                code::LDX_IMM | code::LDX_LEN | code::LDX_MSH => {}
                code::LD_MEM | code::LDX_MEM => memory(at, k)?,
                _ => return Err(ProgramError::Unknown { at, code }),
            },
            code::ST | code::STX if code > code::STX => return Err(ProgramError::Unknown { at, code }),
            code::ST | code::STX => memory(at, k)?,
            code::ALU => match code & code::OPERATION {
                code::DIV | code::MOD if code & code::X == 0 && k == 0 => {
                    return Err(ProgramError::DivisionByZero { at });
                }
                // The negative is of A alone.
                code::NEG if code & code::X != 0 => return Err(ProgramError::Unknown { at, code }),
                operation if operation <= code::XOR && code <= 0xff => {}
                _ => return Err(ProgramError::Unknown { at, code }),
            },
            code::JMP => {
                let inside = |distance: usize| at + 1 + distance < len;
                let fits = match code {
                    code::JA => jump_target(at, k, len).is_some(),
                    0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => inside(jt.into()) && inside(jf.into()),
                    _ => return Err(ProgramError::Unknown { at, code }),
                };
                if !fits {
                    return Err(ProgramError::JumpOutside { at });
                }
            }
            code::RET if matches!(code, code::RET_K | code::RET_A) => {}
            code::MISC if matches!(code, code::TAX | code::TXA) => {}
            _ => return Err(ProgramError::Unknown { at, code }),
        }
    }
    match instructions.last() {
        None => Err(ProgramError::Empty),
        Some(last) if last.code & code::CLASS == code::RET => Ok(()),
        Some(_) => Err(ProgramError::NoReturn),
    }
}

fn memory(at: usize, word: u32) -> Result<(), ProgramError> {
    if (word as usize) < MEMORY { Ok(()) } else { Err(ProgramError::Memory { at, word }) }
}

/// Where `ja k` at `at` leads in a program of `len` instructions, if inside. The distance is signed.
pub(super) fn jump_target(at: usize, k: u32, len: usize) -> Option<usize> {
    let distance = k as i32 as i64;
    usize::try_from(at as i64 + 1 + distance).ok().filter(|&target| target < len)
}

/// Whether an instruction loads from the offsets below zero at which Linux keeps what it knows about a packet beside its bytes.
pub(super) fn asks_kernel(one: &Instruction) -> bool {
    matches!(one.code, code::LD_ABS_W | code::LD_ABS_H | code::LD_ABS_B) && (one.k as i32) < 0
}
