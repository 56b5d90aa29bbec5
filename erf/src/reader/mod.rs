//! Reading records: from ERF, plain or compressed, and from pcap and pcapng as if they were ERF.

mod batch;
mod body;
mod builder;
mod format;
#[allow(unsafe_code)]
mod map;
mod packets;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub use batch::{Batch, BatchIter};
pub use builder::{Access, ReaderBuilder};
pub use format::FileFormat;

use crate::convert::{Refusal, Restorations, Unread};
use crate::error::{Error, ErrorKind};
use crate::input::{Compression, Source};
use crate::{Defect, HEADER_LEN, Record, WalkState};
use batch::Tail;
use body::Body;

/// Reads records from a file, standard input or any stream.
///
/// Records are lent, not copied: a [`Batch`] borrows the reader, a [`Record`] borrows the batch's bytes.
/// There is no allocation per record, and memory does not grow with the file.
///
/// ```
/// use erf::input::Source;
/// use erf::{Reader, RecordBuilder, RecordType};
///
/// # let mut file = vec![0; 2 * 40];
/// # for at in [0, 40] {
/// #     let stamp = erf::Timestamp::from_parts(1_700_000_000, 0);
/// #     RecordBuilder::new(RecordType::IPV4).timestamp(stamp).payload(&[0x45; 20]).write_to(&mut file[at..]).unwrap();
/// # }
/// let mut reader = Reader::open(Source::from_read(std::io::Cursor::new(file)))?;
/// let mut bytes = 0;
/// while let Some(batch) = reader.next_batch()? {
///     for record in &batch {
///         match record {
///             Ok(record) => bytes += u64::from(record.wire_len()),
///             Err(defect) => eprintln!("{defect}"),
///         }
///     }
/// }
/// assert_eq!(bytes, 40);
/// # Ok::<(), erf::Error>(())
/// ```
///
/// # What comes out of a damaged file
///
/// All records before the damage, then a [`Defect`] with its offset in the decompressed data. A record
/// whose headers do not fit it is passed over; a length that leads nowhere ends the reading, unless
/// [`recover`](ReaderBuilder::recover) is on. A torn record at the end and a tail of zero bytes are
/// defects after the last good record. A compressed stream that breaks off is an [`Error`], which comes
/// after everything that could be decoded.
///
/// # pcap and pcapng
///
/// Their packets are turned into records by [`ToRecord`](crate::convert::ToRecord), and offsets count
/// the bytes of those records. Every stored byte of a packet is in its record, unless
/// [asked otherwise](crate::convert::RecordOptions::cut). Packets that have no place in ERF are counted in
/// [`refused`](Reader::refused). A pcapng file that was written without loss gives the records it was made of
/// ([`restorations`](Reader::restorations)).
pub struct Reader {
    name: String,
    format: FileFormat,
    compression: Compression,
    body: Body,
    state: WalkState,
    /// How far the batch or record lent last has come; filled in by whoever finds out first.
    tail: OnceLock<Tail>,
    /// Something is lent out that ends at `tail`.
    lent: bool,
    /// Bytes of the record that is lent out by itself; 0 is none.
    taken: usize,
    /// The walk is doing nothing but walk: its offset is all there is to its state.
    plain: bool,
    recover: bool,
    /// It is a regular file: reading waits for nobody.
    of_file: bool,
    /// That file, for who reads it by himself.
    file: Option<Arc<File>>,
}

impl Reader {
    /// Opens a file, standard input or a stream with the default options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Open`] and [`ErrorKind::Read`] from
    /// the system, [`ErrorKind::UnknownFormat`] with a word on what the
    /// file looks like.
    pub fn open(source: impl Into<Source>) -> Result<Reader, Error> {
        Reader::builder().open(source)
    }

    /// Opens what a command-line argument names: `-` is standard input, anything else a path.
    ///
    /// # Errors
    ///
    /// As [`open`](Reader::open).
    pub fn open_arg(arg: impl AsRef<std::ffi::OsStr>) -> Result<Reader, Error> {
        Reader::open(Source::from_arg(arg))
    }

