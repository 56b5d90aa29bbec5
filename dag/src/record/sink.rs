//! [`Sink`]: the file, in one of its formats.

use std::sync::Arc;
use std::time::{Duration, Instant};

use erf::convert::{PacketOptions, to_packet};
use erf::session::Closing;
use erf::writer::{ErfWriter, Output, Room};
use erf::{Record, pcap, pcapng};

use super::chunk::Chunk;
use super::direct::{self, Direct, Place};
use super::options::{Io, Sync};
use super::packed::{InFile, Pack, Packed};
use super::progress::Progress;
use super::staged::{Stage, Staged, To};
use crate::error::{Error, Repr};

/// At the latest so long after it came, a record is in the file.
const FLUSH: Duration = Duration::from_secs(1);

/// What a recording is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// ERF, as it comes from the card: nothing is lost.
    #[default]
    Erf,
    /// pcap with nanoseconds. Ethernet without its FCS, one link type a file, no loss counters.
    Pcap,
    /// pcapng with nanoseconds: an interface for each port, loss counters as drop counts. Ethernet without its FCS.
    PcapNg,
}

impl Format {
    /// Bytes that `record` takes in the file.
    #[inline]
    pub(super) fn size_of(self, record: &Record<'_>) -> u64 {
        let captured =
            || to_packet(record, &PacketOptions::default()).map_or(None, |p| Some(u64::from(p.captured_len())));
        match self {
            Self::Erf => record.bytes().len() as u64,
            Self::Pcap => captured().map_or(0, |len| 16 + len),
            Self::PcapNg => captured().map_or(0, |len| 32 + len.next_multiple_of(4)),
        }
    }
}

/// What is to be written how.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) format: Format,
    pub(super) io: Io,
    pub(super) sync: Sync,
    /// Where a full disk is waited for.
    pub(super) room: Option<Room>,
    /// The most bytes that the file may have.
    pub(super) size: Option<u64>,
    /// Whether filler may be among the records.
    pub(super) filler: bool,
    /// How the file is compressed, if it is.
    pub(super) pack: Option<Pack>,
}

/// A file that is to be smaller is written through the page cache: blocks would not fill it to its last record.
const SMALLEST_DIRECT: u64 = 16 << 20;

/// The file. Packets that are in it whole are counted.
#[derive(Debug)]
pub(super) struct Sink {
    form: Form,
    is_packed: bool,
    sync: Sync,
    synced: Instant,
    progress: Arc<Progress>,
    /// Packets and bytes that the progress has been told of.
    told: (u64, u64),
}

/// The file, in one of its formats.
#[derive(Debug)]
enum Form {
    Direct(Box<Direct>),
    Erf {
        writer: Box<ErfWriter<Output>>,
        packets: u64,
    },
    /// ERF, compressed.
    Packed(Box<Packed>),
    Pcap(Box<Staged<pcap::Writer<Stage>>>),
    PcapNg(Box<Staged<pcapng::Writer<Stage>>>),
}

impl Target {
    /// Why the file is not to be written past the page cache whatever the file system can do.
    fn forbids_direct(&self) -> Option<&'static str> {
        if self.format != Format::Erf {
            Some("only ERF can be filled up to whole blocks")
        } else if self.pack.is_some() {
            Some("what is compressed has no whole blocks")
        } else if !self.filler {
            Some("blocks are filled up with PAD records, which are not wanted")
        } else if self.size.is_some_and(|size| size < SMALLEST_DIRECT) {
            Some("the file is limited to less than 16 MiB")
        } else {
            None
        }
    }

    /// Bytes beside the records that may be in the file without the progress knowing of them yet.
    pub(super) fn reserve(&self) -> u64 {
        if self.io == Io::Buffered || self.forbids_direct().is_some() { 0 } else { direct::RESERVE }
    }
}

