//! libpcap's compiler, opened at run time.
//!
//! This is the one module of the filter with `unsafe` in it. Nothing of libpcap is needed to build; the six functions used are declared
//! here from their manual pages (`pcap_open_dead(3PCAP)`, `pcap_compile(3PCAP)`, `pcap_lib_version(3PCAP)`), and have been the same since libpcap 0.8.
//! Programs are copied out and run by our own machine.

use std::ffi::{CStr, CString, c_char, c_int, c_uint};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, OnceLock, PoisonError};

use libloading::Library;

use super::super::Instruction;
use crate::pcap::LinkType;

/// Names under which libpcap is installed: by others, by Debian, without a version by developers.
#[cfg(not(target_vendor = "apple"))]
const NAMES: [&str; 3] = ["libpcap.so.1", "libpcap.so.0.8", "libpcap.so"];
#[cfg(target_vendor = "apple")]
const NAMES: [&str; 2] = ["libpcap.A.dylib", "libpcap.dylib"];

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy)]
struct BpfInsn {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// `struct bpf_program`.
#[repr(C)]
struct BpfProgram {
    len: c_uint,
    insns: *mut BpfInsn,
}

/// `pcap_t`, which only libpcap looks into.
#[repr(C)]
struct Pcap {
    _private: [u8; 0],
    /// It is for one thread at a time.
    _thread: PhantomData<*mut u8>,
}

/// The functions, and the library they are in, which is never unloaded.
pub(super) struct Libpcap {
    open_dead: unsafe extern "C" fn(c_int, c_int) -> *mut Pcap,
    compile: unsafe extern "C" fn(*mut Pcap, *mut BpfProgram, *const c_char, c_int, u32) -> c_int,
    free_code: unsafe extern "C" fn(*mut BpfProgram),
    get_error: unsafe extern "C" fn(*mut Pcap) -> *mut c_char,
    close: unsafe extern "C" fn(*mut Pcap),
    version: unsafe extern "C" fn() -> *const c_char,
    /// The compiler of libpcap before 1.8 keeps its state in globals.
    one_at_a_time: Mutex<()>,
    _library: Library,
}

impl Libpcap {
    /// libpcap, opened when first asked for; `None` where it is not there.
    pub(super) fn get() -> Option<&'static Libpcap> {
        static LIBPCAP: OnceLock<Option<Libpcap>> = OnceLock::new();
        LIBPCAP.get_or_init(Libpcap::open).as_ref()
    }

    fn open() -> Option<Libpcap> {
        let library = NAMES.iter().find_map(|name| {
            // SAFETY: loading runs the initialisers of the system's libpcap and of what it is linked to, as linking to it
            // would; they ask nothing of us. The name has no path in it, so it is found where the system's libraries are, or
            // where whoever runs this program says by LD_LIBRARY_PATH.
            let opened = unsafe { Library::new(name) };
            opened.map_err(|error| log::debug!("{name}: {error}")).ok()
        })?;
        Libpcap::from(library).map_err(|error| log::debug!("libpcap lacks a function: {error}")).ok()
    }

