//! Damage: runs in which the disk does harm to what is stored, between lives and while the store is open, along with kills
//! and losses of power; and in which somebody mends it after a while, or the store is left to mend itself.
//!
//! What is done: bits turn, sectors and pages hold zeros, old or foreign bytes, or cannot be read, durable writes are
//! lost or stand elsewhere; of any file of the store, synced or not. What must hold is said in [`super::verdict`].
//!
//! Left out, since nothing could tell:
//!
//! * Events at the end of the log, none of them sealed, for whose frames no whole frame vouches. Where harm took such
//!   frames and the store opens without a word, the run ends; what is left must be the truth up to there.
//! * A store that is read-only since it is damaged serves frames that a killed process wrote and the disk may not have yet,
//!   because it writes nothing. So while it is read-only processes are killed, and the power does not fail.

use std::path::{Path, PathBuf};

use factlog_core::{EventStore, Position};
use factlog_engine::Extent;
use factlog_engine::simulation::{self, Stepped};

use super::Kind;
use super::stored::Files;
use super::verdict::{Verdict, is_derived};
use super::world::{DIR, World};
use crate::disk::{Call, Cause, Fault, Odds};

const SECTOR: u64 = 512;
const PAGE: u64 = 4096;

impl World {
    pub(super) fn is_damaged(&self) -> bool {
        self.plan.kind == Kind::Damage
    }

    /// Whether reading turns bits.
    pub(super) fn is_rotting(&self) -> bool {
        self.is_damaged() && 0 < self.swarm.rot
    }

    /// Lets reads turn bits, or not.
    pub(super) fn rot(&self, on: bool) {
        let rot = if on && self.is_damaged() { self.swarm.rot } else { 0 };
        self.disk.set_odds(Odds { rot, ..Odds::default() });
    }

