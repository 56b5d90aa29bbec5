//! Calls to our libdag in any order, with any arguments: none crashes, `errno` tells of each failure, a stream has one owner, and what an
//! advance lends stays where it is and is whole records.

#![allow(unsafe_code, reason = "calls as a C program makes them")]

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Once;

use abi_under_fuzz as _;
use arbitrary::{Arbitrary, Unstructured};

const EAGAIN: i32 = 11;
const EBADF: i32 = 9;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const ENOMEM: i32 = 12;

/// Two receive streams and one without memory, two transmit streams, packets without end.
const CARDS: &str = "dag0=synthetic,rate=max,memory=1MiB,streams=2,bare_streams=1,tx=loop,tx_streams=2;\
                     dag16=none,memory=1MiB,reverse=on";

const RING: usize = 1 << 20;

#[repr(C)]
struct Timeval {
    seconds: i64,
    micros: i64,
}

unsafe extern "C" {
    fn dag_parse_name(name: *const c_char, buffer: *mut c_char, size: c_int, stream: *mut c_int) -> c_int;
    fn dag_open(name: *const c_char) -> c_int;
    fn dag_close(fd: c_int) -> c_int;
    fn dag_configure(fd: c_int, settings: *const c_char) -> c_int;
    fn dag_info(fd: c_int) -> *mut c_void;
    fn dag_pciinfo(fd: c_int) -> *mut c_void;
    fn dag_rx_get_stream_count(fd: c_int) -> c_int;
    fn dag_get_stream_erf_types(fd: c_int, stream: c_int, types: *mut u8, size: c_int) -> c_int;
    fn dag_get_stream_buffer_size64(fd: c_int, stream: c_int) -> i64;
    fn dag_get_stream_buffer_level64(fd: c_int, stream: c_int) -> i64;
    fn dag_set_mode(fd: c_int, stream: c_int, mode: u32) -> c_int;
    fn dag_attach_stream64(fd: c_int, stream: c_int, flags: u32, window: u64) -> c_int;
    fn dag_detach_stream(fd: c_int, stream: c_int) -> c_int;
    fn dag_start_stream(fd: c_int, stream: c_int) -> c_int;
    fn dag_stop_stream(fd: c_int, stream: c_int) -> c_int;
    fn dag_get_stream_poll64(
        fd: c_int,
        stream: c_int,
        least: *mut u64,
        most: *mut Timeval,
        poll: *mut Timeval,
    ) -> c_int;
    fn dag_set_stream_poll64(fd: c_int, stream: c_int, least: u64, most: *mut Timeval, poll: *mut Timeval) -> c_int;
    fn dag_advance_stream(fd: c_int, stream: c_int, bottom: *mut *mut u8) -> *mut u8;
    fn dag_rx_stream_next_record(fd: c_int, stream: c_int) -> *mut u8;
    fn dag_rx_stream_next_inline(fd: c_int, rx: c_int, tx: c_int) -> *mut u8;
    fn dag_tx_get_stream_space64(fd: c_int, stream: c_int, size: u64) -> *mut u8;
    fn dag_tx_stream_commit_bytes64(fd: c_int, stream: c_int, size: u64) -> *mut u8;
    fn dag_tx_stream_copy_bytes64(fd: c_int, stream: c_int, source: *mut u8, size: u64) -> i64;
    fn dag_config_init(name: *const c_char) -> *mut c_void;
    fn dag_config_dispose(card: *mut c_void);
    fn dag_config_get_card_fd(card: *mut c_void) -> c_int;
    fn dag_config_get_root_component(card: *mut c_void) -> *mut c_void;
    fn dag_component_get_subcomponent(part: *mut c_void, code: u32, index: c_int) -> *mut c_void;
    fn dag_component_get_config_attribute_uuid(part: *mut c_void, code: u32) -> u64;
    fn dag_config_get_uint32_attribute_ex(card: *mut c_void, uuid: u64, value: *mut u32) -> u32;
    fn dag_config_set_uint32_attribute(card: *mut c_void, uuid: u64, value: u32) -> u32;
    fn dag_config_get_attribute_to_string(card: *mut c_void, uuid: u64) -> *const c_char;
    fn __errno_location() -> *mut c_int;
}

