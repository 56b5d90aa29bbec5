//! Tokens to an expression.
//!
//! `and` and `or` bind alike, from the left, and `not` binds tighter. An address, port or number without a keyword takes that of the
//! term before it: `port 80 or 443`. Both as libpcap has it.

use std::net::Ipv6Addr;

use super::beyond::{arithmetic, beyond, is_beyond};
use super::number::{ethernet, number, octets, prefix};
use super::primitive::{self, ARP, Direction, Expression, IP, Primitive, RARP};
use super::token::{Relation, Token, tokens};
use super::value::{Kind, Qualifiers, kind, ports, proto};

/// Brackets and `not` inside one another.
const DEEPEST: u32 = 200;

/// Changes between `and` and `or`; each puts what stands before it one level deeper.
const MOST_CHANGES: u32 = 1000;

/// Parses an expression; `None` where it is empty. The error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Option<Expression>, String> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, changes: 0 };
    let (expression, _) = parser.expression(None)?;
    match parser.peek() {
        None => Ok(Some(expression)),
        Some(Token::Word(word)) if is_beyond(word) => Err(beyond(word)),
        Some(Token::Slash | Token::Relation(_)) => Err(arithmetic()),
        Some(token) => Err(format!("syntax error at {}", shown(token))),
    }
}

/// An expression, and the qualifiers that a bare value behind it takes.
type Parsed<'a> = (Expression, Option<Qualifiers<'a>>);

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    depth: u32,
    changes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

/// Expressions joined from the left; equal joins lie side by side.
struct Chain {
    join: Option<Join>,
    parts: Vec<Expression>,
}

impl Chain {
    fn new(first: Expression) -> Chain {
        Chain { join: None, parts: vec![first] }
    }

    fn add(&mut self, join: Join, right: Expression) {
        if self.join.is_some_and(|before| before != join) {
            let whole = std::mem::replace(self, Chain { join: None, parts: Vec::new() }).whole();
            self.parts.push(whole);
        }
        self.join = Some(join);
        self.parts.push(right);
    }

    fn whole(mut self) -> Expression {
        match (self.join, self.parts.pop()) {
            (None, Some(only)) => only,
            (join, last) => {
                self.parts.extend(last);
                if join == Some(Join::Or) { Expression::Any(self.parts) } else { Expression::All(self.parts) }
            }
        }
    }
}

