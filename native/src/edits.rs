//! What became of a text where pieces of it were replaced: see `plugins/tidegate_scan/edits.py`.

/// Where edits begin and end in the old text, and where in the new.
pub type Lists = (Vec<usize>, Vec<usize>, Vec<usize>, Vec<usize>);

/// Pieces that were replaced: where each began and ended in the old text, and where in the new. In order.
pub struct Edits {
    pub old_starts: Vec<usize>,
    pub old_ends: Vec<usize>,
    pub new_starts: Vec<usize>,
    pub new_ends: Vec<usize>,
}

impl Edits {
    /// Those pieces that differ, given where all are. With less than so much between them they become one.
    pub fn of(old: &[(usize, usize)], new: &[(usize, usize)], differ: &[bool], apart: usize) -> Self {
        let mut found =
            Self { old_starts: Vec::new(), old_ends: Vec::new(), new_starts: Vec::new(), new_ends: Vec::new() };
        for ((old, new), _) in old.iter().zip(new).zip(differ).filter(|(_, differ)| **differ) {
            match (found.old_ends.last_mut(), found.new_ends.last_mut()) {
                (Some(old_last), Some(new_last)) if old.0 - *old_last < apart => {
                    (*old_last, *new_last) = (old.1, new.1);
                }
                _ => {
                    found.old_starts.push(old.0);
                    found.old_ends.push(old.1);
                    found.new_starts.push(new.0);
                    found.new_ends.push(new.1);
                }
            }
        }
        found
    }

    /// These edits and later ones of the new text as one; what meets becomes one piece.
    pub fn then(self, later: &Self) -> Self {
        let first = self.new_starts.iter().copied().zip(self.new_ends.iter().copied());
        let second = later.old_starts.iter().copied().zip(later.old_ends.iter().copied());
        let mut both: Vec<(usize, usize)> = first.chain(second).collect();
        both.sort_unstable();
        let mut met: Vec<(usize, usize)> = Vec::with_capacity(both.len());
        for (start, end) in both {
            match met.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => met.push((start, end)),
            }
        }
        let begins = |starts: &[usize], ends: &[usize], to_starts: &[usize], to_ends: &[usize], start: usize| {
            let at = starts.partition_point(|each| *each < start);
            match (starts.get(at), at) {
                (Some(edit), _) if *edit == start => to_starts[at],
                (_, 0) => start,
                _ => start - ends[at - 1] + to_ends[at - 1],
            }
        };
        let stops = |ends: &[usize], to_ends: &[usize], end: usize| match ends.partition_point(|each| *each <= end) {
            0 => end,
            at => end - ends[at - 1] + to_ends[at - 1],
        };
        let old = |start| begins(&self.new_starts, &self.new_ends, &self.old_starts, &self.old_ends, start);
        let new = |start| begins(&later.old_starts, &later.old_ends, &later.new_starts, &later.new_ends, start);
        Self {
            old_starts: met.iter().map(|(start, _)| old(*start)).collect(),
            old_ends: met.iter().map(|(_, end)| stops(&self.new_ends, &self.old_ends, *end)).collect(),
            new_starts: met.iter().map(|(start, _)| new(*start)).collect(),
            new_ends: met.iter().map(|(_, end)| stops(&later.old_ends, &later.new_ends, *end)).collect(),
        }
    }

    pub fn lists(self) -> Lists {
        (self.old_starts, self.old_ends, self.new_starts, self.new_ends)
    }

    /// How much of the new text is what was replaced.
    pub fn fresh(&self) -> usize {
        self.new_ends.iter().sum::<usize>() - self.new_starts.iter().sum::<usize>()
    }

    /// Whether a stretch of the old text stayed as it is, with what is between its bytes.
    pub fn kept(&self, start: usize, end: usize) -> bool {
        let at = self.old_ends.partition_point(|each| *each <= start);
        self.old_starts.get(at).is_none_or(|next| *next >= end)
    }

    /// Whether a stretch of the new text isn't as it was.
    pub fn is_new(&self, start: usize, end: usize) -> bool {
        let at = self.new_ends.partition_point(|each| *each <= start);
        self.new_starts.get(at).is_some_and(|next| *next < end)
    }

    /// Where a place of the old text is in the new one, if it stayed as it is.
    pub fn moved(&self, place: usize) -> usize {
        match self.old_ends.partition_point(|each| *each <= place) {
            0 => place,
            at => place - self.old_ends[at - 1] + self.new_ends[at - 1],
        }
    }

    /// The stretches of the new text, of that size, that are no further than a margin from something new.
    pub fn around(&self, margin: usize, size: usize) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (start, end) in self.new_starts.iter().zip(&self.new_ends) {
            let (start, end) = (start.saturating_sub(margin), size.min(end + margin));
            match found.last_mut() {
                Some(last) if start <= last.1 => last.1 = end,
                _ => found.push((start, end)),
            }
        }
        found
    }
}