    /// Opens a file by its path.
    ///
    /// # Errors
    ///
    /// As [`open`](Reader::open).
    pub fn open_path(path: impl Into<PathBuf>) -> Result<Reader, Error> {
        Reader::open(Source::Path(path.into()))
    }

    /// Reads from any stream.
    ///
    /// # Errors
    ///
    /// As [`open`](Reader::open).
    pub fn from_read(reader: impl std::io::Read + Send + 'static) -> Result<Reader, Error> {
        Reader::open(Source::from_read(reader))
    }

    /// Reads from standard input.
    ///
    /// # Errors
    ///
    /// As [`open`](Reader::open).
    pub fn stdin() -> Result<Reader, Error> {
        Reader::open(Source::Stdin)
    }

    /// A reader with options.
    pub fn builder() -> ReaderBuilder {
        ReaderBuilder::default()
    }

    fn new(name: String, format: FileFormat, compression: Compression, body: Body, recover: bool) -> Reader {
        Reader {
            name,
            format,
            compression,
            body,
            state: WalkState::new(0).with_recover(recover),
            tail: OnceLock::new(),
            lent: false,
            taken: 0,
            plain: !recover,
            recover,
            of_file: false,
            file: None,
        }
    }

    /// Says whether it reads a regular file.
    pub(crate) fn of_file(self, of_file: bool) -> Reader {
        Reader { of_file, ..self }
    }

    /// Gives it the file that it reads.
    fn with_file(self, file: Option<Arc<File>>) -> Reader {
        Reader { file, ..self }
    }

    /// The file that it reads, if that is a regular one, whatever name it has by now.
    pub(crate) fn file(&self) -> Option<&Arc<File>> {
        self.file.as_ref()
    }

    /// Whether it may wait for whoever writes what it reads: that is no regular file.
    pub(crate) const fn waits(&self) -> bool {
        !self.of_file
    }

    /// Whether it searches for the next records after damage.
    pub(crate) const fn recovers(&self) -> bool {
        self.recover
    }

    /// How messages call the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the file is.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// What the file is compressed with.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// How the bytes are reached: [`Access::Blocks`] or [`Access::Map`].
    pub fn access(&self) -> Access {
        match self.body {
            Body::Map(_) => Access::Map,
            Body::Blocks { .. } | Body::Packets(_) => Access::Blocks,
        }
    }

    /// Offset in the decompressed records of the first byte not yet lent.
    pub fn offset(&self) -> u64 {
        match self.tail.get() {
            Some(tail) => tail.state.offset(),
            None => self.state.offset() + self.taken as u64,
        }
    }

    /// For pcap and pcapng: how many packets have no place in ERF so far, and why the first one has none.
    pub fn refused(&self) -> Option<(u64, Refusal)> {
        match &self.body {
            Body::Packets(packets) => packets.refused(),
            _ => None,
        }
    }

    /// For pcapng that was written without loss: what came of it so far.
    pub fn restorations(&self) -> Restorations {
        match &self.body {
            Body::Packets(packets) => packets.restorations(),
            _ => Restorations::default(),
        }
    }

    /// For pcap and pcapng: what was read over so far because no record says it, and what was cut off.
    pub fn unread(&self) -> Unread {
        match &self.body {
            Body::Packets(packets) => packets.unread(),
            _ => Unread::default(),
        }
    }

