//! `dag_config_api.h`. References are numbers that look like pointers, so that nothing a caller hands in is ever followed.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dag_emu::ClockHealth;
use libc::{c_char, c_int, c_uint};

use crate::api_card::text;
use crate::constants::{TERF_STRIP_32, attribute, component, error};
use crate::guard::{Errno, guard};
use crate::handles::{Handle, process};
use crate::name;

/// `dag_card_ref_t` and `dag_component_t`.
type Cookie = *mut c_void;

/// Cards opened by `dag_config_init`.
#[derive(Debug, Default)]
pub(crate) struct Refs(Mutex<BTreeMap<u64, Ref>>);

#[derive(Debug)]
struct Ref {
    fd: c_int,
    /// What was last said about an attribute.
    words: CString,
    /// The struct that was last asked for.
    node: Box<i32>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A part of a card, in a number: the card's reference above, then kind and index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    card: u64,
    kind: u32,
    index: u8,
}

const KIND: u64 = 0xFFFF;

impl Part {
    fn to_cookie(self) -> Cookie {
        let bits = self.card << 32 | (u64::from(self.kind) & KIND) << 16 | u64::from(self.index) << 8 | 1;
        bits as usize as Cookie
    }

    fn of(cookie: Cookie) -> Option<Self> {
        let bits = cookie as usize as u64;
        let (card, kind, index) = (bits >> 32, (bits >> 16 & KIND) as u32, (bits >> 8) as u8);
        (card != 0 && kind != 0 && bits & 0xFF == 1).then_some(Self { card, kind, index })
    }
}

/// A reference to a card is one with no part.
fn card_cookie(card: u64) -> Cookie {
    (card << 32 | 2) as usize as Cookie
}

fn card_of(cookie: Cookie) -> Option<u64> {
    let bits = cookie as usize as u64;
    (bits & 0xFFFF_FFFF == 2 && bits >> 32 != 0).then_some(bits >> 32)
}

/// An attribute of a part, in a number below 2^31 (`libdag-contract.md` section 3).
#[derive(Debug, Clone, Copy)]
struct Attribute {
    kind: u32,
    code: u32,
    index: u8,
}

/// Every attribute, with the kind of part that has it.
const ATTRIBUTES: &[(u32, u32)] = &[
    (component::ROOT, attribute::VARLEN),
    (component::ROOT, attribute::SNAPLENGTH),
    (component::PORT, attribute::ACTIVE),
    (component::PORT, attribute::LINK),
    (component::DUCK, attribute::SYNCHRONIZED),
    (component::DUCK, attribute::CRYSTAL_FREQUENCY),
    (component::TERF, attribute::TERF_STRIP_CRC),
    (component::STREAM, attribute::DROP_COUNT),
    (component::STREAM, attribute::MEM_NODE),
];

impl Attribute {
    fn to_uuid(self) -> u64 {
        let known = ATTRIBUTES.iter().position(|(kind, code)| (*kind, *code) == (self.kind, self.code));
        // A dozen of them.
        known.map_or(0, |at| (at as u64 + 1) << 8 | u64::from(self.index))
    }

    fn of(uuid: u64) -> Option<Self> {
        let at = usize::try_from((uuid >> 8).checked_sub(1)?).ok()?;
        let (kind, code) = *ATTRIBUTES.get(at)?;
        Some(Self { kind, code, index: uuid as u8 })
    }
}

impl Refs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Ref>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, card: u64) -> Option<Arc<Handle>> {
        let fd = self.lock().get(&card)?.fd;
        process().handle(fd).ok()
    }
}

/// The card of a reference.
fn handle(cookie: Cookie) -> Option<Arc<Handle>> {
    process().refs.handle(card_of(cookie)?)
}

/// How many parts of a kind a card has.
fn count(handle: &Handle, kind: u32) -> u16 {
    let card = &handle.board.card;
    match kind {
        component::ROOT | component::DUCK | component::STREAM_FEATURES => 1,
        component::PORT => card.ports().count().into(),
        // A card whose part can be played is a vDAG, which has none (`libdag-contract.md` section 6).
        component::TERF => (card.tx_stream_count() > 0 && !card.is_reversible()).into(),
        component::STREAM => 2 * (card.stream_count() + card.bare_stream_count()),
        _ => 0,
    }
}

/// The receive stream that an index of a stream's attribute means: its number; an odd one, from callers that number receive
/// streams one by one, is the stream of twice that number (`libdag-contract.md` section 6).
fn indexed_stream(index: c_int) -> Option<u8> {
    let index = u8::try_from(index).ok()?;
    if index % 2 == 0 { Some(index) } else { index.checked_mul(2) }
}