impl Form {
    fn open(output: Output, target: &Target, progress: &Arc<Progress>) -> Result<Self, Error> {
        let output = match &target.room {
            Some(room) => output.wait_for_room(room.clone()),
            None => output,
        };
        let refused = |reason: &str| Repr::NoDirect { file: output.name().to_owned(), reason: reason.to_owned() };
        if target.io == Io::Direct
            && let Some(reason) = target.forbids_direct()
        {
            return Err(refused(reason).into());
        }
        if target.io == Io::Buffered || target.forbids_direct().is_some() {
            return Ok(Self::buffered(output, target));
        }
        let is_file = output.file().is_ok_and(|file| file.is_some());
        match Place::of(&output) {
            Ok(place) => {
                let direct = Direct::open(true, output, place, target.sync, target.room.clone(), Arc::clone(progress));
                Ok(Self::Direct(Box::new(direct.map_err(Repr::Thread)?)))
            }
            Err(reason) if target.io == Io::Direct => {
                Err(Repr::NoDirect { file: output.name().to_owned(), reason }.into())
            }
            Err(reason) => {
                if is_file {
                    log::warn!(
                        "{}: written through the page cache, as direct I/O is not possible: {reason}",
                        output.name()
                    );
                }
                Ok(Self::buffered(output, target))
            }
        }
    }

    fn buffered(output: Output, target: &Target) -> Self {
        let stage = Stage::default();
        let name = output.name().to_owned();
        let packed = |output, pack: &Pack| Box::new(Packed::new(output, pack.clone()));
        let to = |output| match &target.pack {
            Some(pack) => To::Packed(packed(output, pack)),
            None => To::Plain(output, InFile::default()),
        };
        match target.format {
            Format::Erf => match &target.pack {
                Some(pack) => Self::Packed(packed(output, pack)),
                None => Self::Erf { writer: Box::new(ErfWriter::for_output(output)), packets: 0 },
            },
            Format::Pcap => {
                let writer = pcap::Writer::new(stage.clone(), pcap::WriterOptions::default()).named(name);
                Self::Pcap(Box::new(Staged::new(writer, stage, to(output))))
            }
            Format::PcapNg => {
                let writer = pcapng::Writer::new(stage.clone(), pcapng::WriterOptions::default()).named(name);
                Self::PcapNg(Box::new(Staged::new(writer, stage, to(output))))
            }
        }
    }
}

impl Sink {
    /// To write to `output`.
    pub(super) fn open(output: Output, target: Target, progress: Arc<Progress>) -> Result<Self, Error> {
        let form = Form::open(output, &target, &progress)?;
        Ok(Self {
            form,
            is_packed: target.pack.is_some(),
            sync: target.sync,
            synced: Instant::now(),
            progress,
            told: (0, 0),
        })
    }

    /// Whether the file is written past the page cache.
    pub(super) fn is_direct(&self) -> bool {
        matches!(self.form, Form::Direct(_))
    }

    /// Writes the records of `chunk`.
    pub(super) fn write(&mut self, chunk: &Chunk) -> Result<(), erf::Error> {
        let bytes = chunk.bytes();
        match &mut self.form {
            Form::Direct(direct) => return direct.write(chunk),
            Form::Erf { writer, packets: written } => {
                *written += chunk.packets;
                writer.write_run(bytes, chunk.records)?;
                if writer.whole_len() < writer.bytes_written() {
                    // Some of it is gathered still, and nobody knows how many packets.
                    return Ok(());
                }
            }
            Form::Packed(packed) => packed.write(bytes, chunk.packets)?,
            Form::Pcap(staged) => staged.write(bytes, &self.progress)?,
            Form::PcapNg(staged) => staged.write(bytes, &self.progress)?,
        }
        self.tell();
        Ok(())
    }

    /// Whether what is gathered is to go to the file: it has waited for so long, and nothing may follow at once (`idle`) or nothing has
    /// for a while (`quiet`).
    pub(super) fn is_due(&self, waited: Duration, idle: bool, quiet: bool) -> bool {
        match self.form {
            // A flush costs filler: none while more is there to fill the block with, and none for a mere pause.
            Form::Direct(_) => idle && waited >= FLUSH,
            // Each flush makes a unit by itself, and lets the threads that compress run out of work: none for a mere pause.
            _ if self.is_packed => waited >= FLUSH,
            _ => quiet || waited >= FLUSH,
        }
    }

