//! The option list at the end of a pcapng block.

use super::super::order::Order;
use super::code;

/// Iterator over the options of a block: code and value. Ends at the end-of-options mark, at the end of
/// the block, and at an option that runs over it.
#[derive(Clone, Debug)]
pub(crate) struct Options<'a> {
    rest: &'a [u8],
    order: Order,
}

impl<'a> Options<'a> {
    pub(in crate::pcap) fn new(bytes: &'a [u8], order: Order) -> Options<'a> {
        Options { rest: bytes, order }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        let code = self.order.u16(&head[..2]);
        let length = usize::from(self.order.u16(&head[2..]));
        if code == code::END {
            self.rest = &[];
            return None;
        }
        let Some(value) = rest.get(..length) else {
            self.rest = &[];
            return None;
        };
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

/// Appends an option with its padding, in the order this crate writes.
pub(super) fn put(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    // A longer value cannot be stated; callers write short ones, and text is cut rather than wrapped.
    let value = &value[..value.len().min(usize::from(u16::MAX) & !3)];
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Appends a text option; an empty text is left out.
pub(super) fn put_text(out: &mut Vec<u8>, code: u16, text: &str) {
    if !text.is_empty() {
        put(out, code, text.as_bytes());
    }
}

/// Bytes of text that an option holds.
pub(super) const MAX_TEXT: usize = 65_532;

/// At most the first `most` bytes of a text, cut between characters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Appends the end-of-options mark.
pub(super) fn put_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_options_are_read_back() {
        let mut bytes = Vec::new();
        put(&mut bytes, 1, b"hello");
        put(&mut bytes, 9, &[9]);
        put_text(&mut bytes, 4, "");
        put(&mut bytes, 2, b"");
        put_end(&mut bytes);
        bytes.extend_from_slice(&[1, 0, 1, 0, 7, 0, 0, 0]); // behind the end mark
        let read: Vec<_> = Options::new(&bytes, Order::Little).collect();
        assert_eq!(read, [(1, &b"hello"[..]), (9, &[9]), (2, &[])]);
    }

    #[test]
    fn an_option_over_the_end_stops_the_list() {
        let bytes = [1, 0, 1, 0, b'x', 0, 0, 0, 2, 0, 255, 255, 1, 2];
        let read: Vec<_> = Options::new(&bytes, Order::Little).collect();
        assert_eq!(read, [(1, &b"x"[..])]);
    }
}