fn shown(token: &Token<'_>) -> String {
    match token {
        Token::Word(word) => format!("\"{word}\""),
        Token::Escaped(word) => format!("\"\\{word}\""),
        Token::Open => "\"(\"".to_owned(),
        Token::Close => "\")\"".to_owned(),
        Token::And => "\"and\"".to_owned(),
        Token::Or => "\"or\"".to_owned(),
        Token::Not => "\"not\"".to_owned(),
        Token::Slash => "\"/\"".to_owned(),
        Token::Relation(_) => "a comparison".to_owned(),
    }
}

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.at)
    }

    /// The word that is next, if it is one.
    fn word(&self) -> Option<&'a str> {
        match self.peek() {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn takes(&mut self, token: &Token<'_>) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn expects(&mut self, token: &Token<'_>) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(self.unexpected(&shown(token))) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.peek() {
            None => format!("it ends where {wanted} should follow"),
            Some(Token::Word(word)) if is_beyond(word) => beyond(word),
            Some(_) if self.calculates() => arithmetic(),
            Some(token) => format!("{} stands where {wanted} should", shown(token)),
        }
    }

    /// Whether a sign that is next, or behind a number that is, makes a sum or a comparison.
    fn calculates(&self) -> bool {
        let at = match self.word().map(|word| (number(word), word)) {
            Some((None, word)) if word.starts_with('-') || word.starts_with("len-") => return true,
            Some((None, _)) => return false,
            Some((Some(_), _)) => self.at + 1,
            None => self.at,
        };
        matches!(self.tokens.get(at), Some(Token::Slash | Token::Relation(_)))
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("brackets and \"not\" are nested more than {DEEPEST} deep"));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    /// Terms between `and` and `or`. `said` is what stands before a bracket that this is in.
    fn expression(&mut self, said: Option<Qualifiers<'a>>) -> Result<Parsed<'a>, String> {
        let (first, mut said) = self.term(said)?;
        let mut chain = Chain::new(first);
        while let Some(join) = self.join() {
            let right = match said {
                Some(qualifiers) if self.value_follows() => self.value(qualifiers)?,
                _ => {
                    let (right, later) = self.term(said)?;
                    said = later;
                    right
                }
            };
            self.add(&mut chain, join, right)?;
        }
        Ok((chain.whole(), said))
    }

    fn join(&mut self) -> Option<Join> {
        if self.takes(&Token::And) {
            Some(Join::And)
        } else if self.takes(&Token::Or) {
            Some(Join::Or)
        } else {
            None
        }
    }

    fn add(&mut self, chain: &mut Chain, join: Join, right: Expression) -> Result<(), String> {
        if chain.join.is_some_and(|before| before != join) {
            self.changes += 1;
            if self.changes > MOST_CHANGES {
                return Err(format!("\"and\" and \"or\" take turns more than {MOST_CHANGES} times"));
            }
        }
        chain.add(join, right);
        Ok(())
    }

    /// Whether a value without a keyword is next, brackets and `not` aside.
    fn value_follows(&self) -> bool {
        let rest = self.tokens.iter().skip(self.at);
        match rest.into_iter().find(|token| !matches!(token, Token::Open | Token::Not)) {
            Some(Token::Word(word)) => !is_keyword(word),
            Some(Token::Escaped(_)) => true,
            _ => false,
        }
    }

    fn term(&mut self, said: Option<Qualifiers<'a>>) -> Result<Parsed<'a>, String> {
        if self.takes(&Token::Not) {
            return self.deeper(|parser| {
                let (term, said) = parser.term(said)?;
                Ok((Expression::Not(Box::new(term)), said))
            });
        }
        if self.takes(&Token::Open) {
            return self.deeper(|parser| {
                let (inside, _) = parser.expression(said)?;
                parser.expects(&Token::Close)?;
                Ok((inside, said))
            });
        }
        let Some(word) = self.word() else { return Err(self.unexpected("a term")) };
        match word {
            "less" | "greater" => {
                self.at += 1;
                let relation = if word == "less" { Relation::LessOrEqual } else { Relation::GreaterOrEqual };
                let length = self.number()?;
                Ok((Expression::Is(Primitive::Length(relation, length)), None))
            }
            "len" => {
                self.at += 1;
                let Some(&Token::Relation(relation)) = self.peek() else {
                    return Err(self.unexpected("a comparison such as <="));
                };
                self.at += 1;
                let length = self.number()?;
                Ok((Expression::Is(Primitive::Length(relation, length)), None))
            }
            "vlan" => {
                self.at += 1;
                Ok((Expression::Is(Primitive::Vlan(self.vlan()?)), None))
            }
            _ => self.qualified(),
        }
    }

    fn vlan(&mut self) -> Result<Option<u16>, String> {
        let numbered = matches!(self.peek(), Some(Token::Open)) || self.word().is_some_and(|word| !is_keyword(word));
        if !numbered {
            return Ok(None);
        }
        let open = (0..DEEPEST).take_while(|_| self.takes(&Token::Open)).count();
        let number = self.number()?;
        for _ in 0..open {
            self.expects(&Token::Close)?;
        }
        match u16::try_from(number) {
            Ok(number) if number <= 0x0fff => Ok(Some(number)),
            _ => Err(format!("VLAN tag {number} is greater than 4095")),
        }
    }

    /// `tcp`, or a value with its qualifiers.
    fn qualified(&mut self) -> Result<Parsed<'a>, String> {
        let protocol = self.word().filter(|word| is_protocol(word));
        self.at += usize::from(protocol.is_some());
        let direction = self.direction();
        let kind = self.word().and_then(kind);
        self.at += usize::from(kind.is_some());
        let qualifiers = match (direction, kind) {
            (None, None) => {
                let Some(name) = protocol else { return Err(self.unexpected("a term")) };
                let Some(alone) = primitive::protocol(name) else {
                    return Err(self.unexpected("host, src, dst or proto"));
                };
                return Ok((Expression::Is(alone), None));
            }
            (Some(_), Some(Kind::Proto)) => return Err("a direction before \"proto\"".to_owned()),
            (direction, kind) => {
                Qualifiers { protocol, direction: direction.unwrap_or_default(), kind: kind.unwrap_or(Kind::Unsaid) }
            }
        };
        let value = self.value(qualifiers)?;
        Ok((value, Some(qualifiers)))
    }

    fn direction(&mut self) -> Option<Direction> {
        let one = |word: &str| match word {
            "src" => Some(Direction::Source),
            "dst" => Some(Direction::Destination),
            _ => None,
        };
        let first = self.word().and_then(one)?;
        self.at += 1;
        let join = self.peek().cloned();
        let other = match self.tokens.get(self.at + 1) {
            Some(Token::Word(word)) => one(word),
            _ => None,
        };
        match (join, other) {
            (Some(Token::Or), Some(second)) if second != first => {
                self.at += 2;
                Some(Direction::Either)
            }
            (Some(Token::And), Some(second)) if second != first => {
                self.at += 2;
                Some(Direction::Both)
            }
            _ => Some(first),
        }
    }

    /// A value, `not` one, or several in brackets.
    fn value(&mut self, qualifiers: Qualifiers<'a>) -> Result<Expression, String> {
        if self.takes(&Token::Not) {
            return self.deeper(|parser| Ok(Expression::Not(Box::new(parser.value(qualifiers)?))));
        }
        if self.takes(&Token::Open) {
            return self.deeper(|parser| {
                let mut chain = Chain::new(parser.value(qualifiers)?);
                while let Some(join) = parser.join() {
                    let right = parser.value(qualifiers)?;
                    parser.add(&mut chain, join, right)?;
                }
                parser.expects(&Token::Close)?;
                Ok(chain.whole())
            });
        }
        let text = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => *word,
            Some(Token::Escaped(name)) => *name,
            _ => return Err(self.unexpected("an address, a port or a number")),
        };
        self.at += 1;
        let primitive = match qualifiers.kind {
            Kind::Port | Kind::Portrange => ports(qualifiers, text)?,
            Kind::Proto => proto(qualifiers, text)?,
            Kind::Unsaid | Kind::Host | Kind::Net => self.address(qualifiers, text)?,
        };
        Ok(Expression::Is(primitive))
    }

    fn number(&mut self) -> Result<u32, String> {
        let Some(word) = self.word() else { return Err(self.unexpected("a number")) };
        self.at += 1;
        number(word).ok_or_else(|| format!("\"{word}\" is no number"))
    }

    fn address(&mut self, qualifiers: Qualifiers<'a>, text: &str) -> Result<Primitive, String> {
        if matches!(qualifiers.protocol, Some("ether" | "link")) {
            return match ethernet(text) {
                Some(address) if qualifiers.kind != Kind::Net => Ok(Primitive::Ether(qualifiers.direction, address)),
                _ => Err(format!("\"{text}\" is no Ethernet address")),
            };
        }
        if text.contains(':') {
            return self.address6(qualifiers, text);
        }
        let family = match qualifiers.protocol {
            None => None,
            Some("ip") => Some(IP),
            Some("arp") => Some(ARP),
            Some("rarp") => Some(RARP),
            Some("ip6") => return Err(format!("\"ip6\" before the IPv4 address {text}")),
            Some(other) => return Err(format!("\"{other}\" before an address")),
        };
        let (address, mask) = self.address4(qualifiers.kind, text)?;
        Ok(Primitive::Host4(family, qualifiers.direction, address.into(), mask.into()))
    }

    /// An IPv4 address, whole or its first bytes, and what of it counts.
    fn address4(&mut self, kind: Kind, text: &str) -> Result<(u32, u32), String> {
        let shift = |value: u32, by: u32| value.checked_shl(by).unwrap_or(0);
        if let Some(value) = number(text) {
            // One number is an address as a whole; for a net, its first bytes.
            let left = if kind == Kind::Net && value != 0 { value.leading_zeros() / 8 * 8 } else { 0 };
            return Ok((shift(value, left), shift(u32::MAX, left)));
        }
        let Some((value, bits)) = octets(text) else {
            return Err(format!("\"{text}\" is no address (names need libpcap, which cannot be opened here)"));
        };
        let whole = shift(value, 32 - bits);
        let networks_only = || "a mask belongs to \"net\"".to_owned();
        let mask = if self.takes(&Token::Slash) {
            let len = self.number()?;
            if kind != Kind::Net {
                return Err(networks_only());
            }
            if len > 32 {
                return Err(format!("a mask of {len} bits; 32 are the most"));
            }
            shift(u32::MAX, 32 - len)
        } else if self.word() == Some("mask") {
            self.at += 1;
            let word = self.word().unwrap_or_default();
            self.at += 1;
            let Some((mask, bits)) = octets(word) else { return Err(format!("\"{word}\" is no mask")) };
            if kind != Kind::Net {
                return Err(networks_only());
            }
            shift(mask, 32 - bits)
        } else {
            return Ok((whole, shift(u32::MAX, 32 - bits)));
        };
        if whole & !mask != 0 {
            return Err(format!("non-network bits are set in \"{text}\""));
        }
        Ok((whole, mask))
    }

    fn address6(&mut self, qualifiers: Qualifiers<'_>, text: &str) -> Result<Primitive, String> {
        if let Some(other) = qualifiers.protocol.filter(|&protocol| protocol != "ip6") {
            return Err(format!("\"{other}\" before the IPv6 address {text}"));
        }
        let address: Ipv6Addr = text.parse().map_err(|_| format!("\"{text}\" is no IPv6 address"))?;
        let len = if self.takes(&Token::Slash) { self.number()? } else { 128 };
        let len = u8::try_from(len).ok().filter(|&len| len <= 128);
        let Some(len) = len else { return Err("a prefix has at most 128 bits".to_owned()) };
        if len != 128 && qualifiers.kind != Kind::Net {
            return Err("a mask belongs to \"net\"".to_owned());
        }
        if u128::from(address) & !prefix(len) != 0 {
            return Err(format!("non-network bits are set in \"{text}/{len}\""));
        }
        Ok(Primitive::Host6(qualifiers.direction, address, len))
    }
}

fn is_protocol(word: &str) -> bool {
    matches!(word, "ether" | "link") || primitive::protocol(word).is_some()
}

fn is_keyword(word: &str) -> bool {
    is_protocol(word)
        || kind(word).is_some()
        || is_beyond(word)
        || matches!(word, "src" | "dst" | "vlan" | "less" | "greater" | "len" | "mask")
}