/// One call. Descriptors and streams are small numbers, so that calls meet.
#[derive(Debug, Arbitrary)]
enum Call {
    Open,
    OpenOther,
    Close(u8),
    Attach(u8, i8),
    Detach(u8, i8),
    Start(u8, i8),
    Stop(u8, i8),
    Advance(u8, i8, Give),
    NextRecord(u8, i8),
    NextInline(u8, i8, i8),
    SetPoll { fd: u8, stream: i8, least: u32, micros: u8 },
    GetPoll(u8, i8),
    Space { fd: u8, stream: i8, size: Size },
    Commit { fd: u8, stream: i8, size: Size },
    Copy { fd: u8, stream: i8, bytes: Vec<u8> },
    Scribble { stream: i8, at: u16, byte: u8 },
    Level(u8, i8),
    Memory(u8, i8),
    Types(u8, i8, i8),
    Mode(u8, i8, u8),
    Configure(u8, String),
    Name(String),
    About(u8),
    Config { code: u32, index: i8, attribute: u32, value: u32 },
    Garbage(u64, u64),
}

/// What is given back of a window.
#[derive(Debug, Arbitrary)]
enum Give {
    Null,
    Nothing,
    All,
    Records(u8),
    Beyond(u16),
    Nonsense(u64),
}

#[derive(Debug, Arbitrary)]
enum Size {
    Record(u8),
    Any(u32),
    Huge(u64),
}

impl Size {
    fn bytes(&self) -> u64 {
        match *self {
            Self::Record(words) => 16 + 8 * u64::from(words),
            Self::Any(bytes) => bytes.into(),
            Self::Huge(bytes) => bytes,
        }
    }
}

/// What a program knows of a stream that it owns.
#[derive(Clone, Copy)]
struct Owned {
    by: usize,
    started: bool,
    was_started: bool,
    bottom: *mut u8,
    len: usize,
    /// The program has written over records, or taken them one by one: it is not to expect whole ones.
    is_spoilt: bool,
    room: *mut u8,
    room_len: usize,
}

/// The program: descriptors of card 0 by their place, and who owns which of its streams.
struct Program {
    fds: [Option<c_int>; 3],
    owned: [Option<Owned>; 8],
}

fn errno() -> i32 {
    // SAFETY: the C library gives each thread a place of its own.
    unsafe { *__errno_location() }
}

fn clear_errno() {
    // SAFETY: as above.
    unsafe { *__errno_location() = 0 };
}

/// Runs the calls that `data` describes.
///
/// # Panics
///
/// When an answer is not that of the contract.
pub fn check(data: &[u8]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: before any thread but this one is there.
        unsafe { std::env::set_var("DAG_EMU_CARDS", CARDS) };
    });
    let mut input = Unstructured::new(data);
    let mut program = Program { fds: [None; 3], owned: [None; 8] };
    // Half of the programs begin as programs do, so that there is something to disturb.
    if data.first().is_some_and(|first| first % 2 == 0) {
        program.begin();
    }
    for _ in 0..64 {
        match Call::arbitrary(&mut input) {
            Ok(call) if !input.is_empty() => program.call(call),
            _ => break,
        }
    }
    for fd in program.fds.into_iter().flatten() {
        // SAFETY: a number.
        assert_eq!(unsafe { dag_close(fd) }, 0);
    }
}

impl Program {
    /// A card, a stream that receives and one that sends, and packets in the window.
    fn begin(&mut self) {
        self.call(Call::Open);
        for stream in [0, 1] {
            self.call(Call::Attach(0, stream));
            self.call(Call::SetPoll { fd: 0, stream, least: 160, micros: 200 });
            self.call(Call::Start(0, stream));
        }
        for _ in 0..100 {
            self.call(Call::Advance(0, 0, Give::Nothing));
            if self.owned[0].is_some_and(|owned| owned.len > 0) {
                return;
            }
        }
    }

