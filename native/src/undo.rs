//! Characters written in another way - escapes, entities, percent signs, look-alikes - written plainly: see
//! `plugins/tidegate_scan/inline.py`, whose pieces and results are the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use memchr::{memchr, memmem};
use pyo3::prelude::*;

use crate::edits::{Edits, Lists};

const UNICODE: usize = 5; // the number of the last way
const LOST: char = '\u{FFFD}';
const PAGE: usize = 256; // characters

/// A stretch of bytes.
type Span = (usize, usize);

/// What one way replaced in a text: where each coded piece was, and where what it stands for is.
struct Step {
    old: Vec<Span>,
    new: Vec<Span>,
    text: String,
}

/// The places where a text and the one that was made of it were cut, in characters: where the texts begin, where each coded
/// piece begins and ends, and where the texts end.
#[pyclass(frozen)]
pub struct Cuts {
    old: Vec<u32>, // a text may have millions of pieces
    new: Vec<u32>,
    coded: String,        // all coded pieces
    coded_ends: Vec<u32>, // bytes
}

#[pymethods]
impl Cuts {
    /// Where each piece begins in the new text and in the old one, plain and coded ones in turns; and where the texts end.
    fn steps(&self) -> (Vec<u32>, Vec<u32>) {
        (self.new.clone(), self.old.clone())
    }

    /// A coded piece, by its number among all.
    fn coded(&self, piece: usize) -> Option<&str> {
        let number = piece / 2;
        let begin = if number > 0 { self.coded_ends[number - 1] } else { 0 };
        self.coded.get(begin as usize..*self.coded_ends.get(number)? as usize)
    }
}

impl Cuts {
    /// How many coded pieces there are.
    fn count(&self) -> usize {
        self.coded_ends.len()
    }

    /// How many characters the two texts have.
    fn sizes(&self) -> (usize, usize) {
        let size = |cuts: &[u32]| cuts.last().map_or(0, |end| *end as usize);
        (size(&self.old), size(&self.new))
    }

    /// Those of its pieces that differ, as edits.
    fn edits(&self, differ: &[bool], apart: usize) -> Edits {
        let spans = |cuts: &[u32]| -> Vec<Span> {
            cuts[1..].chunks_exact(2).map(|each| (each[0] as usize, each[1] as usize)).collect()
        };
        Edits::of(&spans(&self.old), &spans(&self.new), differ, apart)
    }
}

/// What came of a text; where each way cut, by its number; and, where it is worth to be told, all edits in characters and in
/// bytes.
type Undone = (String, Vec<(usize, Cuts)>, Option<(Lists, Lists)>);

/// All ways of writing characters.
#[pyclass(frozen)]
pub struct Ways {
    entities: HashMap<String, String>,
    plain: Py<PyAny>,
    forms: Mutex<Forms>, // never held while Python runs
    worth: Worth,
}

/// From when on edits are worth to be told: see `plugins/tidegate_scan/views.py`.
struct Worth {
    shortest: usize,
    apart: usize,
    each_piece: usize,
    each_edit: usize,
}

#[pymethods]
impl Ways {
    /// Takes what the names of HTML stand for, a function that says how a character beyond ASCII is written plainly, and
    /// from when on edits are worth to be told.
    #[new]
    fn new(
        entities: HashMap<String, String>,
        plain: Py<PyAny>,
        shortest: usize,
        apart: usize,
        each_piece: usize,
        each_edit: usize,
    ) -> Self {
        let worth = Worth { shortest, apart, each_piece, each_edit };
        Self { entities, plain, forms: Mutex::default(), worth }
    }

