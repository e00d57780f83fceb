//! The disk below a directory: may we write there, what kind of file system is it, how full, and do its syncs sync?

use std::path::Path;
use std::time::Duration;

use super::store::Known;
use super::words::{bytes, counted, grouped, nanos, time};
use super::{Finding, Level, Notes};
use crate::settings::Settings;
use crate::storage::survey::{self, FileSystem, Latencies};

/// A durable write that is as fast cannot have reached a disk, unless something with a battery answers for it.
const TOO_FAST: Duration = Duration::from_micros(20);
/// A durable write that takes as long is felt by whoever waits for it.
const SLOW: Duration = Duration::from_millis(10);

/// Whether something can be made in the directory, or the directory itself. `false` if looking further has no sense.
pub(super) fn directory(dir: &Path, place: &Path, notes: &mut Notes<'_>) -> bool {
    const CHECK: &str = "directory";
    if !survey::is_directory(place) {
        let found = format!("{} is no directory", place.display());
        notes.add(Finding::new(CHECK, Level::Problem, found).advise("name a directory"));
        return false;
    }
    let missing = match dir == place || survey::is_directory(dir) {
        true => String::new(),
        false => format!("{} does not exist yet; ", dir.display()),
    };
    let finding = match survey::owner(place) {
        Err(cause) => Finding::unknown(CHECK, &format!("look at {}", place.display()), &cause),
        Ok(owner) => {
            let whose = match owner.user == owner.ours {
                true => "ours".to_owned(),
                false => format!("of user {}, and we are user {}", owner.user, owner.ours),
            };
            let found = format!("{missing}{} is {whose}, mode {:04o}", place.display(), owner.mode);
            if !owner.writable {
                Finding::new(CHECK, Level::Problem, format!("{found}: not ours to write"))
                    .advise("change its owner or mode (chown, chmod), or run as the user that owns it")
            } else if owner.mode & 0o002 != 0 && owner.mode & 0o1000 == 0 {
                Finding::new(CHECK, Level::Warning, format!("{found}: everybody can remove files in it"))
                    .advise("take the right to write away from others: chmod o-w")
            } else {
                Finding::fine(CHECK, found)
            }
        }
    };
    notes.add(finding);
    true
}

/// The kind of file system, and whether it can be written at all.
pub(super) fn file_system(place: &Path, notes: &mut Notes<'_>) {
    const CHECK: &str = "file_system";
    let found = match survey::file_system(place) {
        Ok(found) => found,
        Err(cause) => return notes.add(Finding::unknown(CHECK, "ask for the file system", &cause)),
    };
    if found.read_only {
        let finding = Finding::new(CHECK, Level::Problem, "it is mounted read-only");
        notes.add(
            finding
                .advise("mount it for writing; a disk that failed is often remounted read-only: see dmesg"),
        );
    }
    let (name, risk) = kind(found.magic);
    let finding = match risk {
        None => Finding::fine(CHECK, name),
        Some((risk, advice)) => Finding::new(CHECK, Level::Warning, format!("{name}: {risk}")).advise(advice),
    };
    notes.add(finding.with([("magic", found.magic.into())]));
}

/// A file system's name, and what is risky about it and what to do instead.
fn kind(magic: u32) -> (String, Option<(&'static str, &'static str)>) {
    const LOCAL: &str = "use a local ext4 or XFS for data that matters";
    const REMOTE: &str = "locks and syncs are promises of the other side, and broken connections lose both";
    let (name, risk) = match magic {
        0x0102_1994 => ("tmpfs", Some(("it is memory; everything is gone after a restart", LOCAL))),
        0x8584_58f6 => ("ramfs", Some(("it is memory; everything is gone after a restart", LOCAL))),
        0x794c_7630 => {
            let risk = "its upper layer is often thrown away with its container";
            ("overlay", Some((risk, "put the data on a volume that outlives the container")))
        }
        0x6969 => ("NFS", Some((REMOTE, LOCAL))),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => ("CIFS", Some((REMOTE, LOCAL))),
        0x0102_1997 => ("9p", Some((REMOTE, LOCAL))),
        0x00c3_6400 => ("Ceph", Some((REMOTE, LOCAL))),
        0x6573_5546 => ("FUSE", Some(("what a sync means is up to a program: read what it promises", LOCAL))),
        0x4d44 | 0x2011_bab0 => ("FAT", Some(("it has no journal, no owners and no sparse files", LOCAL))),
        0x9123_683e => {
            let risk = "it copies on write: each durable write writes metadata too";
            ("Btrfs", Some((risk, "switch copying off for the directory while it is empty: chattr +C")))
        }
        0xca45_1a4e => {
            ("bcachefs", Some(("it copies on write: each durable write writes metadata too", LOCAL)))
        }
        0x2fc1_2fc1 => ("ZFS", None),
        0xef53 => ("ext4", None),
        0x5846_5342 => ("XFS", None),
        0xf2f5_2010 => ("F2FS", None),
        other => {
            let risk = "this program does not know what it promises";
            return (format!("a file system of kind {other:#x}"), Some((risk, LOCAL)));
        }
    };
    (name.to_owned(), risk)
}