    /// The descriptor at a place, -1 where there is none.
    fn fd(&self, place: u8) -> (usize, c_int) {
        let place = usize::from(place) % 4;
        (place, self.fds.get(place).copied().flatten().unwrap_or(-1))
    }

    /// The stream `number` as the owner at `place` knows it.
    fn mine(&mut self, place: usize, number: i8) -> Option<&mut Owned> {
        let owned = self.owned.get_mut(usize::try_from(number).ok()?)?.as_mut();
        owned.filter(|owned| owned.by == place)
    }

    /// What a call on a stream that is not this program's fails with.
    fn refused(fd: c_int) -> i32 {
        if fd < 0 { EBADF } else { EINVAL }
    }

    #[allow(clippy::too_many_lines, reason = "a list")]
    fn call(&mut self, call: Call) {
        clear_errno();
        match call {
            Call::Open => {
                let Some(place) = self.fds.iter().position(Option::is_none) else { return };
                // SAFETY: a C string.
                let fd = unsafe { dag_open(c"/dev/dag0".as_ptr()) };
                assert!(fd >= 0, "{}", errno());
                self.fds[place] = Some(fd);
            }
            Call::OpenOther => {
                // SAFETY: C strings.
                let fd = unsafe { dag_open(c"dag16".as_ptr()) };
                assert!(fd >= 0);
                // SAFETY: a number.
                unsafe { dag_close(fd) };
                // SAFETY: a C string, and none.
                assert!(unsafe { dag_open(c"/dev/dag7".as_ptr()) } == -1 && errno() != 0);
                // SAFETY: as above.
                assert_eq!(unsafe { dag_open(ptr::null()) }, -1);
            }
            Call::Close(place) => {
                let (place, fd) = self.fd(place);
                // SAFETY: what it has lent is forgotten.
                let closed = unsafe { dag_close(fd) };
                if fd < 0 {
                    assert!(closed == -1 && errno() == EBADF);
                } else {
                    self.fds[place] = None;
                    self.owned
                        .iter_mut()
                        .filter(|one| one.is_some_and(|one| one.by == place))
                        .for_each(|one| *one = None);
                }
            }
            Call::Attach(place, number) => {
                let (place, fd) = self.fd(place);
                // SAFETY: numbers.
                let attached = unsafe { dag_attach_stream64(fd, number.into(), 0, 0) };
                let expected = match number {
                    _ if fd < 0 => EBADF,
                    4 => ENOMEM,
                    0..=3 => match self.owned[number as usize] {
                        Some(owned) if owned.by != place => EBUSY,
                        _ => 0,
                    },
                    _ => EINVAL,
                };
                assert_eq!(if attached == 0 { 0 } else { errno() }, expected, "attach {number}");
                if attached == 0 && self.mine(place, number).is_none() {
                    self.owned[number as usize] = Some(Owned {
                        by: place,
                        started: false,
                        was_started: false,
                        bottom: ptr::null_mut(),
                        len: 0,
                        is_spoilt: false,
                        room: ptr::null_mut(),
                        room_len: 0,
                    });
                }
            }
            Call::Detach(place, number) => {
                let (place, fd) = self.fd(place);
                // SAFETY: what it has lent is forgotten.
                let done = unsafe { dag_detach_stream(fd, number.into()) };
                self.succeeds_if_mine(place, fd, number, done);
                if done == 0 {
                    self.owned[number as usize] = None;
                }
            }
            Call::Start(place, number) => {
                let (place, fd) = self.fd(place);
                // SAFETY: numbers.
                let done = unsafe { dag_start_stream(fd, number.into()) };
                self.succeeds_if_mine(place, fd, number, done);
                if let Some(owned) = self.mine(place, number) {
                    if !owned.started {
                        (owned.bottom, owned.len) = (ptr::null_mut(), 0);
                    }
                    (owned.started, owned.was_started) = (true, true);
                }
            }
            Call::Stop(place, number) => {
                let (place, fd) = self.fd(place);
                // SAFETY: numbers.
                let done = unsafe { dag_stop_stream(fd, number.into()) };
                self.succeeds_if_mine(place, fd, number, done);
                if let Some(owned) = self.mine(place, number) {
                    (owned.started, owned.room_len) = (false, 0);
                }
            }
            Call::Advance(place, number, give) => self.advance(place, number, &give),
            Call::NextRecord(place, number) => {
                let (place, fd) = self.fd(place);
                // SAFETY: numbers.
                let record = unsafe { dag_rx_stream_next_record(fd, number.into()) };
                self.took_one(place, fd, number, record);
            }
            Call::NextInline(place, rx, tx) => {
                let (place, fd) = self.fd(place);
                // SAFETY: numbers.
                let record = unsafe { dag_rx_stream_next_inline(fd, rx.into(), tx.into()) };
                if let Some(owned) = self.mine(place, tx) {
                    owned.room_len = 0;
                }
                if record.is_null() {
                    assert_ne!(errno(), 0);
                }
                if let Some(owned) = self.mine(place, rx) {
                    (owned.bottom, owned.len, owned.is_spoilt) = (ptr::null_mut(), 0, true);
                }
            }
            Call::SetPoll { fd, stream, least, micros } => {
                let (place, fd) = self.fd(fd);
                // A wait without an end would be one here as well.
                let (mut most, mut poll) = (time(i64::from(micros) + 1), time(100));
                // SAFETY: two places.
                let done = unsafe { dag_set_stream_poll64(fd, stream.into(), least.into(), &mut most, &mut poll) };
                self.succeeds_if_mine(place, fd, stream, done);
                let (mut got, mut most, mut poll) = (0, time(0), time(0));
                // SAFETY: three places.
                let asked = unsafe { dag_get_stream_poll64(fd, stream.into(), &mut got, &mut most, &mut poll) };
                if done == 0 {
                    assert_eq!((asked, got, most.seconds, most.micros), (0, least.into(), 0, i64::from(micros) + 1));
                }
            }
            Call::GetPoll(place, number) => {
                let (place, fd) = self.fd(place);
                let (mut got, mut most, mut poll) = (0, time(0), time(0));
                // SAFETY: three places.
                let done = unsafe { dag_get_stream_poll64(fd, number.into(), &mut got, &mut most, &mut poll) };
                self.succeeds_if_mine(place, fd, number, done);
            }
            Call::Space { fd, stream, size } => self.space(fd, stream, size.bytes()),
            Call::Commit { fd, stream, size } => self.commit(fd, stream, size.bytes()),
            Call::Copy { fd, stream, mut bytes } => {
                let (_, fd) = self.fd(fd);
                // Parts of a record whose rest never comes take the room of the next ones, for ten seconds a call.
                bytes.truncate(256);
                // SAFETY: as many bytes.
                let done =
                    unsafe { dag_tx_stream_copy_bytes64(fd, stream.into(), bytes.as_mut_ptr(), bytes.len() as u64) };
                assert!(done >= 0 || errno() != 0);
            }
            Call::Scribble { stream, at, byte } => {
                let owned = usize::try_from(stream).ok().and_then(|stream| self.owned.get_mut(stream)?.as_mut());
                if let Some(owned) = owned.filter(|owned| usize::from(at) < owned.len) {
                    // SAFETY: within the window, which may be written (contract, section 2.5).
                    unsafe { owned.bottom.add(at.into()).write_volatile(byte) };
                    owned.is_spoilt = true;
                }
            }
            Call::Level(place, number) => {
                let (place, fd) = self.fd(place);
                // SAFETY: numbers.
                let level = unsafe { dag_get_stream_buffer_level64(fd, number.into()) };
                self.succeeds_if_mine(place, fd, number, level.min(0) as c_int);
            }
            Call::Memory(place, number) => {
                let (_, fd) = self.fd(place);
                // SAFETY: numbers.
                let size = unsafe { dag_get_stream_buffer_size64(fd, number.into()) };
                match number {
                    _ if fd < 0 => assert!(size == -1 && errno() == EBADF),
                    0..=3 => assert_eq!(size, RING as i64),
                    4 => assert_eq!(size, 0),
                    _ => assert!(size == -1 && errno() == EINVAL),
                }
                // SAFETY: a number.
                let count = unsafe { dag_rx_get_stream_count(fd) };
                assert_eq!(count, if fd < 0 { -1 } else { 3 });
            }
            Call::Types(place, number, size) => {
                let (_, fd) = self.fd(place);
                let mut types = [0xEE; 128];
                // SAFETY: room for as many.
                let count = unsafe { dag_get_stream_erf_types(fd, number.into(), types.as_mut_ptr(), size.into()) };
                assert!(count >= 0 || errno() != 0);
                let room = usize::try_from(size).unwrap_or(0);
                assert!(types[room..].iter().all(|byte| *byte == 0xEE), "written behind its room");
            }
            Call::Mode(place, number, mode) => {
                let (_, fd) = self.fd(place);
                // SAFETY: numbers.
                let done = unsafe { dag_set_mode(fd, number.into(), mode.into()) };
                assert!(done == 0 || errno() != 0);
            }
            Call::Configure(place, settings) => {
                let (_, fd) = self.fd(place);
                let settings = format!("{}\0", settings.replace('\0', ""));
                // SAFETY: a C string.
                let _ = unsafe { dag_configure(fd, settings.as_ptr().cast()) };
            }
            Call::Name(name) => {
                let name = format!("{}\0", name.replace('\0', ""));
                let (mut buffer, mut stream) = ([0x55; 32], -7);
                // SAFETY: a C string and places of the size that is told, but for the last byte.
                let done = unsafe { dag_parse_name(name.as_ptr().cast(), buffer.as_mut_ptr().cast(), 31, &mut stream) };
                assert_eq!(buffer[31], 0x55);
                assert!(done < 0 || stream >= 0 && buffer.starts_with(b"/dev/dag"));
            }
            Call::About(place) => {
                let (_, fd) = self.fd(place);
                // SAFETY: numbers.
                let (one, two) = unsafe { (dag_info(fd), dag_pciinfo(fd)) };
                assert_eq!((one.is_null(), two.is_null()), (fd < 0, fd < 0));
            }
            Call::Config { code, index, attribute, value } => configuration(code, index, attribute, value),
            Call::Garbage(one, two) => garbage(one, two),
        }
    }