/// The value of an attribute, as a number.
fn value(cookie: Cookie, uuid: u64) -> Result<u64, u32> {
    let handle = handle(cookie).ok_or(error::INVALID_CARD)?;
    let card = &handle.board.card;
    // One of another process is asked how it is. One that may not be asked any more, since the program has dropped its
    // privileges, shows what it was.
    let _ = card.refresh();
    let Attribute { code, index, .. } = Attribute::of(uuid).ok_or(error::NO_SUCH_ATTRIBUTE)?;
    match code {
        attribute::VARLEN => Ok(card.ports().varlen().into()),
        attribute::SNAPLENGTH => Ok(card.ports().snaplen().into()),
        attribute::ACTIVE => Ok(card.ports().is_enabled(index).into()),
        attribute::LINK => Ok(card.ports().link_up(index).into()),
        attribute::SYNCHRONIZED => Ok((card.clock().settings().health == ClockHealth::Synchronised).into()),
        attribute::CRYSTAL_FREQUENCY => Ok(1 << card.clock().tick().bits().min(31)),
        attribute::TERF_STRIP_CRC => Ok(TERF_STRIP_32),
        attribute::DROP_COUNT => Ok(card.drops(index.into()).map_or(0, |drops| drops.total.into())),
        _ => Err(error::NO_SUCH_ATTRIBUTE),
    }
}

fn set(cookie: Cookie, uuid: u64, to: u32) -> Result<(), u32> {
    let handle = handle(cookie).ok_or(error::INVALID_CARD)?;
    let ports = handle.board.card.ports();
    let Attribute { code, index, .. } = Attribute::of(uuid).ok_or(error::NO_SUCH_ATTRIBUTE)?;
    match code {
        attribute::VARLEN => ports.set_varlen(to != 0),
        attribute::SNAPLENGTH if to > 0 => ports.set_snaplen(u16::try_from(to).unwrap_or(u16::MAX)),
        attribute::SNAPLENGTH => return Err(error::INVALID_PARAMETER),
        attribute::ACTIVE => drop(ports.set_enabled(index, to != 0)),
        _ => return Err(error::NO_SUCH_ATTRIBUTE),
    }
    Ok(())
}

/// Runs a body that says what went wrong by a `dag_err_t`.
fn answered(body: impl FnOnce() -> Result<(), u32>) -> u32 {
    guard(error::INVALID_PARAMETER, || Ok(body().err().unwrap_or(error::NONE)))
}

