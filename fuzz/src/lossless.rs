//! pcapng without loss: any records come back from it, and any change to the file is survived.

use std::io::Cursor;

use arbitrary::{Arbitrary, Unstructured};
use erf::convert::{Converter, FcsChoice, FileOptions};
use erf::input::Source;
use erf::{FileFormat, Reader, Record, Records};

use crate::record;

#[derive(Arbitrary, Debug)]
struct Input {
    fcs: u8,
    /// Bytes of the file that are changed.
    changes: Vec<(u16, u8)>,
    records: Vec<u8>,
}

/// Records come back byte for byte; from a changed file come records, whatever they are.
pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let records: Vec<Record<'_>> = Records::new(&input.records).flatten().collect();
    let records: Vec<u8> = records.iter().flat_map(|record| record.bytes()).copied().collect();
    let mut options = FileOptions::new(FileFormat::PcapNg);
    options.lossless = true;
    options.fcs = [FcsChoice::Auto, FcsChoice::Strip, FcsChoice::Keep, FcsChoice::None][usize::from(input.fcs) % 4];
    let mut converter = Converter::new(Vec::new(), "made", options);
    let mut reader = open(records.clone(), FileFormat::Erf).expect("records can be read");
    converter.run(&mut reader, |_| {}).expect("memory can be written to");
    let (mut file, summary) = converter.finish().expect("memory can be written to");
    assert_eq!(summary.written + summary.beside, summary.records);
    assert_eq!(read(file.clone()).as_ref(), Some(&records), "what was written comes back");
    for &(at, byte) in &input.changes {
        if let Some(place) = file.get_mut(usize::from(at)) {
            *place = byte;
        }
    }
    let _ = read(file);
}

fn open(bytes: Vec<u8>, format: FileFormat) -> Result<Reader, erf::Error> {
    let options = FileOptions::new(FileFormat::Erf).record_options();
    let source = Source::from_read(Cursor::new(bytes));
    Reader::builder().force_format(format).record_options(options).open(source)
}

/// All records of the file, `None` where it is none.
fn read(file: Vec<u8>) -> Option<Vec<u8>> {
    let mut reader = open(file, FileFormat::PcapNg).ok()?;
    let mut records = Vec::new();
    // An error comes after all that can be read.
    let _ = reader.for_each(|item| {
        if let Ok(found) = item {
            record::consistent(&found);
            records.extend_from_slice(found.bytes());
        }
    });
    Some(records)
}
