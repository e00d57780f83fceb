//! Durable writes whose process is gone.
//!
//! * When a process is killed, each of its writes under way happened wholly, in part or not at all.
//! * Writes that the kernel does directly outlive their process: they may happen in the next life, until
//!   [`Machine::settle`] waits for those of a file. Those of threads and plain writes end with their process.
//! * When the power fails, a write under way is as good as one that was not synced.

use super::faults::Effect;
use super::judge::How;
use super::lanes::UnderWay;
use super::machine::Machine;
use super::survival::torn;
use super::tree::Id;

/// An orphan happens at one call of so many: some at once, some long after their file was looked at.
const DELAYS: [u32; 3] = [4, 40, 400];

impl Machine {
    /// Their process was killed: each write under way happened wholly, in part, not at all, or may still happen.
    pub(super) fn abandon(&mut self) {
        self.delay = DELAYS[self.rng.usize(..DELAYS.len())];
        for mut write in std::mem::take(&mut self.under_way) {
            write.lane = None;
            if write.direct && self.rng.u8(..3) == 0 {
                self.under_way.push(write);
            } else {
                self.land(&write);
            }
        }
        self.lanes.clear();
    }

    /// The power failed: whatever was under way is as good as any unsynced write.
    pub(super) fn cut_off(&mut self) {
        for write in std::mem::take(&mut self.under_way) {
            if let (true, Ok(content)) = (write.happens(), self.tree.file_mut(write.id)) {
                content.write(write.bytes, write.offset);
            }
        }
        self.lanes.clear();
    }

    /// Now and then a write of a process that is gone happens.
    pub(super) fn land_some(&mut self) {
        let orphans = |write: &UnderWay| write.lane.is_none();
        if self.under_way.iter().any(orphans) && self.rng.u32(..self.delay) == 0 {
            let index = self.under_way.iter().position(orphans).unwrap_or_default();
            let write = self.under_way.remove(index);
            self.land(&write);
        }
    }

    /// All writes into a file have happened that a process began which is gone.
    pub(super) fn settle(&mut self, id: Id) {
        let (settled, others) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition(|write: &UnderWay| write.lane.is_none() && write.id == id);
        self.under_way = others;
        let settled: Vec<UnderWay> = settled;
        for write in settled {
            self.land(&write);
        }
    }

    /// A write happens of which nobody hears: wholly, in part or not at all, and durable or not.
    fn land(&mut self, write: &UnderWay) {
        self.tree.closed(write.id);
        if !write.happens() {
            return;
        }
        let how = match self.rng.u8(..4) {
            0 => return,
            1 => How::Well,
            _ => How::Failing(Effect::Part),
        };
        let Ok(content) = self.tree.file_mut(write.id) else { return };
        match how {
            How::Well if self.rng.bool() => content.write_durably(&write.bytes, write.offset),
            How::Well => content.write(write.bytes.clone(), write.offset),
            _ => {
                for (at, piece) in torn(&write.bytes, write.offset, &mut self.rng) {
                    content.write(piece, at);
                }
            }
        }
    }
}
