//! The command line of QEMU: one small machine with a network card on a tap, a port for the agent and a serial console.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::accel::Accel;
use super::initramfs::AGENT;

pub(crate) const QEMU: &str = "qemu-system-x86_64";
pub(crate) const QEMU_PACKAGE: &str = "qemu-system-x86";

/// What a guest boots with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GuestConfig {
    /// The kernel ([`GuestFiles::kernel`](super::GuestFiles::kernel)).
    pub kernel: PathBuf,
    /// What [`Initramfs::write`](super::Initramfs::write) has written. QEMU reads it while it starts, and not after [`Guest::wait_up`](super::Guest::wait_up).
    pub initramfs: PathBuf,
    /// Memory in MiB. Files in the guest are in it too.
    pub memory_mib: u32,
    /// The name of a tap device in the network namespace of the thread that boots the guest.
    pub tap: String,
    /// The address of the guest's card, as `52:54:00:12:34:56`.
    pub mac: String,
    /// The guest's address at `eth0`.
    pub address: Ipv4Addr,
    /// Bits of the network in that.
    pub prefix: u8,
    /// Where its other packets go.
    pub gateway: Option<Ipv4Addr>,
    /// How instructions are run.
    pub accel: Accel,
    /// A command with its arguments that is put before QEMU's own, and that becomes it by exec: `taskset -c 0`, for instance.
    pub before: Vec<OsString>,
    /// A file, or a block device, that is the guest's disk, `/dev/vda`; busybox makes file systems (`mke2fs`).
    pub disk: Option<PathBuf>,
    /// How long it may take to come up.
    pub patience: Duration,
}

impl GuestConfig {
    /// One of 192 MiB, emulated, that may take 120 s to come up.
    pub fn new(kernel: impl Into<PathBuf>, initramfs: impl Into<PathBuf>, tap: &str, address: Ipv4Addr) -> Self {
        // Locally administered, as QEMU's own are, and as different as the addresses are.
        let [_, b, c, d] = address.octets();
        Self {
            kernel: kernel.into(),
            initramfs: initramfs.into(),
            memory_mib: 192,
            tap: tap.to_owned(),
            mac: format!("52:54:00:{b:02x}:{c:02x}:{d:02x}"),
            address,
            prefix: 24,
            gateway: None,
            accel: Accel::Tcg,
            before: Vec::new(),
            disk: None,
            patience: Duration::from_secs(120),
        }
    }

    /// The command that runs the guest: the agent's port is its standard input and output, the console its standard error.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.before.iter().cloned().chain([QEMU.into()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        // The processor that QEMU shows by default: with KVM, too, it is the one that was timed.
        let accel = if self.accel == Accel::Kvm { "kvm" } else { "tcg" };
        command.arg("-machine").arg(format!("q35,accel={accel}")).arg("-m").arg(self.memory_mib.to_string());
        // Nothing of the user's settings, no devices but these, and an end where there would be a new start.
        command.args(["-smp", "1", "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"]);
        command.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initramfs);
        command.arg("-append").arg(self.kernel_line());
        command.args(["-serial", "file:/dev/stderr"]);
        command.args(["-chardev", "stdio,id=agent,signal=off", "-device", "virtio-serial-pci"]);
        command.args(["-device", "virtserialport,chardev=agent,name=wiretruth"]);
        let tap = format!("tap,id=net,ifname={},script=no,downscript=no,vhost=off", self.tap);
        command.arg("-netdev").arg(tap);
        command.arg("-device").arg(format!("virtio-net-pci,netdev=net,romfile=,mac={}", self.mac));
        if let Some(disk) = &self.disk {
            let mut drive = OsString::from("if=none,id=disk,format=raw,cache=writeback,file=");
            // A comma in a value is written twice.
            drive.push(disk.to_string_lossy().replace(',', ",,"));
            command.arg("-drive").arg(drive).args(["-device", "virtio-blk-pci,drive=disk"]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What the kernel is told: where its console is, to end and not to hang where it cannot go on, and what its first process is.
    /// Nothing of its own is to be on the link, so IPv6 is off. On a busy host an emulated timer is late: it is not to be taken for
    /// a broken one while the kernel boots, nor the clock for an unstable one in the midst of a measurement.
    fn kernel_line(&self) -> String {
        let line = "console=ttyS0 loglevel=4 panic=-1 no_timer_check tsc=nowatchdog ipv6.disable=1";
        format!("{line} rdinit={AGENT} -- lab guest-agent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_is_in_the_command() {
        let mut config = GuestConfig::new("/k", "/i", "t7", Ipv4Addr::new(10, 1, 2, 255));
        config.before = ["taskset".into(), "-c".into(), "0".into()].into();
        config.disk = Some("/a,b".into());
        let command = config.command();
        let words: Vec<_> = command.get_args().map(|word| word.to_str().unwrap()).collect();
        assert_eq!((command.get_program().to_str(), &words[..3]), (Some("taskset"), &["-c", "0", QEMU][..]));
        for word in [
            "q35,accel=tcg",
            "192",
            "tap,id=net,ifname=t7,script=no,downscript=no,vhost=off",
            "virtio-net-pci,netdev=net,romfile=,mac=52:54:00:01:02:ff",
            "if=none,id=disk,format=raw,cache=writeback,file=/a,,b",
        ] {
            assert!(words.contains(&word), "{word} in {words:?}");
        }
        config.before.clear();
        (config.accel, config.disk) = (Accel::Kvm, None);
        let command = config.command();
        assert_eq!(command.get_program(), QEMU);
        let words: Vec<_> = command.get_args().collect();
        assert!(words.iter().any(|word| *word == "q35,accel=kvm") && !words.iter().any(|word| *word == "-drive"));
    }
}
