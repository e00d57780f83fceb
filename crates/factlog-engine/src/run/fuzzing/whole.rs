//! A whole run, read in every way there is.

use std::sync::Arc;

use factlog_core::Direction;

use super::super::footer::Footer;
use super::super::page::{PAGE, Seal};
use super::super::{Entry, Gather, Pages, Run, RunName, Wrong, check as check_run, merge};
use crate::fuzzing::kit::{self, Memory, STORE, pack, reseal, unpack};
use crate::rebuild::gather_record;

/// The most bytes of a file.
const BYTES_MAX: usize = 256 << 10;
/// The position in front of a run's first.
pub(super) const BASE: u64 = 0;
/// The most keys and ids that are looked up.
const LOOKS: usize = 32;

/// A file, packed: as it is and with its checksums put right. It covers as many positions as its first bytes say.
pub(crate) fn file(bytes: &[u8]) {
    let Some((last, packed)) = bytes.split_first_chunk::<2>() else { return };
    let last = BASE + 1 + u64::from(u16::from_le_bytes(*last));
    let name = RunName { level: 0, first: BASE + 1, last };
    let mut file = unpack(packed, BYTES_MAX);
    look(name, &file);
    mend(name, &mut file);
    look(name, &file);
}

fn look(name: RunName, bytes: &[u8]) {
    let file = Memory::of(bytes.to_vec());
    // Once with filters in memory, once with their pages.
    for room in [0, 1 << 20] {
        let pages = Arc::new(Pages::new(1 << 16, room));
        let Ok(run) = Run::open(STORE, name, Box::new(file.clone()), pages) else { return };
        let run = Arc::new(run);
        let whole = check_run(&run, &mut |_| {}).is_ok();
        let keys = look_keys(&run, whole);
        assert!(keys.is_ok() || !whole, "a check found nothing wrong, and a key cannot be read: {keys:?}");
        let ids = look_ids(&run, whole);
        assert!(ids.is_ok() || !whole, "a check found nothing wrong, and an id cannot be read: {ids:?}");
        let output = Memory::default();
        let merged = merge(STORE, 1, &[run], &output);
        assert!(merged.is_ok() || !whole, "a check found nothing wrong, and it cannot be merged");
    }
}

/// Every key by going through them, and some by their names.
fn look_keys(run: &Arc<Run>, whole: bool) -> Result<(), Wrong> {
    let names: Vec<_> = run.keys(&[]).take(LOOKS).collect();
    for name in &names {
        let Ok((key, scanned)) = name else { break };
        let found = run.find(key)?;
        if whole {
            let found = found.as_ref().expect("a key that a check found");
            assert_eq!((found.base, found.count), (scanned.base, scanned.count));
        }
        let mut list = run.cursor(scanned);
        let mut all = Vec::new();
        while let Ok(Some(position)) = list.advance() {
            all.push(position);
        }
        assert!(all.is_sorted_by(|one, other| one < other), "postings grow");
        assert!(!whole || all.len() as u64 == scanned.count, "there are as many postings as the leaf says");
        seek(run, scanned, &all, whole)?;
    }
    drop(run.find(b"\x04nobody has this tag")?);
    drop(run.keys(b"\x03order").take(LOOKS).collect::<Vec<_>>());
    Ok(())
}

fn seek(run: &Arc<Run>, found: &super::super::Found, all: &[u64], whole: bool) -> Result<(), Wrong> {
    let (first, last) = (run.name().first, run.name().last);
    let mut list = run.cursor(found);
    for from in [0, first, last, first.midpoint(last), last / 3, u64::MAX] {
        let above = list.seek(from, Direction::Forwards)?;
        let below = list.seek(from, Direction::Backwards)?;
        if whole {
            assert_eq!(above, all.iter().copied().find(|&position| from <= position));
            assert_eq!(below, all.iter().copied().rev().find(|&position| position <= from));
        }
    }
    for n in [0, 1, 127, 128, found.count / 2, found.count - 1, found.count] {
        let nth = run.nth(found, n)?;
        assert!(
            !whole || nth == usize::try_from(n).ok().and_then(|n| all.get(n).copied()),
            "the n-th is the n-th"
        );
    }
    Ok(())
}

fn look_ids(run: &Arc<Run>, whole: bool) -> Result<(), Wrong> {
    let entries: Vec<_> = run.id_entries().take(LOOKS).collect();
    for (hash, position) in entries.into_iter().flatten() {
        let found = run.ids(hash)?;
        assert!(!whole || found.contains(&position), "an id that a check found");
    }
    drop(run.ids(12_345)?);
    Ok(())
}

/// Puts the checksums of a run's pages right, and whose run it is into its footer.
pub(crate) fn mend(name: RunName, file: &mut [u8]) {
    let (seal, pages) = (Seal::new(STORE, name), file.len() / PAGE);
    if let Some(footer) = file.len().checked_sub(PAGE).and_then(|at| file.get_mut(at..)) {
        footer[16..32].copy_from_slice(STORE.as_bytes());
        let numbers = [u64::from(name.level), name.first, name.last, pages as u64].map(u64::to_le_bytes);
        footer[32..64].copy_from_slice(numbers.as_flattened());
    }
    for (number, page) in file.chunks_exact_mut(PAGE).enumerate() {
        reseal(seal.seed(number as u64), page);
    }
}

/// The file of a run over these events.
pub(super) fn built(events: std::ops::Range<u64>) -> Vec<u8> {
    let (last, file) = (BASE + events.end - events.start, Memory::default());
    let mut gather = Gather::new(STORE, BASE + 1);
    for n in events {
        gather_record(&mut gather, n + 1, &kit::record(n)).expect("a record");
    }
    gather.write(last, &file).expect("a run in memory");
    let bytes = file.0.lock().clone();
    let (name, footer) = (RunName { level: 0, first: BASE + 1, last }, bytes.len() - PAGE);
    assert!(
        Footer::decode(&bytes[footer..], STORE, name, (bytes.len() / PAGE) as u64).is_ok(),
        "it is a run"
    );
    bytes
}

/// The file of a run with keys and ids enough for fences.
fn wide(events: u64) -> Vec<u8> {
    let file = Memory::default();
    let mut gather = Gather::new(STORE, BASE + 1);
    for n in 0..events {
        let (stream, tag) = (format!("order-{:04}", n * 7 % 1_000), format!("customer:{}", n % 300));
        let id = kit::event(n).id;
        gather.add(Entry {
            position: BASE + 1 + n,
            revision: 0,
            stream: Some(&stream),
            event_type: "order.placed",
            tags: [tag.as_str()],
            first_id: Some(&id),
        });
    }
    gather.write(BASE + events, &file).expect("a run in memory");
    file.0.lock().clone()
}

pub(crate) fn file_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |events: std::ops::Range<u64>| {
        let last = (events.end - events.start - 1) as u16;
        [last.to_le_bytes().to_vec(), pack(&built(events))].concat()
    };
    let fences = [399_u16.to_le_bytes().to_vec(), pack(&wide(400))].concat();
    vec![("with-fences", fences), ("small", of(0..6)), ("with-long-lists", of(0..300))]
}