    fn succeeds_if_mine(&mut self, place: usize, fd: c_int, number: i8, done: c_int) {
        match self.mine(place, number) {
            Some(_) => assert_eq!(done, 0, "stream {number}: errno {}", errno()),
            None => assert!(done == -1 && errno() == Self::refused(fd), "stream {number}: {done}, errno {}", errno()),
        }
    }

    fn advance(&mut self, place: u8, number: i8, give: &Give) {
        let (place, fd) = self.fd(place);
        let known = self.mine(place, number).copied();
        let Owned { bottom, len, .. } = known.unwrap_or(Owned {
            by: 0,
            started: false,
            was_started: false,
            bottom: ptr::null_mut(),
            len: 0,
            is_spoilt: true,
            room: ptr::null_mut(),
            room_len: 0,
        });
        let (mut begin, mut must_fail) = (bottom, false);
        match give {
            _ if bottom.is_null() => {}
            Give::Null => begin = ptr::null_mut(),
            Give::Nothing => {}
            Give::All => begin = bottom.wrapping_add(len),
            Give::Records(count) => begin = bottom.wrapping_add(records(bottom, len, (*count).into()).0),
            Give::Beyond(by) => {
                must_fail = len + usize::from(*by) < RING && *by > 0;
                begin = bottom.wrapping_add(len + usize::from(*by));
            }
            // It may be anywhere, in the window by chance.
            Give::Nonsense(address) => begin = *address as usize as *mut u8,
        }
        let given = begin;
        // SAFETY: what lies before it is not looked at any more; wrong ones are to be refused.
        let top = unsafe { dag_advance_stream(fd, number.into(), &mut begin) };
        let Some(owned) = self.mine(place, number).filter(|_| number % 2 == 0) else {
            assert!(top.is_null() && errno() == Self::refused(fd), "stream {number}: errno {}", errno());
            return;
        };
        if top.is_null() {
            let nonsense = matches!(give, Give::Nonsense(_));
            assert!(errno() == EINVAL && (must_fail || nonsense || !owned.started), "errno {}", errno());
            return;
        }
        assert!(!must_fail, "more was given back than was lent");
        assert!(owned.was_started, "before a start");
        let now = top.addr() - begin.addr();
        assert!(top >= begin && now <= RING);
        if let (Give::Nothing | Give::Records(_), false) = (give, bottom.is_null()) {
            let left = bottom.addr() + len - given.addr();
            let moved = begin.addr().abs_diff(given.addr());
            assert!(now >= left && moved % RING == 0, "{left} bytes were left, and {now} are there, moved by {moved}");
        }
        if len == 0 || matches!(give, Give::All) {
            owned.is_spoilt = false;
        }
        if !owned.is_spoilt {
            assert_eq!(records(begin, now, usize::MAX).0, now, "a window ends inside a record");
        }
        (owned.bottom, owned.len) = (begin, now);
        owned.is_spoilt |= matches!(give, Give::Nonsense(_));
    }

