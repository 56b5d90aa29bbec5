//! From an expression to a program: by libpcap where it is, else by our own compiler for the common part of the language.

#[cfg(all(unix, feature = "libpcap"))]
#[allow(unsafe_code)]
mod libpcap;
mod subset;

use super::Program;
use crate::pcap::LinkType;

/// Who translates an expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compiler {
    /// libpcap where it can be opened, else our own.
    #[default]
    Auto,
    /// libpcap, the whole language. It is opened at run time, on Unix, by feature `libpcap`.
    Libpcap,
    /// Our own: the [common part](super#the-common-part) of the language, on any system.
    Own,
}

/// Bytes of an accepted packet to keep, as tcpdump has it by default: all of it.
const WHOLE: u32 = 262_144;

/// Why there is no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No packet of this link type can match, which compilers find out only sometimes.
    NothingMatches,
    /// The expression is wrong, or has no meaning for this link type.
    Expression(String),
    /// The compiler is not there.
    Compiler(String),
}

/// What libpcap says when no packet can match.
const REJECTS_ALL: &str = "expression rejects all packets";

impl Refused {
    fn expression(message: impl Into<String>) -> Refused {
        let message = message.into();
        if message == REJECTS_ALL { Refused::NothingMatches } else { Refused::Expression(message) }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::NothingMatches => f.write_str(REJECTS_ALL),
            Refused::Expression(message) | Refused::Compiler(message) => f.write_str(message),
        }
    }
}

/// The compiler that is used where `wanted` is asked for, in words; `None` where it is not there.
pub(super) fn used(wanted: Compiler) -> Option<String> {
    match wanted {
        Compiler::Own => None,
        Compiler::Auto | Compiler::Libpcap => libpcap_version(),
    }
}

/// Compiles `expression` for packets of `link_type`.
pub(super) fn compile(wanted: Compiler, expression: &str, link_type: LinkType) -> Result<Program, Refused> {
    match wanted {
        Compiler::Own => subset::compile(expression, link_type),
        Compiler::Libpcap => by_libpcap(expression, link_type)
            .unwrap_or_else(|| Err(Refused::Compiler("libpcap cannot be opened here".to_owned()))),
        Compiler::Auto => by_libpcap(expression, link_type).unwrap_or_else(|| subset::compile(expression, link_type)),
    }
}

#[cfg(all(unix, feature = "libpcap"))]
fn libpcap_version() -> Option<String> {
    Some(libpcap::Libpcap::get()?.version())
}

#[cfg(not(all(unix, feature = "libpcap")))]
fn libpcap_version() -> Option<String> {
    None
}

/// `None`: libpcap is not there.
#[cfg(all(unix, feature = "libpcap"))]
fn by_libpcap(expression: &str, link_type: LinkType) -> Option<Result<Program, Refused>> {
    let instructions = libpcap::Libpcap::get()?.compile(expression, link_type, WHOLE);
    Some(instructions.map_err(Refused::expression).and_then(|instructions| {
        // For a live capture libpcap asks the kernel at offsets like these; a file has no such thing to ask.
        if instructions.iter().any(super::program::asks_kernel) {
            let message = "it asks for what only a live capture knows (inbound, outbound, ifindex)";
            return Err(Refused::expression(message));
        }
        Program::from_instructions(instructions)
            .map_err(|error| Refused::Expression(format!("libpcap made a program that is none: {error}")))
    }))
}

#[cfg(not(all(unix, feature = "libpcap")))]
fn by_libpcap(_: &str, _: LinkType) -> Option<Result<Program, Refused>> {
    None
}

/// What libpcap's own machine gives for a program, for tests. `None`: libpcap is not there.
#[cfg(test)]
pub(super) fn run_by_libpcap(instructions: &[super::Instruction], packet: &[u8], wire_len: u32) -> Option<u32> {
    #[cfg(all(unix, feature = "libpcap"))]
    return libpcap::Libpcap::get()?.run(instructions, packet, wire_len);
    #[cfg(not(all(unix, feature = "libpcap")))]
    return None;
}
