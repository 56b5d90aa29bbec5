//! Expressions of the common part.

use proptest::prelude::*;
use proptest::sample::select;

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

/// A single term.
pub(crate) fn primitive() -> impl Strategy<Value = String> {
    let direction = || one_of(&["", "src ", "dst ", "src or dst ", "src and dst ", "dst or src "]);
    let joined = |(a, b, c): (String, String, String)| format!("{a}{b}{c}");
    let host = one_of(&["10.0.0.1", "10.0.0.2", "192.168.1.1", "2001:db8::1", "(10.0.0.1 or 10.1.2.3)", "fe80::1"]);
    let net = one_of(&[
        "10",
        "10.0.0.0/8",
        "10.0.0.0 mask 255.255.0.0",
        "2001:db8::/32",
        "::/0",
        "0.0.0.0/0",
        "192.168",
        "0",
    ]);
    let port = one_of(&["53", "80", "443", "(53 or 80)", "(50 or not 443)", "0x35"]);
    let range = one_of(&["50-80", "1024-8080", "443", "80-50", "1-65535"]);
    prop_oneof![
        3 => one_of(&["ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "igrp", "pim", "vrrp", "carp", "ah", "esp"]),
        2 => (one_of(&["", "ip ", "arp ", "rarp ", "ip6 "]), direction(), host.prop_map(|host| format!("host {host}"))).prop_map(joined),
        1 => (select(&["src", "dst"][..]), select(&["10.0.0.1", "2001:db8::2", "80"][..])).prop_map(|(a, b)| format!("{a} {b}")),
        2 => (one_of(&["", "ip ", "ip6 "]), direction(), net.prop_map(|net| format!("net {net}"))).prop_map(joined),
        3 => (one_of(&["", "tcp ", "udp ", "sctp "]), direction(), port.prop_map(|port| format!("port {port}"))).prop_map(joined),
        1 => (one_of(&["", "tcp ", "udp "]), direction(), range.prop_map(|range| format!("portrange {range}"))).prop_map(joined),
        2 => one_of(&["proto 6", "ip proto 17", "ip6 proto 58", r"ip proto \tcp", "ip proto 41", "ether proto 0x88cc", r"ether proto \arp",
            r"ether proto \ip", "ether proto 0x6003", "proto 44"]),
        1 => (direction(), select(&["02:00:00:00:00:01", "2:0:0:0:0:2", "ff:ff:ff:ff:ff:ff"][..]))
            .prop_map(|(direction, address)| format!("ether {}{address}", if direction.is_empty() { "host " } else { &direction })),
        1 => one_of(&["vlan", "vlan 5", "vlan 100", "vlan (5)", "vlan 4095"]),
        1 => one_of(&["less 60", "greater 60", "less 100", "greater 1000", "len > 60", "len <= 74", "len = 74", "len != 74", "len < 60", "len >= 60"]),
    ]
}

/// Terms joined and nested; bare values behind the keywords of others.
pub(crate) fn expression() -> impl Strategy<Value = String> {
    let term = prop_oneof![
        6 => primitive(),
        1 => one_of(&["port 53 or 80", "host 10.0.0.1 or 10.0.0.2", "host 10.0.0.1 and not 10.0.0.2", "tcp port 80 or (443 or not 53)", "net 10 or 192.168"]),
    ];
    term.prop_recursive(3, 8, 3, |inner| {
        let join = || one_of(&["and", "or", "&&", "||"]);
        prop_oneof![
            inner.clone().prop_map(|a| format!("not {a}")),
            inner.clone().prop_map(|a| format!("({a})")),
            (inner.clone(), join(), inner.clone()).prop_map(|(a, join, b)| format!("{a} {join} {b}")),
            (inner.clone(), join(), inner.clone()).prop_map(|(a, join, b)| format!("not ({a} {join} {b})")),
            (inner.clone(), join(), inner.clone(), join(), inner)
                .prop_map(|(a, first, b, second, c)| format!("{a} {first} ({b} {second} {c})")),
        ]
    })
}
