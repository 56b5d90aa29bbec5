//! The plain interpreter: what every instruction means, one at a time.
//!
//! Semantics are those of libpcap's userland machine: numbers in the packet are big-endian, arithmetic is modulo 2^32, a load
//! that is not wholly inside the captured bytes ends the program with 0 (also where its offset does not fit 32 bits), so does a
//! division by zero, and a shift by 32 or more gives 0. The ancillary offsets of Linux mean nothing here: they lie outside of any packet.

use super::program::{BACKWARD, Instruction, MEMORY, code, jump_target};

/// Registers and scratch memory.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) a: u32,
    pub(super) x: u32,
    pub(super) memory: [u32; MEMORY],
}

/// The byte at `at`.
#[inline]
pub(super) fn byte(packet: &[u8], at: u64) -> Option<u32> {
    packet.get(usize::try_from(at).ok()?).map(|&byte| byte.into())
}

/// Two bytes at `at`.
#[inline]
pub(super) fn half(packet: &[u8], at: u64) -> Option<u32> {
    let bytes = packet.get(usize::try_from(at).ok()?..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes).into())
}

/// Four bytes at `at`.
#[inline]
pub(super) fn word(packet: &[u8], at: u64) -> Option<u32> {
    let bytes = packet.get(usize::try_from(at).ok()?..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

/// Executes an instruction that neither jumps nor returns. `None` ends the program with 0.
#[inline]
pub(super) fn step(one: Instruction, state: &mut State, packet: &[u8], wire_len: u32) -> Option<()> {
    let k = one.k;
    let absolute = u64::from(k);
    let indirect = u64::from(state.x) + u64::from(k);
    // Verified to be there; a word that is not reads as 0.
    let slot = k as usize;
    match one.code {
        code::LD_ABS_W => state.a = word(packet, absolute)?,
        code::LD_ABS_H => state.a = half(packet, absolute)?,
        code::LD_ABS_B => state.a = byte(packet, absolute)?,
        code::LD_IND_W => state.a = word(packet, indirect)?,
        code::LD_IND_H => state.a = half(packet, indirect)?,
        code::LD_IND_B => state.a = byte(packet, indirect)?,
        code::LD_IMM => state.a = k,
        code::LD_LEN => state.a = wire_len,
        code::LD_MEM => state.a = state.memory.get(slot).copied().unwrap_or(0),
        code::LDX_IMM => state.x = k,
        code::LDX_LEN => state.x = wire_len,
        code::LDX_MEM => state.x = state.memory.get(slot).copied().unwrap_or(0),
        code::LDX_MSH => state.x = (byte(packet, absolute)? & 0xf) << 2,
        code::ST => {
            if let Some(word) = state.memory.get_mut(slot) {
                *word = state.a;
            }
        }
        code::STX => {
            if let Some(word) = state.memory.get_mut(slot) {
                *word = state.x;
            }
        }
        code::TAX => state.x = state.a,
        code::TXA => state.a = state.x,
        alu => {
            let operand = if alu & code::X == 0 { k } else { state.x };
            state.a = arithmetic(alu & code::OPERATION, state.a, operand)?;
        }
    }
    Some(())
}

/// `None`: division by zero.
#[inline]
fn arithmetic(operation: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match operation {
        code::ADD => a.wrapping_add(operand),
        code::SUB => a.wrapping_sub(operand),
        code::MUL => a.wrapping_mul(operand),
        code::DIV => a.checked_div(operand)?,
        code::MOD => a.checked_rem(operand)?,
        code::OR => a | operand,
        code::AND => a & operand,
        code::XOR => a ^ operand,
        code::LSH => a.checked_shl(operand).unwrap_or(0),
        code::RSH => a.checked_shr(operand).unwrap_or(0),
        _ => a.wrapping_neg(),
    })
}

/// Whether a conditional jump is taken.
#[inline]
pub(super) fn taken(operation: u16, a: u32, operand: u32) -> bool {
    match operation {
        code::JEQ => a == operand,
        code::JGT => a > operand,
        code::JGE => a >= operand,
        _ => a & operand != 0,
    }
}

/// Runs verified instructions over a packet.
pub(super) fn run(instructions: &[Instruction], packet: &[u8], wire_len: u32) -> u32 {
    let mut state = State::default();
    let mut backward = BACKWARD;
    let mut at = 0;
    while let Some(&one) = instructions.get(at) {
        match one.code & code::CLASS {
            code::RET => return if one.code == code::RET_A { state.a } else { one.k },
            code::JMP if one.code == code::JA => {
                let Some(target) = jump_target(at, one.k, instructions.len()) else { return 0 };
                if target <= at {
                    if backward == 0 {
                        return 0;
                    }
                    backward -= 1;
                }
                at = target;
            }
            code::JMP => {
                let operand = if one.code & code::X == 0 { one.k } else { state.x };
                let skip = if taken(one.code & code::OPERATION, state.a, operand) { one.jt } else { one.jf };
                at += 1 + usize::from(skip);
            }
            _ => {
                if step(one, &mut state, packet, wire_len).is_none() {
                    return 0;
                }
                at += 1;
            }
        }
    }
    0
}
