//! [`Direct`]: an ERF file written past the page cache.
//!
//! Whole records are gathered into aligned blocks. Each append ends on a record and on a block boundary, for which a filler (PAD)
//! record closes its last block; appends reach the file one after another and none is written twice. So at every moment, and
//! however this program ends, the file has whole records only.
//!
//! Many records that lie together in stream memory are written from there. Only whole blocks at multiples of a block's length can be: the records before
//! the first such block and behind the last one are copied, and filler before the former puts it where a block of the file begins.

mod append;
mod buffer;
mod disk;
mod place;
mod ring;
mod splice;

use std::io;
use std::sync::Arc;

use erf::session::Closing;
use erf::writer::{Output, Room};
use erf::{MAX_RECORD_LEN, Record, RecordBuilder, RecordType, Records, Timestamp};

use self::append::Append;
use self::buffer::Buffer;
use self::disk::{Disk, Failed};
pub(super) use self::place::Place;
use super::chunk::{CHUNK, Chunk, LONG, QUEUE, Straight};
use super::options::Sync;
use super::progress::Progress;
use crate::stream::whole_records;

/// Buffers: what the disk writes from and what is gathered meanwhile. All of them are less than the 8 MiB that a program may usually lock.
const BUFFERS: u16 = 6;

/// Bytes of a buffer: a chunk with its last record, and the filler.
const CAPACITY: usize = CHUNK + 2 * MAX_RECORD_LEN.next_multiple_of(buffer::ALIGN);

/// So many bytes are gathered at once at most: as many as one chunk has that is not long.
const MOST: usize = CHUNK + MAX_RECORD_LEN;

/// A record has at least a header.
const SHORTEST: usize = erf::HEADER_LEN;

/// So many bytes of filler are in the file at most that the capture does not know of yet: for each chunk on its way twice, or once for each piece of one that
/// is copied, and what is closed behind it.
pub(super) const RESERVE: u64 = LONG.div_ceil(CHUNK) as u64 * (QUEUE as u64 + 4) * (place::LARGEST + SHORTEST) as u64;

/// An ERF file written past the page cache.
#[derive(Debug)]
pub(super) struct Direct {
    output: Output,
    disk: Disk,
    progress: Arc<Progress>,
    sync: Sync,
    block: usize,
    idle: Vec<Buffer>,
    filling: Option<Filling>,
    /// Where the append being filled begins.
    at: u64,
    /// Stamp of the last record.
    stamp: Timestamp,
    begun: bool,
    /// Whether the kernel writes from stream memory, once that has been tried.
    straight: Option<bool>,
}

/// A buffer that is being filled.
#[derive(Debug)]
struct Filling {
    buffer: Buffer,
    len: usize,
    packets: u64,
}

impl Direct {
    /// To write to `output`, which is at `place`; `ring` as for [`Disk::spawn`].
    pub(super) fn open(
        ring: bool,
        output: Output,
        place: Place,
        sync: Sync,
        room: Option<Room>,
        progress: Arc<Progress>,
    ) -> io::Result<Self> {
        let block = place.block;
        let room = room.map(|room| (room, output.name().to_owned()));
        let buffers: Option<Vec<Buffer>> = (0..BUFFERS).map(|number| Buffer::new(CAPACITY, number)).collect();
        let disk = Disk::spawn(place, buffers.ok_or(io::ErrorKind::OutOfMemory)?, ring, room, Arc::clone(&progress))?;
        let idle = Vec::with_capacity(usize::from(BUFFERS));
        let stamp = Timestamp::from_raw(0);
        Ok(Self {
            output,
            disk,
            progress,
            sync,
            block,
            idle,
            filling: None,
            at: 0,
            stamp,
            begun: false,
            straight: None,
        })
    }

    /// Takes the records of `chunk`: where they lie in stream memory, if that is worth while and possible, else as a copy.
    pub(super) fn write(&mut self, chunk: &Chunk) -> Result<(), erf::Error> {
        match chunk.straight() {
            Some(records) if self.can_write_from(&records) => self.write_straight(records, chunk.packets, chunk.stamp),
            _ => self.gather_all(chunk.bytes(), chunk.packets, chunk.stamp),
        }
    }

