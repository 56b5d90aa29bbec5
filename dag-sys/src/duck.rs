//! [`Duck`]: the clock of a card, as its driver tells it (contract, section 4.3).

use crate::load::Libdag;
use crate::values::Values;

/// What the driver tells of the clock. Fields that this version of it does not have are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Duck {
    /// Whether it follows its source.
    pub is_synchronised: Option<bool>,
    /// Frequency of the crystal in Hz.
    pub crystal_hz: Option<u32>,
    /// How often it was set anew.
    pub resyncs: Option<u32>,
    /// How fast it runs against its source, in the driver's own unit, of which nothing public tells.
    pub frequency_error: Option<i32>,
    /// How far it is from its source, in the driver's own unit, of which nothing public tells.
    pub phase_error: Option<i32>,
}

/// Longer than any version's.
const LONGEST: usize = 1024;

impl Libdag {
    /// Asks the driver for the clock. `None` where the request or the layout of its answer are not known, where the library is an
    /// emulated card's, which has no driver, and where the driver refuses.
    pub fn duck(&self, fd: i32) -> Option<Duck> {
        if self.emulated().is_some() {
            return None;
        }
        let values = self.values()?;
        let request = u64::try_from(values.get("DAGIOC_CARD_DUCK")?).ok()?;
        let size = usize::try_from(values.get("sizeof(duckinf_t)")?).ok().filter(|size| *size <= LONGEST)?;
        // Of u64, so that it is aligned as the driver may expect; zeros ask for everything (contract, section 4.3: callers clear
        // two of the fields). Longer than the answer, should the table be wrong about that.
        let mut answer = [0u64; 2 * LONGEST / 8];
        // SAFETY: the request is that of this library's headers, and the struct that it fills is `size` bytes long.
        let result = unsafe { libc::ioctl(fd, request as libc::Ioctl, answer.as_mut_ptr()) };
        if result < 0 {
            return None;
        }
        let bytes: Vec<u8> = answer.iter().flat_map(|word| word.to_ne_bytes()).take(size).collect();
        Some(Duck::read(&bytes, values))
    }
}

impl Duck {
    fn read(bytes: &[u8], values: &Values) -> Self {
        let word = |name: &str| {
            let offset = usize::try_from(values.get(&format!("offsetof(duckinf_t, {name})"))?).ok()?;
            let bytes = bytes.get(offset..offset.checked_add(4)?)?;
            Some(u32::from_ne_bytes(bytes.try_into().ok()?))
        };
        Self {
            is_synchronised: word("Health").map(|health| health != 0),
            crystal_hz: word("Crystal_Freq"),
            resyncs: word("Resyncs"),
            frequency_error: word("Freq_Err").map(u32::cast_signed),
            phase_error: word("Phase_Err").map(u32::cast_signed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::duckinf_t;
    use std::mem::{offset_of, size_of};

    fn values(fields: &[(&str, usize)]) -> Values {
        let mut values = Values::default();
        for (name, offset) in fields {
            values.set(&format!("offsetof(duckinf_t, {name})"), *offset as i64);
        }
        values
    }

    #[test]
    fn each_field_is_read_where_it_lies() {
        let values = values(&[
            ("Health", offset_of!(duckinf_t, Health)),
            ("Crystal_Freq", offset_of!(duckinf_t, Crystal_Freq)),
            ("Resyncs", offset_of!(duckinf_t, Resyncs)),
            ("Freq_Err", offset_of!(duckinf_t, Freq_Err)),
            ("Phase_Err", offset_of!(duckinf_t, Phase_Err)),
        ]);
        let mut bytes = [0xA5u8; size_of::<duckinf_t>()];
        let mut put = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        put(offset_of!(duckinf_t, Health), 1);
        put(offset_of!(duckinf_t, Crystal_Freq), 66_666_667);
        put(offset_of!(duckinf_t, Resyncs), 3);
        put(offset_of!(duckinf_t, Freq_Err), (-17i32).cast_unsigned());
        put(offset_of!(duckinf_t, Phase_Err), 40);
        let read = Duck::read(&bytes, &values);
        let expected = Duck {
            is_synchronised: Some(true),
            crystal_hz: Some(66_666_667),
            resyncs: Some(3),
            frequency_error: Some(-17),
            phase_error: Some(40),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_not_known_or_beyond_the_answer_is_not_told() {
        let read = Duck::read(&[1; 16], &values(&[("Health", 12), ("Resyncs", 13), ("Freq_Err", usize::MAX)]));
        assert_eq!(read, Duck { is_synchronised: Some(true), ..Duck::default() });
    }
}
