//! Texts of `/proc` that tell how loaded a host is. What is not as expected is not there: no text is an error.

use std::path::PathBuf;

/// The microseconds of `some` in a text of `/proc/pressure`, or of a cgroup's `cpu.pressure`.
pub(super) fn pressure_some(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// Ticks that the hypervisor took from all CPUs, of `/proc/stat`.
pub(super) fn steal_ticks(text: &str) -> Option<u64> {
    // user nice system idle iowait irq softirq steal
    text.lines().find_map(|line| line.strip_prefix("cpu "))?.split_whitespace().nth(7)?.parse().ok()
}

/// Whether anybody counts the time stolen from this machine: on a real one nothing is; in a guest the hypervisor has to, and then it has a clock
/// for its guests, too (`clocks` is `available_clocksource`), or has been seen to steal. Where it does not, the count stays at 0 whatever it takes.
pub(super) fn counts_steal(is_guest: bool, clocks: &str, ticks: u64) -> bool {
    let has_clock = |name: &str| name.starts_with("kvm-clock") || name.starts_with("xen") || name.starts_with("hyperv");
    !is_guest || ticks > 0 || clocks.split_whitespace().any(has_clock)
}

/// What `/proc/net/softnet_stat` has counted for one CPU, in 32 bits that turn over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Softnet {
    pub(super) dropped: u32,
    pub(super) squeezed: u32,
}

/// Each CPU's line of `/proc/net/softnet_stat`.
pub(super) fn softnet(text: &str) -> Option<Vec<Softnet>> {
    let line = |line: &str| {
        // processed dropped time_squeeze ...
        let mut words = line.split_whitespace().skip(1).map(|word| u32::from_str_radix(word, 16).ok());
        Some(Softnet { dropped: words.next()??, squeezed: words.next()?? })
    };
    text.lines().map(line).collect::<Option<Vec<_>>>().filter(|lines| !lines.is_empty())
}

/// Nanoseconds that a thread was ready and did not run, of its `schedstat`.
pub(super) fn run_delay(text: &str) -> Option<u64> {
    text.split_whitespace().nth(1)?.parse().ok()
}

/// The cgroup of version 2 in `/proc/PID/cgroup`.
pub(super) fn cgroup2(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// Where cgroups of version 2 are mounted, of `/proc/PID/mountinfo`.
pub(super) fn cgroup2_mount(text: &str) -> Option<PathBuf> {
    text.lines().find_map(|line| {
        // id parent major:minor root mount-point options... - type source options
        let (before, after) = line.split_once(" - ")?;
        (after.split_whitespace().next()? == "cgroup2").then(|| before.split_whitespace().nth(4).map(PathBuf::from))?
    })
}

/// `/proc/cpuinfo` says that there is a hypervisor below. That of ARM does not tell.
pub(super) fn has_hypervisor(text: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|word| word == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_of_the_kernel_are_read() {
        let pressure = "some avg10=16.35 avg60=15.85 avg300=45.21 total=1202877738\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        assert_eq!(pressure_some(pressure), Some(1_202_877_738));
        assert_eq!(pressure_some("full avg10=0.00 total=5\n"), None);
        let stat = "cpu  284307 3724 43929 30308 1477 0 779 4497 0 0\ncpu0 141917 1806 20968 17195 470 0 83 2083 0 0\nintr 1\n";
        assert_eq!(steal_ticks(stat), Some(4497));
        assert_eq!(steal_ticks("cpu  1 2 3 4\n"), None, "of a kernel that does not count it");
        let net = "00001042 00000002 0000000a 0\n00002843 ffffffff 00000001 0\n";
        let (one, two) = (Softnet { dropped: 2, squeezed: 10 }, Softnet { dropped: u32::MAX, squeezed: 1 });
        assert_eq!(softnet(net), Some(vec![one, two]));
        assert_eq!(run_delay("0 93645 1\n"), Some(93_645));
        assert_eq!(cgroup2("5:cpu:/x\n0::/a/b\n"), Some("/a/b"));
        let mounts = "30 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      31 23 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(cgroup2_mount(mounts), Some("/sys/fs/cgroup/unified".into()));
        assert!(
            has_hypervisor("flags\t\t: fpu hypervisor lahf_lm\n")
                && !has_hypervisor("flags : fpu\nname : hypervisor\n")
        );
    }

    #[test]
    fn steal_that_nobody_counts_is_not_none() {
        // A guest of QEMU without KVM, one with it, and a real machine.
        assert!(!counts_steal(true, "tsc hpet acpi_pm \n", 0));
        assert!(
            counts_steal(true, "tsc kvm-clock \n", 0) && counts_steal(true, "hyperv_clocksource_tsc_page acpi_pm\n", 0)
        );
        assert!(counts_steal(false, "tsc hpet acpi_pm \n", 0));
        assert!(counts_steal(true, "tsc\n", 1), "it was seen to be counted");
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "(cpu |some |total=|0::| - cgroup2|flags|[0-9a-f]{0,9}|[ \n]|\\PC){0,40}") {
            let _ = (pressure_some(&text), steal_ticks(&text), softnet(&text), run_delay(&text));
            let _ = (cgroup2(&text), cgroup2_mount(&text), has_hypervisor(&text));
        }
    }
}