    /// Takes `bytes`, which are whole records, by as much as a buffer has room for.
    fn gather_all(&mut self, mut bytes: &[u8], mut packets: u64, stamp: Timestamp) -> Result<(), erf::Error> {
        while bytes.len() > MOST {
            let (first, rest) = bytes.split_at(whole_records(bytes, MOST as u64));
            let (mut some, mut last) = (0, self.stamp);
            for packet in Records::new(first).flatten().filter(Record::is_packet) {
                (some, last) = (some + 1, packet.timestamp());
            }
            self.gather(first, some, last)?;
            (bytes, packets) = (rest, packets.saturating_sub(some));
        }
        self.gather(bytes, packets, stamp)
    }

    /// Before the first byte: the old content goes.
    fn begin(&mut self) -> Result<(), erf::Error> {
        if !self.begun {
            self.output.begin().map_err(|cause| self.output.refused(cause, 0, 0))?;
            self.begun = true;
        }
        Ok(())
    }

    /// Whether the kernel can write from where `records` lie, tried once.
    fn can_write_from(&mut self, records: &Straight) -> bool {
        let Self { straight, progress, output, .. } = self;
        *straight.get_or_insert_with(|| match splice::try_out(records.bytes()) {
            Ok(()) => true,
            Err(cause) => {
                if progress.is_first_refusal() {
                    log::warn!(
                        "{}: the system cannot write from stream memory ({cause}), so records are copied first",
                        output.name()
                    );
                }
                false
            }
        })
    }

    /// Takes `records`, the last of them stamped `stamp`, which stay where they are until they are written, but for the first ones and the last
    /// ones.
    fn write_straight(&mut self, records: Straight, packets: u64, stamp: Timestamp) -> Result<(), erf::Error> {
        self.begin()?;
        let block = self.block;
        let bytes = records.bytes();
        let address = bytes.as_ptr().addr();
        let first = (address.next_multiple_of(block) - address).min(bytes.len());
        let last = bytes.len() - (bytes.len() - first) % block;
        // Two pieces shorter than a block, and filler for each.
        if self.filling.as_ref().is_some_and(|filling| CAPACITY - filling.len < 6 * block) {
            self.close()?;
        }
        let Filling { mut buffer, len, packets: before } = self.filling()?;
        let mut head = len;
        head = self.fill_up(&mut buffer, head, filler(len + first, block))?;
        head = self.copy(&mut buffer, head, bytes.get(..first).unwrap_or_default())?;
        self.stamp = stamp;
        let behind = bytes.get(last..).unwrap_or_default();
        let mut end = self.copy(&mut buffer, head, behind)?;
        end = self.fill_up(&mut buffer, end, filler(behind.len(), block))?;
        let straight = Some((records, first..last));
        self.send(Append { buffer, head, straight, tail: end - head, at: self.at, packets: before + packets })
    }

    /// What is being filled, or a buffer to be filled.
    fn filling(&mut self) -> Result<Filling, erf::Error> {
        match self.filling.take() {
            Some(filling) => Ok(filling),
            None => Ok(Filling { buffer: self.buffer()?, len: 0, packets: 0 }),
        }
    }

    /// Copies `bytes` to `buffer`, where there is room at `start`. Gives where they end.
    fn copy(&self, buffer: &mut Buffer, start: usize, bytes: &[u8]) -> Result<usize, erf::Error> {
        let end = start + bytes.len();
        let Some(place) = buffer.get_mut(start..end) else {
            let cause = io::Error::other(format!("{} bytes at once are more than a buffer has", bytes.len()));
            return Err(self.output.refused(cause, self.disk.bytes(), 0));
        };
        place.copy_from_slice(bytes);
        Ok(end)
    }

    /// Takes `bytes`, which are whole records, the last of them stamped `stamp`.
    fn gather(&mut self, bytes: &[u8], packets: u64, stamp: Timestamp) -> Result<(), erf::Error> {
        self.begin()?;
        // Behind the records there is to be room for the filler.
        let room = |filling: &Filling| CAPACITY - filling.len - 2 * self.block;
        if self.filling.as_ref().is_some_and(|filling| room(filling) < bytes.len()) {
            self.close()?;
        }
        let mut filling = self.filling()?;
        filling.len = self.copy(&mut filling.buffer, filling.len, bytes)?;
        filling.packets += packets;
        self.stamp = stamp;
        self.filling = Some(filling);
        Ok(())
    }

