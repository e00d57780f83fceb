//! Durable writes through io_uring: direct, synchronous writes, many under way at once, without a thread for each.
//!
//! * The kernel reads a write's bytes until it says that the write is over. Until then the slot keeps them and the
//!   file alive, and nobody can change them: [`Bytes`] do not change.
//! * Dropping it waits for all writes. Where even that fails, their memory is given up rather than freed.
//! * A process that is killed leaves its writes to the kernel. Each file is locked through the very handle that is
//!   written through, which lives until its last write is over: [`super::Disk::settled`] waits for that.
//!
//! This is the only file of the engine with unsafe code, and it has one such block.

#![expect(unsafe_code, reason = "the ring takes addresses; it has no safe way to be told what to write")]

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use io_uring::squeue::Entry;
use io_uring::{IoUring, Probe, opcode, types};
use rustix::event::EventfdFlags;
use rustix::fs::{Advice, OFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::local::{self, lock_when_free};
use super::pipeline::{Bell, Done, Pipeline};
use super::{ALIGNMENT, Buffer, DEPTH_MAX};

/// What the answer to the bell is known by; writes are known by their slot.
const BELL: u64 = u64::MAX;

/// The ring and what is in it.
pub(crate) struct Uring {
    ring: IoUring,
    file: Option<Arc<File>>,
    /// Writes under way. One is taken out only when the kernel has said that it is over.
    slots: Vec<Option<Write>>,
    done: Vec<Done>,
    bell: Arc<EventFd>,
    /// Whether the kernel watches the bell.
    watching: bool,
    /// Whether it rang since somebody waited.
    rung: bool,
}

/// A write under way.
#[derive(Debug)]
struct Write {
    number: u64,
    bytes: Bytes,
    offset: u64,
    /// So much of it is durable: after a short count the rest follows.
    written: usize,
    file: Arc<File>,
}

impl Uring {
    /// A ring that writes into files of this directory, if kernel and file system can do that. Leaves nothing behind.
    pub(crate) fn new(dir: &Path) -> io::Result<Self> {
        let ring = IoUring::new(u32::try_from(2 * DEPTH_MAX).expect("a small number"))?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Write::CODE) || !probe.is_supported(opcode::PollAdd::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let eventfd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let mut uring = Self {
            ring,
            file: None,
            slots: (0..DEPTH_MAX).map(|_| None).collect(),
            done: Vec::new(),
            bell: Arc::new(EventFd(eventfd)),
            watching: false,
            rung: false,
        };
        let path = dir.join("probe.tmp");
        let tried = uring.probe(&path);
        uring.file = None;
        drop(std::fs::remove_file(&path));
        tried.map(|()| uring)
    }

    /// Writes a block to see whether such writes are possible here.
    fn probe(&mut self, path: &Path) -> io::Result<()> {
        File::create(path)?.set_len(ALIGNMENT as u64)?;
        self.turn_to(path)?;
        let mut block = Buffer::with_capacity(ALIGNMENT);
        block.resize(ALIGNMENT);
        self.submit(0, block.into(), 0);
        loop {
            if let Some(done) = self.finished(true).pop() {
                return done.result;
            }
        }
    }

    /// Hands the rest of a slot's write to the kernel.
    fn start(&mut self, slot: usize) {
        let Some(write) = &self.slots[slot] else { return };
        let rest = &write.bytes[write.written..];
        let length = u32::try_from(rest.len()).expect("a group is far below 4 GiB");
        let entry = opcode::Write::new(types::Fd(write.file.as_raw_fd()), rest.as_ptr(), length)
            .offset(write.offset + write.written as u64)
            .rw_flags(ReadWriteFlags::DSYNC.bits().cast_signed())
            .build();
        self.push(&entry.user_data(slot as u64));
    }

    /// Has the kernel watch the bell.
    fn watch(&mut self) {
        let readable = rustix::event::PollFlags::IN.bits();
        let entry = opcode::PollAdd::new(types::Fd(self.bell.0.as_raw_fd()), readable.into()).build();
        self.push(&entry.user_data(BELL));
        self.watching = true;
    }

    fn push(&mut self, entry: &Entry) {
        // SAFETY: an entry is either the poll of the bell, which has no memory and whose descriptor lives as long as
        // `self`, or a write made by `start` from a slot. The slot owns the bytes, which neither move nor change
        // while a clone of them exists, and the file. A slot is emptied in `over` only, after the kernel said that
        // its write is over, or never: `drop` waits for all of them and forgets those it cannot wait for.
        unsafe { self.ring.submission().push(entry) }.expect("the ring has twice the places that are used");
    }

    /// Takes in what the kernel says.
    fn reap(&mut self) {
        let answers: Vec<_> =
            self.ring.completion().map(|answer| (answer.user_data(), answer.result())).collect();
        for (which, result) in answers {
            match usize::try_from(which) {
                Ok(slot) if slot < self.slots.len() => self.over(slot, result),
                _ => {
                    self.watching = false;
                    self.rung = true;
                    self.bell.silence();
                }
            }
        }
    }

    /// The kernel has ended a slot's write.
    fn over(&mut self, slot: usize, result: i32) {
        let Some(mut write) = self.slots[slot].take() else { return };
        let result = match usize::try_from(result) {
            Err(_) => Err(io::Error::from_raw_os_error(-result)),
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                write.written += count;
                Ok(())
            }
        };
        if result.is_ok() && write.written < write.bytes.len() {
            self.slots[slot] = Some(write);
            self.start(slot);
            self.enter();
            return;
        }
        self.done.push(Done { number: write.number, result });
    }

    /// Tells the kernel what is new. When it is too busy to listen, the next call tells it.
    fn enter(&self) {
        drop(self.ring.submit());
    }

    fn is_busy(&self) -> bool {
        self.slots.iter().any(Option::is_some)
    }
}

