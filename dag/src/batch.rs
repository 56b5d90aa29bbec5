//! [`Batch`]: the records that an advance has lent.

use std::sync::atomic::{AtomicU64, Ordering};

use erf::{Defect, Record, Records};

use crate::error::Error;

/// Records in the card's own memory, lent until the next [`RxStream::advance`](crate::RxStream::advance).
///
/// `for record in &batch` gives `Result<Record, Defect>`: a record, or what is wrong with the bytes where one should be. Records
/// are `Copy`, `Send` and `Sync`; as many as one likes are alive at once, on as many threads, as long as the batch is.
///
/// ```
/// # let card = dag::Card::open("emu:synthetic,count=100,rate=max")?;
/// # let mut stream = card.attach(0)?;
/// # stream.start()?;
/// let batch = stream.advance()?;
/// let bytes: u64 = batch.iter().flatten().map(|record| u64::from(record.wire_len())).sum();
/// # assert_eq!(bytes % 64, 0);
/// # Ok::<(), dag::Error>(())
/// ```
#[derive(Debug)]
pub struct Batch<'s> {
    bytes: &'s [u8],
    position: u64,
    is_end: bool,
    release: &'s AtomicU64,
}

impl<'s> Batch<'s> {
    pub(crate) fn new(bytes: &'s [u8], position: u64, is_end: bool, release: &'s AtomicU64) -> Self {
        Self { bytes, position, is_end, release }
    }

    /// The records, in order. Offsets of defects count bytes since the stream was attached.
    #[inline]
    pub fn iter(&self) -> Records<'_> {
        Records::new(self.bytes).at_offset(self.position)
    }

    /// Whether there is nothing in it: nothing came in time.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A finite feed is over and everything has been read: no batch will have records any more.
    pub fn is_end(&self) -> bool {
        self.is_end
    }

    /// The records as they lie in stream memory, one behind the other.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Bytes since attach before the first record.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Keeps `record` and everything behind it: the next advance gives back only what lies before it, and lends it again. Of
    /// several calls the one that keeps most holds. Without a call everything is given back.
    ///
    /// # Errors
    ///
    /// When `record` is not of this batch.
    pub fn keep_from(&self, record: &Record<'_>) -> Result<(), Error> {
        let start = self.bytes.as_ptr().addr();
        let at = record.bytes().as_ptr().addr();
        match at.checked_sub(start) {
            Some(offset) if offset < self.bytes.len() => {
                self.release.fetch_min(self.position + offset as u64, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(Error::state("the record to keep from is not of this batch")),
        }
    }
}

impl<'b> IntoIterator for &'b Batch<'_> {
    type Item = Result<Record<'b>, Defect>;
    type IntoIter = Records<'b>;

    #[inline]
    fn into_iter(self) -> Records<'b> {
        self.iter()
    }
}
