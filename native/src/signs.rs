//! Where encoded runs may be in a text: see `plugins/tidegate_scan/signs.py` and `triggers.py`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regex_automata::Input;
use regex_automata::hybrid::regex::{Cache, Regex};
use regex_automata::util::syntax;

use crate::syntax::rewritten;

const ANY: u8 = 1 << 3; // of a table's bits: any digit of base64
const HEX: u8 = 1 << 5;
const TWO_OF_HEX: u8 = 1 << 4;
const PART: usize = 1 << 15; // bytes that are looked at before the next
const LONGEST: usize = 64; // bytes of a sign, at most, as far as it is told here
const WIDEST: usize = 128; // bytes of a whole sign, at most
const BLOCK: usize = 64; // bytes that are looked at together

/// What makes it worth to look for encoded runs.
#[pyclass]
pub struct Signs {
    bits: [u8; 256],
    rare_base64: Sign,
    rare_hex: Sign,
}

type Places = Vec<usize>;

#[pymethods]
impl Signs {
    /// Takes a table of what each byte may be (see `triggers`), and the regexes of all other signs in RE2's syntax.
    #[new]
    fn new(bits: &[u8], rare_base64: &str, rare_hex: &str) -> PyResult<Self> {
        let bits = bits.try_into().map_err(|_| PyValueError::new_err("a table has 256 bytes"))?;
        Ok(Self { bits, rare_base64: Sign::new(rare_base64)?, rare_hex: Sign::new(rare_hex)? })
    }

    /// Where four groups of base64 begin that stand for letters, where eight of hex do, and where there is any other sign
    /// of base64, and of hex.
    fn of(&mut self, raw: &[u8]) -> (Places, Places, Places, Places) {
        let (mut quads, mut bytes) = (Vec::new(), Vec::new());
        let (mut rare_base64, mut rare_hex) = (Found::default(), Found::default());
        // Part by part, so that what is worked out of a part is still in the processor's cache when it is needed.
        for first in (0..raw.len()).step_by(PART) {
            let part = &raw[first..raw.len().min(first + PART + LONGEST)];
            let mut marks: Vec<u8> = part.iter().map(|byte| self.bits[usize::from(*byte)]).collect();
            marks.resize(part.len() + 2, 0);
            // Bit 0: first, then second; bit 2: third, then any; bit 4: two of hex.
            let pairs: Vec<u8> = marks.iter().zip(&marks[1..]).map(|(here, next)| here & next >> 1).collect();
            if wide_base64(part) || packed_base64(part, &marks) {
                self.rare_base64.add(&mut rare_base64, raw, first);
            }
            if wide_hex(part) || spaced_hex(&marks, &pairs) || packed_hex(part, &marks) {
                self.rare_hex.add(&mut rare_hex, raw, first);
            }
            let next = &pairs[2.min(pairs.len())..];
            let fours = [4, 8].into_iter().fold(pairs.iter().zip(next).map(|(a, b)| a & b >> 2).collect(), both);
            let twos = [2, 4, 8].into_iter().fold(pairs, both);
            quads.extend(places(&fours, 1).take_while(|at| *at < PART).map(|at| first + at));
            bytes.extend(places(&twos, TWO_OF_HEX).take_while(|at| *at < PART).map(|at| first + at));
        }
        (quads, bytes, rare_base64.starts, rare_hex.starts)
    }
}

/// A sign that is told by a regex, which is slower than to see that a part of a text has none.
struct Sign {
    regex: Regex,
    cache: Cache,
}

/// Where a sign was found, and where the last one ends.
#[derive(Default)]
struct Found {
    starts: Places,
    end: usize,
}

impl Sign {
    fn new(re2: &str) -> PyResult<Self> {
        let regex = rewritten(re2).ok_or_else(|| PyValueError::new_err("a regex that isn't read here"))?;
        let regex = Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(&regex)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let cache = regex.create_cache();
        Ok(Self { regex, cache })
    }

    /// Adds those that begin in a part.
    fn add(&mut self, found: &mut Found, raw: &[u8], first: usize) {
        let stop = raw.len().min(first + PART + WIDEST);
        while let Some(each) = self.regex.find(&mut self.cache, Input::new(raw).range(first.max(found.end)..stop)) {
            if each.start() >= first + PART {
                break;
            }
            found.starts.push(each.start());
            found.end = each.end();
        }
    }
}