/// # Safety
///
/// A C string or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_config_init(name: *const c_char) -> Cookie {
    guard(std::ptr::null_mut(), || {
        // SAFETY: as promised.
        let name = unsafe { text(name) }.ok_or(Errno(libc::EINVAL))?;
        let (number, _) = name.to_str().ok().and_then(name::parse).ok_or(Errno(libc::ENOENT))?;
        let fd = process().open(number)?;
        let card = NEXT.fetch_add(1, Ordering::Relaxed);
        process().refs.lock().insert(card, Ref { fd, words: CString::default(), node: Box::new(-1) });
        Ok(card_cookie(card))
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_dispose(card: Cookie) {
    guard((), || {
        let removed = card_of(card).and_then(|card| process().refs.lock().remove(&card));
        if let Some(one) = removed {
            process().close(one.fd)?;
        }
        Ok(())
    });
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_get_card_fd(card: Cookie) -> c_int {
    guard(-1, || {
        let fd = card_of(card).and_then(|card| process().refs.lock().get(&card).map(|one| one.fd));
        fd.ok_or(Errno(libc::EINVAL))
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_get_root_component(card: Cookie) -> Cookie {
    let none = std::ptr::null_mut();
    guard(none, || {
        let known = card_of(card).filter(|card| process().refs.handle(*card).is_some());
        Ok(known.map_or(none, |card| Part { card, kind: component::ROOT, index: 0 }.to_cookie()))
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_component_get_subcomponent(parent: Cookie, code: c_uint, index: c_int) -> Cookie {
    let none = std::ptr::null_mut();
    guard(none, || {
        let Some(Part { card, kind: component::ROOT, .. }) = Part::of(parent) else { return Ok(none) };
        let Some(handle) = process().refs.handle(card) else { return Ok(none) };
        let Ok(index) = u8::try_from(index) else { return Ok(none) };
        let there = u16::from(index) < count(&handle, code) && code != component::ROOT;
        Ok(if there { Part { card, kind: code, index }.to_cookie() } else { none })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_component_get_subcomponent_count_of_type(parent: Cookie, code: c_uint) -> c_uint {
    guard(0, || {
        let Some(Part { card, kind: component::ROOT, .. }) = Part::of(parent) else { return Ok(0) };
        let handle = process().refs.handle(card);
        Ok(handle.filter(|_| code != component::ROOT).map_or(0, |handle| count(&handle, code).into()))
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_component_get_config_attribute_uuid(part: Cookie, code: c_uint) -> u64 {
    guard(0, || {
        let Some(Part { card, kind, index }) = Part::of(part) else { return Ok(0) };
        let there = process().refs.handle(card).is_some();
        Ok(if there { Attribute { kind, code, index }.to_uuid() } else { 0 })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_component_get_attribute_uuid(part: Cookie, code: c_uint) -> u64 {
    dag_component_get_config_attribute_uuid(part, code)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_get_indexed_attribute_uuid(card: Cookie, code: c_uint, index: c_int) -> u64 {
    guard(0, || {
        let Some(handle) = handle(card) else { return Ok(0) };
        let Some((kind, _)) = ATTRIBUTES.iter().find(|(_, known)| *known == code) else { return Ok(0) };
        let index = if *kind == component::STREAM { indexed_stream(index) } else { u8::try_from(index).ok() };
        let there = index.filter(|index| u16::from(*index) < count(&handle, *kind));
        Ok(there.map_or(0, |index| Attribute { kind: *kind, code, index }.to_uuid()))
    })
}

/// # Safety
///
/// A C string or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_config_get_indexed_named_attribute_uuid(
    card: Cookie,
    name: *const c_char,
    index: c_int,
) -> u64 {
    // SAFETY: as promised.
    let name = unsafe { text(name) }.and_then(|name| name.to_str().ok()).unwrap_or_default();
    let code = match name {
        "stream_drop_count" => attribute::DROP_COUNT,
        "snaplength" => attribute::SNAPLENGTH,
        "varlen" => attribute::VARLEN,
        "active" => attribute::ACTIVE,
        "link" => attribute::LINK,
        _ => return 0,
    };
    dag_config_get_indexed_attribute_uuid(card, code, index)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_get_attribute_to_string(card: Cookie, uuid: u64) -> *const c_char {
    guard(std::ptr::null(), || {
        let Ok(value) = value(card, uuid) else { return Ok(std::ptr::null()) };
        let mut refs = process().refs.lock();
        let Some(one) = card_of(card).and_then(|card| refs.get_mut(&card)) else { return Ok(std::ptr::null()) };
        one.words = CString::new(value.to_string()).unwrap_or_default();
        Ok(one.words.as_ptr())
    })
}

macro_rules! values {
    ($($plain:ident $checked:ident $type:ty;)*) => {$(
        #[unsafe(no_mangle)]
        pub(crate) extern "C" fn $plain(card: Cookie, uuid: u64) -> $type {
            guard(0, || Ok(value(card, uuid).map_or(0, |value| value as $type)))
        }

        /// # Safety
        ///
        /// A place for the value, or null.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $checked(card: Cookie, uuid: u64, place: *mut $type) -> u32 {
            answered(|| {
                if place.is_null() {
                    return Err(error::INVALID_PARAMETER);
                }
                // A 32-bit counter may be read as 64 bits and the other way round (`libdag-contract.md` section 6).
                let value = value(card, uuid)? as $type;
                // SAFETY: as promised.
                unsafe { place.write(value) };
                Ok(())
            })
        }
    )*};
}

values! {
    dag_config_get_boolean_attribute dag_config_get_boolean_attribute_ex u8;
    dag_config_get_uint32_attribute dag_config_get_uint32_attribute_ex u32;
    dag_config_get_uint64_attribute dag_config_get_uint64_attribute_ex u64;
}

/// # Safety
///
/// A place for a pointer, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_config_get_struct_attribute(
    card: Cookie,
    uuid: u64,
    place: *mut *mut c_void,
) -> u32 {
    answered(|| {
        let code = Attribute::of(uuid).map(|attribute| attribute.code);
        if code != Some(attribute::MEM_NODE) {
            return Err(error::NO_SUCH_ATTRIBUTE);
        }
        let mut refs = process().refs.lock();
        let one = card_of(card).and_then(|card| refs.get_mut(&card)).ok_or(error::INVALID_CARD)?;
        if place.is_null() {
            return Err(error::INVALID_PARAMETER);
        }
        // The memory of an emulated card lies where the system puts it.
        *one.node = -1;
        // SAFETY: as promised.
        unsafe { place.write(std::ptr::from_mut(&mut *one.node).cast()) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_set_boolean_attribute(card: Cookie, uuid: u64, to: u8) -> u32 {
    answered(|| set(card, uuid, to.into()))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_set_uint32_attribute(card: Cookie, uuid: u64, to: u32) -> u32 {
    answered(|| set(card, uuid, to))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_get_interface_count(card: Cookie) -> u32 {
    guard(0, || Ok(handle(card).map_or(0, |handle| handle.board.card.ports().count().into())))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_config_strerror(number: u32) -> *const c_char {
    let words: &CStr = error::WORDS.get(number as usize).unwrap_or(&c"unknown error");
    words.as_ptr()
}