    fn took_one(&mut self, place: usize, fd: c_int, number: i8, record: *mut u8) {
        let Some(owned) = self.mine(place, number).filter(|_| number % 2 == 0) else {
            assert!(record.is_null() && errno() == Self::refused(fd), "stream {number}: errno {}", errno());
            return;
        };
        match record.is_null() {
            true => assert!(errno() == EAGAIN || errno() == EINVAL && !owned.started, "errno {}", errno()),
            false => {
                assert!(owned.was_started);
                let (len, count) = records(record, 16, 1);
                // The header is there, whatever the program has written into it.
                assert!(count <= 1 && len <= 16);
            }
        }
        // Where a window would begin now is not told.
        (owned.bottom, owned.len, owned.is_spoilt) = (ptr::null_mut(), 0, true);
    }

    fn space(&mut self, place: u8, number: i8, size: u64) {
        let (place, fd) = self.fd(place);
        // SAFETY: numbers.
        let room = unsafe { dag_tx_get_stream_space64(fd, number.into(), size) };
        let Some(owned) = self.mine(place, number).filter(|_| number % 2 == 1) else {
            assert!(room.is_null() && errno() == Self::refused(fd));
            return;
        };
        owned.room_len = 0;
        if room.is_null() {
            let never = !owned.started || size > RING as u64;
            assert_eq!(errno(), if never { EINVAL } else { EAGAIN }, "{size} bytes");
            return;
        }
        assert!(owned.started && size <= RING as u64);
        // SAFETY: room for as many bytes.
        unsafe { room.write_bytes(0xA5, size as usize) };
        (owned.room, owned.room_len) = (room, size as usize);
    }

