//! What a recording says about itself, read from any META record.

use erf::session::{Account, Closing, EndWatch, Opening};
use erf::{Record, RecordBuilder, RecordType, Records, Timestamp};

/// Makes the bytes the tags of a META record. What is read from it and written is read again the same.
pub fn check(area: &[u8]) {
    let builder = RecordBuilder::new(RecordType::META).timestamp(Timestamp::from_parts(1_700_000_000, 0)).payload(area);
    let Ok(bytes) = builder.to_vec() else { return };
    let record = Record::parse(&bytes).expect("what the builder wrote is a record");
    if let Some(read) = opening(&bytes) {
        // The first reading may have put things right; from then on nothing changes.
        if let Ok(written) = read.to_bytes() {
            let again = opening(&written).expect("an opening that was written can be read");
            let written = again.to_bytes().expect("what was read from a record fits one");
            assert_eq!(opening(&written), Some(again));
        }
    }
    if let Some(closing) = Closing::from_record(&record) {
        assert_eq!(Account::from_meta(&record), Some(closing.account));
        let _ = (closing.account.adds_up(), closing.account.lost());
        let written = closing.to_bytes().expect("an account always fits");
        let record = Record::parse(&written).expect("a closing is a record");
        assert_eq!(Closing::from_record(&record), Some(closing));
    }
    let mut watch = EndWatch::new();
    watch.observe(&record);
    let _ = watch.ending();
}

fn opening(bytes: &[u8]) -> Option<Opening> {
    let mut records = Records::new(bytes).flatten();
    let mut opening = Opening::from_record(&records.next()?)?;
    for record in records {
        assert!(opening.continue_with(&record), "the records of one opening belong together");
    }
    Some(opening)
}