    /// The next records, as many as lie in the block at hand. `None`: the file is over.
    ///
    /// A batch is never empty: it holds at least a record or a defect. What of a batch is not iterated is
    /// passed over.
    ///
    /// # Errors
    ///
    /// When reading fails or a compressed stream breaks off; after all records before that. The next call
    /// then gives `None`.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, Error> {
        if !self.advance()? {
            return Ok(None);
        }
        self.lent = true;
        Ok(Some(Batch::new(self.body.bytes(), self.state, self.body.is_last(), &self.tail)))
    }

    /// The next record or defect, valid until the next call. `None`: the file is over.
    ///
    /// The convenient way; [`next_batch`](Reader::next_batch) does less per record.
    ///
    /// # Errors
    ///
    /// As [`next_batch`](Reader::next_batch).
    pub fn next_record(&mut self) -> Result<Option<Result<Record<'_>, Defect>>, Error> {
        if self.lent {
            self.take_back();
        }
        self.give_back_record();
        if let Some(length) = self.plain_record_ahead() {
            self.taken = length;
            let offset = self.state.offset();
            // All there, so what is wrong with it, if anything, does not hide the next one.
            return Ok(Some(Record::parse(self.body.bytes()).map_err(|kind| Defect::new(offset, kind))));
        }
        if !self.advance()? {
            return Ok(None);
        }
        self.lent = true;
        let mut one = Batch::new(self.body.bytes(), self.state, self.body.is_last(), &self.tail).iter();
        let item = one.next();
        one.stop_here();
        Ok(item)
    }

    /// Gives every record and defect that is left to `visit`.
    ///
    /// # Errors
    ///
    /// As [`next_batch`](Reader::next_batch).
    pub fn for_each(&mut self, mut visit: impl FnMut(Result<Record<'_>, Defect>)) -> Result<(), Error> {
        while let Some(batch) = self.next_batch()? {
            for item in &batch {
                visit(item);
            }
        }
        Ok(())
    }

    /// The length of the record in front, if all of it is there and nothing but walking is to be done.
    #[inline]
    fn plain_record_ahead(&self) -> Option<usize> {
        if !self.plain {
            return None;
        }
        let window = self.body.bytes();
        let header = window.first_chunk::<HEADER_LEN>()?;
        let length = usize::from(u16::from_be_bytes([header[10], header[11]]));
        (HEADER_LEN..=window.len()).contains(&length).then_some(length)
    }

    /// Ends the loan of a record.
    #[inline]
    fn give_back_record(&mut self) {
        if self.taken > 0 {
            let taken = std::mem::take(&mut self.taken);
            self.body.consume(taken);
            // Only a plain walk lends single records.
            self.state = WalkState::new(self.state.offset() + taken as u64);
        }
    }

    /// Takes back what was lent and reads until there is something to lend. `false`: the file is over.
    fn advance(&mut self) -> Result<bool, Error> {
        loop {
            self.take_back();
            if self.state.is_ended() {
                return self.body.take_error().map_or(Ok(false), Err);
            }
            let last = self.body.is_last();
            let batch = Batch::new(self.body.bytes(), self.state, last, &self.tail);
            if batch.starts_with_item() {
                return Ok(true);
            }
            // Nothing whole in the window: what the walk has passed over is behind us, more is needed.
            batch.walk_to_end();
            self.lent = true;
            self.take_back();
            if last {
                return self.body.take_error().map_or(Ok(false), Err);
            }
            if !self.body.refill() && !self.body.is_last() {
                // Cannot happen while a block holds what a walk may ask for; an error beats a loop.
                return Err(Error::new(ErrorKind::Limit, "no record fits the block")
                    .at(self.state.offset())
                    .in_file(self.name.clone()));
            }
        }
    }

    /// Ends the loan of a batch or record: passes over what of the window is done with.
    fn take_back(&mut self) {
        self.give_back_record();
        if !std::mem::take(&mut self.lent) {
            self.tail = OnceLock::new();
            return;
        }
        if self.tail.get().is_none() {
            let last = self.body.is_last();
            Batch::new(self.body.bytes(), self.state, last, &self.tail).walk_to_end();
        }
        let Some(tail) = self.tail.take() else { return };
        self.body.consume(tail.walked);
        self.state = tail.state;
        self.plain = self.state == WalkState::new(self.state.offset());
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("name", &self.name)
            .field("format", &self.format)
            .field("compression", &self.compression)
            .field("access", &self.access())
            .field("offset", &self.offset())
            .finish_non_exhaustive()
    }
}