    /// Undoes each way in turn; `None` where there is nothing to undo. `done` says that the last one was undone before.
    fn undo(&self, py: Python, text: &str, done: bool) -> PyResult<Option<Undone>> {
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for way in 0..=UNICODE {
            let current = steps.last().map_or(text, |(_, step)| &step.text);
            let step = match way {
                0 => undone(current, escape, unescaped),
                1 => undone(current, percent_units, |piece, out| utf16(piece.split("%u").skip(1), out)),
                2 => undone(current, code_points, code_points_of),
                3 => undone(current, entities, |piece, out| self.entities_of(piece, out)),
                4 => undone(current, percents, percents_of),
                _ if done && steps.is_empty() => None, // nothing came up since
                _ => self.plain_forms(py, current)?,
            };
            steps.extend(step.map(|step| (way, step)));
        }
        let mut before = text;
        let mut cuts = Vec::with_capacity(steps.len());
        for (way, step) in &steps {
            cuts.push((*way, step.cuts(before)));
            before = &step.text;
        }
        let since = self.since(text, &steps, &cuts);
        Ok(steps.pop().map(|(_, last)| (last.text, cuts, since)))
    }
}

impl Ways {
    /// How a text came from another; `None` where it would be of no use to know.
    fn since(&self, text: &str, steps: &[(usize, Step)], cuts: &[(usize, Cuts)]) -> Option<(Lists, Lists)> {
        let (old_size, new_size) = (cuts.first()?.1.sizes().0, cuts.last()?.1.sizes().1);
        let pieces: usize = cuts.iter().map(|(_, each)| each.count()).sum();
        if pieces * self.worth.each_piece > new_size || old_size < self.worth.shortest {
            return None;
        }
        let mut before = text;
        let mut both: Option<(Edits, Edits)> = None;
        for ((_, step), (_, cuts)) in steps.iter().zip(cuts) {
            let differ: Vec<bool> = step.changed(before).collect();
            let in_characters = cuts.edits(&differ, self.worth.apart);
            let in_bytes = Edits::of(&step.old, &step.new, &differ, self.worth.apart);
            both = Some(match both {
                None => (in_characters, in_bytes),
                Some((characters, bytes)) => (characters.then(&in_characters), bytes.then(&in_bytes)),
            });
            before = &step.text;
        }
        let (in_characters, in_bytes) = both?;
        let read = in_characters.fresh() + self.worth.each_edit * in_characters.new_ends.len();
        (read <= new_size).then(|| (in_characters.lists(), in_bytes.lists()))
    }

    fn plain_forms(&self, py: Python, text: &str) -> PyResult<Option<Step>> {
        let forms = || self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let told = forms().undone(text);
            match told {
                Ok(step) => return Ok(step),
                Err(unknown) => {
                    for each in unknown {
                        let plain = self.plain.call1(py, (each,))?.extract(py)?;
                        forms().learn(each, plain);
                    }
                }
            }
        }
    }

    fn entities_of(&self, piece: &str, out: &mut String) {
        let mut at = 0;
        while let Some(end) = entity(piece.as_bytes(), at) {
            self.entity_of(&piece[at..end], out);
            at = end;
        }
    }

    fn entity_of(&self, entity: &str, out: &mut String) {
        let name = entity.rfind("amp;").map_or(&entity[1..], |at| &entity[at + 4..]);
        if name.is_empty() {
            out.push('&');
        } else if let Some(number) = name.strip_prefix('#') {
            let number = number.trim_end_matches(';');
            out.push(match number.strip_prefix(['x', 'X']) {
                Some(digits) => character(digits, 16),
                None => character(number, 10),
            });
        } else {
            out.push_str(self.entities.get(name).map_or(entity, String::as_str));
        }
    }
}

impl Step {
    /// Which pieces aren't as they were.
    fn changed<'a>(&'a self, before: &'a str) -> impl Iterator<Item = bool> + 'a {
        let both = self.old.iter().zip(&self.new);
        both.map(|(old, new)| before[old.0..old.1] != self.text[new.0..new.1])
    }

    fn cuts(&self, before: &str) -> Cuts {
        let mut coded = String::new();
        let mut coded_ends = Vec::with_capacity(self.old.len());
        for (start, end) in &self.old {
            coded.push_str(&before[*start..*end]);
            coded_ends.push(short(coded.len()));
        }
        Cuts { old: in_characters(before, &self.old), new: in_characters(&self.text, &self.new), coded, coded_ends }
    }
}

