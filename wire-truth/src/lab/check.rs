//! What this machine can do, and what is missing.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use super::cgroup;
use super::tool::{line, output, package};

/// Something that a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: String,
    /// Whether it is there.
    pub ok: bool,
    /// What was found, or what to do.
    pub detail: String,
    /// Without it nothing runs; else some cells do not, or not as they should.
    pub needed: bool,
}

/// Looks for all that a run needs. Changes nothing that stays.
pub fn check() -> Vec<Finding> {
    let may = geteuid().is_root() || output(&mut unshared("true")).is_ok();
    let as_root =
        "run as root, or let users have namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)";
    let mut found = vec![one("root, or namespaces of users", may, as_root, true)];
    for program in ["unshare", "nsenter", "taskset", "chrt", "ip", "tc", "ethtool", "ss"] {
        let there = Command::new(program)
            .arg("--help")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok();
        let needed = !matches!(program, "chrt" | "ss");
        found.push(one(program, there, &format!("install {}", package(program)), needed));
    }
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    found.push(one(
        "two processors",
        cpus > 1,
        &format!("{cpus} here: system and tap would share one, and disturb each other"),
        false,
    ));
    let groups = cgroup::of_run("");
    found.push(one(
        "cgroups",
        !groups.is_empty(),
        "no cpu controller is mounted: containers would have process namespaces only",
        false,
    ));
    if found.iter().all(|one| one.ok || !one.needed) {
        for (what, words) in [
            ("veth", "ip link add lab0 type veth peer name lab1"),
            ("bridge", "ip link add lab2 type bridge"),
            ("tbf", "tc qdisc add dev lo root tbf rate 100mbit burst 4k limit 100k"),
            ("htb", "tc qdisc replace dev lo root handle 1: htb default 10"),
            ("clsact", "tc qdisc add dev lo clsact"),
            (
                "u32, mirred",
                "tc qdisc add dev lo clsact && tc filter add dev lo ingress protocol all u32 match u32 0 0 action mirred egress redirect dev lo",
            ),
        ] {
            let done = output(&mut unshared(&format!("ip link set lo up; {words}")));
            let said = done.err().map_or_else(String::new, |error| error.to_string());
            found.push(one(what, said.is_empty(), &format!("the kernel refuses it: {said}"), true));
        }
    }
    let control = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap_or_default();
    found.push(one(
        "cubic",
        control.split_whitespace().any(|one| one == "cubic"),
        &format!("the kernel has {}: name one with --congestion", control.trim()),
        false,
    ));
    found.push(one(
        "pressure stall information",
        Path::new("/proc/pressure/cpu").exists(),
        "the kernel has none (CONFIG_PSI, psi=1): verdicts go without it",
        false,
    ));
    found
}

/// A line for a shell, in a network namespace that ends with it.
fn unshared(words: &str) -> Command {
    let users = if geteuid().is_root() { "" } else { "--user --map-root-user" };
    let mut command = line(&format!("unshare {users} --net --mount sh -c"));
    command.arg(words);
    command
}

fn one(what: &str, ok: bool, else_: &str, needed: bool) -> Finding {
    Finding { what: what.to_owned(), ok, detail: if ok { "there".to_owned() } else { else_.to_owned() }, needed }
}
