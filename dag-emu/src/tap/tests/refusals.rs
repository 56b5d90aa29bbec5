//! What a tap refuses, and what it leaves as it was.

use std::time::Duration;

use super::lab::{Lab, open, until};
use crate::tap::{Iface, RingSpec, Tap, TapError, TapSpec};
use house_skip::skip;

fn refusal(spec: &TapSpec) -> TapError {
    match Tap::open(spec) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

fn iface(text: &str) -> Iface {
    text.parse().unwrap()
}

#[test]
fn names_are_read_and_refused() {
    assert_eq!(iface("eth0"), Iface { netns: None, name: "eth0".into() });
    let blue = iface("blue/eth0.7@x");
    assert_eq!((blue.netns.as_deref(), blue.name.as_str()), (Some("blue"), "eth0.7@x"));
    assert_eq!(blue.to_string(), "blue/eth0.7@x");
    for bad in ["", "/", "blue/", "/eth0", "a/b/c", "..", "../lo", "blue/..", "sixteen-bytes-xx", "e 0", "e\0"] {
        let error = bad.parse::<Iface>().unwrap_err();
        assert!(matches!(error, TapError::BadName { .. }), "{bad:?}: {error}");
    }
}

#[test]
fn absurd_specifications_are_refused_before_the_kernel_is_asked() {
    let spec = |ifaces: &[&str]| TapSpec::new(ifaces.iter().map(|name| iface(name)).collect());
    assert!(matches!(refusal(&spec(&[])), TapError::InterfaceCount { given: 0 }));
    assert!(matches!(refusal(&spec(&["a", "b", "c"])), TapError::InterfaceCount { given: 3 }));
    assert!(matches!(refusal(&spec(&["a", "a"])), TapError::NamedTwice { .. }));
    // Made by hand, not read: still no path out of /run/netns.
    let escape = Iface { netns: Some("../../proc/1/ns".into()), name: "lo".into() };
    assert!(matches!(refusal(&TapSpec::new(vec![escape])), TapError::BadName { .. }));
    assert!(matches!(refusal(&TapSpec { snaplen: 0, ..spec(&["lo"]) }), TapError::BadRing { .. }));
    let ring = RingSpec::default();
    for ring in [
        RingSpec { block_size: 0, ..ring.clone() },
        RingSpec { block_size: 100_000, ..ring.clone() },
        RingSpec { block_size: 64 << 10, ..ring.clone() },
        RingSpec { blocks: 1, ..ring.clone() },
        RingSpec { blocks: u32::MAX, ..ring.clone() },
        RingSpec { block_timeout: Duration::ZERO, ..ring.clone() },
        RingSpec { block_timeout: Duration::from_micros(1500), ..ring.clone() },
        RingSpec { block_timeout: Duration::MAX, ..ring.clone() },
    ] {
        let error = refusal(&TapSpec { ring: ring.clone(), ..spec(&["lo"]) });
        assert!(matches!(error, TapError::BadRing { .. }), "{ring:?}: {error}");
    }
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let Some(lab) = Lab::new() else { return };
    let error = refusal(&TapSpec::new(vec![Iface { netns: Some("no-such-netns".into()), name: "va".into() }]));
    let TapError::NoSuchNetns { existing, .. } = &error else { panic!("{error}") };
    assert!(existing.contains(&lab.a) && existing.is_sorted());
    let text = error.to_string();
    assert!(text.contains("no-such-netns") && text.contains(&lab.b), "{text}");

    let error = refusal(&TapSpec::new(vec![lab.va(), Iface { name: "vz".into(), ..lab.vb() }]));
    let TapError::NoSuchInterface { existing, .. } = &error else { panic!("{error}") };
    assert!(existing.contains(&"lo".into()) && existing.contains(&"vb".into()));
    let text = error.to_string();
    assert!(text.contains(&format!("{}/vz", lab.b)) && text.contains("vb"), "{text}");
}

#[test]
fn a_name_without_a_namespace_behind_it_is_called_that() {
    let Some(lab) = Lab::new() else { return };
    // An empty file, as is left when a namespace dies without `ip netns delete`. The lab removes it.
    std::fs::write(format!("/run/netns/{}", lab.dead_name()), "").unwrap();
    let error = refusal(&TapSpec::new(vec![Iface { netns: Some(lab.dead_name()), name: "lo".into() }]));
    assert!(matches!(error, TapError::NotANetns { .. }), "{error}");
}

#[test]
fn interfaces_that_are_not_ethernet_are_refused_by_name() {
    let Some(lab) = Lab::new() else { return };
    let ns = &lab.a;
    let tun = std::process::Command::new("ip").args(["-n", ns, "tuntap", "add", "dev", "tun7", "mode", "tun"]).output();
    if !tun.is_ok_and(|output| output.status.success()) {
        return skip("needs a tun interface (/dev/net/tun)");
    }
    let error = refusal(&TapSpec::new(vec![Iface { netns: Some(ns.clone()), name: "tun7".into() }]));
    assert!(matches!(error, TapError::NotEthernet { .. }), "{error}");
    assert!(error.to_string().contains("ARPHRD_NONE"), "{error}");
}

/// In a thread that has given up root (user ids are a thread's own below the C library).
#[test]
fn a_missing_capability_is_named() {
    let Some(lab) = Lab::new() else { return };
    let (plain, other) = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                const NOBODY: libc::uid_t = 65534;
                // SAFETY: plain numbers; changes this thread only, which ends here.
                let done = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
                assert_eq!(done, 0);
                (refusal(&TapSpec::new(vec![iface("lo")])), refusal(&TapSpec::new(vec![lab.va()])))
            })
            .join()
            .unwrap()
    });
    assert!(matches!(plain, TapError::NoPermission { .. }), "{plain}");
    assert!(plain.to_string().contains("setcap cap_net_raw+ep /"), "{plain}");
    assert!(matches!(other, TapError::NetnsPermission { .. }), "{other}");
    assert!(other.to_string().contains("CAP_SYS_ADMIN"), "{other}");
}

