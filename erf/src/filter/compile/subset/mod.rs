//! Our own compiler: the common part of the language, with the meaning that libpcap gives it.
//!
//! | step | file |
//! |---|---|
//! | text to tokens | `token` |
//! | tokens to an expression, qualifiers spread over lists | `parse`, `value`, `primitive`, `number` |
//! | words left to libpcap | `beyond` |
//! | the expression for one link type, as tests of fields | `fields` |
//! | tests to a program | `graph` |

mod beyond;
mod fields;
mod graph;
mod number;
mod parse;
mod primitive;
mod token;
mod value;

use super::{Refused, WHOLE};
use crate::filter::Program;
use crate::pcap::LinkType;

/// Compiles `expression` for packets of `link_type`.
pub(super) fn compile(expression: &str, link_type: LinkType) -> Result<Program, Refused> {
    let tests = match parse::parse(expression).map_err(Refused::Expression)? {
        None => fields::Condition::Always,
        Some(expression) => fields::Fields::new(link_type).condition(&expression).map_err(Refused::Expression)?,
    };
    let instructions = graph::program(&tests, WHOLE).ok_or(Refused::NothingMatches)?;
    Program::from_instructions(instructions).map_err(|error| Refused::Expression(error.to_string()))
}
