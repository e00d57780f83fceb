//! Whatever the bytes of a run are, it is noticed and nothing panics.

use std::collections::BTreeMap;

use factlog_core::Direction;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::footer::{Footer, Section};
use super::super::page::{BODY, Seal};
use super::super::{MergeError, PAGE, check, merge};
use super::*;
use crate::checksum::{Place, checksum};

const NAME: RunName = RunName { level: 0, first: 5, last: 5 + 399 };

/// A run with all kinds of pages, each of them several times where a small run can have that.
fn sample() -> (Vec<u8>, Model) {
    let (file, _, model) = gather(&some_events(400), NAME.first, &mut BTreeMap::new());
    (file.bytes(), model)
}

/// Computes the checksums of all pages anew.
fn seal(bytes: &mut [u8], name: RunName) {
    for (number, page) in bytes.chunks_exact_mut(PAGE).enumerate() {
        let file = Memory::default();
        let mut sink = super::super::page::Sink::new(&file, Seal::new(STORE, name));
        sink.reserve(number as u64 + 1);
        let mut content = page[..BODY].to_vec();
        sink.write_at(number as u64, &mut content).expect("memory");
        page.copy_from_slice(&content);
    }
}

/// Does all that can be done with a run. Answers may be anything, panics not.
fn use_all(bytes: Vec<u8>, model: &Model) -> bool {
    let Ok(run) = open(&Memory::of(bytes), NAME) else { return false };
    for (key, (_, postings)) in model.keys.iter().step_by(5) {
        let Ok(Some(found)) = run.find(key) else { continue };
        let mut cursor = run.cursor(&found);
        for from in postings.iter().step_by(29).chain([&0, &u64::MAX]) {
            drop(cursor.seek(*from, Direction::Backwards));
            drop(cursor.seek(*from, Direction::Forwards));
            drop(cursor.nth(*from));
        }
        drop(run.keys(key).take(5).collect::<Vec<_>>());
    }
    for (hash, _) in model.ids.iter().step_by(9) {
        drop(run.ids(*hash));
    }
    drop(contents(&run));
    drop(merge(STORE, 1, std::slice::from_ref(&run), &Memory::default()));
    check(&run, &mut |_| {}).is_ok()
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (good, model) = sample();
    let file = Memory::of(good.clone());
    let run = open(&file, NAME).expect("whole");
    for bit in 0..good.len() * 8 {
        let (at, mask) = (bit / 8, 1 << (bit % 8));
        file.0.lock().unwrap()[at] ^= mask;
        let wrong = run.read_page((at / PAGE) as u64).expect_err("a flipped bit");
        file.0.lock().unwrap()[at] ^= mask;
        assert!(matches!(wrong, Wrong::Malformed { offset, .. } if offset == (at / PAGE * PAGE) as u64));
        if bit % 997 == 0 {
            let mut bad = good.clone();
            bad[at] ^= mask;
            assert!(!use_all(bad, &model), "bit {bit} is noticed by a check");
        }
    }
}

/// The lookup that needs a harmed page fails; the others go on.
#[test]
fn a_lookup_notices_what_it_touches() {
    let (good, model) = sample();
    for page in 0..good.len() / PAGE - 1 {
        let mut bad = good.clone();
        bad[page * PAGE + 100] ^= 1;
        let run = open(&Memory::of(bad), NAME).expect("the footer is whole");
        let mut failed = 0;
        for (key, (_, postings)) in &model.keys {
            let answer = run
                .find(key)
                .and_then(|found| run.cursor(&found.expect("there")).seek(0, Direction::Forwards));
            match answer {
                Ok(found) => assert_eq!(found, Some(postings[0])),
                Err(Wrong::Malformed { offset, .. }) => {
                    assert_eq!(offset, (page * PAGE) as u64);
                    failed += 1;
                }
                Err(Wrong::Io(cause)) => panic!("{cause}"),
            }
        }
        for &(hash, position) in &model.ids {
            match run.ids(hash) {
                Ok(found) => assert_eq!(found, [position]),
                Err(_) => failed += 1,
            }
        }
        assert!(0 < failed, "page {page} is of use to somebody");
    }
}