/// Where a text begins, where each stretch begins and ends, and where the text ends; in characters.
fn in_characters(text: &str, spans: &[Span]) -> Vec<u32> {
    let ascii = text.is_ascii();
    let (mut at, mut count) = (0, 0);
    let mut place = |to: usize| {
        count += if ascii { to - at } else { text[at..to].chars().count() };
        at = to;
        short(count)
    };
    let mut found = Vec::with_capacity(2 * spans.len() + 2);
    found.push(0);
    found.extend(spans.iter().flat_map(|(start, end)| [*start, *end]).map(&mut place));
    found.push(place(text.len()));
    found
}

/// A place in a text, in four bytes: no message has more.
fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Replaces each piece of a text; `None` where none differs from what it stands for.
///
/// `next` says where the next piece is from a place on.
fn undone(
    text: &str,
    mut next: impl FnMut(&[u8], usize) -> Option<Span>,
    mut decode: impl FnMut(&str, &mut String),
) -> Option<Step> {
    let mut step = Step { old: Vec::new(), new: Vec::new(), text: String::new() };
    let (mut done, mut differs) = (0, false);
    while let Some((start, end)) = next(text.as_bytes(), done) {
        if step.old.is_empty() {
            step.text.reserve(text.len());
        }
        step.text.push_str(&text[done..start]);
        let begin = step.text.len();
        decode(&text[start..end], &mut step.text);
        differs = differs || step.text[begin..] != text[start..end];
        step.old.push((start, end));
        step.new.push((begin, step.text.len()));
        done = end;
    }
    differs.then(|| {
        step.text.push_str(&text[done..]);
        step
    })
}

/// How many hex digits there are from a place on, of so many at most.
fn hex(text: &[u8], at: usize, most: usize) -> usize {
    text[at.min(text.len())..].iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count()
}

/// Where a row of one byte ends.
fn past(text: &[u8], at: usize, byte: u8) -> usize {
    at + text[at..].iter().take_while(|each| **each == byte).count()
}

/// The code point of a number; what is none, or half of one, becomes U+FFFD.
fn character(digits: &str, radix: u32) -> char {
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX); // too long a one is none, too
    char::from_u32(code).filter(|each| *each != '\0').unwrap_or(LOST)
}

/// Bytes as UTF-8, or else one character a byte.
fn as_text(bytes: Vec<u8>, out: &mut String) {
    match std::str::from_utf8(&bytes) {
        Ok(text) => out.push_str(text),
        Err(_) => out.extend(bytes.iter().map(|byte| char::from(*byte))),
    }
}

/// UTF-16 given in hex; half a pair becomes U+FFFD.
fn utf16<'a>(units: impl Iterator<Item = &'a str>, out: &mut String) {
    let units = units.map(|digits| u16::from_str_radix(digits, 16).unwrap_or(0xFFFD));
    out.extend(char::decode_utf16(units).map(|each| each.unwrap_or(LOST)));
}

/// The next escape, with the backslashes before it, or the next row of backslashes.
fn escape(text: &[u8], from: usize) -> Option<Span> {
    let mut at = from;
    loop {
        let start = at + memchr(b'\\', &text[at..])?;
        let behind = past(text, start, b'\\');
        if let Some(end) = escape_behind(text, behind) {
            return Some((start, end));
        }
        if behind > start + 1 {
            return Some((start, behind));
        }
        at = behind;
    }
}

/// Where what stands behind backslashes ends, if the two are an escape.
fn escape_behind(text: &[u8], at: usize) -> Option<usize> {
    let (kind, digits) = (*text.get(at)?, at + 1);
    match kind {
        b'u' if hex(text, digits, 4) == 4 => Some(more_escapes(text, digits + 4, kind, 4)),
        b'x' if hex(text, digits, 2) == 2 => Some(more_escapes(text, digits + 2, kind, 2)),
        b'u' | b'x' if text.get(digits) == Some(&b'{') => {
            let end = digits + 1 + hex(text, digits + 1, 8);
            (end > digits + 1 && text.get(end) == Some(&b'}')).then_some(end + 1)
        }
        b'U' if hex(text, digits, 8) == 8 => Some(digits + 8),
        b'0'..=b'3' => {
            let octal = text.get(digits..digits + 2)?.iter().all(|each| (b'0'..=b'7').contains(each));
            octal.then_some(digits + 2)
        }
        b'"' | b'\'' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(digits),
        _ => None,
    }
}

