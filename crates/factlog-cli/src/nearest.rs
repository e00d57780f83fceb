//! The word that may have been meant, by the number of letters to change.

/// More changes than this make another word.
const CHANGES_MAX: usize = 2;

/// The nearest of these words, the first of several, if one is near at all.
pub(crate) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = words.map(|other| (changes(word, other), other));
    near.filter(|(changes, _)| *changes <= CHANGES_MAX)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, other)| other)
}

/// Letters to put in, take out or replace, by the algorithm of Wagner and Fischer (1974).
fn changes(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (n, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], n + 1);
        for (m, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[m + 1];
            row[m + 1] = replaced.min(diagonal + 1).min(row[m] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        for (from, to, count) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("prod", "prdo", 2)]
        {
            assert_eq!((changes(from, to), changes(to, from)), (count, count), "{from} {to}");
        }
    }

    #[test]
    fn a_word_that_is_far_from_all_has_no_nearest() {
        let words = ["F0004", "F0005", "F0010"];
        assert_eq!(nearest("F004", words.into_iter()), Some("F0004"));
        assert_eq!(nearest("F0019", words.into_iter()), Some("F0010"));
        assert_eq!(nearest("X", words.into_iter()), None);
    }
}
