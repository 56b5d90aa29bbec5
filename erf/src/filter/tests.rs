use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::program::code;
use super::*;

/// Codes of everything that neither jumps nor returns.
fn straight() -> Vec<u16> {
    let mut codes = vec![
        code::LD_IMM,
        code::LD_ABS_W,
        code::LD_ABS_H,
        code::LD_ABS_B,
        code::LD_IND_W,
        code::LD_IND_H,
        code::LD_IND_B,
        code::LD_MEM,
        code::LD_LEN,
        code::LDX_IMM,
        code::LDX_MEM,
        code::LDX_LEN,
        code::LDX_MSH,
        code::ST,
        code::STX,
        code::TAX,
        code::TXA,
    ];
    let operations = [
        code::ADD,
        code::SUB,
        code::MUL,
        code::DIV,
        code::OR,
        code::AND,
        code::LSH,
        code::RSH,
        code::NEG,
        code::MOD,
        code::XOR,
    ];
    codes.extend(operations.iter().flat_map(|operation| [code::ALU | operation, code::ALU | operation | code::X]));
    codes.retain(|&code| code != 0x8c);
    codes
}

fn jumps() -> Vec<u16> {
    let operations = [code::JEQ, code::JGT, code::JGE, code::JSET];
    operations
        .iter()
        .flat_map(|operation| [code::JMP | operation, code::JMP | operation, code::JMP | operation | code::X])
        .collect()
}

fn constant() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0u32..40, 1 => any::<u32>(), 1 => select(vec![0xf0, 0x1fff, 0x0800, u32::MAX, 1 << 31])]
}

/// What compilers emit, and anything else; jumps not yet inside.
fn pieces() -> impl Strategy<Value = Vec<Instruction>> {
    let one = |codes: Vec<u16>| {
        (select(codes), constant(), any::<u8>(), any::<u8>()).prop_map(|(code, k, jt, jf)| Instruction {
            code,
            jt,
            jf,
            k,
        })
    };
    let load = || {
        one(vec![
            code::LD_ABS_W,
            code::LD_ABS_H,
            code::LD_ABS_B,
            code::LD_IND_H,
            code::LD_IND_B,
            code::LD_IND_W,
            code::LD_LEN,
        ])
    };
    prop_oneof![
        2 => one(straight()).prop_map(|one| vec![one]),
        2 => one(jumps()).prop_map(|one| vec![one]),
        2 => (load(), one(jumps())).prop_map(|(a, b)| vec![a, b]),
        1 => (load(), one(vec![code::ALU | code::AND]), one(jumps())).prop_map(|(a, b, c)| vec![a, b, c]),
        1 => (one(vec![code::LDX_MSH]), one(vec![code::LD_IND_H]), one(jumps())).prop_map(|(a, b, c)| vec![a, b, c]),
        1 => one(vec![code::JA, code::RET_K, code::RET_A]).prop_map(|one| vec![one]),
    ]
}

