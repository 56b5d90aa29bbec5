//! Whether the lengths of a file count an Ethernet frame check sequence: nothing in a record says.

use erf_core::meta::{Meta, TagType};
use erf_core::{Fcs, Record};

use super::FcsPolicy;

/// Frames checked until it is decided.
const ENOUGH: u32 = 32;

/// What to do about the frame check sequence of Ethernet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FcsChoice {
    /// Take it off if META or the frames themselves say that there is one, and also where neither does.
    #[default]
    Auto,
    /// There is one: take it off.
    Strip,
    /// There is one: leave it, and say so in the file.
    Keep,
    /// There is none.
    None,
}

/// What the decision about the frame check sequence rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FcsGround {
    /// The caller's choice.
    Asked,
    /// A META record that states its length.
    Meta,
    /// The checksums of the first frames that are stored whole.
    Checked {
        /// Frames that end in the right checksum.
        right: u32,
        /// Frames looked at.
        of: u32,
    },
    /// Nothing: no frame is stored whole. By custom `wlen` counts it.
    Assumed,
}

/// What has been seen of frame check sequences so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    right: u32,
    of: u32,
    /// Length in bits, from META.
    stated: Option<u32>,
}

impl Evidence {
    pub(super) fn observe(&mut self, record: &Record<'_>) {
        if record.is_meta() {
            let mut tags =
                Meta::new(record.payload()).tags().flatten().filter(|tag| tag.tag_type() == TagType::FCS_LEN);
            self.stated = self.stated.or_else(|| tags.find_map(|tag| tag.value().as_u32()));
            return;
        }
        // A frame that was bad on the wire says nothing.
        if self.of == ENOUGH || record.flags().rx_error() || record.fcs() != Fcs::Stored {
            return;
        }
        if let Some(right) = record.verify_fcs() {
            self.of += 1;
            self.right += u32::from(right);
        }
    }

    /// No more frames are looked at.
    pub(super) fn is_enough(&self) -> bool {
        self.of == ENOUGH
    }

    /// META states the length.
    pub(super) fn is_stated(&self) -> bool {
        self.stated.is_some()
    }

    pub(super) fn decide(&self, choice: FcsChoice) -> (FcsPolicy, FcsGround) {
        match choice {
            FcsChoice::Strip => (FcsPolicy::Strip, FcsGround::Asked),
            FcsChoice::Keep => (FcsPolicy::Keep, FcsGround::Asked),
            FcsChoice::None => (FcsPolicy::Absent, FcsGround::Asked),
            FcsChoice::Auto => {
                let (present, ground) = match (self.stated, self.of) {
                    (Some(bits), _) => (bits > 0, FcsGround::Meta),
                    (None, 0) => (true, FcsGround::Assumed),
                    // By chance one frame in four thousand million is right.
                    (None, of) => (self.right > 0, FcsGround::Checked { right: self.right, of }),
                };
                (if present { FcsPolicy::Strip } else { FcsPolicy::Absent }, ground)
            }
        }
    }
}
