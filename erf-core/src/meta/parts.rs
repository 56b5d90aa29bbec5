//! What larger values are made of: [`Text`], [`ExtHeaderSet`], [`NameRecord`], [`SectionHeader`].

use core::fmt;
use core::str::Utf8Error;

use super::SectionId;
use super::value::hex;

/// Text of a tag: UTF-8 without terminator, as far as its writer kept to the format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Over bytes that should be UTF-8.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes as stored.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text.
    ///
    /// # Errors
    ///
    /// Where the bytes are not UTF-8; the error says how far they are. [`fmt::Display`] shows
    /// such text all the same.
    pub const fn to_str(self) -> Result<&'a str, Utf8Error> {
        core::str::from_utf8(self.0)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

/// The text as it is, with U+FFFD where it is not UTF-8. Control characters are not escaped.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{FFFD}")?;
            }
        }
        Ok(())
    }
}

/// Quoted, with control characters and bytes that are not UTF-8 escaped.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}{}", chunk.valid().escape_debug(), chunk.invalid().escape_ascii())?;
        }
        f.write_str("\"")
    }
}

/// A set of extension header types: bit `n` of word `k` is type `32k + n` (`erf-format.md` 7.6).
///
/// One to four big-endian 32-bit words, whatever the writer gave.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtHeaderSet<'a>(&'a [u8]);

impl<'a> ExtHeaderSet<'a> {
    /// Bytes of the four words that cover all 128 types.
    const MAX_LEN: usize = 16;

    /// Over big-endian words; `None` without a whole one. A fifth word and bytes after the last
    /// whole word mean nothing and are left out.
    pub const fn new(bytes: &'a [u8]) -> Option<Self> {
        let len = if bytes.len() > Self::MAX_LEN { Self::MAX_LEN } else { bytes.len() & !3 };
        match bytes.split_at_checked(len) {
            Some((words, _)) if len > 0 => Some(Self(words)),
            _ => None,
        }
    }

    /// The words as stored.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    fn words(self) -> impl Iterator<Item = u32> + 'a {
        self.0.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word))
    }

    /// All ones in every word given: all types, those past the last word too.
    pub fn is_all(self) -> bool {
        self.words().all(|word| word == u32::MAX)
    }

    /// Extension header type `kind` (0..=127) is in the set.
    pub fn contains(self, kind: u8) -> bool {
        let word = self.words().nth(usize::from(kind / 32)).unwrap_or(0);
        kind < 128 && (self.is_all() || (word >> (kind % 32)) & 1 == 1)
    }

    /// The types in the set, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> + 'a {
        (0..128).filter(move |&kind| self.contains(kind))
    }
}

/// The numbers with commas between, `all`, or `none`.
impl fmt::Display for ExtHeaderSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("all");
        }
        let mut before = "";
        for kind in self.iter() {
            write!(f, "{before}{kind}")?;
            before = ",";
        }
        if before.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

impl fmt::Debug for ExtHeaderSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtHeaderSet({self})")
    }
}

/// An address and its name (tags 256 to 265, `erf-format.md` section 7.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NameRecord<'a> {
    /// The address, first byte first: 2, 4, 6, 8 or 16 bytes by the kind of the tag.
    pub address: &'a [u8],
    /// The name.
    pub name: Text<'a>,
}

/// `ADDRESS NAME`, an address of 4 bytes in dotted decimal, others in hexadecimal.
impl fmt::Display for NameRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match <[u8; 4]>::try_from(self.address) {
            Ok(ipv4) => core::net::Ipv4Addr::from(ipv4).fmt(f)?,
            Err(_) => hex(f, self.address, ":")?,
        }
        write!(f, " {}", self.name)
    }
}

/// The header of a section: what the value of a section tag holds (`erf-format.md` section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SectionHeader {
    /// The id.
    pub id: SectionId,
    /// Bytes from the section tag itself to the next section tag; 0 = not given. Only a hint: no
    /// walk depends on it.
    pub length: u16,
}

impl SectionHeader {
    /// From the 4 bytes of a section tag's value, both fields big-endian.
    pub const fn from_bytes([a, b, c, d]: [u8; 4]) -> Self {
        Self { id: SectionId::from_bits(u16::from_be_bytes([a, b])), length: u16::from_be_bytes([c, d]) }
    }

    /// The 4 bytes of a section tag's value.
    pub const fn to_bytes(self) -> [u8; 4] {
        let [a, b] = self.id.bits().to_be_bytes();
        let [c, d] = self.length.to_be_bytes();
        [a, b, c, d]
    }
}

/// The id and the length.
impl fmt::Display for SectionHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id {}, {} bytes", self.id, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::vec::Vec;

    #[test]
    fn text_is_shown_even_where_it_is_not_utf8() {
        let good = Text::from("r\u{e9}seau");
        assert_eq!(good.to_str(), Ok("r\u{e9}seau"));
        let bad = Text::new(b"port\xFF\xC3A");
        assert_eq!(bad.to_str().unwrap_err().valid_up_to(), 4);
        assert_eq!(format!("{bad}"), "port\u{FFFD}\u{FFFD}A");
        assert_eq!(format!("{bad:?}"), r#""port\xff\xc3A""#);
    }

    #[test]
    fn sets_of_extension_headers_count_from_the_low_bit_of_each_word() {
        let set = ExtHeaderSet::new(&[0, 0, 0, 8, 0x80, 0, 0, 1]).unwrap();
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 32, 63]);
        assert!(!set.contains(64) && !set.contains(131), "past the words and past the types");
        assert_eq!(format!("{set}"), "3,32,63");
    }

    #[test]
    fn all_ones_in_the_words_given_are_all_types() {
        let one = ExtHeaderSet::new(&[0xFF; 4]).unwrap();
        assert!(one.is_all() && one.contains(127));
        assert!(!one.contains(128));
        let two = ExtHeaderSet::new(&[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]).unwrap();
        assert!(!two.is_all() && two.contains(31) && !two.contains(32));
        assert_eq!(format!("{}", ExtHeaderSet::new(&[0; 4]).unwrap()), "none");
    }

    #[test]
    fn a_set_has_one_to_four_whole_words() {
        for len in 0..40 {
            let bytes = [1u8; 40];
            let set = ExtHeaderSet::new(&bytes[..len]);
            let expected = (len >= 4).then_some(len.min(16) / 4 * 4);
            assert_eq!(set.map(|s| s.as_bytes().len()), expected, "{len} bytes");
        }
    }
}