    fn commit(&mut self, place: u8, number: i8, size: u64) {
        let (place, fd) = self.fd(place);
        if let Some(owned) = self.mine(place, number)
            && owned.room_len >= 16
            && let Ok(len) = u16::try_from(size)
        {
            // SAFETY: room for a header.
            unsafe { owned.room.add(10).copy_from_nonoverlapping(len.to_be_bytes().as_ptr(), 2) };
        }
        // SAFETY: numbers.
        let next = unsafe { dag_tx_stream_commit_bytes64(fd, number.into(), size) };
        let Some(owned) = self.mine(place, number).filter(|_| number % 2 == 1) else {
            assert!(next.is_null() && errno() == Self::refused(fd));
            return;
        };
        match next.is_null() {
            true => assert!(errno() == EINVAL && (!owned.started || size > owned.room_len as u64), "{size}"),
            false => assert!(owned.started),
        }
        owned.room_len = owned.room_len.saturating_sub(size.min(RING as u64) as usize);
        owned.room = next;
        if next.is_null() {
            owned.room_len = 0;
        }
    }
}

/// The configuration API, along its ways and beside them.
fn configuration(code: u32, index: i8, attribute: u32, value: u32) {
    // SAFETY: a C string.
    let card = unsafe { dag_config_init(c"dag0:2".as_ptr()) };
    assert!(!card.is_null());
    // SAFETY: the card is open.
    assert!(unsafe { dag_config_get_card_fd(card) } >= 0);
    // SAFETY: as above.
    let root = unsafe { dag_config_get_root_component(card) };
    assert!(!root.is_null());
    // Those of our headers are near these.
    let (code, attribute) = (0x0100 | code & 0x0F, (attribute & 0x0700) | attribute & 0x0F);
    // SAFETY: a part of the card.
    let part = unsafe { dag_component_get_subcomponent(root, code, index.into()) };
    for part in [root, part, ptr::null_mut()] {
        // SAFETY: a part of the card, or none.
        let uuid = unsafe { dag_component_get_config_attribute_uuid(part, attribute) };
        let mut got = 0;
        // SAFETY: the card is open, and a place for the value.
        let error = unsafe { dag_config_get_uint32_attribute_ex(card, uuid, &mut got) };
        assert!(uuid != 0 || error != 0);
        // SAFETY: as above. No card of this test is to be left with few bytes of each packet, or closed to packets.
        let set = unsafe { dag_config_set_uint32_attribute(card, uuid, value | 0xFF00) };
        assert!(uuid != 0 || set != 0);
        // SAFETY: as above.
        let _ = unsafe { dag_config_get_attribute_to_string(card, uuid) };
    }
    // SAFETY: it was just opened; the second time it is none any more.
    unsafe {
        dag_config_dispose(card);
        dag_config_dispose(card);
        assert!(dag_config_get_root_component(card).is_null());
    }
}