    fn from(library: Library) -> Result<Libpcap, libloading::Error> {
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: a library of this name exports these functions with the types that libpcap's manual pages declare, which
                // the fields of `Libpcap` repeat. The pointer is used only while `_library`, which stands beside it, lives.
                *unsafe { library.get($name) }?
            };
        }
        Ok(Libpcap {
            open_dead: function!(b"pcap_open_dead\0"),
            compile: function!(b"pcap_compile\0"),
            free_code: function!(b"pcap_freecode\0"),
            get_error: function!(b"pcap_geterr\0"),
            close: function!(b"pcap_close\0"),
            version: function!(b"pcap_lib_version\0"),
            one_at_a_time: Mutex::new(()),
            _library: library,
        })
    }

    /// What the library calls itself.
    pub(super) fn version(&self) -> String {
        // SAFETY: it takes nothing and gives a string that lives as long as the library.
        let text = unsafe { (self.version)() };
        if text.is_null() {
            return "libpcap".to_owned();
        }
        // SAFETY: as the manual page says, a string ended by NUL, not null as was just seen.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }

    /// Compiles `expression` as tcpdump does for a file of this link type. The error is libpcap's message.
    pub(super) fn compile(
        &self,
        expression: &str,
        link_type: LinkType,
        snaplen: u32,
    ) -> Result<Vec<Instruction>, String> {
        let text = CString::new(expression).map_err(|_| "it contains a NUL byte".to_owned())?;
        let _guard = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let snaplen = c_int::try_from(snaplen).unwrap_or(c_int::MAX);
        // SAFETY: two numbers; any are allowed.
        let handle = unsafe { (self.open_dead)(dlt(link_type), snaplen) };
        let handle = Handle { library: self, pcap: NonNull::new(handle).ok_or("out of memory")? };
        let mut program = BpfProgram { len: 0, insns: ptr::null_mut() };
        // tcpdump compiles with the netmask 0 when it reads a file, and optimises.
        let (optimise, netmask) = (1, 0);
        // SAFETY: the handle is open, the string ends in NUL, `program` is ours to be filled, and all live until the call
        // returns. The lock keeps other threads out of libpcap's compiler, as far as they come through here.
        let result = unsafe { (self.compile)(handle.pcap.as_ptr(), &mut program, text.as_ptr(), optimise, netmask) };
        if result != 0 {
            return Err(handle.error());
        }
        let instructions = match (program.insns.is_null(), usize::try_from(program.len)) {
            (false, Ok(len)) => {
                // SAFETY: after success `insns` points to `len` instructions, which are libpcap's to keep until `pcap_freecode`
                // below; nobody writes them meanwhile.
                let lent = unsafe { std::slice::from_raw_parts(program.insns, len) };
                lent.iter().map(|one| Instruction { code: one.code, jt: one.jt, jf: one.jf, k: one.k }).collect()
            }
            _ => Vec::new(),
        };
        // SAFETY: filled by a compilation that succeeded, and freed this once.
        unsafe { (self.free_code)(&mut program) };
        Ok(instructions)
    }
}

#[cfg(test)]
impl Libpcap {
    /// Runs instructions that are a verified program, without jumps backward, by libpcap's `bpf_filter`.
    pub(super) fn run(&self, instructions: &[Instruction], packet: &[u8], wire_len: u32) -> Option<u32> {
        type Run = unsafe extern "C" fn(*const BpfInsn, *const u8, c_uint, c_uint) -> c_uint;
        // SAFETY: libpcap exports it with this type.
        let run: libloading::Symbol<'_, Run> = unsafe { self._library.get(b"bpf_filter\0") }.ok()?;
        let raw = |one: &Instruction| BpfInsn { code: one.code, jt: one.jt, jf: one.jf, k: one.k };
        let raw: Vec<BpfInsn> = instructions.iter().map(raw).collect();
        let captured = c_uint::try_from(packet.len()).ok()?;
        // SAFETY: the program ends inside itself, and the packet has as many bytes as are said.
        Some(unsafe { run(raw.as_ptr(), packet.as_ptr(), wire_len, captured) })
    }
}

/// A handle that is closed at the end.
struct Handle<'a> {
    library: &'a Libpcap,
    pcap: NonNull<Pcap>,
}

impl Handle<'_> {
    fn error(&self) -> String {
        // SAFETY: the handle is open.
        let text = unsafe { (self.library.get_error)(self.pcap.as_ptr()) };
        if text.is_null() {
            return "refused without a reason".to_owned();
        }
        // SAFETY: a string ended by NUL inside the handle, which is open and used by nobody else until it is copied.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        // SAFETY: opened by `pcap_open_dead`, and closed this once.
        unsafe { (self.library.close)(self.pcap.as_ptr()) };
    }
}

/// The number that libpcap has for a link type where it differs from that in files: two old ones do.
fn dlt(link_type: LinkType) -> c_int {
    match link_type {
        LinkType::RAW if cfg!(target_os = "openbsd") => 14,
        LinkType::RAW => 12,
        LinkType::ATM_RFC1483 => 11,
        // Numbers of link types are below 2^16.
        LinkType(number) => c_int::try_from(number).unwrap_or(c_int::MAX),
    }
}
