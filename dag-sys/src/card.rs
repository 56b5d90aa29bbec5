//! What a card is and how it does: functions whose results only the library's own headers explain, so that they are called only
//! where its [`values`](crate::values) are known (contract, sections 4.2, 4.3, 6 and 10).

use std::ffi::{CStr, CString};
use std::ptr;

use crate::bindings::{attr_uuid_t, dag_card_ref_t, dag_component_t};
use crate::calls::{clear_errno, failed, function};
use crate::error::CallError;
use crate::load::Libdag;

/// What kind of card it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kind {
    /// Its code.
    pub device_code: u32,
    /// Its name, such as `DAG 9.2X2`.
    pub name: Option<String>,
    /// Revision of the board, from `A` on.
    pub revision: Option<char>,
    /// Where it is plugged in.
    pub bus: Option<String>,
}

impl Libdag {
    fn value(&self, expression: &str) -> Option<i64> {
        self.values()?.get(expression)
    }

    fn offset(&self, expression: &str) -> Option<usize> {
        // A struct is smaller than this; an offset beyond it is a damaged table's.
        usize::try_from(self.value(expression)?).ok().filter(|offset| *offset < 4096)
    }

    /// What kind of card it is; `None` where the values of the library are not known, or it does not say.
    pub fn kind(&self, fd: i32) -> Option<Kind> {
        let function = function!(self, dag_pciinfo).ok()?;
        let at = self.offset("offsetof(dag_card_inf_t, device_code)")?;
        let size = self.value("sizeof(((dag_card_inf_t *)0)->device_code)")?;
        // SAFETY: a number.
        let info = unsafe { function(fd) }.cast_const().cast::<u8>();
        if info.is_null() {
            return None;
        }
        // SAFETY: the struct of the library's own headers has the field there.
        let device_code = unsafe { number_at(info, at, size) }?;
        let revision = self.offset("offsetof(dag_card_inf_t, brd_rev)").and_then(|at| {
            let size = self.value("sizeof(((dag_card_inf_t *)0)->brd_rev)")?;
            // SAFETY: as above.
            let revision = unsafe { number_at(info, at, size) }?;
            char::from_u32('A' as u32 + revision).filter(char::is_ascii_uppercase)
        });
        let bus = self.bus(info);
        Some(Kind { device_code, name: self.device_name(device_code), revision, bus })
    }

    fn bus(&self, info: *const u8) -> Option<String> {
        let at = self.offset("offsetof(dag_card_inf_t, bus_id)")?;
        let size = usize::try_from(self.value("sizeof(((dag_card_inf_t *)0)->bus_id)")?).ok()?;
        let kind = "__builtin_types_compatible_p(__typeof__(((dag_card_inf_t *)0)->bus_id), char *)";
        let is_pointer = self.value(kind)? != 0;
        // SAFETY: the struct of the library's own headers has the field there.
        let field = unsafe { info.add(at) };
        let bytes: Vec<u8> = if is_pointer {
            // SAFETY: the field is a pointer; unaligned is allowed.
            let text = unsafe { field.cast::<*const libc::c_char>().read_unaligned() };
            if text.is_null() {
                return None;
            }
            // SAFETY: a string of the library's (contract, section 4.2).
            unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()
        } else {
            // SAFETY: the field is as many characters.
            unsafe { std::slice::from_raw_parts(field, size.min(256)) }.to_vec()
        };
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8(bytes.get(..end)?.to_vec()).ok().filter(|text| !text.is_empty())
    }

    fn device_name(&self, device_code: u32) -> Option<String> {
        let function = function!(self, dag_device_name).ok()?;
        // SAFETY: two numbers; callers pass 1 as the second (contract, section 5).
        let name = unsafe { function(device_code, 1) };
        if name.is_null() {
            return None;
        }
        // SAFETY: a string of the library's.
        Some(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
    }

    /// Opens a card for questions about it.
    ///
    /// # Errors
    ///
    /// [`CallError::Missing`] without a configuration library; [`CallError::Failed`] with `ENOENT`, `EACCES`.
    pub fn config(&self, name: &CStr) -> Result<Config, CallError> {
        let init = function!(self, dag_config_init)?;
        // Without this one it could not be given back.
        function!(self, dag_config_dispose)?;
        let name = CString::from(name);
        clear_errno();
        // SAFETY: a C string.
        let card = unsafe { init(name.as_ptr()) };
        if card.is_null() { Err(failed("dag_config_init")) } else { Ok(Config { lib: self.clone(), card }) }
    }
}

/// Reads an unsigned field of `size` bytes.
///
/// # Safety
///
/// There is a field of that size at `base + at`.
unsafe fn number_at(base: *const u8, at: usize, size: i64) -> Option<u32> {
    // SAFETY: as promised.
    let field = unsafe { base.add(at) };
    match size {
        // SAFETY: as promised.
        1 => Some(unsafe { field.read() }.into()),
        // SAFETY: as promised; unaligned is allowed.
        2 => Some(unsafe { field.cast::<u16>().read_unaligned() }.into()),
        // SAFETY: as for 2.
        4 => Some(unsafe { field.cast::<u32>().read_unaligned() }),
        _ => None,
    }
}

/// A card opened for questions, given back at drop.
#[derive(Debug)]
pub struct Config {
    lib: Libdag,
    card: dag_card_ref_t,
}

// SAFETY: a reference to a card is used by one thread at a time, which is all that is known to be allowed (contract, section 11):
// `Config` is not `Sync`, and moving it between threads is what programs with a thread for the configuration do.
unsafe impl Send for Config {}

impl Config {
    /// Number of ports.
    pub fn interface_count(&self) -> Option<u32> {
        let function = function!(self.lib, dag_config_get_interface_count).ok()?;
        // SAFETY: the card is open.
        Some(unsafe { function(self.card) })
    }

