//! One byte for each character: see `plugins/tidegate_scan/decoders.py`.

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
