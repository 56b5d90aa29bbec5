//! The machine code of the loop over records: on the way from one sound record to the next nothing is called, and nowhere in the loop
//! can anything panic.
//!
//! What is looked at is `walk::records` of `house-hot`, a function into which nothing but the loop is woven. Calls that are left in it
//! lead to the walk's own function for damage and to that for extension headers. Without those calls the loop must still go round.

use std::collections::{BTreeMap, HashMap};

use super::ground;
use crate::shell::{self, Result, finding, output};

const FUNCTION: &str = "house_hot::walk::records";

/// What may be called, off the way of a sound record without extension headers; the ends of names, whose beginnings depend on the
/// compiler's way to write them.
const COLD: [&str; 3] = ["Records>::off_the_way", "record::odd_header_len", "record::unfit"];

/// The step of CI. Needs `objdump`.
pub(crate) fn step() -> Result {
    if !cfg!(target_arch = "x86_64") {
        println!("machine code is looked at for x86_64 only");
        return Ok(());
    }
    let hot = ground::build(&["house-hot"])?.join("house-hot");
    let dump = |arguments: &[&str]| output(shell::program("objdump").args(arguments).arg(&hot));
    let code = dump(&["--disassemble", "--no-show-raw-insn", "--demangle"])?;
    let relocations = dump(&["--dynamic-reloc"])?;
    let symbols = dump(&["--syms", "--demangle"])?;
    let found = judge(&code, &Names::read(&symbols, &relocations))?;
    println!(
        "{FUNCTION}: {} instructions, {} in the loop of sound records, which calls nothing; calls off its way: {}",
        found.instructions,
        found.in_loop,
        found.calls.join(", ")
    );
    Ok(())
}

/// Names of addresses, and what words of the table of linked functions lead to.
#[derive(Debug, Default)]
struct Names {
    functions: HashMap<u64, String>,
    linked: HashMap<u64, u64>,
    imported: HashMap<u64, String>,
}

impl Names {
    fn read(symbols: &str, relocations: &str) -> Self {
        let mut names = Self::default();
        for line in symbols.lines() {
            // 0000000000063570 l     F .text  0000000000000458              house_hot::walk::records
            let Some((address, rest)) = line.split_once(' ') else { continue };
            let (Some(address), Some((_, rest))) = (hex(address), rest.split_once(" F ")) else { continue };
            let name = rest.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
            names.functions.insert(address, name);
        }
        for line in relocations.lines() {
            // 0000000000127558 R_X86_64_RELATIVE  *ABS*+0x0000000000063a20
            let mut words = line.split_whitespace();
            let (Some(at), Some(_), Some(value)) = (words.next().and_then(hex), words.next(), words.next()) else {
                continue;
            };
            match value.strip_prefix("*ABS*+0x").and_then(hex) {
                Some(to) => names.linked.insert(at, to).map(|_| ()),
                None => names.imported.insert(at, value.to_owned()).map(|_| ()),
            };
        }
        names
    }

    fn of(&self, address: u64) -> String {
        self.functions.get(&address).cloned().unwrap_or_else(|| format!("{address:#x}"))
    }

