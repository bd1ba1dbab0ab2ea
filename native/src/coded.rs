//! Which ways of writing characters a text may have pieces of: see `plugins/tidegate_scan/inline.py`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

const ESCAPE: u8 = 1;
const PERCENT_UNIT: u8 = 1 << 1;
const CODE_POINT: u8 = 1 << 2;
const ENTITY: u8 = 1 << 3;
const PERCENT: u8 = 1 << 4;
const BEYOND_ASCII: u8 = 1 << 5;

/// A bit for each way, in the order in which they are undone, of which a text may have a piece.
#[pyfunction]
pub fn coded(text: &str) -> u8 {
    let text = text.as_bytes();
    let mut found = if text.is_ascii() { 0 } else { BEYOND_ASCII };
    if memchr::memchr(b'\\', text).is_some() {
        found |= ESCAPE;
    }
    for at in memchr::memchr3_iter(b'%', b'&', b'+', text) {
        let behind = &text[at + 1..];
        found |= match text[at] {
            b'%' if behind.first() == Some(&b'u') => PERCENT_UNIT,
            b'%' if hex(behind, 2) => PERCENT, // %25 is hex too
            b'&' if behind.first().is_some_and(|next| next.is_ascii_alphabetic() || *next == b'#') => ENTITY,
            b'+' if at > 0 && text[at - 1] == b'U' && hex(behind, 4) => CODE_POINT,
            _ => 0,
        };
    }
    found
}

/// A text with a question mark for each character beyond ASCII, so that there is one byte for each character.
#[pyfunction]
pub fn ascii<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyBytes> {
    let begins = text.bytes().filter(|byte| byte & 0xC0 != 0x80);
    PyBytes::new(py, &begins.map(|byte| if byte.is_ascii() { byte } else { b'?' }).collect::<Vec<_>>())
}

fn hex(text: &[u8], count: usize) -> bool {
    text.get(..count).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}
