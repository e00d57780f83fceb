//! A sample of the log: some blocks of every segment, and the place in the index of the events in them.

use std::sync::Arc;

use factlog_core::{Direction, Result};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Check;
use crate::damage::Damage;
use crate::record;
use crate::records::Records;
use crate::run::{Run, Wrong, keys};
use crate::segment::{Segment, SegmentCache};

impl Check<'_> {
    /// Reads a share of each segment's blocks.
    pub(super) fn sample(&mut self, percent: f64, seed: u64) -> Result<()> {
        let view = self.recovered.view.clone();
        let cache = SegmentCache::new(64, 4, 4);
        self.bytes_total = self.bytes_done;
        for slot in &view.slots {
            for segment in view.segments_of(slot.first, slot.last) {
                self.sample_segment(segment, slot.run.as_ref(), &cache, (percent, seed))?;
            }
        }
        Ok(())
    }

    fn sample_segment(
        &mut self,
        segment: &Segment,
        run: Option<&Arc<Run>>,
        cache: &SegmentCache,
        (percent, seed): (f64, u64),
    ) -> Result<()> {
        let Some(file) = self.segment_file(segment)? else { return Ok(()) };
        let path = segment.path();
        let blocks = match Segment::describe(self.recovered.manifest.store, &*file) {
            Ok(description) => description.blocks,
            Err(wrong) => {
                self.recovered.damage.push(wrong.to_damage(&path));
                return Ok(());
            }
        };
        let wanted = (blocks as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let events = segment.entry.last - segment.entry.first + 1;
        for at in 0..wanted {
            // One out of each of so many equal parts, so that a sample never looks at one place only.
            let part = u128::from(events) * u128::from(at) / u128::from(wanted);
            let width = (events / wanted).max(1);
            let random = xxh3_64_with_seed(&at.to_le_bytes(), seed ^ segment.entry.first) % width;
            let position = (segment.entry.first + part as u64 + random).min(segment.entry.last);
            let block = segment.block_of(&*file, cache, position);
            let read = block.and_then(|block| Ok((segment.read(&*file, cache, &block)?, block)));
            match read {
                Err(wrong) => self.recovered.damage.push(wrong.to_damage(&path)),
                Ok((records, block)) => {
                    self.advance(block.length);
                    self.look_up(&records, position, run, &path);
                }
            }
        }
        Ok(())
    }

    /// Looks an event up by its stream, type and tags.
    fn look_up(&mut self, records: &Records, position: u64, run: Option<&Arc<Run>>, path: &str) {
        let whole = (records.first..=records.last())
            .try_for_each(|position| records.event(position).map(drop))
            .and_then(|()| record::names(records.record(position)?));
        match (whole, run) {
            (Err(malformed), _) => {
                let lost = (records.first, records.last());
                self.recovered.damage.push(Damage::new(path, 0, lost, malformed.to_string()));
            }
            (Ok(names), Some(run)) => match knows(run, keys::seed(self.recovered.manifest.store), &names) {
                Ok(true) => {}
                Ok(false) => self.distrust(run, "the index does not know an event of the log"),
                Err(wrong) => self.distrust(run, &wrong.to_string()),
            },
            (Ok(_), None) => {}
        }
    }
}

/// Whether a run has an event under each of its keys.
fn knows(run: &Arc<Run>, seed: u64, names: &record::Names<'_>) -> Result<bool, Wrong> {
    let mut wanted = vec![keys::key(keys::EVENT_TYPE, names.event_type)];
    wanted.extend(names.stream.map(|stream| keys::key(keys::STREAM, stream)));
    wanted.extend(names.tags().map(|tag| keys::key(keys::TAG, tag)));
    for key in wanted {
        let Some(found) = run.find(&key)? else { return Ok(false) };
        if run.cursor(&found).seek(names.position, Direction::Forwards)? != Some(names.position) {
            return Ok(false);
        }
    }
    if names.boundary.first {
        let hash = keys::id_hash(seed, &names.id);
        return Ok(run.ids(hash)?.contains(&names.position));
    }
    Ok(true)
}
