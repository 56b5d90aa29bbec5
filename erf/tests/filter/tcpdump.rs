//! tcpdump, asked about the same packets, takes the same ones.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use erf::filter::{Compiler, Instruction, Program};
use erf::pcap::LinkType;
use house_skip::need_program;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::compilers::by;
use super::packets::{Captured, LINK_TYPES, captured};

/// Expressions of the common part, which our own compiler is asked about as well.
const COMMON: &[&str] = &[
    "",
    "ip",
    "ip6",
    "arp",
    "rarp",
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "igmp or pim or ah or esp",
    "host 10.0.0.1",
    "src host 10.0.0.1",
    "dst 10.0.0.2",
    "src and dst host 10.0.0.1",
    "host 2001:db8::1",
    "ip host 10.0.0.1",
    "arp host 10.0.0.1",
    "ip6 src host fe80::1",
    "net 10.0.0.0/8",
    "src net 192.168",
    "net 10.0.0.0 mask 255.255.0.0",
    "ip6 net 2001:db8::/32",
    "port 53",
    "udp port 53",
    "tcp dst port 80",
    "src port 443 or 8080",
    "sctp port 50",
    "portrange 50-80",
    "tcp src portrange 1024-65535",
    "proto 6",
    "ip proto 17",
    r"ip proto \icmp",
    "ip6 proto 58",
    "ether proto 0x88cc",
    r"ether proto \arp",
    "ether host 02:00:00:00:00:01",
    "ether dst ff:ff:ff:ff:ff:ff",
    "vlan",
    "vlan 5",
    "vlan and vlan 100",
    "vlan 5 and udp",
    "not vlan and tcp",
    "ip or vlan and ip",
    "less 60",
    "greater 100",
    "len > 64 and len <= 90",
    "not tcp",
    "not (tcp or udp) and ip",
    "host 10.0.0.1 and (port 80 or 443) and not src net 192.168.0.0/16",
    "tcp and not port 80 or icmp6",
];

/// What only libpcap compiles.
const WHOLE: &[&str] = &[
    "broadcast",
    "ether multicast",
    "ip multicast",
    "ip6 multicast",
    "ip broadcast",
    "ip[6:2] & 0x1fff = 0",
    "ip[6:2] & 0x1fff != 0",
    "ip[2:2] > 40 and ip[8] < 65",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[13] & 7 != 0 or udp[4:2] < 100",
    "icmp[icmptype] == icmp-echo",
    "icmp6[0] = 128",
    "ip[0] & 0xf != 5",
    "(ip[0] & 0xf) * 4 + 8 > 28",
    "ether[0] & 1 = 0 and ether[12:2] = 0x0800",
    "ip[9] / 2 = 3 or ip[9] % 5 = 2",
    "ip[16] ^ 10 = 0 and ip[19] << 2 = 4 and ip[12] >> 1 = 5",
    "ip6[6] = 44 and ip6[40] = 6",
    "ip protochain 6",
    "ip6 protochain 6",
    "ip6 protochain 17 or ip protochain 132",
    "mpls",
    "mpls 16 and host 10.0.0.1",
    "pppoes 5 and ip host 10.0.0.1",
    "vlan 5 and mpls",
    "llc",
    "atalk or stp or ipx or decnet",
    "len & 1 = 0",
    "ether src 02:00:00:00:00:01 and ether proto 0x26",
    "geneve",
    "fisu or lssu",
    "msu and sio 3",
    "link[0] = 0x0f or link[0] = 0xff",
    "ip and ip[len - 40] != 0",
];

fn capture(runner: &mut TestRunner, link_type: LinkType) -> Vec<Captured> {
    let strategy = captured(link_type);
    let made = (0..500).map(|_| strategy.new_tree(runner).map(|tree| tree.current()));
    made.collect::<Result<_, _>>().unwrap()
}