    /// What a call through the word at `slot` leads to.
    fn through(&self, slot: u64) -> String {
        match (self.linked.get(&slot), self.imported.get(&slot)) {
            (Some(to), _) => self.of(*to),
            (None, Some(name)) => name.clone(),
            (None, None) => format!("what stands at {slot:#x}"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    instructions: usize,
    in_loop: usize,
    calls: Vec<String>,
}

/// One instruction, and where it may lead.
#[derive(Debug, Clone)]
struct Step {
    next: Vec<u64>,
    /// It calls, or jumps, to another function.
    calls: Option<String>,
    /// It turns the bytes of a word around: the length of a record is read.
    swaps: bool,
}

fn judge(code: &str, names: &Names) -> Result<Found> {
    let steps = steps(code, names)?;
    let mut calls: Vec<String> = steps.values().filter_map(|step| step.calls.clone()).collect();
    calls.sort();
    calls.dedup();
    if let Some(other) = calls.iter().find(|name| !COLD.iter().any(|cold| is_named(name, cold))) {
        return finding(format!("{FUNCTION} calls {other}; the loop over records may call only {}", COLD.join(", ")));
    }
    let in_loop = longest_loop(&steps);
    if in_loop == 0 {
        return finding(format!("{FUNCTION} does not get from one record to the next without a call"));
    }
    Ok(Found { instructions: steps.len(), in_loop, calls })
}

/// `a::b` and `<a>::b` are the same to compilers of different ages, and some put a hash behind.
fn is_named(name: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.replace(['<', '>'], "");
    let name = plain(name);
    let name = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16).map_or(name.as_str(), |(name, _)| name);
    name.ends_with(&plain(wanted))
}

/// The instructions of the function, by address.
fn steps(code: &str, names: &Names) -> Result<BTreeMap<u64, Step>> {
    let mut lines = code.lines().skip_while(|line| {
        let name = line.split_once(" <").and_then(|(_, rest)| rest.strip_suffix(">:"));
        !name.is_some_and(|name| is_named(name, FUNCTION))
    });
    if lines.next().is_none() {
        return finding(format!("there is no function {FUNCTION} in the program"));
    }
    let mut read = Vec::new();
    for line in lines.take_while(|line| !line.trim().is_empty()) {
        let Some((address, text)) = line.split_once(':') else { continue };
        let Some(address) = hex(address.trim()) else { continue };
        let text = text.trim();
        read.push((address, text));
    }
    let (Some(&(first, _)), Some(&(last, _))) = (read.first(), read.last()) else {
        return finding(format!("{FUNCTION} has no code"));
    };
    let mut steps = BTreeMap::new();
    for (number, &(address, text)) in read.iter().enumerate() {
        let following = read.get(number + 1).map(|&(address, _)| address);
        let (operation, operand) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let is_jump = operation.starts_with('j');
        let mut step =
            Step { next: Vec::new(), calls: None, swaps: matches!(operation, "bswap" | "rol" | "ror" | "movbe") };
        if is_jump || operation.starts_with("call") {
            match target(operand) {
                Target::Address(to) if is_jump && (first..=last).contains(&to) => step.next.push(to),
                Target::Address(to) => step.calls = Some(names.of(to)),
                Target::Slot(slot) => step.calls = Some(names.through(slot)),
                Target::Unknown => return finding(format!("{FUNCTION} goes to an unknown place: {text}")),
            }
        }
        if !matches!(operation, "jmp" | "ret" | "ud2") {
            step.next.extend(following);
        }
        steps.insert(address, step);
    }
    Ok(steps)
}

/// Where a jump or call leads.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Address(u64),
    /// Through the word at this address.
    Slot(u64),
    Unknown,
}

fn target(operand: &str) -> Target {
    let operand = operand.trim();
    if operand.starts_with('*') {
        // *0xc3d31(%rip)        # 127558 <_DYNAMIC+0x250>
        let slot = operand.split_once("(%rip)").and_then(|(_, rest)| rest.trim().strip_prefix("# "));
        return slot.and_then(|slot| hex(slot.split_whitespace().next()?)).map_or(Target::Unknown, Target::Slot);
    }
    operand.split_whitespace().next().and_then(hex).map_or(Target::Unknown, Target::Address)
}

/// Instructions of the greatest loop in which the length of a record is read and nothing is called; 0 where there is none.
fn longest_loop(steps: &BTreeMap<u64, Step>) -> usize {
    let quiet = |address: &u64| steps.get(address).is_some_and(|step| step.calls.is_none());
    let reach = |from: u64| {
        let (mut seen, mut open) = (std::collections::BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            for next in steps.get(&at).into_iter().flat_map(|step| &step.next).filter(|next| quiet(next)) {
                if seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        seen
    };
    let swaps = steps.iter().filter(|(address, step)| step.swaps && quiet(address)).map(|(address, _)| *address);
    swaps
        .map(|swap| {
            let forth = reach(swap);
            // A loop: what can be reached from it and from where it can be reached.
            if forth.contains(&swap) { forth.iter().filter(|at| reach(**at).contains(&swap)).count() } else { 0 }
        })
        .max()
        .unwrap_or(0)
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "\
0000000000001000 l     F .text\t0000000000000458              house_hot::walk::records
0000000000002000 l     F .text\t0000000000000100              erf_core::walk::Records::off_the_way
0000000000003000 g     F .text\t0000000000000100              core::panicking::panic_bounds_check
";

    const RELOCATIONS: &str = "\
0000000000009000 R_X86_64_RELATIVE  *ABS*+0x0000000000002000
0000000000009008 R_X86_64_RELATIVE  *ABS*+0x0000000000003000
";

    fn code(body: &str) -> String {
        format!(
            "0000000000000f00 <other>:\n     f00:\tret\n\n0000000000001000 <house_hot::walk::records>:\n{body}\n0000000000001100 <next>:\n"
        )
    }

    fn judged(body: &str) -> Result<Found> {
        judge(&code(body), &Names::read(SYMBOLS, RELOCATIONS))
    }

    #[test]
    fn a_loop_that_calls_only_for_damage_is_well() {
        let found = judged(
            "    1000:\tpush   %rbx
    1001:\tbswap  %rax
    1004:\tjae    1010 <house_hot::walk::records+0x10>
    1006:\tadd    %rax,%rcx
    1009:\tjmp    1001 <house_hot::walk::records+0x1>
    1010:\tcall   *0x8000(%rip)        # 9000 <_DYNAMIC+0x10>
    1016:\tjne    1001 <house_hot::walk::records+0x1>
    1018:\tret
",
        )
        .unwrap();
        assert_eq!(
            found,
            Found { instructions: 8, in_loop: 4, calls: vec!["erf_core::walk::Records::off_the_way".to_owned()] }
        );
    }

    #[test]
    fn a_panic_anywhere_is_found() {
        let error = judged(
            "    1001:\tbswap  %rax
    1009:\tje     1001 <house_hot::walk::records+0x1>
    1010:\tcall   *0x8000(%rip)        # 9008 <_DYNAMIC+0x18>
",
        )
        .unwrap_err();
        assert!(error.to_string().contains("calls core::panicking::panic_bounds_check"), "{error}");
    }

    #[test]
    fn a_call_on_the_way_of_every_record_is_found_and_so_is_a_jump_away() {
        let on_the_way = judged(
            "    1001:\tbswap  %rax
    1004:\tcall   2000 <erf_core::walk::Records::off_the_way>
    1009:\tje     1001 <house_hot::walk::records+0x1>
    1018:\tret
",
        );
        assert!(on_the_way.unwrap_err().to_string().contains("without a call"));
        let away = judged("    1001:\tbswap  %rax\n    1009:\tje     1001 <x>\n    1010:\tjmp    3000 <panic>\n");
        assert!(away.unwrap_err().to_string().contains("panic_bounds_check"));
        let nowhere = judged("    1001:\tbswap  %rax\n    1009:\tje     1001 <x>\n    1010:\tcall   *%rax\n");
        assert!(nowhere.unwrap_err().to_string().contains("unknown place"));
    }

    #[test]
    fn names_of_compilers_of_any_age_are_known() {
        for name in [
            "erf_core::walk::Records::off_the_way",
            "<erf_core::walk::Records>::off_the_way",
            "erf_core::walk::Records::off_the_way::h0123456789abcdef",
        ] {
            assert!(is_named(name, COLD[0]), "{name}");
        }
        assert!(!is_named("erf_core::walk::Records::off_the_wayd", COLD[0]));
    }
}
