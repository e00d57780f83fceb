//! Lists of event names at compile time: what the derives need to join them and to find one given twice.

use crate::{CodecError, EventSet, Stored};

/// How many names the lists hold together.
pub const fn total(lists: &[&[&'static str]]) -> usize {
    let (mut count, mut list) = (0, 0);
    while list < lists.len() {
        count += lists[list].len();
        list += 1;
    }
    count
}

/// The lists one after the other; `N` is their [`total`].
pub const fn concat<const N: usize>(lists: &[&[&'static str]]) -> [&'static str; N] {
    let mut all = [""; N];
    let (mut next, mut list) = (0, 0);
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            all[next] = lists[list][index];
            next += 1;
            index += 1;
        }
        list += 1;
    }
    assert!(next == N, "the length given is the total of the lists");
    all
}

/// Whether no name is in two of the lists. Within one a name may stand twice.
pub const fn disjoint(lists: &[&[&'static str]]) -> bool {
    let mut left = 0;
    while left < lists.len() {
        let mut right = left + 1;
        while right < lists.len() {
            if meet(lists[left], lists[right]) {
                return false;
            }
            right += 1;
        }
        left += 1;
    }
    true
}

/// Whether the name is in the list.
pub const fn contains(list: &[&'static str], name: &'static str) -> bool {
    meet(list, &[name])
}

/// Whether a stored name is in the list. Short and in its place, so that the compiler sees the lengths it is compared with.
#[inline(always)]
pub fn among(list: &'static [&'static str], name: &str) -> bool {
    list.iter().any(|other| other.len() == name.len() && *other == name)
}

/// The error for a stored event that is none of the set's.
pub fn unknown_type<E: EventSet>(stored: &Stored<'_>) -> CodecError {
    CodecError::unknown_type(stored, E::NAMES)
}

const fn meet(left: &[&'static str], right: &[&'static str]) -> bool {
    let mut at = 0;
    while at < left.len() {
        let mut other = 0;
        while other < right.len() {
            if same(left[at].as_bytes(), right[other].as_bytes()) {
                return true;
            }
            other += 1;
        }
        at += 1;
    }
    false
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name in two variants would make one of them unreadable; a repeat within one event's history is harmless.
    #[test]
    fn a_name_in_two_lists_is_found_and_a_repeat_in_one_is_not_counted() {
        assert!(disjoint(&[&["a", "a"], &["b", "ab"]]));
        assert!(!disjoint(&[&["a"], &["b"], &["c", "a"]]));
    }

    #[test]
    fn lists_are_joined_in_order() {
        let lists: &[&[&str]] = &[&["a"], &[], &["b", "c"]];
        assert_eq!(total(lists), 3);
        assert_eq!(concat::<3>(lists), ["a", "b", "c"]);
    }
}