/// Where escapes of one kind end that follow each other.
fn more_escapes(text: &[u8], mut end: usize, kind: u8, size: usize) -> usize {
    loop {
        let behind = past(text, end, b'\\');
        if behind == end || text.get(behind) != Some(&kind) || hex(text, behind + 1, size) < size {
            return end;
        }
        end = behind + 1 + size;
    }
}

fn unescaped(piece: &str, out: &mut String) {
    let letters = piece.trim_start_matches('\\');
    let Some(kind) = letters.bytes().next() else {
        out.push('\\');
        return;
    };
    match kind {
        b'b' => out.push('\u{8}'),
        b'f' => out.push('\u{C}'),
        b'n' => out.push('\n'),
        b'r' => out.push('\r'),
        b't' => out.push('\t'),
        b'0'..=b'3' => out.extend(u8::from_str_radix(letters, 8).map(char::from)),
        b'U' => out.push(character(&letters[1..], 16)),
        b'u' | b'x' if letters[1..].starts_with('{') => out.push(character(&letters[2..letters.len() - 1], 16)),
        b'u' => utf16(letters.split('\\').filter(|each| !each.is_empty()).map(|each| &each[1..]), out),
        b'x' => {
            let digits = letters.split('\\').filter(|each| !each.is_empty()).map(|each| &each[1..]);
            let bytes: Vec<u8> = digits.map(|each| u8::from_str_radix(each, 16).unwrap_or_default()).collect();
            as_text(bytes, out);
        }
        _ => out.push(char::from(kind)),
    }
}

/// The next row of `%u0041`.
fn percent_units(text: &[u8], from: usize) -> Option<Span> {
    let unit = |at: usize| text[at..].starts_with(b"%u") && hex(text, at + 2, 4) == 4;
    let start = from + memmem::find_iter(&text[from..], b"%u").find(|at| unit(from + at))?;
    let mut end = start + 6;
    while unit(end) {
        end += 6;
    }
    Some((start, end))
}

/// The next row of `U+0041`, with blanks, commas and semicolons between.
fn code_points(text: &[u8], from: usize) -> Option<Span> {
    let one = |at: usize| {
        let digits = if text[at..].starts_with(b"U+") { hex(text, at + 2, 7) } else { 0 };
        let end = at + 2 + digits;
        let goes_on = text.get(end).is_some_and(|next| next.is_ascii_alphanumeric() || b"+/_".contains(next));
        (4..=6).contains(&digits).then_some(end).filter(|_| !goes_on)
    };
    let start = from + memmem::find_iter(&text[from..], b"U+").find(|at| one(from + at).is_some())?;
    let mut end = one(start)?;
    loop {
        let between = text[end..].iter().take(2).take_while(|each| b" ,;".contains(each)).count();
        match one(end + between) {
            Some(next) => end = next,
            None => return Some((start, end)),
        }
    }
}

fn code_points_of(piece: &str, out: &mut String) {
    let digits = |each: &str| each.trim_end_matches([' ', ',', ';']).to_owned();
    out.extend(piece.split("U+").skip(1).map(|each| character(&digits(each), 16)));
}

/// The next row of entities.
fn entities(text: &[u8], from: usize) -> Option<Span> {
    let mut at = from;
    loop {
        let start = at + memchr(b'&', &text[at..])?;
        if let Some(mut end) = entity(text, start) {
            while let Some(next) = entity(text, end) {
                end = next;
            }
            return Some((start, end));
        }
        at = start + 1;
    }
}

/// Where the entity at a place ends. `amp;` may stand before what it is, any number of times.
fn entity(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'&') {
        return None;
    }
    let mut end = at + 1;
    while text[end..].starts_with(b"amp;") {
        end += 4;
    }
    // The last `amp;` may be the entity itself.
    named(text, end).or((end > at + 1).then_some(end))
}

