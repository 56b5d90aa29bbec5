//! Any bytes as a file: compressed or not, ERF or a relative.

use std::io::{Cursor, Read};

use erf::input::{Compression, Source};
use erf::{Defect, Error, FileFormat, Reader, ReaderBuilder, Records};

use crate::record;

/// Bytes of records looked at: a small compressed file may hold very many.
const ENOUGH: usize = 4 << 20;

type Item = Result<Vec<u8>, Defect>;

/// The first two bytes choose how the others are read. Both ways through a reader give the same, and where nothing is
/// compressed, what a walk over the bytes gives.
pub fn check(data: &[u8]) {
    let Some((&[options, piece], data)) = data.split_first_chunk() else { return };
    let recover = options & 1 == 1;
    let forced = options & 2 == 2;
    let mut builder = Reader::builder().recover(recover);
    if forced {
        builder = builder.force_format(FileFormat::Erf);
    }
    let (Some(batches), Some(records)) = (open(&builder, data, piece), open(&builder, data, piece)) else { return };
    let batches = by_batches(batches);
    let records = by_records(records);
    let shorter = batches.0.len().min(records.0.len());
    assert!(batches.0[..shorter] == records.0[..shorter], "batches and single records differ");
    if batches.2 && records.2 {
        assert_eq!(batches.0.len(), records.0.len());
        assert_eq!(batches.1.map(|error| error.to_string()), records.1.map(|error| error.to_string()));
        if forced && !Compression::detect(data).is_compressed() {
            let walk = Records::new(data).recover(recover).map(|item| item.map(|record| record.bytes().to_vec()));
            assert!(walk.eq(records.0), "a reader gives what a walk gives");
        }
    }
}

fn open(builder: &ReaderBuilder, data: &[u8], piece: u8) -> Option<Reader> {
    let pieces = Pieces { bytes: Cursor::new(data.to_vec()), size: 1 + usize::from(piece) * 16 };
    match builder.clone().open(Source::from_read(pieces)) {
        Ok(reader) => Some(reader),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// A stream that gives a few bytes at a time, as a pipe may.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    size: usize,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let size = self.size.min(out.len());
        self.bytes.read(&mut out[..size])
    }
}

/// The items, the error at the end, and whether that was the end.
type Outcome = (Vec<Item>, Option<Error>, bool);

fn by_batches(mut reader: Reader) -> Outcome {
    let (mut items, mut bytes) = (Vec::new(), 0);
    while bytes < ENOUGH {
        match reader.next_batch() {
            Ok(Some(batch)) => {
                let before = items.len();
                for item in &batch {
                    items.push(owned(item, &mut bytes));
                    if bytes >= ENOUGH {
                        return (items, None, false);
                    }
                }
                assert!(items.len() > before, "a batch is never empty");
            }
            Ok(None) => return (items, None, true),
            Err(error) => return (items, Some(error), true),
        }
    }
    (items, None, false)
}

fn by_records(mut reader: Reader) -> Outcome {
    let (mut items, mut bytes) = (Vec::new(), 0);
    while bytes < ENOUGH {
        match reader.next_record() {
            Ok(Some(item)) => items.push(owned(item, &mut bytes)),
            Ok(None) => return (items, None, true),
            Err(error) => return (items, Some(error), true),
        }
    }
    (items, None, false)
}

fn owned(item: Result<erf::Record<'_>, Defect>, bytes: &mut usize) -> Item {
    *bytes += 16;
    item.map(|record| {
        *bytes += record.bytes().len();
        record::consistent(&record);
        record.bytes().to_vec()
    })
}
