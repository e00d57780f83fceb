//! What the process is allowed and what the settings may take: open files, memory; and the clock.

use std::time::Duration;

use factlog_core::Timestamp;

use super::store::Known;
use super::words::{bytes, counted, grouped, time};
use super::{Finding, Level, Notes};
use crate::settings::Settings;
use crate::storage::survey;

/// Files that an engine has open beside its index runs: segments in use, the write-ahead log, those being made.
const FILES_BESIDE: u64 = 64 + 16;
/// Index runs that neighbouring merges may leave for a while.
const RUNS_IN_MAKING: u64 = 64;
/// About what the index of an unsealed event takes in memory, with a stream, a type and a few tags.
const INDEX_BYTES: u64 = 192;
/// The least that the record of an event has.
const RECORD_BYTES: u64 = 72;
/// Tables, dictionaries, pages of builders, stacks.
const FIXED_BYTES: u64 = 48 << 20;

/// Whether so many files may be open as the store needs.
pub(super) fn open_files(known: &Known, notes: &mut Notes<'_>) {
    const CHECK: &str = "open_files";
    let Some(limit) = survey::open_files_limit() else {
        return notes.add(Finding::fine(CHECK, "no bound"));
    };
    let needed = known.runs.saturating_add(RUNS_IN_MAKING).saturating_add(FILES_BESIDE);
    let found = format!("{} may be open, the store needs up to {}", counted(limit, "file"), grouped(needed));
    let finding = if limit < needed {
        Finding::new(CHECK, Level::Problem, found)
            .advise(format!("raise the bound: ulimit -n {}", needed * 2))
    } else if limit < needed.saturating_mul(2) {
        Finding::new(CHECK, Level::Warning, found)
            .advise(format!("raise the bound before the store grows: ulimit -n {}", needed * 4))
    } else {
        Finding::fine(CHECK, found)
    };
    notes.add(finding.with([("limit_files", limit), ("needed_files", needed)]));
}

/// Whether what the settings may take fits into memory.
pub(super) fn memory(settings: &Settings, notes: &mut Notes<'_>) {
    const CHECK: &str = "memory";
    let most = upper_bound(settings);
    let takes = format!("the settings allow the engine up to about {}", bytes(most));
    let Some(limit) = survey::memory_limit() else {
        return notes.add(Finding::new(
            CHECK,
            Level::Unknown,
            format!("{takes}; how much there is, is not known"),
        ));
    };
    let whose = if limit.by_group { "the control group" } else { "the machine" };
    let found = format!("{takes}, {whose} has {}", bytes(limit.bytes));
    let advice = "make the queue, the caches or segments smaller, or give it more memory";
    let finding = if limit.bytes < most {
        Finding::new(CHECK, Level::Problem, found).advise(advice)
    } else if limit.bytes / 2 < most {
        Finding::new(CHECK, Level::Warning, found).advise(advice)
    } else {
        Finding::fine(CHECK, found)
    };
    notes.add(finding.with([("settings_bytes", most), ("limit_bytes", limit.bytes)]));
}

/// What an engine takes at the most, short of single huge appends: two generations of twice their usual size, one of
/// them being sealed; what waits; caches.
fn upper_bound(settings: &Settings) -> u64 {
    let records = settings.segment_bytes.min(settings.wal_bytes) as u64;
    let events = settings.segment_events.min(records / RECORD_BYTES);
    let generation = records.saturating_add(events.saturating_mul(INDEX_BYTES));
    let queue = settings.queue_bytes.saturating_add(settings.group_bytes.saturating_mul(4)) as u64;
    let caches = [settings.cache_bytes, settings.index_cache_bytes, settings.filter_bytes, FIXED_BYTES];
    let caches = caches.iter().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
    generation.saturating_mul(4).saturating_add(queue).saturating_add(caches)
}

/// Whether the clock is behind what was recorded already.
pub(super) fn clock(now: Timestamp, known: &Known, notes: &mut Notes<'_>) {
    const CHECK: &str = "clock";
    let Some(last) = known.last_recorded_at else {
        return notes.add(Finding::fine(CHECK, format!("{now}; no event yet that it could be behind")));
    };
    let ahead = last.as_micros().saturating_sub(now.as_micros());
    let finding = match u64::try_from(ahead) {
        Ok(ahead) if 0 < ahead => {
            let behind = time(Duration::from_micros(ahead));
            let found = format!(
                "{now} is {behind} before the last event was recorded ({last}): it jumped back, or ahead before"
            );
            Finding::new(CHECK, Level::Warning, found)
                .advise("set the clock right (NTP); until it has caught up, events are recorded at the last event's time")
                .with([("behind_us", ahead)])
        }
        _ => Finding::fine(CHECK, format!("{now}, the last event was recorded at {last}")),
    };
    notes.add(finding);
}