/// References and numbers from nowhere.
fn garbage(one: u64, two: u64) {
    let cookie = one as usize as *mut c_void;
    let mut value = 0;
    // SAFETY: whatever these are, they are never followed.
    unsafe {
        assert_eq!(dag_config_get_card_fd(cookie), -1);
        let _ = dag_component_get_subcomponent(cookie, two as u32, (two >> 32) as c_int);
        let _ = dag_component_get_config_attribute_uuid(cookie, two as u32);
        assert_ne!(dag_config_get_uint32_attribute_ex(cookie, two, &mut value), 0);
        assert_ne!(dag_config_set_uint32_attribute(cookie, two, 1), 0);
        dag_config_dispose(cookie);
    }
}

fn time(micros: i64) -> Timeval {
    Timeval { seconds: 0, micros }
}

/// The length of the first `most` records of a window, and how many there are.
fn records(begin: *const u8, len: usize, most: usize) -> (usize, usize) {
    let (mut at, mut count) = (0, 0);
    while count < most && at + 16 <= len {
        // SAFETY: within the window.
        let (high, low) = unsafe { (begin.add(at + 10).read_volatile(), begin.add(at + 11).read_volatile()) };
        let record = usize::from(u16::from_be_bytes([high, low]));
        if record < 16 || at + record > len {
            break;
        }
        (at, count) = (at + record, count + 1);
    }
    (at, count)
}
