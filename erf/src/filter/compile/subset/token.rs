//! Words and signs of an expression.

/// A word or sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Slash,
    Relation(Relation),
    /// A keyword, number, address or name.
    Word(&'a str),
    /// A name that is not to be taken for a keyword: `\tcp`.
    Escaped(&'a str),
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

const SIGNS: [(&str, Token<'static>); 14] = [
    ("&&", Token::And),
    ("||", Token::Or),
    ("<=", Token::Relation(Relation::LessOrEqual)),
    (">=", Token::Relation(Relation::GreaterOrEqual)),
    ("==", Token::Relation(Relation::Equal)),
    ("!=", Token::Relation(Relation::NotEqual)),
    ("<", Token::Relation(Relation::Less)),
    (">", Token::Relation(Relation::Greater)),
    ("=", Token::Relation(Relation::Equal)),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
    ("/", Token::Slash),
    ("\\", Token::Escaped("")),
];

/// Splits an expression. The error names what is no token, or no token of the common part.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if word > 0 {
            let (text, behind) = rest.split_at(word);
            tokens.push(match text {
                "and" => Token::And,
                "or" => Token::Or,
                "not" => Token::Not,
                other => Token::Word(other),
            });
            rest = behind;
        } else if let Some((sign, token)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            rest = &rest[sign.len()..];
            if *token == Token::Escaped("") {
                let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                tokens.push(Token::Escaped(&rest[..end]));
                rest = &rest[end..];
            } else {
                tokens.push(token.clone());
            }
        } else {
            return Err(match first {
                '[' | ']' | '&' | '|' | '+' | '*' | '%' | '^' => {
                    format!(
                        "'{first}': looking at single bytes and arithmetic need libpcap, which cannot be opened here"
                    )
                }
                _ => format!("illegal character {first:?}"),
            });
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_')
}
