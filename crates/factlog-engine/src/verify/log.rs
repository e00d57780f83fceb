//! The log, in full: every block of every segment, and what the records say against what the index says.

use std::collections::HashMap;
use std::sync::Arc;

use factlog_core::Result;

use super::Check;
use crate::damage::Damage;
use crate::fields::Malformed;
use crate::record;
use crate::records::Records;
use crate::run::{self, Fingerprint, Run, Wrong, keys};
use crate::segment::{self, Segment};

/// What a stream has in a segment.
struct InSegment {
    first: u64,
    first_revision: u64,
    next_revision: u64,
}

/// Takes in the records of one segment after the other.
struct Reader {
    seed: u64,
    next: u64,
    last_time: i64,
    /// The sum over the segments that one run covers.
    sum: Fingerprint,
    streams: HashMap<Box<str>, InSegment>,
    scratch: Vec<u8>,
    problems: Vec<Damage>,
    /// Whether something of the run's range could not be read.
    holes: bool,
}

impl Check<'_> {
    /// Reads all segments.
    pub(super) fn log(&mut self) -> Result<()> {
        let store = self.recovered.manifest.store;
        let view = self.recovered.view.clone();
        let mut reader = Reader::new(keys::seed(store));
        for slot in &view.slots {
            (reader.sum, reader.holes) = (Fingerprint::default(), false);
            for segment in view.segments_of(slot.first, slot.last) {
                self.segment(segment, slot.run.as_ref(), &mut reader)?;
            }
            if let Some(run) = slot.run.as_ref().filter(|_| !reader.holes)
                && run.fingerprint() != reader.sum
            {
                self.distrust(run, "the index does not say what the log says");
            }
        }
        Ok(())
    }

    fn segment(&mut self, segment: &Segment, run: Option<&Arc<Run>>, reader: &mut Reader) -> Result<()> {
        let entry = segment.entry;
        let Some(file) = self.segment_file(segment)? else {
            reader.skip_to(entry.last + 1);
            return Ok(());
        };
        reader.streams.clear();
        let path = segment.path();
        let scanned = segment::scan(self.recovered.manifest.store, &*file, &entry, &mut |records| {
            reader.block(records, &path);
        });
        let last = self.recovered.manifest.sealed() == entry.last;
        if last && scanned.tracking.is_some_and(|tracking| tracking != *self.recovered.manifest.tracking) {
            let what = "the manifest tells other tracking than the last segment";
            self.recovered.damage.push(Damage::new(path.clone(), 0, (1, 0), what));
        }
        reader.holes |= scanned.damage.iter().any(|damage| damage.lost().is_some());
        self.recovered.damage.extend(scanned.damage);
        self.recovered.damage.append(&mut reader.problems);
        reader.skip_to(entry.last + 1);
        self.advance(entry.bytes);
        let Some(run) = run else { return Ok(()) };
        match reader.agrees(run) {
            Ok(true) => {}
            Ok(false) => self.distrust(run, "the index counts other revisions than the log"),
            Err(wrong) => self.distrust(run, &wrong.to_string()),
        }
        Ok(())
    }

    /// Says of a run, once, that it cannot be used.
    pub(super) fn distrust(&mut self, run: &Run, what: &str) {
        let name = run::relative_path(run.name());
        if self.recovered.notes.iter().any(|note| note.file == name) {
            return;
        }
        let what =
            format!("{what}; `factlog verify --mend` removes the file, and the next opening builds it again");
        self.recovered.notes.push(Damage::new(name, 0, (1, 0), what));
    }
}

impl Reader {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            next: 1,
            last_time: i64::MIN,
            sum: Fingerprint::default(),
            streams: HashMap::new(),
            scratch: Vec::new(),
            problems: Vec::new(),
            holes: false,
        }
    }

    /// What lies in front could not be read.
    fn skip_to(&mut self, position: u64) {
        self.holes |= self.next != position;
        self.next = position;
    }

    fn block(&mut self, records: &Records, path: &str) {
        if records.first != self.next {
            self.streams.clear();
            self.skip_to(records.first);
        }
        for position in records.first..=records.last() {
            if let Err(malformed) = records.record(position).and_then(|bytes| self.record(bytes)) {
                self.problems.push(Damage::new(path, 0, (position, position), malformed.to_string()));
                self.streams.clear();
                self.skip_to(position + 1);
                self.holes = true;
            }
        }
    }

    fn record(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        record::decode(bytes)?;
        let names = record::names(bytes)?;
        if names.position != self.next {
            return Err(Malformed("a position is not the next one"));
        }
        if names.recorded_at < self.last_time {
            return Err(Malformed("a time is before the one in front of it"));
        }
        if let Some(stream) = names.stream {
            self.stream(stream, names.position, names.revision)?;
        }
        (self.next, self.last_time) = (names.position + 1, names.recorded_at);
        let category = names.stream.map(category_of).filter(|category| !category.is_empty());
        self.post(keys::EVENT_TYPE, names.event_type, names.position);
        names.stream.into_iter().for_each(|stream| self.post(keys::STREAM, stream, names.position));
        category.into_iter().for_each(|category| self.post(keys::CATEGORY, category, names.position));
        names.tags().for_each(|tag| self.post(keys::TAG, tag, names.position));
        if names.boundary.first {
            let id = keys::fingerprint_of_id(keys::id_hash(self.seed, &names.id), names.position);
            self.sum.ids = self.sum.ids.wrapping_add(id);
        }
        Ok(())
    }

    fn stream(&mut self, stream: &str, position: u64, revision: u64) -> Result<(), Malformed> {
        match self.streams.get_mut(stream) {
            Some(known) if known.next_revision == revision => known.next_revision += 1,
            Some(_) => return Err(Malformed("a revision is not the next one of its stream")),
            None => {
                let known =
                    InSegment { first: position, first_revision: revision, next_revision: revision + 1 };
                self.streams.insert(stream.into(), known);
            }
        }
        Ok(())
    }

    fn post(&mut self, kind: u8, name: &str, position: u64) {
        self.scratch.clear();
        self.scratch.push(kind);
        self.scratch.extend_from_slice(name.as_bytes());
        let hash = keys::hash(self.seed, &self.scratch);
        self.sum.postings = self.sum.postings.wrapping_add(keys::fingerprint_of_posting(hash, position));
    }

    /// Whether a run counts the revisions that the segment's records say.
    fn agrees(&self, run: &Arc<Run>) -> Result<bool, Wrong> {
        for (stream, known) in &self.streams {
            let Some(found) = run.find(&keys::key(keys::STREAM, stream))? else { return Ok(false) };
            let Some(place) = known.first_revision.checked_sub(found.base) else { return Ok(false) };
            if run.nth(&found, place)? != Some(known.first) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn category_of(stream: &str) -> &str {
    stream.split_once('-').map_or(stream, |(category, _)| category)
}
