//! What rests on the system: seals, protections, limits, signals, and memory over 4 GiB.

use super::*;
use house_skip::skip;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Command as Program;
use std::sync::atomic::{AtomicBool, Ordering};

fn duplicate(fd: impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().unwrap()
}

#[test]
fn memory_can_neither_shrink_nor_grow() {
    let (_producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    for fd in [share.memory_fd(), share.registers_fd()] {
        let file = File::from(duplicate(fd));
        let len = file.metadata().unwrap().len();
        for other in [0, len - 1, len + 4096] {
            let error = file.set_len(other).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{other}");
        }
        assert_eq!(file.metadata().unwrap().len(), len);
    }
}

/// The protection of the mapping at `address`, as the kernel tells it.
fn protection(address: *const u8) -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let starts = format!("{:x}-", address.addr());
    let line = maps.lines().find(|line| line.starts_with(&starts)).unwrap();
    line.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn readers_map_read_only_unless_they_ask() {
    let (_card, share) = manual(LEN);
    let consumer = share.attach().unwrap();
    let base = consumer.mapping().base();
    assert_eq!(protection(base), "r--s");
    assert_eq!(protection(base.wrapping_add(LEN as usize)), "r--s", "the second half as well");
    for (access, expected) in [(Access::Read, "r--s"), (Access::ReadWrite, "rw-s")] {
        let memory = StreamMemory::open(duplicate(share.memory_fd())).unwrap();
        let mapping = Mapping::new(&memory, access, true).unwrap();
        assert_eq!(protection(mapping.base()), expected);
    }
}

#[test]
fn two_descriptors_are_all_another_process_needs() {
    let (mut producer, share) = create(LEN, Allocation::Reserved).unwrap();
    let (memory, registers) = (duplicate(share.memory_fd()), duplicate(share.registers_fd()));
    let there = Share::open(memory, registers, Access::Read).unwrap();
    let card = thread::spawn(move || {
        while producer.service() != Some(Event::Started) {
            producer.park(Duration::MAX);
        }
        assert!(put(&mut producer, 4088, 1));
        // Looking for room publishes what fills the ring.
        while !put(&mut producer, 64, 2) {
            thread::yield_now();
        }
        producer.publish();
        while producer.service() != Some(Event::Detached) {
            producer.park(Duration::MAX);
        }
    });
    assert_eq!(there.ring_len(), LEN);
    let mut consumer = there.attach().unwrap();
    assert_ne!(share.attach().map(drop), Ok(()), "owned, whichever way it came");
    consumer.start().unwrap();
    let window = consumer.wait(0, &FOREVER, None).unwrap();
    assert_eq!(window.len(), 4088);
    consumer.wait(window.top, &FOREVER, None).unwrap();
    assert_eq!(consumer.bytes(), [2; 64], "across the end of the ring, in other mappings");
    consumer.detach().unwrap();
    card.join().unwrap();
}

#[test]
fn foreign_descriptors_are_refused() {
    let (_producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let (memory, registers) = (|| duplicate(share.memory_fd()), || duplicate(share.registers_fd()));
    let null = OwnedFd::from(File::open("/dev/null").unwrap());
    // SAFETY: a string with its end, and flags.
    let unsealed = unsafe { libc::memfd_create(c"unsealed".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    assert!(unsealed >= 0);
    // SAFETY: a new descriptor that is nobody else's.
    let unsealed: OwnedFd = unsafe { std::os::fd::FromRawFd::from_raw_fd(unsealed) };
    File::from(unsealed.try_clone().unwrap()).set_len(LEN).unwrap();
    let cases = [
        (null, registers(), "not stream memory of an emulated card: it is not a memory file"),
        (unsealed, registers(), "not stream memory of an emulated card: its length is not sealed"),
        (memory(), memory(), "not the register page of an emulated card: it has another length"),
    ];
    for (memory, registers, reason) in cases {
        let error = Share::open(memory, registers, Access::Read).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let other = StreamMemory::create(64 << 10, Allocation::OnDemand).unwrap();
    let error = Share::open(memory(), duplicate(&other), Access::Read).unwrap_err();
    assert!(error.to_string().contains("it has another layout"), "{error}");
}

#[test]
fn lengths_that_can_not_be_are_refused_with_a_way_out() {
    let page = 4096;
    let message = |len| create(len, Allocation::default()).unwrap_err().to_string();
    if message(1000).contains("65536") {
        return skip("pages are 64 KiB here");
    }
    assert_eq!(message(0), "stream memory of 0 bytes is not a whole number of pages of 4096 bytes; use 4096");
    assert!(message(page + 1).ends_with("use 4096"));
    assert!(message(u64::MAX).ends_with("use 18446744073709547520"));
    assert!(message(u64::MAX - 4095).contains("does not fit into the address space"));
    for allocation in [Allocation::OnDemand, Allocation::Reserved, Allocation::Prefaulted] {
        let error = create(1 << 60, allocation).unwrap_err();
        assert!(matches!(error, MemoryError::NotEnough { .. }), "{error}");
        assert!(error.to_string().ends_with("use less, or free some"), "{error}");
    }
}

/// Not a test by itself: run by `limits_of_the_process_are_named` under limits.
#[test]
fn under_limits() {
    if let Ok(limit) = std::env::var("RING_UNDER_LIMITS") {
        let mut held = Vec::new();
        while limit.contains("-n") {
            match File::open("/dev/null") {
                Ok(file) => held.push(file),
                Err(_) => break,
            }
        }
        let refused = create(64 << 20, Allocation::default()).unwrap_err();
        drop(held);
        eprintln!("refused: {refused}");
    }
}

#[test]
fn limits_of_the_process_are_named() {
    let me = std::env::current_exe().unwrap();
    let this = concat!(module_path!(), "::under_limits").split_once("::").unwrap().1;
    for (limit, expected) in [
        ("ulimit -v 150000", "needs 134217728 bytes of address space (RLIMIT_AS), which is limited to 153600000"),
        ("ulimit -f 1000", "needs 67108864 bytes of file size (RLIMIT_FSIZE), which is limited to"),
        ("ulimit -n 30", "close some files or raise the limit (`ulimit -n`)"),
    ] {
        let run = format!("{limit} && exec \"$0\" --exact --nocapture --test-threads=1 {this}");
        let output = Program::new("sh").args(["-c", &run]).arg(&me).env("RING_UNDER_LIMITS", limit).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(expected), "{limit}: {:?}: {said}", output.status);
    }
}

#[test]
fn memory_over_4_gib() {
    // Only the pages written are ever there.
    const HUGE: u64 = (4 << 30) + LEN;
    let (producer, share) = match create(HUGE, Allocation::OnDemand) {
        Err(error @ MemoryError::NotEnough { .. }) => return skip(error),
        made => made.unwrap(),
    };
    let card = Arc::new(Mutex::new(producer));
    let other = Arc::clone(&card);
    let share = share.with_driver(Driver::new(move |_| {
        other.lock().unwrap().service();
        Turn::Idle
    }));
    let mut consumer = share.attach().unwrap();
    consumer.start().unwrap();
    let mut producer = card.lock().unwrap();
    let skipped = HUGE as usize - 32;
    assert!(producer.reserve(skipped).is_some());
    producer.commit(skipped).unwrap();
    producer.publish();
    assert_eq!(consumer.advance(0).unwrap().len(), HUGE - 32);
    let window = consumer.advance(HUGE - 32).unwrap();
    assert!(put(&mut producer, 64, 9));
    producer.publish();
    let window = consumer.advance(window.bottom).unwrap();
    assert_eq!(window, Window { bottom: HUGE - 32, top: HUGE + 32 });
    assert_eq!(consumer.bytes(), [9; 64]);
    // The half beyond the end is at the start, too.
    consumer.advance(HUGE).unwrap();
    assert_eq!(consumer.bytes().as_ptr(), consumer.mapping().base());
    assert_eq!(consumer.bytes(), [9; 32]);
}

#[test]
fn a_signal_ends_the_wait() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: an all-zero action is a valid one, to be filled in.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // With SA_RESTART, as most programs and language runtimes set it.
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler does nothing, and no other test uses this signal.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()) }, 0);

    let (mut producer, share) = create(LEN, Allocation::OnDemand).unwrap();
    let card = thread::spawn(move || {
        while producer.service() != Some(Event::Detached) {
            producer.park(Duration::MAX);
        }
    });
    let mut consumer = share.attach().unwrap();
    consumer.start().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&over);
    // SAFETY: takes nothing and can not fail.
    let waiter = unsafe { libc::pthread_self() };
    let sender = thread::spawn(move || {
        while !seen.load(Ordering::Acquire) {
            // SAFETY: the waiter joins this thread before it ends, so its id is valid.
            unsafe { libc::pthread_kill(waiter, libc::SIGUSR2) };
            thread::yield_now();
        }
    });
    // No data, no limit, no interrupt flag: nothing but the signal ends this.
    let window = consumer.wait(0, &FOREVER, None).unwrap();
    over.store(true, Ordering::Release);
    sender.join().unwrap();
    assert!(window.is_empty());
    // Requests go through all the same.
    consumer.detach().unwrap();
    card.join().unwrap();
    assert!(share.memory_fd().as_raw_fd() >= 0);
}