/// Writes a pcap file, by the book of its format; packet n comes n microseconds after second 0.
fn write(path: &Path, link_type: LinkType, packets: &[Captured]) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut put = |words: &[u32]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        file.write_all(&bytes).unwrap();
    };
    put(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, link_type.0]);
    let mut bytes = Vec::new();
    for (n, packet) in (0u32..).zip(packets) {
        for word in [0, n, packet.bytes.len() as u32, packet.original_len] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(&packet.bytes);
    }
    file.write_all(&bytes).unwrap();
}

/// The numbers of the packets that tcpdump takes; `None` where it refuses the expression, with what it says.
fn tcpdump(path: &Path, expression: &str) -> Result<Vec<u32>, String> {
    let output = Command::new("tcpdump")
        .args(["-r", path.to_str().unwrap(), "-w", "-", expression])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(text.lines().last().unwrap_or_default().trim_start_matches("tcpdump: ").to_owned());
    }
    let mut rest = output.stdout.get(24..).unwrap_or_default();
    let mut taken = Vec::new();
    while let Some(header) = rest.first_chunk::<16>() {
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        taken.push(word(4));
        rest = &rest[16 + word(8) as usize..];
    }
    Ok(taken)
}

/// libpcap's program before its optimiser, as tcpdump prints it; `None` where tcpdump is not there or refuses the expression.
pub(crate) fn unoptimised(expression: &str, link_type: LinkType) -> Option<Program> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.pcap");
    write(&path, link_type, &[]);
    let output = Command::new("tcpdump").args(["-O", "-ddd", "-r", path.to_str()?, expression]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let instruction = |line: &str| {
        let mut numbers = line.split(' ').map(|number| number.parse::<u32>().unwrap());
        let mut next = || numbers.next().unwrap();
        Instruction { code: next() as u16, jt: next() as u8, jf: next() as u8, k: next() }
    };
    // The first line counts the others.
    Program::from_instructions(text.lines().skip(1).map(instruction).collect::<Vec<_>>()).ok()
}

#[test]
fn tcpdump_takes_the_same_packets() {
    if !need_program("tcpdump") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    let (mut compared, mut taken) = (0, 0);
    for link_type in LINK_TYPES {
        let packets = capture(&mut runner, link_type);
        let path = folder.path().join("packets.pcap");
        write(&path, link_type, &packets);
        for (expression, common) in
            COMMON.iter().map(|&text| (text, true)).chain(WHOLE.iter().map(|&text| (text, false)))
        {
            let expected = tcpdump(&path, expression);
            for compiler in [Compiler::Libpcap, Compiler::Own] {
                if compiler == Compiler::Own && !common {
                    assert!(by(compiler, expression).is_err(), "{expression}");
                    continue;
                }
                let what = format!("{expression:?} on {link_type} by {compiler:?}");
                let filter = match by(compiler, expression) {
                    Ok(filter) => filter,
                    Err(error) => {
                        assert!(expected.is_err(), "{what}: {error}, and tcpdump takes it");
                        continue;
                    }
                };
                let program = filter.program(link_type);
                match (&expected, &program) {
                    (Err(theirs), Err(ours)) if compiler == Compiler::Libpcap => {
                        assert!(ours.to_string().ends_with(theirs), "{what}: {ours}, and tcpdump says {theirs}");
                    }
                    (Err(_), Err(_)) => {}
                    (Ok(expected), _) => {
                        let ask = |packet: &Captured| {
                            filter.matches_packet(link_type, &packet.bytes, packet.original_len).unwrap()
                        };
                        let found: Vec<u32> =
                            (0..).zip(&packets).filter(|(_, packet)| ask(packet)).map(|(n, _)| n).collect();
                        assert_eq!(&found, expected, "{what}: {program:?}");
                        compared += 1;
                        taken += found.len();
                    }
                    (Err(theirs), Ok(program)) => panic!("{what}: tcpdump says {theirs}, we have {program}"),
                }
            }
        }
    }
    // Filters of which none took anything would agree, too.
    assert!(compared > 600 && taken > 50 * compared, "{compared} comparisons, {taken} packets");
}
