//! What differs from one version of libdag to the next: numbers of components and attributes, layouts of structs, ioctl requests.
//!
//! Nothing public tells them (contract, sections 3, 6 and 10), so they are learned from the library's own headers, on the machine
//! where these are installed: a small C program prints them, compiled against the headers. What is learned goes into a
//! file, which the same binary uses from then on. Without it a card still captures; its drop counter, model and clock are unknown.
//!
//! ```text
//! # values of libdag, learned from /usr/local/include
//! kComponentStreamFeatures = 262
//! offsetof(daginf_t, device_code) = 4
//! ```

mod learn;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

pub use learn::{LearnError, learn};

/// All that can be learned: expressions of C, which are also the names of the values.
pub(crate) const EXPRESSIONS: &[&str] = &[
    "kComponentRoot",
    "kComponentPort",
    "kComponentDUCK",
    "kComponentStream",
    "kComponentStreamFeatures",
    "kComponentTerf",
    "kBooleanAttributeActive",
    "kBooleanAttributeDUCKSynchronized",
    "kBooleanAttributeLink",
    "kBooleanAttributeVarlen",
    "kUint32AttributeDUCKCrystalFrequency",
    "kUint32AttributeSnaplength",
    "kUint32AttributeStreamDropCount",
    "kUint32AttributeTerfStripCrc",
    "kTerfNoStrip",
    "kTerfStrip16",
    "kTerfStrip32",
    "PCI_DEVICE_ID_VDAG",
    "PCI_DEVICE_ID_DAG9_2X2",
    "PCI_DEVICE_ID_DAG9_2SX2",
    "DAG_REVERSE_MODE",
    "DAGIOC_CARD_DUCK",
    "sizeof(duckinf_t)",
    "offsetof(duckinf_t, Crystal_Freq)",
    "offsetof(duckinf_t, Freq_Err)",
    "offsetof(duckinf_t, Health)",
    "offsetof(duckinf_t, Last_TSC)",
    "offsetof(duckinf_t, Phase_Err)",
    "offsetof(duckinf_t, Resyncs)",
    "offsetof(duckinf_t, Set_Duck_Field)",
    "offsetof(daginf_t, device_code)",
    "sizeof(((daginf_t *)0)->device_code)",
    "offsetof(dag_card_inf_t, device_code)",
    "sizeof(((dag_card_inf_t *)0)->device_code)",
    "offsetof(dag_card_inf_t, brd_rev)",
    "sizeof(((dag_card_inf_t *)0)->brd_rev)",
    "offsetof(dag_card_inf_t, bus_id)",
    "sizeof(((dag_card_inf_t *)0)->bus_id)",
    // Whether it is a pointer, and not the characters themselves.
    "__builtin_types_compatible_p(__typeof__(((dag_card_inf_t *)0)->bus_id), char *)",
];

/// Values of one version of libdag. What is not in it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    known: BTreeMap<String, i64>,
}

