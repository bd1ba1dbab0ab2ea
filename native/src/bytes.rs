//! Texts as bytes, base64, and whether bytes are text: see `plugins/tidegate_scan/decoders.py`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

const BLOCK: usize = 64;

/// A text with a question mark for each character beyond ASCII, so that there is one byte for each character.
#[pyfunction]
pub fn ascii<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyBytes> {
    let mut raw = Vec::with_capacity(text.len());
    for block in text.as_bytes().chunks(BLOCK) {
        if block.is_ascii() {
            raw.extend_from_slice(block);
        } else {
            let begins = block.iter().filter(|byte| **byte & 0xC0 != 0x80);
            raw.extend(begins.map(|byte| if byte.is_ascii() { *byte } else { b'?' }));
        }
    }
    PyBytes::new(py, &raw)
}

/// What base64 digits of either alphabet (RFC 4648) stand for, with or without padding; `None` where there is anything else.
#[pyfunction]
pub fn from_base64<'py>(py: Python<'py>, run: &[u8]) -> Option<Bound<'py, PyBytes>> {
    let run = &run[..run.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1)];
    let mut data = Vec::with_capacity(run.len() / 4 * 3 + 2);
    let mut any = 0; // has a high bit where one isn't a digit
    let four =
        |digits: &[u8]| digits.iter().fold(0u32, |bits, digit| bits << 6 | u32::from(VALUES[usize::from(*digit)]));
    let whole = run.chunks_exact(4);
    let rest = whole.remainder();
    for digits in whole {
        any |= digits.iter().fold(0, |any, digit| any | VALUES[usize::from(*digit)]);
        data.extend_from_slice(&four(digits).to_be_bytes()[1..]);
    }
    any |= rest.iter().fold(0, |any, digit| any | VALUES[usize::from(*digit)]);
    match rest.len() {
        2 => data.push((four(rest) >> 4) as u8),
        3 => data.extend_from_slice(&((four(rest) >> 2) as u16).to_be_bytes()),
        _ => {} // one digit alone stands for nothing
    }
    (any & NO_DIGIT == 0).then(|| PyBytes::new(py, &data))
}

const NO_DIGIT: u8 = 0x80;

/// What each digit of base64 stands for.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 26 {
        values[b'A' as usize + value] = value as u8;
        values[b'a' as usize + value] = value as u8 + 26;
        value += 1;
    }
    value = 0;
    while value < 10 {
        values[b'0' as usize + value] = value as u8 + 52;
        value += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
};

/// Whether bytes are text in ASCII: what can be printed, and what parts lines.
#[pyfunction]
pub fn readable(data: &[u8]) -> bool {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    data.chunks(BLOCK).all(|block| block.iter().fold(true, |all, byte| all & is_text(byte)))
}
