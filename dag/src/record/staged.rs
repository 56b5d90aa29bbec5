//! [`Staged`]: packets in a format of their own, in pieces of whole ones.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use erf::writer::Output;
use erf::{Record, Records, pcap, pcapng};

use super::chunk::CHUNK;
use super::packed::{InFile, Packed};
use super::progress::Progress;

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
    to: To,
    pub(super) unfit: u64,
}

/// Where pieces of whole packets go.
#[derive(Debug)]
pub(super) enum To {
    /// To the file as they are.
    Plain(Output, InFile),
    /// To be compressed.
    Packed(Box<Packed>),
}

/// Packets staged before they go to the file.
const STAGED: usize = 256;

impl To {
    /// Writes `piece`, in which packets end at `ends`.
    fn write(&mut self, piece: &[u8], ends: &[usize]) -> Result<(), erf::Error> {
        let (output, there) = match self {
            Self::Packed(packed) => return packed.write(piece, ends.len() as u64),
            Self::Plain(output, there) => (output, there),
        };
        let (done, whole) = match output.write_whole(piece, there.bytes, ends) {
            Ok(()) => (Ok(()), piece.len()),
            Err((error, whole)) => (Err(error), whole),
        };
        there.bytes += whole as u64;
        there.content = there.bytes;
        there.packets += ends.iter().filter(|&&end| end <= whole).count() as u64;
        done
    }
}

impl<P: PacketWriter> Staged<P> {
    pub(super) fn new(writer: P, stage: Stage, to: To) -> Self {
        Self { writer, stage, to, unfit: 0 }
    }

    pub(super) fn write(&mut self, bytes: &[u8], progress: &Progress) -> Result<(), erf::Error> {
        let mut ends = Vec::with_capacity(STAGED);
        for record in Records::new(bytes).flatten() {
            if self.writer.put(&record)? {
                self.writer.flush()?;
                ends.push(self.stage.len());
                progress.given(true);
            } else if record.is_packet() {
                self.unfit += 1;
                progress.given(false);
            }
            if ends.len() == STAGED || ends.last().is_some_and(|end| *end >= CHUNK) {
                self.send(&ends)?;
                ends.clear();
            }
        }
        self.send(&ends)
    }

    /// Writes what is staged; packets end at `ends`.
    fn send(&mut self, ends: &[usize]) -> Result<(), erf::Error> {
        self.to.write(&self.stage.take(), ends)
    }

    pub(super) fn flush(&mut self) -> Result<(), erf::Error> {
        self.writer.flush()?;
        self.send(&[])?;
        match &mut self.to {
            To::Packed(packed) => packed.flush(),
            To::Plain(..) => Ok(()),
        }
    }

    pub(super) fn sync(&self) -> Result<(), erf::Error> {
        match &self.to {
            To::Packed(packed) => packed.sync(),
            To::Plain(output, _) => output.sync(),
        }
    }

    pub(super) fn in_file(&self) -> InFile {
        match &self.to {
            To::Packed(packed) => packed.in_file(),
            To::Plain(_, there) => *there,
        }
    }

    pub(super) fn finish(mut self) -> Result<(InFile, Output), erf::Error> {
        self.flush()?;
        let Self { writer, stage, mut to, .. } = self;
        writer.finish()?;
        to.write(&stage.take(), &[])?;
        match to {
            To::Packed(packed) => packed.finish(),
            To::Plain(output, there) => Ok((there, output)),
        }
    }
}