    /// A step of the run is over: something may be harmed, or mended.
    pub(super) fn age(&mut self) -> Result<(), String> {
        if self.rng.u32(..self.swarm.harm_in) == 0 {
            if self.rng.bool() {
                let cause = if self.rng.bool() { Cause::Stale } else { Cause::Misdirected(None) };
                let nth = self.rng.u64(1..6);
                self.disk.add_fault(Fault::once(&[Call::WriteDurably], nth).with(cause));
            } else {
                self.harm();
            }
            self.mend_in.get_or_insert(self.rng.u32(1..80));
        }
        match self.mend_in {
            Some(0) => {
                if self.rng.bool() {
                    self.close()?;
                } else {
                    self.summary.crashes += 1;
                    self.end_process()?;
                }
                self.mend();
                self.open()
            }
            Some(steps) => {
                self.mend_in = Some(steps - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Somebody puts back what was there. Index files are mostly left to the store.
    fn mend(&mut self) {
        let all = self.rng.u32(..4) == 0;
        self.disk.mend(|path| all || !path.starts_with(Path::new(DIR).join("index")));
        self.mend_in = None;
    }

    /// Harms a place or two.
    pub(super) fn harm(&mut self) {
        for _ in 0..1 + u32::from(self.rng.u32(..3) == 0) {
            let files = self.disk.files();
            if let Some((path, offset)) = self.place(&files) {
                self.summary.harms += 1;
                // A file that is gone by now cannot be harmed; there is none, as nothing runs in between.
                self.harm_at(&files, &path, offset).expect("the file is there");
            }
        }
    }

    /// Where to: mostly where something is that is in use.
    fn place(&mut self, files: &Files) -> Option<(PathBuf, u64)> {
        let class = match self.rng.u32(..40) {
            0 => "STORE",
            1..4 => "MANIFEST",
            4..16 => "wal/",
            16..28 => "segments/",
            _ => "index/",
        };
        if class == "wal/" && self.rng.u32(..4) != 0 {
            let frames = super::stored::Stored::of(&self.disk.meant()).frames;
            // The newest are the ones in danger.
            let most = frames.len().min(if self.rng.bool() { 4 } else { usize::MAX });
            if most != 0 {
                let frame = &frames[frames.len() - 1 - self.rng.usize(..most)];
                return Some((frame.file.clone(), self.rng.u64(frame.place.clone())));
            }
        }
        let beginning = Path::new(DIR).join(class);
        let beginning = beginning.to_string_lossy();
        let is_of = |path: &Path| path.to_string_lossy().starts_with(&*beginning);
        let of_class: Vec<_> =
            files.iter().filter(|(path, bytes)| is_of(path) && !bytes.is_empty()).collect();
        let (path, bytes) = of_class.get(self.rng.usize(..of_class.len().max(1)))?;
        Some(((*path).clone(), self.rng.u64(..bytes.len() as u64)))
    }

    fn harm_at(&mut self, files: &Files, path: &Path, offset: u64) -> std::io::Result<()> {
        let sector = offset / SECTOR * SECTOR;
        let part = |file: &Path, from: u64, length: u64| {
            let bytes = files.get(file).map_or(&[][..], Vec::as_slice);
            let start = (from as usize).min(bytes.len());
            bytes[start..(start + length as usize).min(bytes.len())].to_vec()
        };
        match self.rng.u32(..10) {
            0 => self.disk.overwrite(path, sector, &[0; SECTOR as usize]),
            1 => {
                let other = self.rng.u64(..=offset) / SECTOR * SECTOR;
                self.disk.overwrite(path, sector, &part(path, other, SECTOR))
            }
            2 => {
                let other = files.keys().nth(self.rng.usize(..files.len())).cloned().unwrap_or_default();
                self.disk.overwrite(path, sector, &part(&other, sector, SECTOR))
            }
            3 => {
                let length = files.get(path).map_or(1, |bytes| bytes.len() as u64);
                let other = self.rng.u64(..length) / PAGE * PAGE;
                self.disk.overwrite(path, offset / PAGE * PAGE, &part(path, other, PAGE))
            }
            4 => self.disk.set_unreadable(path, offset..offset + 1),
            _ => self.disk.turn_bit(path, offset, self.rng.u8(..8)),
        }
    }

    /// No process runs: the store may be harmed, and somebody may verify it.
    pub(super) fn at_rest(&mut self) -> Result<(), String> {
        if self.is_ending {
            return Ok(());
        }
        if self.rng.u32(..self.swarm.harm_in / 4 + 2) == 0 {
            self.harm();
            self.mend_in.get_or_insert(self.rng.u32(1..80));
        }
        if self.rng.u32(..3) == 0 { self.examine() } else { Ok(()) }
    }

    /// Verifies the store: all harm that matters is found, and none that is not there.
    fn examine(&mut self) -> Result<(), String> {
        self.rot(false);
        let verdict = Verdict::of(&self.disk);
        let report = simulation::verify(&*self.disk.mount(), Path::new(DIR), Extent::Full);
        self.rot(true);
        if verdict.stored.is_empty() {
            // There is no store yet.
            return Ok(());
        }
        match report {
            Ok(report) => verdict.judge(&report),
            Err(error) => verdict.excuses(&error, false),
        }
    }

    /// Judges an opening; `false` if it was refused, and somebody has put back what was there.
    pub(super) fn opened(
        &mut self,
        before: Verdict,
        opened: factlog_core::Result<Stepped>,
    ) -> Result<bool, String> {
        let verdict = before.clone().since(&self.disk);
        let store = match opened {
            Ok(store) => store,
            Err(error) => {
                verdict.excuses(&error, false).map_err(|what| format!("opening was refused: {what}"))?;
                self.summary.refusals += 1;
                self.disk.mend(|_| true);
                return Ok(false);
            }
        };
        let (writable, damage) = (store.is_writable(), store.engine().damage());
        self.store = Some(store);
        (self.was_read_only, self.verdict) = (!writable, verdict.clone());
        for damage in damage.iter().filter(|damage| damage.first.is_some()) {
            verdict.explains(damage)?;
        }
        if !writable && !damage.iter().any(|damage| verdict.explains(damage).is_ok()) {
            return Err(format!("the store is read-only without harm: {damage:?}"));
        }
        let head = pollster::block_on(self.engine().head()).map(|head| Position::number(head.position));
        let head = head.map_err(|error| format!("the head is refused: {error}"))?;
        let floor = verdict.floor().min(self.truth.end());
        if head < floor {
            return Err(format!("the log ends at {head} and nobody is told; {floor} was vouched for"));
        }
        if head < self.truth.end() {
            self.piece((1, head), false)?;
            self.is_over = writable;
            if !writable {
                // It has written nothing, so what is put back is all there.
                self.store = None;
                self.disk.mend(|_| true);
            }
            return Ok(writable);
        }
        if writable {
            let mut accepted = before.harmed;
            accepted.retain(|path, _| is_gone_on_from(path));
            self.disk.accept(&accepted);
        } else {
            self.summary.read_only += 1;
            self.mend_in.get_or_insert(self.rng.u32(1..40));
        }
        self.verdict = if writable { Verdict::of(&self.disk) } else { verdict };
        self.learn()?;
        if self.rng.bool() {
            let verdict = self.verdict.clone();
            self.survey(&verdict)?;
        }
        Ok(true)
    }

    /// What the last verification would have left: the log is put back, the store mends the rest by itself or what it
    /// is told to remove.
    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.is_ending = true;
        self.examine()?;
        self.rot(false);
        self.disk.mend(|path| !is_derived(path));
        for _ in 0..2 {
            self.open()?;
            if self.is_over {
                return Ok(());
            }
            let store = self.store.as_mut().expect("it was opened");
            if !store.is_writable() {
                return Err("a store that was put back is read-only".to_owned());
            }
            for _ in 0..10_000 {
                if !store.step(simulation::Worker::Indexer) {
                    break;
                }
            }
            self.close()?;
            let report = simulation::verify(&*self.disk.mount(), Path::new(DIR), Extent::Full);
            let report = report.map_err(|error| format!("what was put back cannot be verified: {error}"))?;
            if report.is_clean() {
                return Ok(());
            }
            // As `factlog verify --mend` does.
            let index = Path::new(DIR).join("index");
            for damage in &report.mendable {
                let path = Path::new(DIR).join(&damage.file);
                if path.starts_with(&index) && self.disk.files().contains_key(&path) {
                    self.disk.take_away(&path).map_err(|error| error.to_string())?;
                }
            }
        }
        let report = simulation::verify(&*self.disk.mount(), Path::new(DIR), Extent::Full);
        Err(format!("the store does not mend itself: {report:?}"))
    }
}

/// Whether opening for writing goes on from what it finds in a file, so that what it lost must not come back.
fn is_gone_on_from(path: &Path) -> bool {
    path.starts_with(Path::new(DIR).join("wal"))
        || (is_derived(path) && path.parent() == Some(Path::new(DIR)))
}
