//! Pages of a run whose checksum holds: the footer, leaves and fences of keys, leaves of ids, chunks of postings.

use super::super::chunk::{self, Span};
use super::super::coded::{Coded, Walk, locate};
use super::super::find::parse;
use super::super::footer::Footer;
use super::super::ids::Leaf;
use super::super::page::{BODY, Numbers, PAGE, PageKind};
use super::super::{RunName, keys as names};
use super::whole::{BASE, built};
use crate::fields::Malformed;
use crate::fuzzing::kit::STORE;

const NAME: RunName = RunName { level: 0, first: BASE + 1, last: BASE + 1_000 };
const SPAN: Span = Span { first: NAME.first, last: NAME.last };
const PAGES: u64 = 64;

/// A footer with the identity of the run that it is read for.
pub(crate) fn footer(bytes: &[u8]) {
    for own in [false, true] {
        let mut page = bytes.to_vec();
        page.resize(PAGE, 0);
        if own {
            page[16..32].copy_from_slice(STORE.as_bytes());
            let numbers = [u64::from(NAME.level), NAME.first, NAME.last, PAGES].map(u64::to_le_bytes);
            page[32..64].copy_from_slice(numbers.as_flattened());
        }
        let Ok(found) = Footer::decode(&page, STORE, NAME, PAGES) else { continue };
        let mut again = found.encode(STORE, NAME, &[]);
        again.resize(PAGE, 0);
        assert_eq!(Footer::decode(&again, STORE, NAME, PAGES).as_ref(), Ok(&found), "a footer comes back");
        for section in [found.keys, found.key_filter, found.id_filter, found.ids] {
            assert!(section.first + section.pages <= PAGES, "a section is in the file");
            let most = section.pages * PAGE as u64;
            assert!(section.count <= most, "{} of {most} bytes cannot be there", section.count);
        }
    }
}

pub(crate) fn footer_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |events| {
        let file = built(events);
        file[file.len() - PAGE..][..300].to_vec()
    };
    vec![("small", of(0..6)), ("larger", of(0..300))]
}

/// A page from what stands in front of its zeros, u16 how much of it stands at its end.
fn page(bytes: &[u8]) -> Option<Vec<u8>> {
    let (behind, rest) = bytes.split_first_chunk::<2>()?;
    let behind = usize::from(u16::from_le_bytes(*behind)).min(rest.len());
    let (front, behind) = rest.split_at(rest.len() - behind);
    let mut page = front.to_vec();
    page.resize(BODY.checked_sub(behind.len()).filter(|&room| front.len() <= room)?, 0);
    page.extend_from_slice(behind);
    page.resize(PAGE, 0);
    Some(page)
}

/// The same of a page of which `groups` offsets stand at the end.
fn input(page: &[u8], groups: usize) -> Vec<u8> {
    let (front, behind) = page[..BODY].split_at(BODY - 2 * groups);
    let used = front.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
    let mut out = (behind.len() as u16).to_le_bytes().to_vec();
    out.extend_from_slice(&front[..used]);
    out.extend_from_slice(behind);
    out
}

/// A leaf or a fence of keys.
pub(crate) fn keys(bytes: &[u8]) {
    let Some(page) = page(bytes) else { return };
    coded(&page, bytes, parse);
    coded(&page, bytes, |numbers| numbers.varint());
}

