//! How a library is found and opened, and what is missing in it.

use dag::sys::{CallError, Libdag, LoadError, Poll};
use house_tests::library::libdag;
use std::ffi::CString;
use std::time::Duration;

use super::{fake, include};

#[test]
fn an_older_library_serves_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let lib = Libdag::open_file(fake(dir.path(), &include(), &["-DNARROW"])).unwrap();
    assert!(lib.path().ends_with("libdag.so.5"));
    let fd = lib.dag_open(c"/dev/dag0").unwrap();
    // By the 32-bit functions, since there are no others.
    assert_eq!(lib.buffer_size(fd, 0), Ok(1 << 20));
    lib.attach(fd, 0).unwrap();
    let rules = Poll { mindata: 123_456, maxwait: Duration::from_millis(10), poll: Duration::from_millis(10) };
    lib.set_poll(fd, 0, rules).unwrap();
    assert_eq!(lib.poll(fd, 0), Ok(rules));
    lib.dag_start_stream(fd, 0).unwrap();
    let mut bottom = std::ptr::null_mut();
    // SAFETY: null, and nothing is looked at.
    let top = unsafe { lib.dag_advance_stream(fd, 0, &mut bottom) }.unwrap();
    assert!(top > bottom);
    // What it lacks is a value.
    let missing = lib.dag_tx_get_stream_count(fd).unwrap_err();
    assert_eq!(missing, CallError::Missing { function: "dag_tx_get_stream_count" });
    assert_eq!(lib.config(c"dag0").unwrap_err().function(), "dag_config_init");
    assert_eq!(lib.tx_space(fd, 1, 8).unwrap_err().function(), "dag_tx_get_stream_space");
    assert_eq!((lib.kind(fd), lib.emulated(), lib.describe(fd)), (None, None, None));
    assert!(!lib.end_of_feed(fd, 0));
}

#[test]
fn errno_is_the_librarys_own() {
    let dir = tempfile::tempdir().unwrap();
    let lib = Libdag::open_file(fake(dir.path(), &include(), &[])).unwrap();
    assert_eq!(lib.dag_open(c"/dev/dag9").unwrap_err().errno(), Some(libc_enoent()));
    let fd = lib.dag_open(c"/dev/dag0").unwrap();
    let error = lib.attach(fd, 2).unwrap_err();
    assert_eq!(error.to_string(), "dag_attach_stream64: Cannot allocate memory (os error 12)");
}

fn libc_enoent() -> i32 {
    nix::errno::Errno::ENOENT as i32
}

#[test]
fn what_is_no_library_or_another_one_is_an_error_with_words() {
    let error = Libdag::open_file("/etc/passwd").unwrap_err();
    assert!(matches!(error, LoadError::Named { .. }), "{error}");
    assert!(error.to_string().contains("/etc/passwd, which cannot be loaded as a library"), "{error}");
    let error = Libdag::open_file("/no/such/libdag.so").unwrap_err();
    assert!(!error.is_not_found() && error.to_string().contains("/no/such/libdag.so"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("empty.c");
    std::fs::write(&source, "int nothing;\n").unwrap();
    let other = dir.path().join("other.so");
    let built = std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&other).arg(&source).status();
    assert!(built.unwrap().success());
    let error = Libdag::open_file(&other).unwrap_err();
    assert!(matches!(error, LoadError::NotLibdag { .. }), "{error}");
}

#[test]
fn ours_is_told_apart_and_has_everything() {
    let lib = Libdag::open_file(libdag().lib().join("libdag.so.5")).unwrap();
    assert_eq!(lib.emulated(), Some(1));
    assert!(lib.values().is_some(), "known without having been learned");
    let name = CString::new("/dev/dag200").unwrap();
    assert_eq!(lib.dag_open(&name).unwrap_err().errno(), Some(libc_enoent()));
}
