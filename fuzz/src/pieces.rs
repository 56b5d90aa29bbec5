//! Any bytes as a file, walked in pieces by several threads: to the result of one walk, and repaired to what one walk can read.

use std::cell::RefCell;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use erf::input::{Compression, Source};
use erf::pieces::{Mergeable, Piece, Pieces};
use erf::repair::Plan;
use erf::{Defect, FileFormat, Reader, Record, Records};

/// Everything that a walk gives.
#[derive(Default, PartialEq)]
struct All(Vec<(u64, Result<Vec<u8>, Defect>)>);

impl Piece for All {
    fn record(&mut self, offset: u64, record: &Record<'_>) {
        self.0.push((offset, Ok(record.bytes().to_vec())));
    }

    fn defect(&mut self, defect: Defect) {
        self.0.push((defect.offset, Err(defect)));
    }
}

impl Mergeable for All {
    fn merge(&mut self, next: Self) {
        self.0.extend(next.0);
    }
}

/// The first byte chooses the chunk and whether damage is recovered from, the others are the file.
pub fn check(data: &[u8]) {
    let Some((&options, data)) = data.split_first() else { return };
    if data.is_empty() || Compression::detect(data).is_compressed() {
        return;
    }
    let recover = options & 1 == 1;
    let chunk = (u64::from(options >> 1) * 97 + 16).max(data.len() as u64 / 64);
    with_file(data, |path| {
        let reader = Reader::builder().force_format(FileFormat::Erf).recover(recover);
        let pieces = Pieces::new().threads(2).chunk(chunk).reader(reader);
        let visited = pieces.visit(path, All::default, |_| ()).expect("a file that is there");
        assert!(visited.error.is_none());
        assert!(visited.piece == walk(data, recover), "pieces differ from one walk");
    });
    repair(data);
}

fn walk(data: &[u8], recover: bool) -> All {
    let mut walk = Records::new(data).recover(recover);
    let mut all = All::default();
    loop {
        let at = walk.offset();
        match walk.next() {
            Some(Ok(record)) => all.record(at, &record),
            Some(Err(defect)) => all.defect(defect),
            None => return all,
        }
    }
}

/// What is repaired is whole, and repairing it again changes nothing; every byte is accounted for.
fn repair(data: &[u8]) {
    let Some(once) = repaired(data) else { return };
    assert!(Records::new(&once).all(|record| record.is_ok()));
    if let Some(twice) = repaired(&once) {
        assert!(twice == once, "repaired twice is not repaired once");
    }
}

fn repaired(data: &[u8]) -> Option<Vec<u8>> {
    let plan = Plan::of(|reader| reader.open(Source::from_read(Cursor::new(data.to_vec())))).ok()?;
    let mut out = Vec::new();
    let report = plan.write(&mut out).expect("memory takes everything");
    assert_eq!(report.bytes_in, data.len() as u64);
    assert_eq!(report.bytes_in, report.bytes_kept + report.bytes_dropped);
    assert_eq!(report.bytes_kept, out.len() as u64);
    assert_eq!(report.dropped.iter().map(|dropped| dropped.bytes).sum::<u64>(), report.bytes_dropped);
    Some(out)
}

/// Threads read a file, not a slice.
fn with_file(data: &[u8], what: impl FnOnce(PathBuf)) {
    thread_local! {
        static FILE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
    }
    let path = FILE.with(|file| {
        let mut file = file.borrow_mut();
        file.get_or_insert_with(|| std::env::temp_dir().join(format!("fuzz-pieces-{}", std::process::id()))).clone()
    });
    fs::write(&path, data).expect("the temporary folder can be written to");
    what(path.clone());
    // One that a crash leaves behind is overwritten by the next run of the same number.
    let _ = fs::remove_file(path);
}
