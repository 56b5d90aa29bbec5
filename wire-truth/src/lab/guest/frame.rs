//! What goes through the port between host and guest: frames of a line of JSON and parts of any bytes.
//!
//! ```text
//! {"parts":[5,0],"head":{...}}\n12345
//! ```

use std::io::{BufRead, Read, Write};

use serde_json::{Value, json};

use super::error::Trouble;

/// More than a line has: arguments of a command are in it.
const LONGEST_LINE: u64 = 1 << 20;

/// Bytes of all parts of a frame: files of tens of megabytes fit, and a guest does not fall over what it reads.
pub(crate) const MOST: u64 = 256 << 20;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) head: Value,
    pub(crate) parts: Vec<Vec<u8>>,
}

impl Frame {
    /// Writes it in one piece: writers of other threads wait with a lock around this.
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<(), Trouble> {
        let lengths: Vec<usize> = self.parts.iter().map(Vec::len).collect();
        let bytes: u64 = lengths.iter().map(|length| *length as u64).sum();
        if bytes > MOST {
            return Err(Trouble::FrameSize { bytes, most: MOST });
        }
        let failed = |cause| Trouble::file("the guest's port", cause);
        let line = json!({"parts": lengths, "head": self.head}).to_string() + "\n";
        out.write_all(line.as_bytes()).map_err(failed)?;
        for part in &self.parts {
            out.write_all(part).map_err(failed)?;
        }
        out.flush().map_err(failed)
    }

    /// The next one; `None` where there are no more.
    ///
    /// # Errors
    ///
    /// When what comes is no frame, or ends within one.
    pub(crate) fn read(input: &mut impl BufRead) -> Result<Option<Self>, Trouble> {
        let mut line = Vec::new();
        let failed = |cause| Trouble::file("the guest's port", cause);
        input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            return Ok(None);
        }
        let shown = || String::from_utf8_lossy(line.get(..80).unwrap_or(&line)).into_owned();
        if line.last() != Some(&b'\n') {
            return Err(Trouble::Frame(format!("a line without an end, which begins {:?}", shown())));
        }
        let bad = |what: &str| Trouble::Frame(format!("{what} in {:?}", shown()));
        let mut value: Value = serde_json::from_slice(&line).map_err(|_| bad("no JSON"))?;
        let lengths = value.get("parts").and_then(Value::as_array).ok_or_else(|| bad("no lengths of parts"))?;
        let lengths: Option<Vec<u64>> = lengths.iter().map(Value::as_u64).collect();
        let lengths = lengths.ok_or_else(|| bad("a length that is none"))?;
        let bytes = lengths.iter().fold(0u64, |sum, length| sum.saturating_add(*length));
        if bytes > MOST {
            return Err(Trouble::FrameSize { bytes, most: MOST });
        }
        let head = value.get_mut("head").map(Value::take).ok_or_else(|| bad("no head"))?;
        let mut parts = Vec::with_capacity(lengths.len());
        for length in lengths {
            let mut part = Vec::new();
            match input.by_ref().take(length).read_to_end(&mut part) {
                Ok(read) if read as u64 == length => parts.push(part),
                Ok(read) => return Err(Trouble::Frame(format!("{read} bytes of {length}, and then the end"))),
                Err(cause) => return Err(failed(cause)),
            }
        }
        Ok(Some(Self { head, parts }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;

    use super::*;

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let parts = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4);
        let frame = (any::<String>(), parts).prop_map(|(text, parts)| Frame { head: json!({"text": text}), parts });
        proptest::collection::vec(frame, 0..5)
    }

    fn read(bytes: &[u8], at_once: usize) -> Result<Vec<Frame>, Trouble> {
        let mut input = BufReader::with_capacity(at_once, Cursor::new(bytes));
        let mut all = Vec::new();
        while let Some(frame) = Frame::read(&mut input)? {
            all.push(frame);
        }
        Ok(all)
    }

    fn refused(bytes: &[u8]) -> String {
        read(bytes, 64).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(frames in frames(), at_once in 1usize..64) {
            let mut bytes = Vec::new();
            for frame in &frames {
                frame.write(&mut bytes).unwrap();
            }
            prop_assert_eq!(read(&bytes, at_once).unwrap(), frames);
        }

        /// What is cut off is the frames before, or an error; never another frame.
        #[test]
        fn a_cut_is_noticed(frames in frames(), cut in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for frame in &frames {
                frame.write(&mut bytes).unwrap();
                ends.push(bytes.len());
            }
            let cut = cut.index(bytes.len() + 1);
            match read(&bytes[..cut], 64) {
                Ok(whole) => {
                    prop_assert!(ends.contains(&cut));
                    prop_assert_eq!(&whole[..], &frames[..whole.len()]);
                }
                Err(_) => prop_assert!(!ends.contains(&cut)),
            }
        }

        #[test]
        fn anything_else_is_an_error_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
            prop_assert!(read(&bytes, 64).is_err());
        }
    }

    #[test]
    fn errors_say_what_came() {
        assert_eq!(refused(b"Hello\n"), "what came through the guest's port is no frame: no JSON in \"Hello\\n\"");
        assert!(refused(b"{}\n").contains("no lengths of parts in"));
        assert!(refused(b"{\"parts\":[-1]}\n").contains("a length that is none"));
        assert!(refused(b"{\"parts\":[9],\"head\":0}\nabc").contains("3 bytes of 9, and then the end"));
        let much = refused(b"{\"parts\":[18446744073709551615,1],\"head\":0}\n");
        assert_eq!(much, "a frame of 18446744073709551615 bytes is more than the 268435456 that one may have");
    }
}