fn coded<T: PartialEq + std::fmt::Debug>(
    page: &[u8],
    bytes: &[u8],
    parse: impl Fn(&mut Numbers<'_>) -> Result<T, Malformed> + Copy,
) {
    let (mut walk, mut entries) = (Walk::default(), Vec::new());
    walk.start();
    let whole = loop {
        match walk.next(page, parse) {
            Ok(Some(value)) => entries.push((walk.key.clone(), value)),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(entries.is_sorted_by(|one, other| one.0 < other.0), "a walk goes up");
    for probe in bytes.chunks(7).take(16).chain([&[][..], &[0xff; 9]]) {
        let found = locate(page, probe, parse);
        if let Ok(Some(located)) = &found
            && let Some((key, value)) = entries.get(located.index)
            && whole
        {
            assert!(key.as_slice() <= probe && &located.value == value, "a look-up finds what a walk does");
            assert!(entries.get(located.index + 1).is_none_or(|(next, _)| probe < next.as_slice()));
        }
    }
    if whole {
        for (at, (key, value)) in entries.iter().enumerate() {
            let found = locate(page, key, parse).expect("a page that a walk went through");
            let found = found.expect("a key that a walk came to");
            assert_eq!((found.index, found.exact, &found.value), (at, true, value));
        }
    }
}

pub(crate) fn keys_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let file = built(0..300);
    let pages: Vec<&[u8]> = file.chunks(PAGE).collect();
    let groups = |page: &[u8]| usize::from(u16::from_le_bytes([page[2], page[3]])).div_ceil(16);
    let leaf = pages.iter().find(|page| PageKind::KeyLeaf.is(page)).expect("there is a leaf");
    let mut fence = Coded::new(PageKind::KeyFence, 1);
    for n in 0..40_u64 {
        assert!(fence.push(&names::key(names::TAG, &format!("tag:{n:03}")), &[n as u8]), "there is room");
    }
    let mut fence = fence.take();
    fence.resize(PAGE, 0);
    vec![("leaf", input(leaf, groups(leaf))), ("fence", input(&fence, groups(&fence)))]
}

/// A leaf of ids.
pub(crate) fn ids(bytes: &[u8]) {
    let Some(page) = page(bytes) else { return };
    let mut entries = Vec::new();
    let mut leaf = Leaf::start();
    while let Ok(Some((hash, position))) = leaf.next(&page, SPAN) {
        assert!(
            hash < 1 << 40 && (SPAN.first..=SPAN.last).contains(&position),
            "what a leaf has is in its bounds"
        );
        entries.push((hash, position));
        assert!(entries.len() <= usize::from(u16::MAX), "a page is short");
    }
    for &(hash, _) in entries.iter().take(4).chain(&[(0, 0), ((1 << 40) - 1, 0), (u64::MAX, 0)]) {
        let Ok(mut leaf) = Leaf::before(&page, hash) else { continue };
        while let Ok(Some(_)) = leaf.next(&page, SPAN) {}
    }
}

pub(crate) fn ids_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let file = built(0..200);
    let leaf = file.chunks(PAGE).find(|page| PageKind::IdLeaf.is(page)).expect("there is a leaf");
    let groups = usize::from(u16::from_le_bytes([leaf[2], leaf[3]])).div_ceil(32);
    vec![("leaf", input(leaf, groups))]
}

/// A chunk at the front of a page, and the same bytes as a list beside its key.
pub(crate) fn postings(bytes: &[u8]) {
    let mut page = bytes.to_vec();
    page.resize(PAGE, 0);
    let mut found = Vec::new();
    for at in [0, 1, BODY - 9, PAGE - 1] {
        if chunk::decode(&page, at, SPAN, &mut found).is_ok() {
            come_back(&found);
        }
    }
    if chunk::decode_inline(bytes, SPAN, &mut found).is_ok() {
        assert!(found.len() <= bytes.len(), "each posting takes a byte at least");
        come_back(&found);
    }
}

fn come_back(found: &[u64]) {
    assert!(!found.is_empty() && found.is_sorted_by(|one, other| one < other), "postings grow");
    assert!(
        found.iter().all(|position| (SPAN.first..=SPAN.last).contains(position)),
        "postings are in their run"
    );
    for part in found.chunks(chunk::CHUNK) {
        let from_first: Vec<u64> = part.iter().map(|position| position - SPAN.first).collect();
        let (mut packed, mut again) = (Vec::new(), Vec::new());
        chunk::encode(&from_first, &mut packed);
        packed.resize(PAGE, 0);
        chunk::decode(&packed, 0, SPAN, &mut again).expect("what was packed is unpacked");
        assert_eq!(again, part);
    }
}

pub(crate) fn postings_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let packed = |positions: Vec<u64>| {
        let mut out = Vec::new();
        chunk::encode(&positions, &mut out);
        out
    };
    vec![
        ("dense", packed((0..128).collect())),
        ("bits", packed((0..100).map(|n| n * 7).collect())),
        ("varints", packed((0..20).map(|n| if n < 19 { n } else { 990 }).collect())),
        ("inline", vec![0, 0, 3, 0x85, 1, 9]),
    ]
}
