//! Filter expressions as a person types them, and our own compiler.

use erf::filter::{Compiler, Filter, FilterOptions};
use erf::pcap::LinkType;

const LINK_TYPES: [LinkType; 4] = [LinkType::ETHERNET, LinkType::RAW, LinkType::PPP_HDLC, LinkType::ATM_RFC1483];

/// Any text is refused in words or becomes programs that run.
pub fn check(data: &[u8]) {
    // The expression ends with the first line, or with the text; the rest is a packet.
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (text, packet) = data.split_at(end);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut options = FilterOptions::default();
    // libpcap would ask the network for names.
    options.compiler = Compiler::Own;
    let filter = match Filter::new(text, options) {
        Ok(filter) => filter,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(filter.expression(), text);
    for link_type in LINK_TYPES {
        match filter.program(link_type) {
            Ok(program) => {
                let len = packet.len() as u32;
                assert_eq!(program.run(packet, len), program.run_plainly(packet, len));
                let taken = filter.matches_packet(link_type, packet, len).expect("there is a program");
                assert_eq!(taken, program.run(packet, len) != 0);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