/// Verified programs without jumps backward; scratch memory is set before it is read.
fn programs() -> impl Strategy<Value = Program> {
    (vec(pieces(), 0..20), constant()).prop_map(|(pieces, last)| {
        let mut all: Vec<Instruction> = (0..16).map(|word| Instruction::new(code::ST, word)).collect();
        all.extend(pieces.into_iter().flatten());
        all.push(Instruction::new(code::RET_K, last));
        let len = all.len();
        for (at, one) in all.iter_mut().enumerate() {
            let rest = (len - at).saturating_sub(1).max(1);
            one.jt %= rest.min(255) as u8;
            one.jf %= rest.min(255) as u8;
            match one.code {
                code::JA => one.k %= rest as u32,
                code::ST | code::STX | code::LD_MEM | code::LDX_MEM => one.k %= 16,
                0x34 | 0x94 => one.k = one.k.max(1),
                // Beyond 31 libpcap leaves it to C, which leaves it open.
                0x64 | 0x74 => one.k %= 32,
                _ => {}
            }
        }
        Program::from_instructions(all).unwrap()
    })
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![any::<u8>(), select(vec![0u8, 0x45, 6, 17, 8])], 0..64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn both_interpreters_give_the_same(program in programs(), packets in vec((packet(), any::<u32>()), 8)) {
        for (packet, wire_len) in packets {
            prop_assert_eq!(program.run(&packet, wire_len), program.run_plainly(&packet, wire_len), "{:?}", program);
        }
    }

    #[test]
    fn libpcap_runs_programs_to_the_same_result(program in programs(), packets in vec((packet(), any::<u32>()), 8)) {
        for (packet, wire_len) in packets {
            let Some(theirs) = compile::run_by_libpcap(program.instructions(), &packet, wire_len) else { return Ok(()) };
            prop_assert_eq!(program.run(&packet, wire_len), theirs, "{:?} {:?}", program, packet);
        }
    }

    /// Whatever numbers are given: refused in words, or a program that ends.
    #[test]
    fn numbers_are_refused_or_run(
        raw in vec((any::<u16>(), 0u8..4, 0u8..4, constant()), 0..12),
        packet in packet(),
    ) {
        let instructions: Vec<_> = raw.into_iter().map(|(code, jt, jf, k)| Instruction { code: code & 0xff, jt, jf, k }).collect();
        match Program::from_instructions(instructions) {
            Ok(program) => prop_assert_eq!(program.run(&packet, 60), program.run_plainly(&packet, 60)),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

/// Comparisons of bytes near each other, with what the packets below often have.
fn comparisons() -> impl Strategy<Value = Program> {
    let load =
        select(vec![code::LD_ABS_B, code::LD_ABS_H, code::LD_ABS_W, code::LD_IND_B, code::LD_IND_H, code::LDX_MSH]);
    let mask = prop_oneof![2 => Just(None), 1 => select(vec![1u32, 0x100, 0x101, 0xffff_ff00]).prop_map(Some)];
    let value = select(vec![0u32, 1, 0x100, 0x101, 0x0101_0101, 0x1000]);
    let jump = select(vec![0x15u16, 0x15, 0x15, 0x45, 0x25, 0x35]);
    // Far jumps are rare, as in what compilers emit: the end, or not much further.
    let skip = || prop_oneof![4 => 0u8..4, 1 => any::<u8>()];
    let one = (load, 0u32..44, mask, value, jump, skip(), skip(), any::<bool>());
    vec(one, 1..14).prop_map(|all| {
        let mut made = Vec::new();
        for (load, at, mask, value, jump, jt, jf, loads) in all {
            if load == code::LDX_MSH {
                made.push(Instruction::new(load, at % 8));
                continue;
            }
            // Some look at what was loaded before.
            if loads || made.is_empty() {
                made.push(Instruction::new(load, at));
                made.extend(mask.map(|mask| Instruction::new(code::ALU | code::AND, mask)));
            }
            made.push(Instruction::jump(jump, value, jt, jf));
        }
        made.extend([0, 7, 0].map(|result| Instruction::new(code::RET_K, result)));
        let len = made.len();
        for (at, one) in made.iter_mut().enumerate().filter(|(_, one)| one.code & code::CLASS == code::JMP) {
            let rest = len - 1 - at;
            (one.jt, one.jf) = ((usize::from(one.jt) % rest) as u8, (usize::from(one.jf) % rest) as u8);
        }
        Program::from_instructions(made).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn windows_say_what_their_comparisons_say(
        program in comparisons(),
        packets in vec(vec(select(vec![0u8, 0, 1, 1, 5, 0x10]), 0..60), 8),
    ) {
        for packet in packets {
            let expected = program.run_plainly(&packet, 60);
            prop_assert_eq!(program.run(&packet, 60), expected, "{:?} {:?}", program, packet);
            // In two turns.
            let (at, is_over) = begin(&program, &packet, packet.len());
            prop_assert_eq!(program.run_on(at, &packet, 60), expected, "{:?} {:?}", program, packet);
            prop_assert!(!is_over || expected == 0, "{:?} {:?}", program, packet);
        }
    }
}

/// How far a program comes with a packet of `len` bytes by its first window, and whether that is its end.
fn begin(program: &Program, packet: &[u8], len: usize) -> (u16, bool) {
    let nodes = program.nodes();
    fn choose<const N: usize>(window: &window::Window<N>, packet: &[u8], len: usize) -> Option<u16> {
        let chooser = window.chooser(0);
        if chooser.has_two() { chooser.choose::<2>(packet, len) } else { chooser.choose::<4>(packet, len) }
    }
    let at = match nodes.first() {
        nodes::First::One(window) => choose(window, packet, len),
        nodes::First::Two(window) => choose(window, packet, len),
        nodes::First::Four(window) => choose(window, packet, len),
        nodes::First::None => None,
    };
    let at = at.unwrap_or(nodes.start());
    (at, nodes.is_rejected(at))
}

/// `udp port 53` as libpcap translates it for Ethernet.
fn dns() -> Program {
    let jump = Instruction::jump;
    let load = |code, at| Instruction::new(code, at);
    let program = [
        load(code::LD_ABS_H, 12),
        jump(0x15, 0x86dd, 0, 6),
        load(code::LD_ABS_B, 20),
        jump(0x15, 17, 0, 15),
        load(code::LD_ABS_H, 54),
        jump(0x15, 53, 12, 0),
        load(code::LD_ABS_H, 56),
        jump(0x15, 53, 10, 11),
        jump(0x15, 0x800, 0, 10),
        load(code::LD_ABS_B, 23),
        jump(0x15, 17, 0, 8),
        load(code::LD_ABS_H, 20),
        jump(0x45, 0x1fff, 6, 0),
        load(code::LDX_MSH, 14),
        load(code::LD_IND_H, 14),
        jump(0x15, 53, 2, 0),
        load(code::LD_IND_H, 16),
        jump(0x15, 53, 0, 1),
        load(code::RET_K, 262_144),
        load(code::RET_K, 0),
    ];
    Program::from_instructions(program).unwrap()
}

#[test]
fn a_look_at_most_packets_is_one() {
    let program = dns();
    let mut frame = [0u8; 60];
    (frame[12], frame[14], frame[23], frame[37]) = (8, 0x45, 17, 53);
    // Out at once: another protocol, a fragment, no IP.
    assert!(!begin(&program, &frame, frame.len()).1);
    for (at, value) in [(23, 6), (21, 1), (12, 9), (13, 6)] {
        let mut other = frame;
        other[at] = value;
        assert_eq!((begin(&program, &other, other.len()).1, program.run(&other, 60)), (true, 0), "{at}");
    }
    // Ports lie where the length of the header says, as far as they are there.
    assert_eq!(
        (program.run(&frame, 60), program.run(&frame[..38], 60), program.run(&frame[..37], 60)),
        (262_144, 262_144, 0)
    );
    frame[14] = 0x46;
    assert_eq!(program.run(&frame, 60), 0);
    frame[39] = 53;
    assert_eq!(program.run(&frame, 60), 262_144);
    // Too short for all that is looked at together, and long enough for what decides.
    let mut short = [0u8; 24];
    (short[12], short[14], short[23]) = (9, 0x45, 17);
    assert_eq!((begin(&program, &short, 14), program.run(&short[..14], 60)), ((0, false), 0));
}

#[test]
fn every_rule_of_the_verifier() {
    let (accept, jump) = (Instruction::new(code::RET_K, 1), Instruction::jump);
    let check = |instructions: &[Instruction], expected| {
        assert_eq!(Program::from_instructions(instructions).err(), Some(expected));
    };
    check(&[], ProgramError::Empty);
    check(&[Instruction::new(code::LD_IMM, 0)], ProgramError::NoReturn);
    check(&vec![accept; 65_536], ProgramError::TooLong(65_536));
    check(&[jump(0x15, 0, 0, 1), accept], ProgramError::JumpOutside { at: 0 });
    check(&[accept, jump(0x1d, 0, 1, 0), accept], ProgramError::JumpOutside { at: 1 });
    check(&[Instruction::new(code::JA, 1), accept], ProgramError::JumpOutside { at: 0 });
    check(&[Instruction::new(code::JA, -2i32 as u32), accept], ProgramError::JumpOutside { at: 0 });
    check(&[Instruction::new(code::ST, 16), accept], ProgramError::Memory { at: 0, word: 16 });
    check(&[accept, Instruction::new(code::LDX_MEM, 99), accept], ProgramError::Memory { at: 1, word: 99 });
    check(&[Instruction::new(0x34, 0), accept], ProgramError::DivisionByZero { at: 0 });
    check(&[Instruction::new(0x94, 0), accept], ProgramError::DivisionByZero { at: 0 });
    for unknown in [0x08, 0x18, 0xa0, 0x0e, 0x8c, 0xb4, 0x55, 0x0115, 0x8f, 0x21, 0x0b, 0x104] {
        check(&[Instruction::new(unknown, 1), accept], ProgramError::Unknown { at: 0, code: unknown });
    }
    // Division by X is a matter of run time: the packet is not taken.
    let program = Program::from_instructions([Instruction::new(0x3c, 0), accept]).unwrap();
    assert_eq!((program.run(&[], 0), program.run_plainly(&[], 0)), (0, 0));
}

#[test]
fn shifts_beyond_the_word_give_0_and_offsets_do_not_wrap() {
    let run = |instructions: &[Instruction], packet: &[u8]| {
        let program = Program::from_instructions(instructions).unwrap();
        let result = program.run(packet, 60);
        assert_eq!(program.run_plainly(packet, 60), result);
        result
    };
    let a = Instruction::new(code::RET_A, 0);
    for shift in [0x64, 0x74] {
        assert_eq!(run(&[Instruction::new(code::LD_IMM, 7), Instruction::new(shift, 32), a], &[]), 0);
    }
    let x = Instruction::new(code::LDX_IMM, u32::MAX);
    assert_eq!(run(&[x, Instruction::new(code::LD_IND_B, 1), a], &[9; 40]), 0);
    assert_eq!(run(&[x, Instruction::new(code::LD_IND_B, 2), Instruction::jump(0x15, 9, 0, 0), a], &[9; 40]), 0);
    assert_eq!(run(&[Instruction::new(code::LD_ABS_W, u32::MAX), a], &[9; 40]), 0);
    assert_eq!(run(&[Instruction::new(code::LD_ABS_W, 36), a], &[9; 40]), 0x0909_0909);
    assert_eq!(run(&[Instruction::new(code::LD_ABS_W, 37), a], &[9; 40]), 0);
}

#[test]
fn a_loop_ends() {
    // for (x = 0; p[x] != 1; x++): finds a byte, leaves the packet, or goes in circles.
    let find = [
        Instruction::new(code::LD_IND_B, 0),
        Instruction::jump(0x15, 1, 3, 0),
        Instruction::new(code::TXA, 0),
        Instruction::new(0x04, 1),
        Instruction::new(code::JA, 1),
        Instruction::new(code::RET_K, 5),
        Instruction::new(code::TAX, 0),
        Instruction::new(code::JA, -8i32 as u32),
        Instruction::new(code::RET_K, 0),
    ];
    let program = Program::from_instructions(find).unwrap();
    for (packet, expected) in [(&[0, 0, 1][..], 5), (&[0, 0], 0)] {
        assert_eq!((program.run(packet, 3), program.run_plainly(packet, 3)), (expected, expected));
    }
    let circle = [Instruction::new(code::JA, u32::MAX), Instruction::new(code::RET_K, 1)];
    let program = Program::from_instructions(circle).unwrap();
    assert_eq!((program.run(&[], 0), program.run_plainly(&[], 0)), (0, 0));
}

#[test]
fn a_filter_is_shared_by_threads_and_small() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Filter>();
    assert_eq!(size_of::<Filter>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<fused::Op>(), 28);
}

#[test]
fn records_that_are_no_packets_do_not_match_and_lengths_are_without_fcs() {
    use erf_core::{RecordBuilder, RecordType};
    let ask = |expression: &str, record_type, options| {
        let bytes = RecordBuilder::new(record_type).payload(&[0x45; 64]).to_vec().unwrap();
        let filter = Filter::new(expression, options).unwrap();
        filter.matches(&Record::parse(&bytes).unwrap()).map_err(|error| (error.kind(), error.to_string()))
    };
    let mut options = FilterOptions { compiler: Compiler::Own, ..FilterOptions::default() };
    for (record_type, matches) in
        [(RecordType::ETH, true), (RecordType::META, false), (RecordType::PAD, false), (RecordType::AAL2, false)]
    {
        assert_eq!(ask("", record_type, options), Ok(matches), "{record_type}");
    }
    assert_eq!(ask("len = 60", RecordType::ETH, options), Ok(true));
    assert_eq!(ask("len = 64", RecordType::IPV4, options), Ok(true));
    options.packets.fcs = crate::convert::FcsPolicy::Keep;
    assert_eq!(ask("len = 64", RecordType::ETH, options), Ok(true));
    // Whole records are filtered as the packets they hold.
    options.packets.encapsulation = Encapsulation::Erf;
    assert_eq!(ask("ip", RecordType::IPV4, options), Ok(true));

    let refused = ask("vlan 5", RecordType::IPV4, options).unwrap_err();
    assert_eq!(refused.0, ErrorKind::Unsupported);
    assert_eq!(refused.1, "filter \"vlan 5\" has no meaning for RAW (101) packets: there are no VLAN tags");
    options.mismatch = Mismatch::NoMatch;
    assert_eq!(ask("vlan 5", RecordType::IPV4, options), Ok(false));
    // No packet of raw IP is ARP: no error, and no match.
    options.mismatch = Mismatch::Error;
    assert_eq!(ask("arp", RecordType::IPV4, options), Ok(false));
}

#[test]
fn a_sieve_keeps_what_the_filter_matches_in_order() {
    use erf_core::{RecordBuilder, RecordType};
    let types =
        [RecordType::ETH, RecordType::IPV4, RecordType::META, RecordType::COLOR_ETH, RecordType::PAD, RecordType::ETH];
    let mut bytes = Vec::new();
    for n in 0..1000usize {
        let mut payload = vec![0x45; 20 + n % 90];
        (payload[12], payload[13]) = (8, (n % 3 == 0).into());
        bytes.extend(RecordBuilder::new(types[n % 7 % types.len()]).payload(&payload).to_vec().unwrap());
    }
    let records: Vec<_> = erf_core::Records::new(&bytes).flatten().collect();
    assert_eq!(records.len(), 1000);
    let kept = |records: &[Record<'_>], filter: &Filter, fcs| {
        let (mut sieve, mut kept) = (Sieve::new(filter.clone(), fcs), Vec::new());
        for record in records {
            if sieve.put(record)? {
                sieve.sift(|record| kept.push(record.bytes().to_vec()));
            }
        }
        sieve.sift(|record| kept.push(record.bytes().to_vec()));
        sieve.sift(|_| panic!("nothing is left"));
        Ok::<_, Error>(kept)
    };
    // The same from a file, which knows what comes next.
    let kept_of_file = |filter: &Filter, fcs| {
        let (mut kept, mut seen) = (Vec::new(), 0);
        let mut reader = crate::Reader::from_read(std::io::Cursor::new(bytes.clone())).unwrap();
        while let Some(batch) = reader.next_batch().unwrap() {
            let (mut sieve, mut records) = (Sieve::new(filter.clone(), fcs), batch.iter());
            loop {
                seen += sieve.put_plain(&mut records);
                sieve.sift(|record| kept.push(record.bytes().to_vec()));
                let Some(record) = records.next() else { break };
                seen += 1;
                sieve.put(&record.unwrap()).unwrap();
            }
            sieve.sift(|record| kept.push(record.bytes().to_vec()));
        }
        assert_eq!(seen, 1000);
        kept
    };
    for expression in ["greater 60", "ip", "not ip and less 80", "", "tcp or udp", "ip and not tcp"] {
        let filter = Filter::new(expression, FilterOptions::default()).unwrap();
        for fcs in [FcsPolicy::Strip, FcsPolicy::Absent] {
            let matching = records.iter().filter(|record| filter.matches_with_fcs(record, fcs).unwrap());
            let expected: Vec<_> = matching.map(|record| record.bytes().to_vec()).collect();
            assert_eq!(kept(&records, &filter, fcs).unwrap(), expected, "{expression}, {fcs:?}");
            assert_eq!(kept_of_file(&filter, fcs), expected, "{expression}, {fcs:?}");
        }
    }
    // What has no meaning for raw IP is counted, or an error.
    let options = FilterOptions { mismatch: Mismatch::NoMatch, ..FilterOptions::default() };
    let filter = Filter::new("ether src 02:00:00:00:00:01", options).unwrap();
    assert!(kept(&records, &filter, FcsPolicy::Strip).unwrap().is_empty());
    let raw = records.iter().filter(|record| record.record_type() == RecordType::IPV4).count() as u64;
    let counts = |filter: &Filter| filter.meaningless().map(|(_, count)| count).collect::<Vec<_>>();
    assert_eq!(counts(&filter), [raw]);
    // By itself, until it is counted in.
    let apart = filter.counting_apart();
    assert!(kept(&records, &apart, FcsPolicy::Strip).unwrap().is_empty());
    assert_eq!((counts(&filter), counts(&apart)), (vec![raw], vec![raw]));
    filter.count_in(&apart);
    assert_eq!(counts(&filter), [2 * raw]);
    let filter = Filter::new("ether src 02:00:00:00:00:01", FilterOptions::default()).unwrap();
    assert!(kept(&records[..1], &filter, FcsPolicy::Strip).is_ok());
    assert_eq!(kept(&records[..2], &filter, FcsPolicy::Strip).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_full_sieve_takes_nothing_and_loses_nothing() {
    use erf_core::{RecordBuilder, RecordType};
    let bytes = RecordBuilder::new(RecordType::ETH).payload(&[7; 60]).to_vec().unwrap();
    let record = Record::parse(&bytes).unwrap();
    let mut sieve = Sieve::new(Filter::new("", FilterOptions::default()).unwrap(), FcsPolicy::Strip);
    let mut count = 1;
    while !sieve.put(&record).unwrap() {
        count += 1;
    }
    assert_eq!(sieve.put(&record).unwrap_err().kind(), ErrorKind::InvalidInput);
    let mut kept = 0;
    sieve.sift(|_| kept += 1);
    assert_eq!(kept, count);
    // What fails ends it.
    (0..3).for_each(|_| assert!(!sieve.put(&record).unwrap()));
    assert_eq!(sieve.try_sift(|_| Err("no")), Err("no"));
    sieve.sift(|_| panic!("nothing is left"));
}

#[test]
fn wrong_expressions_are_refused_in_words() {
    let refused = |expression: &str, compiler| {
        let options = FilterOptions { compiler, ..FilterOptions::default() };
        let error = Filter::new(expression, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        error.to_string()
    };
    for (expression, words) in [
        ("tcp and and", "\"and\" stands where a term should"),
        ("port", "it ends where an address, a port or a number should follow"),
        ("port http", "\"http\" is no port number (names need libpcap"),
        ("host example.org", "names need libpcap"),
        ("ip[6:2] = 0", "looking at single bytes"),
        ("mpls 5", "\"mpls\" needs libpcap"),
        ("ip protochain 6", "\"protochain\" needs libpcap"),
        ("(ip6 protochain 6)", "\"protochain\" needs libpcap"),
        ("ifname eth0", "\"ifname\" needs libpcap"),
        ("tcp and on eth0", "\"on\" needs libpcap"),
        ("ip broadcast", "\"broadcast\" needs libpcap"),
        ("ether multicast", "\"multicast\" needs libpcap"),
        ("type mgt subtype beacon", "\"type\" needs libpcap"),
        ("rulenum 3 or reason match", "\"rulenum\" needs libpcap"),
        ("oamf4sc", "\"oamf4sc\" needs libpcap"),
        ("vlan 5 and not pppoes 7", "\"pppoes\" needs libpcap"),
        ("len - 4 > 60", "arithmetic, and comparing"),
        ("len / 2 > 60", "arithmetic, and comparing"),
        ("len > 60 / 2", "arithmetic, and comparing"),
        ("60 < len", "arithmetic, and comparing"),
        ("net 10.0.0.1/8", "non-network bits are set in \"10.0.0.1\""),
        ("net 2001:db8::1/32", "non-network bits"),
        ("host 10.0.0.0/8", "a mask belongs to \"net\""),
        ("ip host ::1", "\"ip\" before the IPv6 address ::1"),
        ("port 65536", "port 65536 is greater than 65535"),
        ("vlan 4096", "VLAN tag 4096 is greater than 4095"),
        ("(tcp", "it ends where \")\" should follow"),
        ("tcp)", "syntax error at \")\""),
        ("tcp udp", "syntax error at \"udp\""),
        ("80", "\"80\" stands where a term should"),
        ("tcp or 80", "\"80\" stands where a term should"),
        ("less 60 or 70", "\"70\" stands where a term should"),
        ("icmp port 80", "\"icmp\" has no ports"),
        ("tcp \u{e4}", "illegal character"),
        ("ip and ip6", "expression rejects all packets"),
    ] {
        let error = refused(expression, Compiler::Own);
        assert!(error.starts_with(&format!("filter \"{expression}\": ")) && error.contains(words), "{error}");
    }
    let deep = "(".repeat(100_000);
    assert!(refused(&deep, Compiler::Own).contains("nested more than 200 deep"));
    let turns = format!("tcp{}", " or udp and tcp".repeat(50_000));
    assert!(refused(&turns, Compiler::Own).contains("take turns more than 1000 times"));
    if compile::used(Compiler::Libpcap).is_some() {
        assert!(refused("tcp and and", Compiler::Libpcap).contains("syntax error"));
        assert!(refused("inbound", Compiler::Libpcap).contains("only a live capture knows"));
        assert!(refused("a\0b", Compiler::Libpcap).contains("NUL byte"));
    }
}

/// More than a conditional jump can skip, and than a kernel would take.
#[test]
fn long_lists_of_addresses() {
    // The optimiser of libpcap takes long for long lists.
    for (compiler, count) in [(Compiler::Own, 1000), (Compiler::Auto, 100)] {
        let list: Vec<String> = (0..count).map(|n| format!("10.1.{}.{}", n / 250, n % 250)).collect();
        let expression = format!("host {}", list.join(" or "));
        let filter = Filter::new(&expression, FilterOptions { compiler, ..FilterOptions::default() }).unwrap();
        let ask = |last: [u8; 4]| {
            let mut frame = [0; 60];
            (frame[12], frame[14]) = (8, 0x45);
            frame[30..34].copy_from_slice(&last);
            filter.matches_packet(LinkType::ETHERNET, &frame, 60).unwrap()
        };
        let last = count - 1;
        assert!(ask([10, 1, 0, 0]) && ask([10, 1, 0, 17]) && ask([10, 1, (last / 250) as u8, (last % 250) as u8]));
        assert!(!ask([10, 1, 3, 250]) && !ask([10, 2, 0, 0]));
    }
}

#[test]
fn programs_are_shown_as_tcpdump_shows_them() {
    let program = Program::from_instructions([
        Instruction::new(code::LD_ABS_H, 12),
        Instruction::jump(0x15, 0x800, 0, 5),
        Instruction::new(code::LDX_MSH, 14),
        Instruction::new(code::LD_IND_H, 16),
        Instruction::new(0x54, 0xfff),
        Instruction::jump(0x3d, 0, 0, 1),
        Instruction::new(code::RET_K, 262_144),
        Instruction::new(code::RET_K, 0),
    ]);
    let expected = "\
(000) ldh      [12]
(001) jeq      #0x800           jt 2\tjf 7
(002) ldxb     4*([14]&0xf)
(003) ldh      [x + 16]
(004) and      #0xfff
(005) jge      x                jt 6\tjf 7
(006) ret      #262144
(007) ret      #0";
    assert_eq!(program.unwrap().to_string(), expected);
}
