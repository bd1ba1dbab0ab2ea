//! Where in a text one of many literals may begin, told from its first bytes.
//!
//! Three bytes are looked up at each place, without a branch, in a table that fits into the nearest cache; the fourth
//! turns down most of what that leaves. An automaton of a thousand literals, whose states don't fit there, takes longer.

const THREE: usize = 1 << 11; // words of 64 bits
const FOUR: usize = 1 << 14;
const SLOT_BITS: u32 = 13;
const BLOCK: usize = 64; // places that are looked at together
const BEHIND: usize = 3; // bytes behind a place that are looked at, too

/// What a literal begins with, in small letters, and which bytes may stand behind it.
pub struct Beginning<'a> {
    pub text: &'a [u8],
    pub behind: &'a [bool; 256],
}

/// The beginnings of literals, by three bytes and by four.
pub struct Grams {
    three: Bits<THREE>,
    four: Bits<FOUR>,
    loose: Bits<THREE>, // three bytes, of which the fourth says nothing
    slots: Vec<u32>,    // the number of a list, from 1 on, by the hash of three bytes
    lists: Vec<(u32, Vec<usize>)>,
}

impl Grams {
    /// Takes literals; those of one byte are left out.
    pub fn new<'a>(literals: impl Iterator<Item = Beginning<'a>>) -> Self {
        let mut made = Self {
            three: Bits::default(),
            four: Bits::default(),
            loose: Bits::default(),
            slots: vec![0; 1 << SLOT_BITS],
            lists: Vec::new(),
        };
        for (literal, Beginning { text, behind }) in literals.enumerate() {
            let mut next: Vec<u8> = (0..=255u8).filter(|byte| behind[usize::from(*byte)]).collect();
            next.make_ascii_lowercase();
            next.sort_unstable();
            next.dedup();
            let begins = number(&text[..text.len().min(4)]);
            match text.len() {
                0 | 1 => {}
                2 => next.iter().for_each(|byte| made.add_loose(begins | u32::from(*byte) << 16, literal)),
                3 => {
                    made.add(begins, literal);
                    next.iter().for_each(|byte| made.four.set(begins | u32::from(*byte) << 24));
                }
                _ => {
                    made.add(begins & 0xFF_FFFF, literal);
                    made.four.set(begins);
                }
            }
        }
        made
    }

    fn add_loose(&mut self, three: u32, literal: usize) {
        self.add(three, literal);
        self.loose.set(three);
    }

    fn add(&mut self, three: u32, literal: usize) {
        self.three.set(three);
        let mut slot = hash(three, SLOT_BITS);
        while self.slots[slot] != 0 && self.lists[self.slots[slot] as usize - 1].0 != three {
            slot = (slot + 1) % self.slots.len();
        }
        if self.slots[slot] == 0 {
            self.lists.push((three, Vec::new()));
            self.slots[slot] = self.lists.len() as u32;
        }
        self.lists[self.slots[slot] as usize - 1].1.push(literal);
    }

    /// The literals that begin with three bytes, by their numbers.
    fn list(&self, three: u32) -> &[usize] {
        let mut slot = hash(three, SLOT_BITS);
        loop {
            match self.slots[slot] {
                0 => return &[],
                list if self.lists[list as usize - 1].0 == three => return &self.lists[list as usize - 1].1,
                _ => slot = (slot + 1) % self.slots.len(),
            }
        }
    }

    /// Names the places where literals may begin in a text in small letters, in order, and which may.
    pub fn each(&self, text: &[u8], mut found: impl FnMut(usize, &[usize])) {
        let mut last;
        for at in (0..text.len()).step_by(BLOCK) {
            let block: &[u8; BLOCK + BEHIND] = match text.get(at..at + BLOCK + BEHIND) {
                Some(block) => block.try_into().expect("it has that length"),
                None => {
                    last = [0; BLOCK + BEHIND]; // what is behind the text reads as U+0000
                    last[..text.len() - at].copy_from_slice(&text[at..]);
                    &last
                }
            };
            let mut marks = self.marks(block);
            while marks != 0 {
                let place = marks.trailing_zeros() as usize;
                marks &= marks - 1;
                let four = number(&block[place..place + 4]);
                let three = four & 0xFF_FFFF;
                if self.four.has(four) || self.loose.has(three) {
                    found(at + place, self.list(three));
                }
            }
        }
    }

    /// A bit for each place at which there are three bytes that literals begin with.
    fn marks(&self, block: &[u8; BLOCK + BEHIND]) -> u64 {
        let mut marks = 0;
        for place in 0..BLOCK {
            let three = number(&block[place..place + 3]);
            marks |= u64::from(self.three.has(three)) << place;
        }
        marks
    }
}

/// A set of numbers, of so many words, that may say of some others, too, that they are in it.
struct Bits<const WORDS: usize>(Box<[u64; WORDS]>);

impl<const WORDS: usize> Bits<WORDS> {
    const BITS: u32 = (WORDS * 64).ilog2();

    fn set(&mut self, number: u32) {
        let place = hash(number, Self::BITS);
        self.0[place / 64] |= 1 << (place % 64);
    }

    #[inline]
    fn has(&self, number: u32) -> bool {
        let place = hash(number, Self::BITS);
        self.0[place / 64 % WORDS] >> (place % 64) & 1 != 0
    }
}

impl<const WORDS: usize> Default for Bits<WORDS> {
    fn default() -> Self {
        Self(Box::new([0; WORDS]))
    }
}

/// So many bits of a number that depend on all of its bits.
#[inline]
fn hash(number: u32, bits: u32) -> usize {
    (number.wrapping_mul(0x9E37_79B1) >> (32 - bits)) as usize
}

/// Bytes as a number, the first one lowest.
#[inline]
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
