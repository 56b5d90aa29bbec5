//! Values that differ from library to library: learned from its headers, and not guessed.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use dag::sys::Libdag;
use dag::sys::values::{Values, learn};

use super::{fake, include};

/// Our headers with every value that the contract calls free changed, and every layout.
pub(super) fn shuffled(folder: &Path) {
    for entry in fs::read_dir(include()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut text = fs::read_to_string(&path).unwrap();
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "{name}: {from}");
            text = text.replace(from, to);
        };
        match name.as_str() {
            "dag_config.h" => {
                replace("kComponentStreamFeatures = 0x0106", "kComponentStreamFeatures = 0x0104");
                replace("kComponentDUCK = 0x0104", "kComponentDUCK = 0x0106");
                replace("kUint32AttributeStreamDropCount = 0x0302", "kUint32AttributeStreamDropCount = 0x9999");
                replace("kUint32AttributeSnaplength = 0x0301", "kUint32AttributeSnaplength = 0x0302");
                replace("kBooleanAttributeDUCKSynchronized = 0x0208", "kBooleanAttributeDUCKSynchronized = 0x0207");
                replace("kBooleanAttributeVarlen = 0x0207", "kBooleanAttributeVarlen = 0x0208");
                // One that this version has not.
                replace("    kBooleanAttributeLink = 0x0209,\n", "");
            }
            "daginf.h" => {
                replace(
                    "    uint32_t device_code; /* which kind of card */\n    uint32_t brd_rev;",
                    "    char before[12];\n    uint32_t brd_rev;",
                );
                replace("char bus_id[32];", "char bus_id[20];\n    uint16_t device_code;");
                replace("_IOWR('D', 0x45, duckinf_t)", "_IOWR('E', 0x11, duckinf_t)");
            }
            "dagpci.h" => replace("PCI_DEVICE_ID_DAG9_2X2 0x92e2", "PCI_DEVICE_ID_DAG9_2X2 0x1234"),
            _ => {}
        }
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn without_them_nothing_is_guessed_and_with_them_all_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let headers = dir.path().join("include");
    fs::create_dir(&headers).unwrap();
    shuffled(&headers);
    let lib = Libdag::open_file(fake(dir.path(), &headers, &[])).unwrap();
    let fd = lib.dag_open(c"/dev/dag0").unwrap();
    assert_eq!(lib.emulated(), None);
    assert_eq!(lib.kind(fd), None);
    let config = lib.config(c"dag0").unwrap();
    assert_eq!((config.stream_drops(0), config.clock_synchronised()), (None, None));
    assert_eq!(config.interface_count(), Some(2), "which no value is needed for");
    drop(config);

    // Through a file, as the program keeps them.
    let learned = learn(&headers, OsStr::new("cc")).unwrap();
    assert_eq!(learned.missing(), ["kBooleanAttributeLink"]);
    let learned = Values::parse(&learned.to_text("the test's headers"), "values").unwrap();
    let lib = lib.with_values(Some(learned));
    let kind = lib.kind(fd).unwrap();
    assert_eq!((kind.device_code, kind.name.as_deref()), (0x1234, Some("DAG 9.2X2")));
    assert_eq!((kind.revision, kind.bus.as_deref()), (Some('C'), Some("0000:17:00.0")));
    let config = lib.config(c"dag0").unwrap();
    assert_eq!((config.stream_drops(0), config.stream_drops(2)), (Some(4_000_000_000), None));
    assert_eq!(config.clock_synchronised(), Some(false));

    // The values of other headers are wrong here, and give nothing or something else, but no crash.
    let lib = lib.with_values(Some(learn(&include(), OsStr::new("cc")).unwrap()));
    assert_ne!(lib.kind(fd).map(|kind| kind.device_code), Some(0x1234));
    assert_eq!(lib.config(c"dag0").unwrap().stream_drops(0), None);
}

#[test]
fn ours_are_those_that_are_learned_from_our_headers() {
    let learned = learn(&include(), OsStr::new("cc")).unwrap();
    assert_eq!(learned.missing(), Vec::<&str>::new());
    let ours = Values::ours().to_text("x");
    for line in ours.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(" = ").unwrap();
        assert_eq!(learned.get(name), value.parse().ok(), "{name}");
    }
}

#[test]
fn a_folder_without_headers_and_a_compiler_that_is_none_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = learn(dir.path(), OsStr::new("cc")).unwrap_err().to_string();
    assert!(error.contains("does not take the headers there") && error.contains("dagapi.h"), "{error}");
    let error = learn(&include(), OsStr::new("no-such-compiler")).unwrap_err().to_string();
    assert!(error.starts_with("no-such-compiler: "), "{error}");
}
