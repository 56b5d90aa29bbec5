//! How a file shall be read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::Reader;
use super::body::Body;
use super::format::{self, FileFormat};
use super::map::Mapped;
use super::packets::PacketFeed;
use crate::convert::RecordOptions;
use crate::error::{Error, ErrorKind};
use crate::input::{Compression, Input, Source, Window, open_file};
use crate::pcap::Packets;
use crate::{Format, RESUME_MIN};

/// Bytes read at a time unless chosen.
const DEFAULT_BLOCK: usize = 256 * 1024;

/// The longest record and a bit of the next one.
const MIN_BLOCK: usize = 128 * 1024;

/// How a reader reaches the bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Blocks, except for an uncompressed ERF file of 64 MiB and more on which a short trial finds a map
    /// clearly faster.
    #[default]
    Auto,
    /// Read block by block into one buffer that stays in the processor's cache.
    Blocks,
    /// Map the file. Only regular, uncompressed ERF files can be; one that is cut by somebody else
    /// meanwhile ends the process with SIGBUS.
    Map,
}

/// Options of a [`Reader`], made by [`Reader::builder`].
///
/// ```
/// use erf::input::Source;
/// use erf::{FileFormat, Reader};
///
/// // Not a plausible record, so it takes force to read it as one.
/// let odd = [0u8, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 16, 0, 0, 0, 0];
/// assert!(Reader::open(Source::from_read(std::io::Cursor::new(odd))).is_err());
/// let mut reader = Reader::builder()
///     .force_format(FileFormat::Erf)
///     .open(Source::from_read(std::io::Cursor::new(odd)))?;
/// let record = reader.next_record()?.expect("one record").expect("no defect");
/// assert_eq!(record.record_type().number(), 60);
/// # Ok::<(), erf::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReaderBuilder {
    access: Access,
    recover: bool,
    format: Option<FileFormat>,
    block: usize,
    records: RecordOptions,
}

impl Default for ReaderBuilder {
    fn default() -> ReaderBuilder {
        ReaderBuilder {
            access: Access::Auto,
            recover: false,
            format: None,
            block: DEFAULT_BLOCK,
            records: RecordOptions::default(),
        }
    }
}

impl ReaderBuilder {
    /// How the bytes are reached; default [`Access::Auto`].
    pub fn access(mut self, access: Access) -> ReaderBuilder {
        self.access = access;
        self
    }

    /// Search for the next records after damage instead of ending there; default off. See
    /// [`Records::recover`](crate::Records::recover). Packets of pcap and pcapng have lengths of their own, and are not searched
    /// for; nor are records of a regular file whose lengths lead to its end, whatever they look like, for which it is read once
    /// more at first.
    pub fn recover(mut self, on: bool) -> ReaderBuilder {
        self.recover = on;
        self
    }

    /// Read as this format whatever the content looks like. Compression is still found out.
    pub fn force_format(mut self, format: FileFormat) -> ReaderBuilder {
        self.format = Some(format);
        self
    }

    /// Bytes read at a time; default 256 KiB, which fits the second-level cache of current processors.
    ///
    /// At least 128 KiB are taken, so that any record fits, and with [`recover`](ReaderBuilder::recover) as much as
    /// a search may need, [`RESUME_MIN`].
    pub fn block_size(mut self, bytes: usize) -> ReaderBuilder {
        self.block = bytes.max(MIN_BLOCK);
        self
    }

    fn block(&self) -> usize {
        if self.recover { self.block.max(RESUME_MIN) } else { self.block }
    }

    /// How pcap packets become records; no matter for ERF.
    pub fn record_options(mut self, options: RecordOptions) -> ReaderBuilder {
        self.records = options;
        self
    }

