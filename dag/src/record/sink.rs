//! [`Sink`]: the file, in one of its formats.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use erf::convert::{PacketOptions, to_packet};
use erf::session::Closing;
use erf::writer::{ErfWriter, Output, Room};
use erf::{Record, Records, pcap, pcapng};

use super::chunk::Chunk;
use super::direct::{self, Direct, Place};
use super::options::{Io, Sync};
use super::progress::Progress;
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
}

/// A file that is to be smaller is written through the page cache: blocks would not fill it to its last record.
const SMALLEST_DIRECT: u64 = 16 << 20;

/// The file. Packets that are in it whole are counted.
#[derive(Debug)]
pub(super) struct Sink {
    form: Form,
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
    Erf { writer: Box<ErfWriter<Output>>, packets: u64 },
    Pcap(Box<Staged<pcap::Writer<Stage>>>),
    PcapNg(Box<Staged<pcapng::Writer<Stage>>>),
}

impl Target {
    /// Why the file is not to be written past the page cache whatever the file system can do.
    fn forbids_direct(&self) -> Option<&'static str> {
        if self.format != Format::Erf {
            Some("only ERF can be filled up to whole blocks")
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
            return Ok(Self::buffered(output, target.format));
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
                Ok(Self::buffered(output, target.format))
            }
        }
    }

    fn buffered(output: Output, format: Format) -> Self {
        let stage = Stage::default();
        match format {
            Format::Erf => Self::Erf { writer: Box::new(ErfWriter::for_output(output)), packets: 0 },
            Format::Pcap => {
                let writer = pcap::Writer::new(stage.clone(), pcap::WriterOptions::default()).named(output.name());
                Self::Pcap(Box::new(Staged::new(writer, stage, output)))
            }
            Format::PcapNg => {
                let writer = pcapng::Writer::new(stage.clone(), pcapng::WriterOptions::default()).named(output.name());
                Self::PcapNg(Box::new(Staged::new(writer, stage, output)))
            }
        }
    }
}

impl Sink {
    /// To write to `output`.
    pub(super) fn open(output: Output, target: Target, progress: Arc<Progress>) -> Result<Self, Error> {
        let form = Form::open(output, &target, &progress)?;
        Ok(Self { form, sync: target.sync, synced: Instant::now(), progress, told: (0, 0) })
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
            Form::Pcap(staged) => staged.write(bytes)?,
            Form::PcapNg(staged) => staged.write(bytes)?,
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
            _ => quiet || waited >= FLUSH,
        }
    }

    /// Lets everything be in the file, as far as it has come, or on its way there; and, from time to time, on the device.
    pub(super) fn flush(&mut self) -> Result<(), erf::Error> {
        match &mut self.form {
            Form::Direct(direct) => direct.flush()?,
            Form::Erf { writer, .. } => writer.flush()?,
            Form::Pcap(staged) => staged.flush()?,
            Form::PcapNg(staged) => staged.flush()?,
        }
        self.tell();
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
            Form::Pcap(staged) => staged.output.sync()?,
            Form::PcapNg(staged) => staged.output.sync()?,
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
            let now = (self.packets(), self.bytes());
            self.progress.wrote(now.0 - self.told.0, now.1 - self.told.1);
            self.told = now;
        }
    }

    /// Packets that are whole in the file.
    pub(super) fn packets(&self) -> u64 {
        match &self.form {
            Form::Direct(direct) => direct.packets(),
            Form::Erf { writer, packets } => packets - writer.unwritten().packets.min(*packets),
            Form::Pcap(staged) => staged.packets,
            Form::PcapNg(staged) => staged.packets,
        }
    }

    /// Packets that the format has no place for.
    pub(super) fn unfit(&self) -> u64 {
        match &self.form {
            Form::Direct(_) | Form::Erf { .. } => 0,
            Form::Pcap(staged) => staged.unfit,
            Form::PcapNg(staged) => staged.unfit,
        }
    }

    /// Bytes in the file.
    pub(super) fn bytes(&self) -> u64 {
        match &self.form {
            Form::Direct(direct) => direct.bytes(),
            Form::Erf { writer, .. } => writer.bytes_written(),
            Form::Pcap(staged) => staged.bytes,
            Form::PcapNg(staged) => staged.bytes,
        }
    }

    /// Ends the file, with `closing` where one is given and the format has room for it. Gives the bytes of the whole file, and where it is.
    pub(super) fn finish(self, closing: Option<Closing>) -> Result<(u64, Output), erf::Error> {
        let (bytes, output) = match self.form {
            Form::Direct(direct) => return direct.finish(closing),
            Form::Erf { mut writer, .. } => {
                if let Some(closing) = closing {
                    closing.write_to(&mut *writer)?;
                }
                (writer.bytes_written(), writer.finish()?)
            }
            Form::Pcap(staged) => staged.finish()?,
            Form::PcapNg(staged) => staged.finish()?,
        };
        self.progress.wrote(0, bytes - self.told.1);
        if self.sync != Sync::Never {
            output.sync()?;
            self.progress.all_synced();
        }
        Ok((bytes, output))
    }
}

