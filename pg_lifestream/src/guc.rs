//! The settings of the extension, `lifestream.*`.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::error::Refusal;
use crate::id::{self, Id};

static SOURCE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static CORRELATION_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static CAUSATION_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static TENANT_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static TRACEPARENT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static MAX_EVENT_BYTES: GucSetting<i32> = GucSetting::<i32>::new(900 * 1024);
static NOTIFY: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Registers them all and reserves the prefix, so that a misspelt name is refused.
pub fn define() {
    let text = |name, short, setting| {
        GucRegistry::define_string_guc(name, short, c"Empty: none.", setting, GucContext::Userset, GucFlags::empty());
    };
    text(c"lifestream.source", c"Source of events that name none; by default the application_name.", &SOURCE);
    text(
        c"lifestream.correlation_id",
        c"Correlation id of events that name none; by default their own id.",
        &CORRELATION_ID,
    );
    text(c"lifestream.causation_id", c"Causation id of events that name none.", &CAUSATION_ID);
    text(c"lifestream.tenant_id", c"Tenant of events that name none.", &TENANT_ID);
    text(c"lifestream.traceparent", c"W3C traceparent of events whose headers have none.", &TRACEPARENT);
    GucRegistry::define_int_guc(
        c"lifestream.max_event_bytes",
        c"Largest event, in octets of payload, headers and text columns as text.",
        c"Keep it below Kafka's message.max.bytes, with room for the envelope.",
        &MAX_EVENT_BYTES,
        1024,
        512 * 1024 * 1024,
        GucContext::Suset,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_bool_guc(
        c"lifestream.notify",
        c"Whether emitting wakes the bridge.",
        c"Off, events wait for the bridge's safety timer; PREPARE TRANSACTION needs it off.",
        &NOTIFY,
        GucContext::Userset,
        GucFlags::empty(),
    );
    reserve_prefix();
}

#[cfg(not(any(feature = "pg13", feature = "pg14")))]
fn reserve_prefix() {
    // SAFETY: the name is a C string that lives for ever.
    unsafe { pgrx::pg_sys::MarkGUCPrefixReserved(c"lifestream".as_ptr()) }
}

#[cfg(any(feature = "pg13", feature = "pg14"))]
fn reserve_prefix() {
    // SAFETY: the name is a C string that lives for ever.
    unsafe { pgrx::pg_sys::EmitWarningsOnPlaceholders(c"lifestream".as_ptr()) }
}

fn set(setting: &GucSetting<Option<CString>>) -> Option<Vec<u8>> {
    setting.get().map(CString::into_bytes).filter(|value| !value.is_empty())
}

fn set_id(setting: &GucSetting<Option<CString>>, name: &'static str) -> Result<Option<Id>, Refusal> {
    let Some(value) = set(setting) else { return Ok(None) };
    id::parse(&value).map(Some).ok_or(Refusal::SettingNotUuid { setting: name, value })
}

/// `lifestream.source`, if set.
pub fn source() -> Option<Vec<u8>> {
    set(&SOURCE)
}

/// `lifestream.tenant_id`, if set.
pub fn tenant_id() -> Option<Vec<u8>> {
    set(&TENANT_ID)
}

/// `lifestream.traceparent`, if set; not checked yet.
pub fn traceparent() -> Option<Vec<u8>> {
    set(&TRACEPARENT)
}

/// `lifestream.correlation_id`, if set; a refusal that names it when it is no uuid.
pub fn correlation_id() -> Result<Option<Id>, Refusal> {
    set_id(&CORRELATION_ID, "lifestream.correlation_id")
}

/// `lifestream.causation_id`, if set; a refusal that names it when it is no uuid.
pub fn causation_id() -> Result<Option<Id>, Refusal> {
    set_id(&CAUSATION_ID, "lifestream.causation_id")
}

/// `lifestream.max_event_bytes`.
pub fn max_event_bytes() -> usize {
    MAX_EVENT_BYTES.get().max(0) as usize
}

/// `lifestream.notify`.
pub fn notify() -> bool {
    NOTIFY.get()
}