/// A file of values cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValuesError {
    /// The system refuses it.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// A line is none that `learn` writes.
    #[error("{path}, line {line}: {what}; learn the values again with `dagctl learn --include DIR`")]
    Line {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

impl Values {
    /// The value of `expression`.
    pub fn get(&self, expression: &str) -> Option<i64> {
        self.known.get(expression).copied()
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What can be learned and is not known.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPRESSIONS.iter().copied().filter(|expression| self.get(expression).is_none()).collect()
    }

    pub(crate) fn set(&mut self, expression: &str, value: i64) {
        self.known.insert(expression.to_owned(), value);
    }

    /// Those of our own headers, which the emulated card keeps.
    pub fn ours() -> Self {
        use crate::ours as b;
        use std::mem::offset_of;
        let constants = [
            ("kComponentRoot", b::kComponentRoot),
            ("kComponentPort", b::kComponentPort),
            ("kComponentDUCK", b::kComponentDUCK),
            ("kComponentStream", b::kComponentStream),
            ("kComponentStreamFeatures", b::kComponentStreamFeatures),
            ("kComponentTerf", b::kComponentTerf),
            ("kBooleanAttributeActive", b::kBooleanAttributeActive),
            ("kBooleanAttributeDUCKSynchronized", b::kBooleanAttributeDUCKSynchronized),
            ("kBooleanAttributeLink", b::kBooleanAttributeLink),
            ("kBooleanAttributeVarlen", b::kBooleanAttributeVarlen),
            ("kUint32AttributeDUCKCrystalFrequency", b::kUint32AttributeDUCKCrystalFrequency),
            ("kUint32AttributeSnaplength", b::kUint32AttributeSnaplength),
            ("kUint32AttributeStreamDropCount", b::kUint32AttributeStreamDropCount),
            ("kUint32AttributeTerfStripCrc", b::kUint32AttributeTerfStripCrc),
            ("kTerfNoStrip", b::kTerfNoStrip),
            ("kTerfStrip16", b::kTerfStrip16),
            ("kTerfStrip32", b::kTerfStrip32),
            ("PCI_DEVICE_ID_VDAG", b::PCI_DEVICE_ID_VDAG),
            ("PCI_DEVICE_ID_DAG9_2X2", b::PCI_DEVICE_ID_DAG9_2X2),
            ("PCI_DEVICE_ID_DAG9_2SX2", b::PCI_DEVICE_ID_DAG9_2SX2),
            ("DAG_REVERSE_MODE", b::DAG_REVERSE_MODE),
            // A char array in our headers.
            ("__builtin_types_compatible_p(__typeof__(((dag_card_inf_t *)0)->bus_id), char *)", 0),
        ];
        let layouts = [
            ("offsetof(daginf_t, device_code)", offset_of!(b::daginf_t, device_code)),
            ("sizeof(((daginf_t *)0)->device_code)", 4),
            ("offsetof(dag_card_inf_t, device_code)", offset_of!(b::dag_card_inf_t, device_code)),
            ("sizeof(((dag_card_inf_t *)0)->device_code)", 4),
            ("offsetof(dag_card_inf_t, brd_rev)", offset_of!(b::dag_card_inf_t, brd_rev)),
            ("sizeof(((dag_card_inf_t *)0)->brd_rev)", 4),
            ("offsetof(dag_card_inf_t, bus_id)", offset_of!(b::dag_card_inf_t, bus_id)),
            ("sizeof(((dag_card_inf_t *)0)->bus_id)", 32),
        ];
        let mut values = Self::default();
        for (name, value) in constants {
            values.set(name, value.into());
        }
        for (name, value) in layouts {
            // Some bytes.
            values.set(name, value as i64);
        }
        values
    }

    /// The text of a file of values; `origin` says where they are from.
    pub fn to_text(&self, origin: &str) -> String {
        let mut text = format!("# values of libdag, learned from {}\n", origin.replace('\n', " "));
        for (expression, value) in &self.known {
            text += &format!("{expression} = {value}\n");
        }
        text
    }

    /// Reads the text of a file; `path` is for messages.
    ///
    /// # Errors
    ///
    /// At the first line that is none.
    pub fn parse(text: &str, path: &str) -> Result<Self, ValuesError> {
        let mut values = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: String| ValuesError::Line { path: path.to_owned(), line: number, what };
            let (name, value) =
                line.rsplit_once('=').ok_or_else(|| wrong(format!("{line:?} is not of the form NAME = VALUE")))?;
            let name = name.trim();
            let Some(known) = EXPRESSIONS.iter().find(|expression| **expression == name) else {
                return Err(wrong(format!("{name:?} is nothing that is learned")));
            };
            let value = value.trim().parse().map_err(|_| wrong(format!("{:?} is no number", value.trim())))?;
            values.set(known, value);
        }
        Ok(values)
    }

    /// Reads a file of values.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or a line is none.
    pub fn read(path: &Path) -> Result<Self, ValuesError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|cause| ValuesError::Io { path: name.clone(), cause })?;
        Self::parse(&text, &name)
    }

    /// The values of this machine: the file that `DAG_VALUES` names, else that of the user, else that of the machine; `None` where
    /// there is none.
    ///
    /// # Errors
    ///
    /// A file that is there and cannot be read; one that `DAG_VALUES` names and that is not there.
    pub fn of_machine() -> Result<Option<Self>, ValuesError> {
        if let Some(path) = env::var_os("DAG_VALUES").filter(|path| !path.is_empty()) {
            return Self::read(Path::new(&path)).map(Some);
        }
        match places().into_iter().find(|path| path.exists()) {
            Some(path) => Self::read(&path).map(Some),
            None => Ok(None),
        }
    }
}

/// Where learned values are kept, in the order in which they are looked for: for the user, for the machine.
pub fn places() -> Vec<PathBuf> {
    let config = env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let config = config.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    let user = config.map(|folder| folder.join("endace-dag/values"));
    user.into_iter().chain([PathBuf::from("/etc/endace-dag/values")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_survive_a_file() {
        let ours = Values::ours();
        assert_eq!(Values::parse(&ours.to_text("here"), "x").unwrap(), ours);
        assert!(ours.get("kUint32AttributeStreamDropCount").is_some());
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_line() {
        for (text, words) in [
            ("kTerfNoStrip = 1\nkTerfNoStrip 1", "x, line 2"),
            ("\n\nkSomethingElse = 1", "line 3: \"kSomethingElse\" is nothing that is learned"),
            ("kTerfNoStrip = one", "\"one\" is no number"),
            ("kTerfNoStrip = 99999999999999999999", "is no number"),
        ] {
            let error = Values::parse(text, "x").unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = Values::read(Path::new("/no/such/file")).unwrap_err().to_string();
        assert!(error.starts_with("/no/such/file: "), "{error}");
    }
}
