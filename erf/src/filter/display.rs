//! A program as text, as `tcpdump -d` prints it.

use std::fmt;

use super::program::{Instruction, Program, code, jump_target};

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.instructions().iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            let operand = operand(one, at, self.instructions().len());
            if one.code & code::CLASS == code::JMP && one.code != code::JA {
                let (yes, no) = (at + 1 + usize::from(one.jt), at + 1 + usize::from(one.jf));
                write!(f, "({at:03}) {:<8} {operand:<16} jt {yes}\tjf {no}", name(one))?;
            } else {
                write!(f, "({at:03}) {:<8} {operand}", name(one))?;
            }
        }
        Ok(())
    }
}

fn name(one: &Instruction) -> &'static str {
    match one.code & code::CLASS {
        code::LD => match one.code {
            code::LD_ABS_H | code::LD_IND_H => "ldh",
            code::LD_ABS_B | code::LD_IND_B => "ldb",
            _ => "ld",
        },
        code::LDX if one.code == code::LDX_MSH => "ldxb",
        code::LDX => "ldx",
        code::ST => "st",
        code::STX => "stx",
        code::ALU => match one.code & code::OPERATION {
            code::ADD => "add",
            code::SUB => "sub",
            code::MUL => "mul",
            code::DIV => "div",
            code::MOD => "mod",
            code::OR => "or",
            code::AND => "and",
            code::XOR => "xor",
            code::LSH => "lsh",
            code::RSH => "rsh",
            _ => "neg",
        },
        code::JMP => match one.code & code::OPERATION {
            code::JEQ => "jeq",
            code::JGT => "jgt",
            code::JGE => "jge",
            code::JSET => "jset",
            _ => "ja",
        },
        code::RET => "ret",
        _ if one.code == code::TXA => "txa",
        _ => "tax",
    }
}

fn operand(one: &Instruction, at: usize, len: usize) -> String {
    let k = one.k;
    // Offsets and plain numbers are shown signed.
    let signed = k as i32;
    match one.code {
        code::LD_ABS_W | code::LD_ABS_H | code::LD_ABS_B => format!("[{signed}]"),
        code::LD_IND_W | code::LD_IND_H | code::LD_IND_B => format!("[x + {signed}]"),
        code::LD_LEN | code::LDX_LEN => "#pktlen".to_owned(),
        code::LD_IMM | code::LDX_IMM => format!("#0x{k:x}"),
        code::LD_MEM | code::LDX_MEM | code::ST | code::STX => format!("M[{signed}]"),
        code::LDX_MSH => format!("4*([{signed}]&0xf)"),
        code::JA => jump_target(at, k, len).map_or_else(String::new, |target| target.to_string()),
        code::RET_K => format!("#{signed}"),
        code::RET_A | code::TAX | code::TXA => String::new(),
        other if other & (code::CLASS | code::OPERATION) == code::ALU | code::NEG => String::new(),
        other if other & code::X != 0 => "x".to_owned(),
        other if other & code::CLASS == code::JMP => format!("#0x{k:x}"),
        other => match other & code::OPERATION {
            code::AND | code::OR | code::XOR => format!("#0x{k:x}"),
            _ => format!("#{signed}"),
        },
    }
}