#[test]
fn a_file_that_is_cut_or_anothers_is_refused() {
    let (good, _) = sample();
    for length in [0, 1, PAGE - 1, PAGE, good.len() - PAGE, good.len() - 1] {
        assert!(open(&Memory::of(good[..length].to_vec()), NAME).is_err());
    }
    for name in [RunName { level: 1, ..NAME }, RunName { first: 4, ..NAME }, RunName { last: 405, ..NAME }] {
        assert!(open(&Memory::of(good.clone()), name).is_err(), "{name:?} is another run");
    }
    let pages = Arc::new(Pages::new(1 << 20, 0));
    let other = Uuid::from_u128(1);
    assert!(Run::open(other, NAME, Box::new(Memory::of(good.clone())), pages).is_err());
    let mut swapped = good;
    let (left, right) = swapped.split_at_mut(PAGE);
    left.swap_with_slice(&mut right[..PAGE]);
    assert!(check(&open(&Memory::of(swapped), NAME).expect("the footer is whole"), &mut |_| {}).is_err());
}

/// A run that lists the same page of another run's place must not pass, even for equal content.
#[test]
fn a_page_is_bound_to_level_and_last_position() {
    let page = [7; BODY];
    let place = Place { store: STORE, file: crate::checksum::FileKind::Run, number: 5, offset: 0 };
    let plain = checksum(place.seed(), &page);
    let sealed = [RunName { level: 1, ..NAME }, RunName { last: 9, ..NAME }, NAME].map(|name| {
        let mut bytes = [&page[..], &[0; 8]].concat();
        seal(&mut bytes, name);
        u64::from_le_bytes(bytes[BODY..].try_into().unwrap())
    });
    assert!(sealed[0] != sealed[1] && sealed[1] != sealed[2] && sealed[0] != sealed[2]);
    assert!(!sealed.contains(&plain));
}

#[test]
fn unknown_sections_are_skipped_if_they_say_so() {
    let (good, model) = sample();
    let pages = (good.len() / PAGE) as u64;
    let footer = Footer::decode(&good[good.len() - PAGE..], STORE, NAME, pages).expect("a footer");
    let with = |kind, flags, section| {
        let mut page = footer.encode(STORE, NAME, &[(kind, flags, section)]);
        page.resize(PAGE, 0);
        let mut bytes = [&good[..good.len() - PAGE], &page].concat();
        seal(&mut bytes, NAME);
        open(&Memory::of(bytes), NAME)
    };
    let section = Section { first: 0, pages: 1, count: 9 };
    let run = with(99, 1, section).expect("an optional section");
    assert!(contents(&run).expect("whole") == model);
    assert!(with(99, 0, section).is_err(), "a section that must be known");
    assert!(with(1, 1, section).is_err(), "a section that is there twice");
    assert!(with(99, 1, Section { first: pages - 1, ..section }).is_err(), "a section beyond the file");
    assert!(with(99, 1, Section { first: u64::MAX, ..section }).is_err(), "a section beyond all");
}

/// A merge must not carry on what nothing vouches for.
#[test]
fn a_run_that_does_not_hold_what_it_says_is_not_merged() {
    let (good, _) = sample();
    let pages = (good.len() / PAGE) as u64;
    let mut footer = Footer::decode(&good[good.len() - PAGE..], STORE, NAME, pages).expect("a footer");
    footer.fingerprint.postings ^= 1;
    let mut page = footer.encode(STORE, NAME, &[]);
    page.resize(PAGE, 0);
    let mut bytes = [&good[..good.len() - PAGE], &page].concat();
    seal(&mut bytes, NAME);
    let run = open(&Memory::of(bytes), NAME).expect("checksums hold");
    let merged = merge(STORE, 1, std::slice::from_ref(&run), &Memory::default());
    assert!(matches!(merged, Err(MergeError::Differs)));
    assert!(check(&run, &mut |_| {}).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Damage below the checksums, as a fault of a program would make it: nothing panics.
    #[test]
    fn nonsense_with_good_checksums_never_panics(
        harm in vec((any::<prop::sample::Index>(), 0..64_usize, any::<u8>()), 1..12),
        near_heads in any::<bool>(),
    ) {
        let (mut bytes, model) = sample();
        for (index, small, byte) in harm {
            let at = index.index(bytes.len());
            let at = if near_heads { at / PAGE * PAGE + small } else { at };
            bytes[at] = byte;
        }
        seal(&mut bytes, NAME);
        use_all(bytes, &model);
    }

    #[test]
    fn arbitrary_files_never_panic(mut bytes in vec(any::<u8>(), 0..3 * PAGE)) {
        let model = Model::default();
        prop_assert!(!use_all(bytes.clone(), &model));
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        seal(&mut bytes, NAME);
        prop_assert!(!use_all(bytes, &model));
    }
}
