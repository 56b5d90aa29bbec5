//! Text that somebody else wrote, made fit for a terminal.

use std::fmt;

/// Text as [`plain`] shows it.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a>(&'a [u8]);

/// `text`, a string or bytes that should be UTF-8, in one line that commands nothing: control characters, and those that are not
/// seen or turn the direction of writing, are escaped (`\n`, `\u{1b}`), and so are bytes that are not UTF-8 (`\xff`). All else,
/// a backslash too, stays as it is.
///
/// What a file says is not to be trusted: an escape sequence in the name of a host moves cursors, sets titles and hides lines.
pub fn plain<T: AsRef<[u8]> + ?Sized>(text: &T) -> Plain<'_> {
    Plain(text.as_ref())
}

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match is_hidden(letter) {
                    true => write!(f, "{}", letter.escape_default())?,
                    false => f.write_char(letter)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// C0, C1 and DEL; marks of direction; separators of lines; what has no width. Joiners are part of words and of pictures.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{AD}'
                | '\u{61C}'
                | '\u{200B}'
                | '\u{200E}'
                | '\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}'
                | '\u{E0000}'..='\u{E007F}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_escaped_and_what_is_read_stays() {
        for (text, shown) in [
            ("r\u{e9}seau \u{1F468}\u{200D}\u{1F467} C:\\x", "r\u{e9}seau \u{1F468}\u{200D}\u{1F467} C:\\x"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\r\nb\tc\u{7f}", "a\\r\\nb\\tc\\u{7f}"),
            ("gpj.\u{202e}x", "gpj.\\u{202e}x"),
        ] {
            assert_eq!(plain(text).to_string(), shown);
        }
        assert_eq!(plain(b"port\xFF\xC3A").to_string(), "port\\xff\\xc3A");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_commands_comes_through(bytes: Vec<u8>) {
            let shown = plain(&bytes).to_string();
            proptest::prop_assert!(!shown.chars().any(is_hidden), "{shown:?}");
        }
    }
}