impl Pipeline for Uring {
    fn turn_to(&mut self, path: &Path) -> io::Result<u64> {
        let flags = OFlags::DIRECT.bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        // A file that was just written and is used again must not be locked by its former handle.
        self.file = None;
        lock_when_free(&file)?;
        // Pages in the cache would make every first write wait for their removal. It is no harm if they stay.
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
        let length = file.metadata()?.len();
        self.file = Some(Arc::new(file));
        Ok(length)
    }

    fn submit(&mut self, number: u64, bytes: Bytes, offset: u64) {
        let free = self.slots.iter().position(Option::is_none);
        let (Some(slot), Some(file)) = (free, self.file.clone()) else {
            self.done.push(Done { number, result: Err(io::ErrorKind::ResourceBusy.into()) });
            return;
        };
        self.slots[slot] = Some(Write { number, bytes, offset, written: 0, file });
        self.start(slot);
        self.enter();
    }

    fn write(&mut self, number: u64, bytes: Bytes, offset: u64) {
        let result = match &self.file {
            Some(file) => local::write_durably(file, &bytes, offset),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        self.done.push(Done { number, result });
    }

    fn finished(&mut self, wait: bool) -> Vec<Done> {
        self.reap();
        if wait && self.done.is_empty() && !self.rung {
            if !self.watching {
                self.watch();
            }
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                // It is asked again at once.
                Err(cause) if transient(&cause) => std::thread::yield_now(),
                // Nobody will ever know what became of the writes. Their slots stay as they are.
                Err(cause) => {
                    let numbers = self.slots.iter().flatten().map(|write| write.number);
                    let failed = |number| Done {
                        number,
                        result: Err(io::Error::new(cause.kind(), cause.to_string())),
                    };
                    self.done.extend(numbers.map(failed));
                }
            }
            self.reap();
        }
        // Who waited has heard it, even if it rang before.
        self.rung &= !wait;
        std::mem::take(&mut self.done)
    }

    fn bell(&self) -> Arc<dyn Bell> {
        self.bell.clone()
    }

    fn depth_max(&self) -> usize {
        self.slots.len()
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        while self.is_busy() {
            match self.ring.submit_and_wait(1) {
                Ok(_) => self.reap(),
                Err(cause) if transient(&cause) => self.reap(),
                Err(_) => {
                    // The kernel may still read from there.
                    let _for_ever = ManuallyDrop::new(std::mem::take(&mut self.slots));
                    return;
                }
            }
        }
    }
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring").field("file", &self.file).field("slots", &self.slots).finish_non_exhaustive()
    }
}

/// The kernel had no time or no memory, or a signal came between; nothing was lost.
fn transient(cause: &io::Error) -> bool {
    let again = [Errno::INTR, Errno::AGAIN, Errno::BUSY];
    again.iter().any(|errno| cause.raw_os_error() == Some(errno.raw_os_error()))
}

/// A number in the kernel that can be waited for.
#[derive(Debug)]
struct EventFd(OwnedFd);

impl EventFd {
    /// Makes it wait again until somebody rings.
    fn silence(&self) {
        // There may be nothing to read, when two rang and the first was heard by now.
        let _ = rustix::io::read(self.0.as_fd(), &mut [0; 8]);
    }
}

impl Bell for EventFd {
    fn ring(&self) {
        // It cannot fail but when it has rung 2^64 times unheard.
        let _ = rustix::io::write(self.0.as_fd(), &1_u64.to_ne_bytes());
    }
}
