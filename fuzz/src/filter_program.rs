//! Numbers as a program of the filter machine.

use erf::filter::{Instruction, Program};

/// What is verified runs, ends, and gives the same by both interpreters; what is not is refused in words.
///
/// The first byte says how many instructions of eight bytes follow (code, jt, jf, k in the order of this machine); what is left is the packet.
pub fn check(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let (program, packet) = rest.split_at(rest.len().min(usize::from(count) * 8));
    let instruction = |raw: &[u8]| Instruction {
        code: u16::from_le_bytes([raw[0], raw[1]]),
        jt: raw[2],
        jf: raw[3],
        k: u32::from_le_bytes([raw[4], raw[5], raw[6], raw[7]]),
    };
    let instructions: Vec<Instruction> = program.chunks_exact(8).map(instruction).collect();
    match Program::from_instructions(instructions.clone()) {
        Ok(program) => {
            assert_eq!(program.instructions(), instructions);
            assert_eq!(program.to_string().lines().count(), instructions.len());
            for wire_len in [packet.len() as u32, u32::MAX] {
                assert_eq!(program.run(packet, wire_len), program.run_plainly(packet, wire_len));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