/// Free bytes and files, and how many events that is.
pub(super) fn space(place: &Path, settings: &Settings, known: &Known, notes: &mut Notes<'_>) {
    const CHECK: &str = "space";
    let found = match survey::file_system(place) {
        Ok(found) => found,
        Err(cause) => return notes.add(Finding::unknown(CHECK, "ask for free space", &cause)),
    };
    let FileSystem { bytes: all, free_bytes: free, files, free_files, .. } = found;
    let per_event = known.bytes_per_event();
    let mut text = format!("{} of {} are free", bytes(free), bytes(all));
    let mut figures = vec![("free_bytes", free), ("total_bytes", all)];
    if let Some(per_event) = per_event {
        let events = (free as f64 / per_event) as u64;
        text.push_str(&format!(
            ": room for about {} more events of {per_event:.0} B as they are stored so far",
            grouped(events)
        ));
        figures.push(("room_events", events));
    }
    // The write-ahead log at its largest, and a seal under way: segment, index and a merge.
    let needed =
        settings.wal_bytes.saturating_mul(2).saturating_add(settings.segment_bytes.saturating_mul(4)) as u64;
    let finding = if free < needed {
        Finding::new(CHECK, Level::Problem, format!("{text}; {} are needed to work at all", bytes(needed)))
            .advise("free some space, or move the store to a larger disk")
    } else if free < needed.saturating_mul(4) || free < all / 20 {
        Finding::new(CHECK, Level::Warning, text).advise("plan for more: a full disk stops every append")
    } else {
        Finding::fine(CHECK, text)
    };
    notes.add(finding.with(figures));
    if 0 < files && free_files < 10_000 {
        let level = if free_files < 100 { Level::Problem } else { Level::Warning };
        let text = format!("{} of {} can still be made", counted(free_files, "file"), grouped(files));
        let finding = Finding::new("files", level, text)
            .advise("remove files, or make the file system with more inodes");
        notes.add(finding.with([("free_files", free_files)]));
    }
}

/// Whether durable writes wait for a disk, and how long.
pub(super) fn sync(place: &Path, notes: &mut Notes<'_>) {
    const CHECK: &str = "sync";
    let memory =
        survey::file_system(place).is_ok_and(|found| matches!(found.magic, 0x0102_1994 | 0x8584_58f6));
    match survey::latencies(place) {
        Err(cause) => {
            let finding = Finding::new(CHECK, Level::Problem, format!("cannot write a file there: {cause}"));
            notes.add(finding.advise("nothing can be appended until files can be written and synced"));
        }
        Ok((durable, plain)) => notes.add(judge(&durable, &plain, memory)),
    }
}

fn judge(durable: &Latencies, plain: &Latencies, memory: bool) -> Finding {
    let (half, most, rate) = (durable.percentile(50), durable.percentile(99), durable.per_second());
    let found = format!(
        "a durable write of 4 KiB takes {} (p50), {} (p99), a plain one {} (p50): at most {} appends a second \
         for one writer that waits for each; writers at the same time share writes",
        time(half),
        time(most),
        time(plain.percentile(50)),
        grouped(rate as u64)
    );
    let figures = [
        ("durable_p50_ns", nanos(half)),
        ("durable_p99_ns", nanos(most)),
        ("durable_per_second", rate as u64),
        ("plain_p50_ns", nanos(plain.percentile(50))),
    ];
    let finding = if memory {
        Finding::new("sync", Level::Warning, format!("{found}. tmpfs has no disk that they could reach"))
            .advise("for tests only: a power failure loses everything")
    } else if half < TOO_FAST || half < plain.percentile(50) * 2 {
        let why = "that is too fast to have reached a disk: something in between answers for it";
        Finding::new("sync", Level::Warning, format!("{found}. {why}")).advise(
            "unless that is a cache with a battery or capacitors, a power failure loses acknowledged events: \
             make the hypervisor or controller honour flushes",
        )
    } else if SLOW < half {
        Finding::new("sync", Level::Warning, found)
            .advise("use a disk with a faster durable write, such as an SSD, or append from more writers")
    } else {
        Finding::fine("sync", found)
    };
    finding.with(figures)
}

/// Whether writes can go past the file cache. The journal's other ways to write are asked for here, too, once it has them.
pub(super) fn direct(place: &Path, notes: &mut Notes<'_>) {
    const CHECK: &str = "direct_io";
    notes.add(match survey::direct_writes(place) {
        Ok(Some(took)) => Finding::fine(CHECK, "possible: writes can go past the file cache")
            .with([("direct_write_ns", nanos(took))]),
        Ok(None) => Finding::new(
            CHECK,
            Level::Warning,
            "the file system refuses it: writes go through the file cache",
        )
        .advise("nothing is less safe; use a local ext4 or XFS where speed matters"),
        Err(cause) => Finding::unknown(CHECK, "try direct writes", &cause),
    });
}
