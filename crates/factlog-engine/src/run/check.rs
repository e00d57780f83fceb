//! Checking a whole run: every page, every order, every count. For `verify`, which then compares the fingerprint
//! with the log.

use std::sync::Arc;

use super::keys::{self, Fingerprint, STREAM};
use super::page::{PAGE, Wrong};
use super::{Counts, Found, Run};
use crate::fields::Malformed;

/// Reads all of a run from the disk and checks that it is one; `progress` is told the bytes read so far.
pub(crate) fn check(run: &Arc<Run>, progress: &mut dyn FnMut(u64)) -> Result<(), Wrong> {
    for number in 0..run.footer.pages {
        run.read_page(number)?;
        progress((number + 1) * PAGE as u64);
    }
    let (mut counts, mut sums) = (Counts::default(), Fingerprint::default());
    let mut scan = run.keys(&[]);
    while scan.advance()? {
        let wrong = Wrong::in_page(scan.page_number());
        if let Some(found) = scan.found() {
            sums.postings = sums.postings.wrapping_add(check_key(run, scan.key(), found, &mut counts)?);
        }
        if !run.may_have_key(scan.key())? {
            return Err(wrong(Malformed("a key is not in its filter")));
        }
    }
    for entry in run.id_entries() {
        let (hash, position) = entry?;
        counts.ids += 1;
        sums.ids = sums.ids.wrapping_add(keys::fingerprint_of_id(hash, position));
        if !run.may_have_id(hash)? {
            return Err(Wrong::in_page(run.footer.ids.first)(Malformed("an id is not in its filter")));
        }
    }
    let wrong = Wrong::in_page(run.footer.pages - 1);
    if counts != run.footer.counts {
        Err(wrong(Malformed("the run does not hold as much as it says")))
    } else if sums != run.footer.fingerprint {
        Err(wrong(Malformed("the run does not hold what it says")))
    } else {
        Ok(())
    }
}

/// Goes through a key's postings, counts them, and returns their part of the fingerprint.
fn check_key(run: &Arc<Run>, key: &[u8], found: &Found, counts: &mut Counts) -> Result<u64, Wrong> {
    let kind = key.first().copied().unwrap_or(0);
    counts.keys[usize::from(kind.saturating_sub(STREAM)) % keys::KINDS] += 1;
    counts.new_streams += u64::from(kind == STREAM && found.base == 0);
    let hash = keys::hash(run.seed, key);
    let (mut list, mut sum) = (run.cursor(found), 0_u64);
    while let Some(position) = list.advance()? {
        counts.postings += 1;
        sum = sum.wrapping_add(keys::fingerprint_of_posting(hash, position));
    }
    Ok(sum)
}