/// Where the name or number at a place ends, with its semicolon, if it has one.
fn named(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) == Some(&b'#') {
        let is_hex = matches!(text.get(at + 1), Some(b'x' | b'X'));
        let begin = at + 1 + usize::from(is_hex);
        let zeros = past(text, begin.min(text.len()), b'0');
        let digits = if is_hex {
            hex(text, zeros, 6)
        } else {
            text[zeros..].iter().take(7).take_while(|each| each.is_ascii_digit()).count()
        };
        let end = zeros + digits;
        return (end > begin).then(|| end + usize::from(text.get(end) == Some(&b';')));
    }
    let letters = text[at..].iter().take(33).take_while(|each| each.is_ascii_alphanumeric()).count();
    if letters == 0 || !text[at].is_ascii_alphabetic() {
        return None;
    }
    if (2..=32).contains(&letters) && text.get(at + letters) == Some(&b';') {
        return Some(at + letters + 1);
    }
    const BARE: [&[u8]; 10] = [b"amp", b"AMP", b"lt", b"LT", b"gt", b"GT", b"quot", b"QUOT", b"nbsp", b"shy"];
    BARE.iter().find(|each| text[at..].starts_with(each)).map(|each| at + each.len())
}

/// The next row of `%41`; `25` may stand behind the sign, any number of times.
fn percents(text: &[u8], from: usize) -> Option<Span> {
    let mut at = from;
    loop {
        let start = at + memchr(b'%', &text[at..])?;
        if let Some(mut end) = percent(text, start) {
            while let Some(next) = percent(text, end) {
                end = next;
            }
            return Some((start, end));
        }
        at = start + 1;
    }
}

fn percent(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'%') {
        return None;
    }
    let mut end = at + 1;
    while text[end..].starts_with(b"25") {
        end += 2;
    }
    if hex(text, end, 2) == 2 {
        return Some(end + 2);
    }
    (end > at + 1).then_some(end)
}

fn percents_of(piece: &str, out: &mut String) {
    let digits = piece.split('%').skip(1).map(|each| &each[each.len() - 2..]);
    as_text(digits.map(|each| u8::from_str_radix(each, 16).unwrap_or_default()).collect(), out);
}

/// How characters beyond ASCII are written plainly, as far as it was asked for.
#[derive(Default)]
struct Forms {
    pages: HashMap<usize, [Form; PAGE]>,
    changed: HashMap<char, String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Unknown,
    Same,
    Other,
}

impl Forms {
    /// Replaces each row of characters that have another form; those of which it isn't known are the error.
    fn undone(&self, text: &str) -> Result<Option<Step>, BTreeSet<char>> {
        let mut spans: Vec<Span> = Vec::new();
        let mut unknown = BTreeSet::new();
        let mut at = 0;
        while let Some(begin) = beyond_ascii(text.as_bytes(), at) {
            at = begin;
            let mut page = (usize::MAX, None);
            for each in text[begin..].chars().take_while(|each| !each.is_ascii()) {
                let code = each as usize;
                if code / PAGE != page.0 {
                    page = (code / PAGE, self.pages.get(&(code / PAGE)));
                }
                let end = at + each.len_utf8();
                match (page.1.map_or(Form::Unknown, |page| page[code % PAGE]), spans.last_mut()) {
                    (Form::Same, _) => {}
                    (Form::Unknown, _) => drop(unknown.insert(each)),
                    (Form::Other, Some(last)) if last.1 == at => last.1 = end,
                    (Form::Other, _) => spans.push((at, end)),
                }
                at = end;
            }
        }
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let mut spans = spans.into_iter();
        Ok(undone(text, |_, _| spans.next(), |piece, out| out.extend(piece.chars().map(|each| &*self.changed[&each]))))
    }

    fn learn(&mut self, each: char, plain: String) {
        let code = each as usize;
        let same = plain.chars().eq([each]);
        self.pages.entry(code / PAGE).or_insert([Form::Unknown; PAGE])[code % PAGE] =
            if same { Form::Same } else { Form::Other };
        if !same {
            self.changed.insert(each, plain);
        }
    }
}

/// Where the next byte beyond ASCII is.
fn beyond_ascii(text: &[u8], from: usize) -> Option<usize> {
    let blocks = text[from..].chunks(64);
    let before = blocks.take_while(|block| block.is_ascii()).map(<[u8]>::len).sum::<usize>();
    let at = from + before;
    text[at..].iter().position(|byte| !byte.is_ascii()).map(|found| at + found)
}
