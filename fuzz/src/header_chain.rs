//! One record at the start of any bytes: header, extension headers, sub-header.

use erf::{Audit, HEADER_LEN, Record};

use crate::record;

/// A record holds together, or the defect says why there is none.
pub fn check(data: &[u8]) {
    match Record::parse(data) {
        Ok(record) => {
            record::consistent(&record);
            assert_eq!(Record::parse(record.bytes()), Ok(record), "what follows a record is no matter");
            let mut audit = Audit::new();
            for _ in 0..2 {
                audit.record(0, &record, |remark| assert!(!remark.to_string().is_empty()));
            }
        }
        Err(kind) => {
            assert!(!kind.to_string().is_empty() && !kind.code().is_empty());
            if let Some(rlen) = kind.next_record() {
                assert!((HEADER_LEN..=data.len()).contains(&usize::from(rlen)), "the way on stays within the data");
            }
        }
    }
}
