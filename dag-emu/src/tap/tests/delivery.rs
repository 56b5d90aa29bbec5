//! Which frames come, in which order, and what happens to those that do not.

use std::net::UdpSocket;
use std::time::{Duration, SystemTime};

use super::lab::{Kept, Lab, drain, open, read_until, until};
use crate::tap::{RingSpec, Tap, TapError, TapSpec};

/// `count` questions from `va` and answers from `vb`, numbered from `first`, each after the one
/// before.
fn converse(a: &UdpSocket, b: &UdpSocket, first: u32, count: u32) {
    let mut buffer = [0; 64];
    for number in first..first + count {
        a.send(&number.to_be_bytes()).unwrap();
        let len = b.recv(&mut buffer).unwrap();
        b.send(&buffer[..len]).unwrap();
        a.recv(&mut buffer).unwrap();
    }
}

/// (port, number, question?) of the test datagrams, in the order delivered.
fn talk(kept: &[Kept]) -> Vec<(u8, u32, bool)> {
    kept.iter().filter_map(|f| f.number().map(|(number, question)| (f.port, number, question))).collect()
}

/// Binds the calling thread to the processor on which it runs.
fn stay_on_one_processor() {
    // SAFETY: all-zero bytes are the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: no arguments.
    let here = unsafe { libc::sched_getcpu() };
    // SAFETY: a processor's number is below the set's size.
    unsafe { libc::CPU_SET(here as usize, &mut set) };
    // SAFETY: the set is alive, with its own size; 0 is the calling thread.
    let done = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
    assert_eq!(done, 0);
}

/// Whether so many test datagrams are among the frames; looks at each frame once.
fn talk_of(count: usize) -> impl FnMut(&[Kept]) -> bool {
    let (mut seen, mut found) = (0, 0);
    move |kept| {
        found += talk(&kept[seen..]).len();
        seen = kept.len();
        found >= count
    }
}

fn nanos() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64
}

#[test]
fn one_interface_gives_both_directions_each_once_in_order() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    let mut tap = open(vec![lab.va()]);
    let before = nanos();
    converse(&a, &b, 0, 200);
    let after = nanos();
    let kept = drain(&mut tap);
    let expected: Vec<_> = (0..200).flat_map(|n| [(1, n, true), (0, n, false)]).collect();
    assert_eq!(talk(&kept), expected);
    let mac = tap.opened_on(1).unwrap().mac;
    for frame in kept.iter().filter(|f| f.number().is_some()) {
        assert_eq!(frame.bytes[6..12] == mac, frame.port == 1);
        assert!((before..=after).contains(&frame.ns), "{before} {} {after}", frame.ns);
    }
    let stats = tap.stats().unwrap();
    assert_eq!(stats.ports.iter().map(|p| p.frames).sum::<u64>(), kept.len() as u64);
    assert_eq!((stats.interfaces[0].seen, stats.interfaces[0].lost), (kept.len() as u64, 0));
}

#[test]
fn two_interfaces_give_what_arrives_at_each_merged_by_stamp() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    let mut tap = open(vec![lab.va(), lab.vb()]);
    converse(&a, &b, 0, 300);
    let kept = drain(&mut tap);
    // A question arrives at vb, an answer at va. Nothing that leaves is seen.
    let expected: Vec<_> = (0..300).flat_map(|n| [(1, n, true), (0, n, false)]).collect();
    assert_eq!(talk(&kept), expected);
    assert!(kept.is_sorted_by_key(|f| f.ns));
    assert_eq!(tap.stats().unwrap().reordered, 0);
}

/// One early frame at vb stays in a block that is not full, while later ones at va fill theirs,
/// which is handed over at once.
#[test]
fn a_frame_waits_for_an_earlier_one_of_the_other_interface_as_long_as_the_hold() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    // Neighbours find each other first.
    converse(&a, &b, 0, 1);
    let stamps = |hold| {
        let block_timeout = Duration::from_secs(1);
        let ring = RingSpec { block_size: 128 << 10, blocks: 4, block_timeout };
        let spec = TapSpec { ring, hold, ..TapSpec::new(vec![lab.va(), lab.vb()]) };
        let mut tap = Tap::open(&spec).unwrap();
        a.send(&[0; 1000]).unwrap();
        for _ in 0..150 {
            b.send(&[1; 1000]).unwrap();
        }
        let kept = read_until(&mut tap, talk_of(151));
        (kept, tap.stats().unwrap().reordered)
    };
    let (patient, reordered) = stamps(Duration::from_secs(15));
    assert_eq!(talk(&patient)[0], (1, 0, true));
    assert!(patient.is_sorted_by_key(|f| f.ns));
    assert_eq!(reordered, 0);

    let (hasty, reordered) = stamps(Duration::ZERO);
    assert_eq!(talk(&hasty)[150], (1, 0, true));
    let swaps = hasty.windows(2).filter(|pair| pair[1].ns < pair[0].ns).count();
    assert_eq!(reordered, swaps as u64);
    assert!(swaps > 0);
}

