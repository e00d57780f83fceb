//! Building runs: the one of a segment whose run is lost, by whoever needs it first, and the file of any run.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use factlog_core::{Error, ErrorKind, Result};

use crate::damage::Damage;
use crate::fields::Malformed;
use crate::record;
use crate::run::{self, Entry, Gather, Run, RunName};
use crate::segment::Segment;
use crate::shared::Shared;
use crate::storage::{self, DiskFile};
use crate::view::{Slot, View};

impl Shared {
    /// Rebuilds one run that is lost. `Break` if there was one.
    pub(crate) fn mend(&self) -> Result<ControlFlow<()>> {
        let view = self.view();
        let lost = view.slots.iter().rev().filter(|slot| !slot.is_whole()).find_map(|slot| {
            let segments = view.segments_of(slot.first, slot.last);
            segments.iter().rev().find(|segment| {
                slot.part(segment.entry.first).is_none() && !self.background.is_hopeless(segment.entry.first)
            })
        });
        let Some(segment) = lost else { return Ok(ControlFlow::Continue(())) };
        match self.rebuild(segment) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let name = RunName { level: 0, first: segment.entry.first, last: segment.entry.last };
                let what = format!("it cannot be built, since what it is built from is damaged: {error}");
                self.note(Damage::new(run::relative_path(name), 0, (1, 0), what));
                self.background.give_up(segment.entry.first);
            }
            done => drop(done?),
        }
        Ok(ControlFlow::Break(()))
    }

    /// Builds the run over one segment again, unless somebody did, and returns it.
    ///
    /// # Errors
    /// `Corrupt` when the segment is damaged, `Unavailable` when the disk refuses.
    pub(crate) fn rebuild(&self, segment: &Segment) -> Result<Arc<Run>> {
        let _one_at_a_time = self.background.rebuilding.lock();
        self.life.readable()?;
        let name = RunName { level: 0, first: segment.entry.first, last: segment.entry.last };
        let view = self.view();
        let slot = view.slots.iter().find(|slot| slot.first <= name.first && name.last <= slot.last);
        match slot {
            Some(slot) if slot.is_whole() => {
                return slot.run.clone().ok_or_else(|| self.unreadable(name.first));
            }
            Some(slot) => {
                if let Some(part) = slot.part(name.first) {
                    return Ok(part.clone());
                }
            }
            None => return Err(self.unreadable(name.first)),
        }
        let mut gather = Gather::new(self.store, name.first);
        let mut position = name.first;
        while position <= name.last {
            let records = self.records(position, false)?;
            for position in position..=records.last() {
                let record = records.record(position);
                record
                    .and_then(|record| gather_record(&mut gather, position, record))
                    .map_err(|what| damaged(position, &what))?;
            }
            position = records.last() + 1;
        }
        let failed =
            |cause| storage::failed("write the index", &self.dir.join(run::relative_path(name)), cause);
        let run = self.write_run(name, |file| gather.write(name.last, file)).map_err(failed)?;
        let mut replaced = None;
        self.change_view(|view| {
            let slot = view.slots.iter().find(|slot| slot.first <= name.first && name.last <= slot.last)?;
            let mut slot = slot.clone();
            slot.parts.push(run.clone());
            slot.parts.sort_unstable_by_key(|part| part.name().first);
            let (first, last) = (slot.first, slot.last);
            if slot.parts.len() < view.segments_of(first, last).len() {
                return Some(view.with_slots(first, last, [slot]));
            }
            replaced = slot.run.as_ref().map(|run| run.name());
            Some(view.with_slots(first, last, slot.parts.into_iter().map(Slot::ready)))
        });
        if let Some(old) = replaced.filter(|old| *old != name) {
            self.remove_run(old);
        }
        Ok(run)
    }

    /// Waits until no reader builds a run any more; once the store is closing, none begins.
    pub(crate) fn rest(&self) {
        drop(self.background.rebuilding.lock());
    }

    /// Every run of the index, in order, what is lost rebuilt; and the view that they belong to.
    pub(crate) fn whole_runs(&self) -> Result<(Vec<Arc<Run>>, Arc<View>)> {
        loop {
            let view = self.view();
            let mut whole = true;
            for slot in view.slots.iter().filter(|slot| !slot.is_whole()) {
                whole = false;
                for segment in view.segments_of(slot.first, slot.last) {
                    self.rebuild(segment)?;
                }
            }
            if whole {
                return Ok((view.slots.iter().filter_map(|slot| slot.run.clone()).collect(), view));
            }
        }
    }

    /// Writes a run's file under its final name, durably, and opens it.
    pub(crate) fn write_run<T, E: From<io::Error>>(
        &self,
        name: RunName,
        write: impl FnOnce(&dyn DiskFile) -> Result<T, E>,
    ) -> Result<Arc<Run>, E> {
        let dir = self.dir.join("index");
        let file_name = run::file_name(name);
        let temporary = dir.join(format!("{file_name}.tmp"));
        let path = dir.join(file_name);
        let file = match self.disk.create(&temporary) {
            // Somebody took the index away as a whole: it is made again, as each of its files would be.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                self.disk.create_dir(&dir)?;
                self.disk.sync_dir(&self.dir)?;
                self.disk.create(&temporary)?
            }
            created => created?,
        };
        let written = write(&*file).and_then(|_| Ok(file.sync()?));
        if let Err(error) = written {
            // The first failure is the one to tell.
            drop(self.disk.remove(&temporary));
            return Err(error);
        }
        self.disk.rename(&temporary, &path)?;
        self.disk.sync_dir(&dir)?;
        let run = Run::open(self.store, name, self.disk.open(&path)?, self.pages.clone());
        Ok(Arc::new(run.map_err(|wrong| io::Error::other(wrong.to_string()))?))
    }

    /// Removes a run that others took the place of. Failing costs space until the next opening only.
    pub(crate) fn remove_run(&self, name: RunName) {
        drop(self.disk.remove(&self.dir.join(run::relative_path(name))));
    }
}

/// Takes into the index what a record has for it.
pub(crate) fn gather_record(gather: &mut Gather, position: u64, record: &[u8]) -> Result<(), Malformed> {
    let names = record::names(record)?;
    if names.position != position {
        return Err(Malformed("a record is in another's place"));
    }
    gather.add(Entry {
        position: names.position,
        revision: names.revision,
        stream: names.stream,
        event_type: names.event_type,
        tags: names.tags(),
        first_id: names.boundary.first.then_some(&names.id),
    });
    Ok(())
}

fn damaged(position: u64, what: &Malformed) -> Error {
    Damage::new("the log", 0, (position, position), what.to_string()).to_error()
}