    /// Packets that a receive stream has dropped since it was attached, or longer: a 32-bit counter that goes on from where it was.
    pub fn stream_drops(&self, stream: u16) -> Option<u32> {
        self.component("kComponentStreamFeatures", 0)?;
        let code = u32::try_from(self.lib.value("kUint32AttributeStreamDropCount")?).ok()?;
        let function = function!(self.lib, dag_config_get_indexed_attribute_uuid).ok()?;
        // SAFETY: the card is open; the code is of this library's headers.
        let uuid = unsafe { function(self.card, code, stream.into()) };
        self.uint32(uuid)
    }

    /// Whether the clock follows its source.
    pub fn clock_synchronised(&self) -> Option<bool> {
        self.boolean(self.attribute(self.component("kComponentDUCK", 0)?, "kBooleanAttributeDUCKSynchronized")?)
    }

    /// Bytes stored of each packet.
    pub fn snaplen(&self) -> Option<u32> {
        self.uint32(self.attribute(self.root()?, "kUint32AttributeSnaplength")?)
    }

    /// Sets how many bytes are stored of each packet; `false` where the card has no such setting.
    pub fn set_snaplen(&self, bytes: u32) -> bool {
        let Some(uuid) = self.root().and_then(|root| self.attribute(root, "kUint32AttributeSnaplength")) else {
            return false;
        };
        let Ok(function) = function!(self.lib, dag_config_set_uint32_attribute) else { return false };
        // SAFETY: the card is open, and the attribute one of its.
        unsafe { function(self.card, uuid, bytes) == 0 }
    }

    /// Whether records are as long as their packet.
    pub fn varlen(&self) -> Option<bool> {
        self.boolean(self.attribute(self.root()?, "kBooleanAttributeVarlen")?)
    }

    /// Records as long as their packet, or slots of one length; `false` where the card has no such setting.
    pub fn set_varlen(&self, on: bool) -> bool {
        let varlen = self.root().and_then(|root| self.attribute(root, "kBooleanAttributeVarlen"));
        varlen.is_some_and(|uuid| self.set_boolean(uuid, on))
    }

    /// Whether packets are let in at a port.
    pub fn port_enabled(&self, port: u8) -> Option<bool> {
        self.boolean(self.attribute(self.component("kComponentPort", port.into())?, "kBooleanAttributeActive")?)
    }

    /// Lets packets in at a port, or not; `false` where the card has no such setting.
    pub fn set_port_enabled(&self, port: u8, on: bool) -> bool {
        let part = self.component("kComponentPort", port.into());
        let active = part.and_then(|part| self.attribute(part, "kBooleanAttributeActive"));
        active.is_some_and(|uuid| self.set_boolean(uuid, on))
    }

    /// Frequency of the crystal that drives the clock, in Hz.
    pub fn crystal_frequency(&self) -> Option<u32> {
        self.uint32(self.attribute(self.component("kComponentDUCK", 0)?, "kUint32AttributeDUCKCrystalFrequency")?)
    }

    /// Whether the link of a port is up.
    pub fn link_up(&self, port: u8) -> Option<bool> {
        self.boolean(self.attribute(self.component("kComponentPort", port.into())?, "kBooleanAttributeLink")?)
    }

    fn boolean(&self, uuid: attr_uuid_t) -> Option<bool> {
        let function = function!(self.lib, dag_config_get_boolean_attribute).ok()?;
        // SAFETY: the card is open, and the attribute one of its.
        Some(unsafe { function(self.card, uuid) } != 0)
    }

    fn set_boolean(&self, uuid: attr_uuid_t, on: bool) -> bool {
        let Ok(function) = function!(self.lib, dag_config_set_boolean_attribute) else { return false };
        // SAFETY: the card is open, and the attribute one of its. 0 is success (contract, section 3).
        unsafe { function(self.card, uuid, on.into()) == 0 }
    }

    fn root(&self) -> Option<dag_component_t> {
        let function = function!(self.lib, dag_config_get_root_component).ok()?;
        // SAFETY: the card is open.
        Some(unsafe { function(self.card) }).filter(|root| !root.is_null())
    }

    fn component(&self, kind: &str, index: i32) -> Option<dag_component_t> {
        let code = u32::try_from(self.lib.value(kind)?).ok()?;
        let root = self.root()?;
        let function = function!(self.lib, dag_component_get_subcomponent).ok()?;
        // SAFETY: a component of the open card, and a code of this library's headers.
        Some(unsafe { function(root, code, index) }).filter(|component| !component.is_null())
    }

    fn attribute(&self, component: dag_component_t, name: &str) -> Option<attr_uuid_t> {
        let code = u32::try_from(self.lib.value(name)?).ok()?;
        let function = function!(self.lib, dag_component_get_config_attribute_uuid).ok()?;
        // SAFETY: a component of the open card, and a code of this library's headers.
        let uuid = unsafe { function(component, code) };
        // 0 is the null attribute (contract, section 3).
        Some(uuid).filter(|uuid| *uuid != 0)
    }

    fn uint32(&self, uuid: attr_uuid_t) -> Option<u32> {
        if uuid == 0 {
            return None;
        }
        let function = function!(self.lib, dag_config_get_uint32_attribute_ex).ok()?;
        let mut value = 0;
        // SAFETY: the card is open, the attribute one of its, and the place ours.
        let error = unsafe { function(self.card, uuid, &mut value) };
        // 0 is success (contract, section 3).
        (error == 0).then_some(value)
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        if let Ok(function) = function!(self.lib, dag_config_dispose) {
            // SAFETY: opened by `config`, and given back once.
            unsafe { function(std::mem::replace(&mut self.card, ptr::null_mut())) };
        }
    }
}