#[test]
fn the_order_of_a_port_and_of_the_pair_holds_under_load() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    // Neighbours find each other first: datagrams that wait for that leave out of order.
    converse(&a, &b, 0, 1);
    let mut tap = open(vec![lab.va(), lab.vb()]);
    const COUNT: u32 = 20_000;
    let kept = std::thread::scope(|scope| {
        for socket in [&a, &b] {
            scope.spawn(move || {
                // A sender that changes processors overtakes itself in the kernel's queues.
                stay_on_one_processor();
                for n in 0..COUNT {
                    socket.send(&n.to_be_bytes()).unwrap();
                }
            });
        }
        read_until(&mut tap, talk_of(2 * COUNT as usize))
    });
    for (port, question) in [(0, false), (1, true)] {
        let numbers: Vec<u32> =
            talk(&kept).into_iter().filter(|(p, _, q)| (*p, *q) == (port, question)).map(|(_, n, _)| n).collect();
        let wrong = numbers.iter().zip(0..COUNT).find(|(is, want)| *is != want);
        assert_eq!((wrong, numbers.len()), (None, COUNT as usize), "port {port}");
    }
    let stats = tap.stats().unwrap();
    let swaps = kept.windows(2).filter(|pair| pair[1].ns < pair[0].ns).count() as u64;
    assert_eq!(stats.reordered, swaps);
}

#[test]
fn frames_from_before_the_opening_do_not_count() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    converse(&a, &b, 0, 50);
    let mut tap = open(vec![lab.va()]);
    converse(&a, &b, 50, 1);
    assert_eq!(talk(&drain(&mut tap)), [(1, 50, true), (0, 50, false)]);
}

#[test]
fn frames_from_after_the_stop_do_not_count_and_those_from_before_all_do() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    let mut tap = open(vec![lab.va()]);
    converse(&a, &b, 0, 20);
    tap.stop().unwrap();
    converse(&a, &b, 20, 20);
    assert!(!tap.drained());
    let numbers: Vec<u32> = talk(&drain(&mut tap)).into_iter().map(|(_, n, _)| n).collect();
    assert_eq!(numbers, (0..20).flat_map(|n| [n, n]).collect::<Vec<_>>());
    assert!(tap.drained());
}

/// The account of a reader that does not read: what came plus what was lost is what was sent.
#[test]
fn what_the_ring_has_no_room_for_is_counted_to_the_frame() {
    let Some(lab) = Lab::new() else { return };
    let (a, _b) = lab.udp_pair();
    let ring = RingSpec { block_size: 128 << 10, blocks: 2, ..RingSpec::default() };
    let mut tap = Tap::open(&TapSpec { ring, ..TapSpec::new(vec![lab.vb()]) }).unwrap();
    let mut kept = Vec::new();
    const COUNT: u32 = 2_000;
    let mut datagram = [0; 1000];
    for round in 0..3 {
        for number in round * COUNT..(round + 1) * COUNT {
            datagram[..4].copy_from_slice(&number.to_be_bytes());
            a.send(&datagram).unwrap();
        }
        // Half of what is there, so that the next round begins with a ring that is partly read.
        for _ in 0..60 {
            kept.extend(tap.next_frame().map(Kept::from));
        }
    }
    kept.extend(drain(&mut tap));
    let told: u64 = kept.iter().map(|f| f.lost_before).sum();
    let rest = tap.take_lost().unwrap();
    let stats = tap.stats().unwrap();
    let ring = &stats.interfaces[0];
    assert_eq!(rest[1], 0);
    assert_eq!(told + rest[0], ring.lost);
    assert_eq!(ring.seen, kept.len() as u64 + ring.lost);
    assert!(told > 0 && ring.freezes > 0, "{told} {rest:?} {ring:?}");
    // Nothing but these datagrams (and at most a few of the kernel's own) was on the link.
    let numbers: Vec<u32> = talk(&kept).into_iter().map(|(_, n, _)| n).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    let missing = u64::from(3 * COUNT) - numbers.len() as u64;
    assert!((missing..missing + 20).contains(&ring.lost), "{missing} missing, {} lost", ring.lost);
}