#[test]
fn the_caller_stays_in_its_namespace() {
    let Some(lab) = Lab::new() else { return };
    let mine = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = mine();
    assert_ne!(lab.inside(&lab.a, mine), before, "the other namespace is another one");
    let tap = open(vec![lab.va()]);
    assert_eq!(mine(), before);
    drop(tap);
}

#[test]
fn promiscuous_mode_is_a_choice_and_ends_with_the_tap() {
    let Some(lab) = Lab::new() else { return };
    let count = || {
        let link = lab.ip(&format!("-n {} -d link show va", lab.a));
        let mut words = link.split_whitespace().skip_while(|word| *word != "promiscuity");
        words.nth(1).unwrap().parse::<u32>().unwrap()
    };
    let tap = open(vec![lab.va()]);
    assert_eq!(count(), 1);
    drop(tap);
    assert_eq!(count(), 0);
    let tap = Tap::open(&TapSpec { promiscuous: false, ..TapSpec::new(vec![lab.va()]) }).unwrap();
    assert_eq!(count(), 0);
    drop(tap);
}

#[test]
fn an_interface_tells_about_itself() {
    let Some(lab) = Lab::new() else { return };
    lab.ip(&format!("-n {} link set va mtu 4000", lab.a));
    lab.ip(&format!("-n {} link set va address 02:11:22:33:44:55", lab.a));
    let tap = open(vec![lab.va(), lab.vb()]);
    let info = tap.interface(0).unwrap().unwrap();
    assert_eq!(info.iface, tap.opened_on(0).unwrap().iface);
    assert_eq!((info.mac, info.mtu), ([2, 0x11, 0x22, 0x33, 0x44, 0x55], 4000));
    assert!(info.up && !info.loopback);
    until("there is a carrier", || tap.interface(0).unwrap().unwrap().running);
    assert_eq!(info.speed_mbps, Some(10_000), "what veth says");
    // A rename does not lose it; a fallen link shows.
    lab.ip(&format!("-n {} link set va name vx", lab.a));
    lab.ip(&format!("-n {} link set vb down", lab.b));
    until("the carrier is lost", || {
        let info = tap.interface(0).unwrap().unwrap();
        info.up && !info.running
    });
    assert!(tap.interface(2).is_none());
}