    /// Opens a source and finds out what it is.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`], and [`ErrorKind::Unsupported`] when a map is asked for that cannot be.
    pub fn open(mut self, source: impl Into<Source>) -> Result<Reader, Error> {
        let source = source.into();
        if let Source::Path(path) = &source
            && self.recover
            && path.is_file()
        {
            self.recover = !self.clone().recover(false).leads_to_the_end(path);
        }
        let name = source.name();
        let Source::Path(path) = source else {
            if self.access == Access::Map {
                return Err(not_mappable(&name, "a stream"));
            }
            return self.blocks(Input::open(source)?, false);
        };
        let file = open_file(&path)?;
        let regular = file.metadata().is_ok_and(|data| data.is_file());
        if regular && self.access != Access::Blocks {
            if let Some(reader) = self.mapped(&name, &file)? {
                return Ok(reader);
            }
        } else if self.access == Access::Map {
            return Err(not_mappable(&name, "not a regular file"));
        }
        self.blocks(Input::from_file(name, file)?, regular)
    }

    /// Whether the lengths of the records in a file lead to its end.
    fn leads_to_the_end(self, path: &Path) -> bool {
        let Ok(mut reader) = self.open(path.to_owned()) else { return false };
        loop {
            match reader.next_batch() {
                Ok(Some(batch)) => {
                    if batch.iter().any(|item| item.is_err()) {
                        return false;
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// A mapped reader, if the file can be mapped and that is wanted or pays.
    fn mapped(&self, name: &str, mut file: &File) -> Result<Option<Reader>, Error> {
        let failed = |cause| Error::new(ErrorKind::Read, "read failed").at(0).in_file(name).because(cause);
        let mut head = Vec::with_capacity(64);
        file.take(64).read_to_end(&mut head).map_err(failed)?;
        let compression = Compression::detect(&head);
        let obstacle = if compression.is_compressed() {
            Some("compressed")
        } else {
            let erf = match self.format {
                Some(forced) => forced == FileFormat::Erf,
                None => Format::by_magic(&head).is_none(),
            };
            (!erf).then_some("not ERF")
        };
        let mapped = match (obstacle, self.access) {
            (Some(obstacle), Access::Map) => return Err(not_mappable(name, obstacle)),
            (None, Access::Map) => Some(Mapped::new(file, name, self.block())?),
            (None, _) => Mapped::if_it_pays(file, name, self.block()),
            (Some(_), _) => None,
        };
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let Some(mut mapped) = mapped else {
            return Ok(None);
        };
        if self.format.is_none() {
            // The same first block, judged by the same rules.
            let file = file.try_clone().map_err(failed)?;
            let mut window = Window::new(Input::from_file(name.to_owned(), file)?, self.block());
            format::detect(&mut window, true)?;
        }
        mapped.refill();
        let reader = Reader::new(name.to_owned(), FileFormat::Erf, Compression::None, Body::Map(mapped), self.recover);
        Ok(Some(reader.of_file(true).with_file(file.try_clone().ok().map(Arc::new))))
    }

    fn blocks(self, input: Input, regular: bool) -> Result<Reader, Error> {
        let name = input.name().to_owned();
        let compression = input.compression();
        // Decoders deliver in pieces of their own liking; only a plain pipe is given on as it comes.
        let eager = regular || compression.is_compressed();
        let block = self.block();
        let file = input.file();
        let mut window = Window::new(input, block);
        window.refill(eager);
        let format = match self.format {
            Some(format) => format,
            None => format::detect(&mut window, eager)?,
        };
        let body = match format {
            FileFormat::Erf => Body::Blocks { window, eager },
            FileFormat::Pcap | FileFormat::PcapNg => {
                let packets = Packets::from_window(window)?;
                Body::Packets(Box::new(PacketFeed::new(packets, self.records, block)))
            }
        };
        // Records that were made here are not damaged.
        let recover = self.recover && format == FileFormat::Erf;
        Ok(Reader::new(name, format, compression, body, recover).of_file(regular).with_file(file))
    }
}

fn not_mappable(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what}, so it cannot be mapped; read it in blocks")).in_file(name)
}
