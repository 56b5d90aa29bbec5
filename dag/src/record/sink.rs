//! [`Sink`]: the file, in one of its formats.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use erf::convert::{PacketOptions, to_packet};
use erf::session::Closing;
use erf::writer::{ErfWriter, Output};
use erf::{Record, Records, pcap, pcapng};

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

/// The file, in one of its formats. Packets that are in it whole are counted.
#[derive(Debug)]
pub(super) enum Sink {
    Erf { writer: ErfWriter<Output>, packets: u64 },
    Pcap(Box<Staged<pcap::Writer<Stage>>>),
    PcapNg(Box<Staged<pcapng::Writer<Stage>>>),
}

impl Sink {
    pub(super) fn new(output: Output, format: Format) -> Self {
        let stage = Stage::default();
        match format {
            Format::Erf => Self::Erf { writer: ErfWriter::for_output(output), packets: 0 },
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

    /// Writes `bytes`, which are `records` whole records, `packets` of them packets.
    pub(super) fn write(&mut self, bytes: &[u8], records: u64, packets: u64) -> Result<(), erf::Error> {
        match self {
            Self::Erf { writer, packets: written } => {
                *written += packets;
                writer.write_run(bytes, records)
            }
            Self::Pcap(staged) => staged.write(bytes),
            Self::PcapNg(staged) => staged.write(bytes),
        }
    }

    /// Lets everything be in the file, as far as it has come.
    pub(super) fn flush(&mut self) -> Result<(), erf::Error> {
        match self {
            Self::Erf { writer, .. } => writer.flush(),
            Self::Pcap(staged) => staged.flush(),
            Self::PcapNg(staged) => staged.flush(),
        }
    }

    /// Packets that are whole in the file.
    pub(super) fn packets(&self) -> u64 {
        match self {
            Self::Erf { writer, packets } => packets - writer.unwritten().packets.min(*packets),
            Self::Pcap(staged) => staged.packets,
            Self::PcapNg(staged) => staged.packets,
        }
    }

    /// Packets that the format has no place for.
    pub(super) fn unfit(&self) -> u64 {
        match self {
            Self::Erf { .. } => 0,
            Self::Pcap(staged) => staged.unfit,
            Self::PcapNg(staged) => staged.unfit,
        }
    }

    /// Bytes in the file.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Erf { writer, .. } => writer.bytes_written(),
            Self::Pcap(staged) => staged.bytes,
            Self::PcapNg(staged) => staged.bytes,
        }
    }

    /// Ends the file, with `closing` where one is given and the format has room for it. Gives the bytes of the whole file.
    pub(super) fn finish(self, closing: Option<Closing>) -> Result<u64, erf::Error> {
        match self {
            Self::Erf { mut writer, .. } => {
                if let Some(closing) = closing {
                    closing.write_to(&mut writer)?;
                }
                let bytes = writer.bytes_written();
                writer.finish()?;
                Ok(bytes)
            }
            Self::Pcap(staged) => staged.finish(),
            Self::PcapNg(staged) => staged.finish(),
        }
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

    fn finish(mut self) -> Result<u64, erf::Error> {
        self.flush()?;
        let Self { writer, stage, mut output, bytes, .. } = self;
        writer.finish()?;
        let piece = stage.take();
        output.write_whole(&piece, bytes, &[]).map_err(|(error, _)| error)?;
        Ok(bytes + piece.len() as u64)
    }
}
