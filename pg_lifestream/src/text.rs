//! Variable-length values: from datum to octets and back, without a copy where PostgreSQL needs none.

use pgrx::{pg_sys, varlena};

/// The octets of a text or jsonb datum, in place when it is stored plainly, else decompressed or fetched.
///
/// # Safety
/// `datum` must be a non-null varlena that lives as long as the current memory context; so does what is returned.
pub unsafe fn octets<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    let mut pointer = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller vouches for the datum.
    unsafe {
        let plain =
            varlena::varatt_is_4b_u(pointer) || (varlena::varatt_is_1b(pointer) && !varlena::varatt_is_1b_e(pointer));
        if !plain {
            pointer = pg_sys::pg_detoast_datum_packed(pointer);
        }
        std::slice::from_raw_parts(varlena::vardata_any(pointer).cast(), varlena::varsize_any_exhdr(pointer))
    }
}

/// A new varlena (text, jsonb or numeric) with these octets, in the current memory context.
pub fn datum(octets: &[u8]) -> pg_sys::Datum {
    // SAFETY: palloc returns room for header and octets, or raises.
    unsafe {
        let size = octets.len() + pg_sys::VARHDRSZ;
        let pointer = pg_sys::palloc(size).cast::<pg_sys::varlena>();
        // A jsonb or text is below 1 GB, so is everything that is cut from one.
        varlena::set_varsize_4b(pointer, size as i32);
        std::ptr::copy_nonoverlapping(octets.as_ptr(), pointer.cast::<u8>().add(pg_sys::VARHDRSZ), octets.len());
        pg_sys::Datum::from(pointer)
    }
}

/// In UTF-8 whatever the database's encoding, so that an id is the same everywhere.
pub fn utf8(octets: &[u8]) -> Vec<u8> {
    // SAFETY: the octets are in the server's encoding; what is returned is as given, or a new C string.
    unsafe {
        let given = octets.as_ptr().cast_mut().cast();
        let converted = pg_sys::pg_server_to_any(given, octets.len() as i32, pg_sys::pg_enc::PG_UTF8 as i32);
        if converted == given { octets.to_vec() } else { std::ffi::CStr::from_ptr(converted).to_bytes().to_vec() }
    }
}

/// For messages, which are in the database's encoding: the text, shortened; ASCII where the encoding is not Rust's.
pub fn shown(octets: &[u8]) -> String {
    const LONGEST: usize = 200;
    // SAFETY: reads a setting of the database.
    let is_utf8 = unsafe { pg_sys::GetDatabaseEncoding() } == pg_sys::pg_enc::PG_UTF8 as i32;
    let text = if is_utf8 { String::from_utf8_lossy(octets) } else { octets.escape_ascii().to_string().into() };
    if text.chars().count() <= LONGEST {
        return text.into_owned();
    }
    let mut short: String = text.chars().take(LONGEST).collect();
    short.push_str("...");
    short
}
