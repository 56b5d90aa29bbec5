#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(not(feature = "prefetch"), forbid(unsafe_code))]

#[cfg(any(test, feature = "std"))]
extern crate std;

mod audit;
mod builder;
mod defect;
mod detect;
pub mod ext;
pub mod fcs;
mod flags;
mod header;
pub mod identity;
pub mod meta;
mod plausible;
#[cfg_attr(feature = "prefetch", allow(unsafe_code))]
mod prefetch;
mod record;
mod record_type;
mod sub_header;
mod tick;
mod timestamp;
mod walk;

pub use audit::Audit;
pub use builder::{BuildError, RecordBuilder};
pub use defect::{Defect, DefectKind, Severity};
pub use detect::{DETECT_LEN, Format, NotErf, Reason};
pub use ext::{Ext, ExtHeader, ExtHeaders, ExtType};
pub use flags::Flags;
pub use header::{Fit, Header};
pub use record::{ATM_CELL_LEN, Fcs, HEADER_LEN, MAX_RECORD_LEN, Record};
pub use record_type::{NAMED, RecordType, SubHeaderKind};
pub use sub_header::{Aal2, ChannelFlag, MultiChannel, SubHeader};
pub use tick::Tick;
pub use timestamp::{Fraction, Rounding, TimeDelta, Timestamp};
pub use walk::{RESUME_MIN, Records, Walk, WalkState};