    /// Lets everything be in the file, as far as it has come, or on its way there; and, from time to time, on the device.
    pub(super) fn flush(&mut self) -> Result<(), erf::Error> {
        match &mut self.form {
            Form::Direct(direct) => direct.flush()?,
            Form::Erf { writer, .. } => writer.flush()?,
            Form::Packed(packed) => packed.flush()?,
            Form::Pcap(staged) => staged.flush()?,
            Form::PcapNg(staged) => staged.flush()?,
        }
        self.tell();
        self.sync_in_time()
    }

    /// Brings what is in the file to the device, where that is wanted and long enough ago.
    pub(super) fn sync_in_time(&mut self) -> Result<(), erf::Error> {
        match self.sync {
            Sync::Every(time) if self.synced.elapsed() >= time => self.sync(),
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> Result<(), erf::Error> {
        self.synced = Instant::now();
        match &mut self.form {
            // The disk's thread tells by itself when it is done.
            Form::Direct(direct) => return direct.sync(),
            Form::Erf { writer, .. } => writer.sink().map_or(Ok(()), Output::sync)?,
            Form::Packed(packed) => packed.sync()?,
            Form::Pcap(staged) => staged.sync()?,
            Form::PcapNg(staged) => staged.sync()?,
        }
        self.progress.all_synced();
        Ok(())
    }

    /// Waits until everything is in the file.
    pub(super) fn settle(&mut self) -> Result<(), erf::Error> {
        match &mut self.form {
            Form::Direct(direct) => direct.settle(),
            _ => self.flush(),
        }
    }

    /// What goes through the page cache is counted here; the disk's thread counts by itself.
    fn tell(&mut self) {
        if !matches!(self.form, Form::Direct(_)) {
            let InFile { packets, bytes, .. } = self.in_file();
            let now = (packets, bytes);
            self.progress.wrote(now.0 - self.told.0, now.1 - self.told.1);
            self.told = now;
        }
    }

    /// What is whole in the file.
    pub(super) fn in_file(&self) -> InFile {
        match &self.form {
            Form::Direct(direct) => {
                let bytes = direct.bytes();
                InFile { packets: direct.packets(), bytes, content: bytes }
            }
            Form::Erf { writer, packets } => {
                let bytes = writer.bytes_written();
                InFile { packets: packets - writer.unwritten().packets.min(*packets), bytes, content: bytes }
            }
            Form::Packed(packed) => packed.in_file(),
            Form::Pcap(staged) => staged.in_file(),
            Form::PcapNg(staged) => staged.in_file(),
        }
    }

    /// Packets that the format has no place for.
    pub(super) fn unfit(&self) -> u64 {
        match &self.form {
            Form::Direct(_) | Form::Erf { .. } | Form::Packed(_) => 0,
            Form::Pcap(staged) => staged.unfit,
            Form::PcapNg(staged) => staged.unfit,
        }
    }

    /// Ends the file, with `closing` where one is given and the format has room for it. Says what is in the whole file, and where it is.
    pub(super) fn finish(self, closing: Option<Closing>) -> Result<(InFile, Output), erf::Error> {
        let packets = self.in_file().packets;
        let whole = |bytes| InFile { packets, bytes, content: bytes };
        let (there, output) = match self.form {
            Form::Direct(direct) => return direct.finish(closing).map(|(bytes, output)| (whole(bytes), output)),
            Form::Erf { mut writer, .. } => {
                if let Some(closing) = closing {
                    closing.write_to(&mut *writer)?;
                }
                (whole(writer.bytes_written()), writer.finish()?)
            }
            Form::Packed(mut packed) => {
                if let Some(closing) = closing {
                    let (bytes, _) = closing.behind(packed.taken())?;
                    packed.write(&bytes, 0)?;
                }
                packed.finish()?
            }
            Form::Pcap(staged) => staged.finish()?,
            Form::PcapNg(staged) => staged.finish()?,
        };
        self.progress.wrote(there.packets - self.told.0, there.bytes - self.told.1);
        if self.sync != Sync::Never {
            output.sync()?;
            self.progress.all_synced();
        }
        Ok((there, output))
    }
}
