//! Merging neighbouring runs into one: lists are joined, ids are merged by hash, nothing is held as a whole.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::build::{Builder, Built};
use super::find::KeyScan;
use super::ids::IdScan;
use super::page::Wrong;
use super::{Fingerprint, Postings, Run, RunName};
use crate::storage::DiskFile;

/// Why runs could not be merged. The file that was being written is worth nothing.
#[derive(Debug)]
pub(crate) enum MergeError {
    /// One of the runs cannot be read: which one, and why.
    Input(usize, Wrong),
    /// What the runs hold is not what they say; [`check`](super::check) can tell which.
    Differs,
    /// The new run cannot be written.
    Output(io::Error),
}

impl std::fmt::Display for MergeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Input(_, wrong) => wrong.fmt(f),
            Self::Differs => f.write_str("runs to merge do not hold what they say"),
            Self::Output(cause) => write!(f, "the merged run cannot be written: {cause}"),
        }
    }
}

impl From<io::Error> for MergeError {
    fn from(cause: io::Error) -> Self {
        Self::Output(cause)
    }
}

/// Writes what neighbouring runs hold as one run of a level, into an empty file that the caller syncs and renames.
///
/// The result is refused if its fingerprint is not the sum of theirs, so damage that no checksum sees is not
/// carried on.
pub(crate) fn merge(
    store: Uuid,
    level: u32,
    inputs: &[Arc<Run>],
    file: &dyn DiskFile,
) -> Result<Built, MergeError> {
    let (Some(first), Some(last)) = (inputs.first(), inputs.last()) else {
        return Err(MergeError::Output(io::Error::other("there is nothing to merge")));
    };
    let adjacent = |pair: &[Arc<Run>]| pair[0].name.last + 1 == pair[1].name.first;
    assert!(inputs.windows(2).all(adjacent), "runs are merged with their neighbours");
    let name = RunName { level, first: first.name.first, last: last.name.last };
    let expected_keys = inputs.iter().map(|run| run.footer.keys.count).sum();
    let expected_ids = inputs.iter().map(|run| run.footer.ids.count).sum();
    let mut builder = Builder::new(store, name, expected_keys, expected_ids, file);
    merge_keys(inputs, &mut builder)?;
    merge_ids(inputs, &mut builder)?;
    let built = builder.finish()?;
    let sum = inputs.iter().fold(Fingerprint::default(), |sum, run| sum.plus(run.fingerprint()));
    if built.fingerprint == sum { Ok(built) } else { Err(MergeError::Differs) }
}

fn merge_keys(inputs: &[Arc<Run>], builder: &mut Builder<'_>) -> Result<(), MergeError> {
    let mut scans: Vec<KeyScan> = inputs.iter().map(|run| run.keys(&[])).collect();
    for (at, scan) in scans.iter_mut().enumerate() {
        scan.advance().map_err(|wrong| MergeError::Input(at, wrong))?;
    }
    let mut key = Vec::new();
    loop {
        let heads = scans.iter().filter(|scan| scan.found().is_some()).map(KeyScan::key);
        let Some(smallest) = heads.min() else { return Ok(()) };
        key.clear();
        key.extend_from_slice(smallest);
        let mut base = None;
        let mut lists = Vec::with_capacity(inputs.len());
        for (at, scan) in scans.iter().enumerate() {
            if let Some(found) = scan.found()
                && scan.key() == key
            {
                base.get_or_insert(found.base);
                lists.push((at, inputs[at].cursor(found)));
            }
        }
        let joined = lists.iter_mut().flat_map(|(at, list)| joined(*at, list));
        builder.key(&key, base.unwrap_or(0), joined)?;
        for (at, _) in lists {
            scans[at].advance().map_err(|wrong| MergeError::Input(at, wrong))?;
        }
    }
}

/// One input's postings; an error is the last item.
fn joined(at: usize, list: &mut Postings) -> impl Iterator<Item = Result<u64, MergeError>> {
    std::iter::from_fn(move || list.advance().map_err(|wrong| MergeError::Input(at, wrong)).transpose())
}

fn merge_ids(inputs: &[Arc<Run>], builder: &mut Builder<'_>) -> Result<(), MergeError> {
    let mut scans: Vec<IdScan> = inputs.iter().map(Run::id_entries).collect();
    let mut heads = Vec::with_capacity(scans.len());
    for (at, scan) in scans.iter_mut().enumerate() {
        heads.push(next_id(at, scan)?);
    }
    loop {
        let smallest = heads.iter().enumerate().filter_map(|(at, head)| head.map(|head| (head, at))).min();
        let Some(((hash, position), at)) = smallest else { return Ok(()) };
        builder.id(hash, position)?;
        heads[at] = next_id(at, &mut scans[at])?;
    }
}

fn next_id(at: usize, scan: &mut IdScan) -> Result<Option<(u64, u64)>, MergeError> {
    scan.next().transpose().map_err(|wrong| MergeError::Input(at, wrong))
}