#[test]
fn a_loss_that_no_frame_follows_is_told_at_the_end() {
    let Some(lab) = Lab::new() else { return };
    let (a, _b) = lab.udp_pair();
    let ring = RingSpec { block_size: 128 << 10, blocks: 2, ..RingSpec::default() };
    let mut tap = Tap::open(&TapSpec { ring, ..TapSpec::new(vec![lab.va()]) }).unwrap();
    for n in 0..1000u32 {
        a.send(&[n as u8; 1000]).unwrap();
    }
    let kept = drain(&mut tap);
    assert!(kept.iter().all(|f| f.lost_before == 0), "the ring filled up once, behind all of these");
    let lost = tap.take_lost().unwrap();
    assert!(lost[0] > 0);
    assert_eq!(tap.take_lost().unwrap(), [0, 0], "told once");
    let stats = tap.stats().unwrap();
    assert_eq!(stats.interfaces[0].lost, lost[0]);
    assert_eq!(stats.interfaces[0].seen, kept.len() as u64 + lost[0]);
}

#[test]
fn a_long_recording_goes_round_the_ring_many_times() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    let ring = RingSpec { block_size: 128 << 10, blocks: 4, block_timeout: Duration::from_millis(1) };
    let mut tap = Tap::open(&TapSpec { ring, ..TapSpec::new(vec![lab.va()]) }).unwrap();
    let mut kept = Vec::new();
    for round in 0..60 {
        converse(&a, &b, round * 10, 10);
        kept.extend(read_until(&mut tap, talk_of(20)));
    }
    let expected: Vec<_> = (0..600).flat_map(|n| [(1, n, true), (0, n, false)]).collect();
    assert_eq!(talk(&kept), expected);
    assert_eq!(tap.take_lost().unwrap(), [0, 0]);
}

#[test]
fn a_waker_ends_a_wait_without_limit() {
    let Some(lab) = Lab::new() else { return };
    let mut tap = open(vec![lab.va(), lab.vb()]);
    let waker = tap.waker();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            waker.wake();
        });
        while !tap.poll(None).unwrap().woken {
            while tap.next_frame().is_some() {}
        }
    });
    let again = tap.poll(Some(Duration::ZERO)).unwrap();
    assert!(!again.woken, "a wake counts once");
}

#[test]
fn an_interface_may_go_down_and_come_back() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    lab.ip(&format!("-n {} link set va down", lab.a));
    let mut tap = open(vec![lab.va()]);
    assert!(!tap.opened_on(0).unwrap().up);
    assert!(!tap.poll(Some(Duration::ZERO)).unwrap().link_lost, "it was said when the tap was opened");
    let up = format!("-n {} link set va up", lab.a);
    lab.ip(&up);
    converse(&a, &b, 0, 5);
    assert_eq!(talk(&read_until(&mut tap, talk_of(10))).len(), 10);
    until("the link is up", || tap.interface(0).unwrap().unwrap().running);

    lab.ip(&format!("-n {} link set va down", lab.a));
    while !tap.poll(Some(Duration::from_secs(20))).unwrap().link_lost {
        while tap.next_frame().is_some() {}
    }
    assert!(!tap.interface(0).unwrap().unwrap().up);
    lab.ip(&up);
    converse(&a, &b, 5, 5);
    assert_eq!(talk(&read_until(&mut tap, talk_of(10))).len(), 10);
}

#[test]
fn an_interface_that_is_removed_ends_the_tap_after_its_last_frame() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = lab.udp_pair();
    let mut tap = open(vec![lab.va(), lab.vb()]);
    converse(&a, &b, 0, 5);
    lab.ip(&format!("-n {} link delete va", lab.a));
    let mut kept: Vec<Kept> = Vec::new();
    let error = loop {
        while let Some(frame) = tap.next_frame() {
            kept.push(frame.into());
        }
        match tap.poll(Some(Duration::from_secs(20))) {
            Ok(ready) => assert!(ready.frames || ready.link_lost, "nothing happens: {ready:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, TapError::Gone { .. }), "{error}");
    assert_eq!(talk(&kept).len(), 10);
    assert!(matches!(tap.interface(0), Some(Err(TapError::Gone { .. }))));
}