/// What is marked both at a place and so much further on.
fn both(marks: Vec<u8>, step: usize) -> Vec<u8> {
    marks.iter().zip(marks.get(step..).unwrap_or(&[])).map(|(here, next)| here & next).collect()
}

/// Where a bit is set.
fn places(marks: &[u8], bit: u8) -> impl Iterator<Item = usize> {
    let blocks = marks.chunks(BLOCK).enumerate();
    blocks.filter(move |(_, block)| block.iter().fold(0, |any, each| any | each) & bit != 0).flat_map(
        move |(number, block)| {
            let inside = block.iter().enumerate().filter(move |(_, each)| **each & bit != 0);
            inside.map(move |(at, _)| number * BLOCK + at)
        },
    )
}

/// Whether an `A` stands four times where it does in two groups of base64 that stand for UTF-16.
fn wide_base64(raw: &[u8]) -> bool {
    let [one, two, three] = [3, 8, 11].map(|step| raw.get(step..).unwrap_or(&[]));
    let each = raw.iter().zip(one).zip(two).zip(three);
    each.fold(false, |any, (((a, b), c), d)| any | ((*a == b'A') & (*b == b'A') & (*c == b'A') & (*d == b'A')))
}

/// Whether base64 begins as that of gzip or zlib does.
fn packed_base64(raw: &[u8], marks: &[u8]) -> bool {
    let heads = raw.iter().zip(raw.get(1..).unwrap_or(&[])).map(|(a, b)| {
        let zlib = (*a == b'e') & ((*b == b'A') | (*b == b'F') | (*b == b'J') | (*b == b'N'));
        u8::from(zlib | ((*a == b'H') & (*b == b'4')))
    });
    places(&heads.collect::<Vec<_>>(), 1).any(|at| at == 0 || marks[at - 1] & ANY == 0)
}

/// Whether seven times there are two zeros in four digits, as in hex that stands for UTF-16.
fn wide_hex(raw: &[u8]) -> bool {
    let zeros: Vec<u8> =
        raw.iter().zip(raw.get(1..).unwrap_or(&[])).map(|(a, b)| u8::from(*a == b'0' && *b == b'0')).collect();
    let mut ends = zeros.get(2..).unwrap_or(&[]).to_vec();
    ends.resize(zeros.len(), 0);
    let units = zeros.iter().zip(&ends).map(|(here, next)| here | next).collect();
    places(&[4, 8, 12].into_iter().fold(units, both), 1).next().is_some()
}

/// Whether bytes of hex with something between them follow each other, as they do where eight stand for letters.
fn spaced_hex(marks: &[u8], pairs: &[u8]) -> bool {
    let apart =
        pairs.iter().zip(&marks[2..]).map(|(here, next)| here & !(next & HEX) >> 1 & TWO_OF_HEX).collect::<Vec<_>>();
    let (mut last, mut row) = (0, 0);
    places(&apart, TWO_OF_HEX).any(|at| {
        row = if at - last <= 4 { row + 1 } else { 1 };
        last = at;
        row >= 7
    })
}

/// Whether hex begins as that of gzip or zlib does, or is written as numbers that follow each other.
fn packed_hex(raw: &[u8], marks: &[u8]) -> bool {
    let head = |at: usize| {
        let mut follows = &raw[at + 2..];
        let between = follows.iter().take(2).take_while(|byte| b",;:- ".contains(byte)).count();
        follows = &follows[between..];
        if matches!(follows, [b'0', b'x' | b'X', ..] | [b'\\', b'x', ..]) {
            follows = &follows[2..];
        }
        let second = follows.get(..2).unwrap_or(&[]).to_ascii_lowercase();
        (at == 0 || marks[at - 1] & HEX == 0) && matches!(second.as_slice(), b"01" | b"5e" | b"9c" | b"da" | b"8b")
    };
    let numbers = || {
        let mut last = None;
        memchr::memchr2_iter(b'x', b'X', raw).any(|at| {
            let close = last.is_some_and(|before| at - before <= 7);
            let number = at > 0 && raw[at - 1] == b'0';
            last = if number { Some(at) } else { last };
            number && close
        })
    };
    let heads = |two: &[u8]| memchr::memmem::find_iter(raw, two).any(head);
    heads(b"78") || heads(b"1f") || heads(b"1F") || numbers()
}