/// What writers of packets have in common.
pub(super) trait PacketWriter {
    fn put(&mut self, record: &Record<'_>) -> Result<bool, erf::Error>;
    fn flush(&mut self) -> Result<(), erf::Error>;
    fn finish(self) -> Result<(), erf::Error>;
}

impl PacketWriter for pcap::Writer<Stage> {
    fn put(&mut self, record: &Record<'_>) -> Result<bool, erf::Error> {
        Ok(self.write_record(record)? == erf::convert::Outcome::Written)
    }

    fn flush(&mut self) -> Result<(), erf::Error> {
        pcap::Writer::flush(self)
    }

    fn finish(self) -> Result<(), erf::Error> {
        pcap::Writer::finish(self).map(drop)
    }
}

impl PacketWriter for pcapng::Writer<Stage> {
    fn put(&mut self, record: &Record<'_>) -> Result<bool, erf::Error> {
        Ok(self.write_record(record)? == erf::convert::Outcome::Written)
    }

    fn flush(&mut self) -> Result<(), erf::Error> {
        pcapng::Writer::flush(self)
    }

    fn finish(self) -> Result<(), erf::Error> {
        pcapng::Writer::finish(self).map(drop)
    }
}

/// Memory into which packets are written before they go to the file, so that it is known where each ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage(Arc<Mutex<Vec<u8>>>);

impl Stage {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer of packets whose file holds whole packets only, also after a failed write.
#[derive(Debug)]
pub(super) struct Staged<P> {
    writer: P,
    stage: Stage,
    output: Output,
    packets: u64,
    unfit: u64,
    bytes: u64,
}

/// Packets staged before they go to the file.
const STAGED: usize = 256;

impl<P: PacketWriter> Staged<P> {
    fn new(writer: P, stage: Stage, output: Output) -> Self {
        Self { writer, stage, output, packets: 0, unfit: 0, bytes: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), erf::Error> {
        let mut ends = Vec::with_capacity(STAGED);
        for record in Records::new(bytes).flatten() {
            if self.writer.put(&record)? {
                self.writer.flush()?;
                ends.push(self.stage.len());
            } else if record.is_packet() {
                self.unfit += 1;
            }
            if ends.len() == STAGED {
                self.send(&ends)?;
                ends.clear();
            }
        }
        self.send(&ends)
    }

    /// Writes what is staged; packets end at `ends`.
    fn send(&mut self, ends: &[usize]) -> Result<(), erf::Error> {
        let piece = self.stage.take();
        match self.output.write_whole(&piece, self.bytes, ends) {
            Ok(()) => {
                self.bytes += piece.len() as u64;
                self.packets += ends.len() as u64;
                Ok(())
            }
            Err((error, whole)) => {
                self.bytes += whole as u64;
                self.packets += ends.iter().filter(|&&end| end <= whole).count() as u64;
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> Result<(), erf::Error> {
        self.writer.flush()?;
        self.send(&[])
    }

    fn finish(mut self) -> Result<(u64, Output), erf::Error> {
        self.flush()?;
        let Self { writer, stage, mut output, bytes, .. } = self;
        writer.finish()?;
        let piece = stage.take();
        output.write_whole(&piece, bytes, &[]).map_err(|(error, _)| error)?;
        Ok((bytes + piece.len() as u64, output))
    }
}