    /// Gives what is gathered on its way to the file.
    pub(super) fn flush(&mut self) -> Result<(), erf::Error> {
        self.close()
    }

    /// What was given on its way is to survive a loss of power.
    pub(super) fn sync(&mut self) -> Result<(), erf::Error> {
        if self.disk.sync() { Ok(()) } else { Err(self.failure()) }
    }

    /// Waits until everything is in the file.
    pub(super) fn settle(&mut self) -> Result<(), erf::Error> {
        self.close()?;
        while self.idle.len() < usize::from(BUFFERS) {
            match self.disk.buffer() {
                Some(buffer) => self.idle.push(buffer),
                None => return Err(self.failure()),
            }
        }
        Ok(())
    }

    fn buffer(&mut self) -> Result<Buffer, erf::Error> {
        match self.idle.pop().or_else(|| self.disk.buffer()) {
            Some(buffer) => Ok(buffer),
            None => Err(self.failure()),
        }
    }

    /// Closes the last block with filler, and gives what is gathered to the disk.
    fn close(&mut self) -> Result<(), erf::Error> {
        let Some(Filling { mut buffer, len, packets }) = self.filling.take() else { return Ok(()) };
        let head = self.fill_up(&mut buffer, len, filler(len, self.block))?;
        self.send(Append { buffer, head, straight: None, tail: 0, at: self.at, packets })
    }

    /// Puts a filler record of `len` bytes, if any, into `buffer` at `start`. Gives where it ends.
    fn fill_up(&self, buffer: &mut Buffer, start: usize, len: usize) -> Result<usize, erf::Error> {
        let end = start + len;
        if len > 0 {
            let place = buffer.get_mut(start..end).unwrap_or_default();
            place.fill(0);
            // Its length is that of the place, which is long enough for a header.
            let padding = vec![0; len - SHORTEST];
            let record = RecordBuilder::new(RecordType::PAD).timestamp(self.stamp).padding_bytes(&padding);
            record
                .write_to(place)
                .map_err(|cause| self.output.refused(io::Error::other(cause.to_string()), self.disk.bytes(), 0))?;
            self.progress.padded(len as u64);
        }
        Ok(end)
    }

    /// Gives `append`, which is to be where the file ends, to the disk.
    fn send(&mut self, append: Append) -> Result<(), erf::Error> {
        self.at += append.len() as u64;
        if self.disk.write(append) { Ok(()) } else { Err(self.failure()) }
    }

    /// Why the disk has given up.
    fn failure(&mut self) -> erf::Error {
        let failed = self.disk.end().err();
        let Failed { cause, torn } =
            failed.unwrap_or_else(|| Failed { cause: io::Error::other("an earlier write failed"), torn: 0 });
        self.output.refused(cause, self.disk.bytes(), usize::try_from(torn).unwrap_or(usize::MAX))
    }

    /// Packets in the file.
    pub(super) fn packets(&self) -> u64 {
        self.disk.packets()
    }

    /// Bytes in the file.
    pub(super) fn bytes(&self) -> u64 {
        self.disk.bytes()
    }

    /// Ends the file with `closing`, behind which no filler stays. Gives its length, and where it is.
    pub(super) fn finish(mut self, closing: Option<Closing>) -> Result<(u64, Output), erf::Error> {
        self.settle()?;
        let mut len = self.at;
        if let Some(closing) = closing {
            let (bytes, _) = closing.behind(len)?;
            self.gather(&bytes, 0, closing.ended)?;
            len += bytes.len() as u64;
        } else {
            self.begin()?;
        }
        self.settle()?;
        self.disk.end().map_err(|failed| self.output.refused(failed.cause, len, 0))?;
        self.output.cut(len).map_err(|cause| self.output.refused(cause, self.disk.bytes(), 0))?;
        self.progress.trimmed(self.at - len);
        if self.sync != Sync::Never {
            self.output.sync()?;
            self.progress.all_synced();
        }
        Ok((len, self.output))
    }
}

/// Bytes of filler behind `len` bytes, up to the end of a block: none, or enough for a record.
fn filler(len: usize, block: usize) -> usize {
    match len.next_multiple_of(block) - len {
        0 => 0,
        gap if gap < SHORTEST => gap + block,
        gap => gap,
    }
}

#[cfg(test)]
mod tests;
