//! Full disks under a real process: real file systems, filled to the last byte and freed while it works.
//!
//! * Whoever appends is told at once that there is no space, definitely: nothing of it was written.
//! * Reads and subscriptions go on, and appends do within five seconds of there being space, in the same process.
//! * Opening on a full disk goes well or says why it does not, and is possible once there is space.

mod fills;
mod opening;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;

use crate::check::say;
use crate::enclosed::{Root, enclose};
use crate::setting::StoreArguments;
use crate::told::Refusal;
use crate::trial::{Sum, Trial};
use crate::volume::{Kind, Volume};

/// How long appends may take to go on when there is space again.
const RESUMED_WITHIN: Duration = Duration::from_secs(5);
/// How long an append may take to be refused: it waits for nothing but failing calls.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// Fill real disks under a real process, and free them again
///
/// Each kind of file system is mounted anew and small. At the end the store is verified, read whole, and everything
/// that all processes were told is held against the contract. Exit code 1 if a promise was broken.
#[derive(Debug, clap::Args)]
pub(crate) struct FullArguments {
    /// Which file systems; all that can be mounted here if none is named
    #[arg(long, value_enum)]
    on: Vec<Kind>,
    /// How often each is filled under one process
    #[arg(long, default_value_t = 5)]
    fills: u32,
    /// How many stores are opened on a full disk, and how many made there
    #[arg(long, default_value_t = 7)]
    openings: usize,
    /// How large each is, in MiB
    #[arg(long, default_value_t = 64)]
    mebibytes: u64,
    /// Another seed, other events and moments
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

/// What was measured on one file system.
#[derive(Debug, Default)]
struct Measured {
    fills: u32,
    refused: u64,
    refused_latest: Duration,
    resumed_latest: Duration,
    reads_when_full: u64,
    deliveries_when_full: u64,
    openings: u32,
    openings_refused: u32,
}

/// Runs all kinds, inside.
pub(crate) fn run(arguments: &FullArguments) -> Result<()> {
    let root = enclose()?;
    let mut kinds = arguments.on.clone();
    if kinds.is_empty() {
        kinds = vec![Kind::Tmpfs, Kind::Fuse];
        match root {
            Root::Machine => kinds.push(Kind::Ext4),
            Root::Namespace if std::env::var_os("CI").is_some() => {
                bail!("ext4 can be mounted by root only, and in CI nothing is left out: run this as root");
            }
            Root::Namespace => say("full: NOT RUN on ext4: mounting a file as a disk needs root"),
        }
    }
    for kind in kinds {
        on(kind, arguments).with_context(|| format!("full disk on {kind}, --seed {}", arguments.seed))?;
    }
    Ok(())
}

fn on(kind: Kind, arguments: &FullArguments) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("factlog-full-").tempdir()?;
    let bytes = arguments.mebibytes << 20;
    let volume = Volume::mount(kind, bytes, directory.path(), arguments.seed.into())?;
    let mut rng = Rng::with_seed(arguments.seed.into());
    let mut trial = Trial::begin(&volume.path().join("store"), arguments.seed)?;
    let (mut measured, mut sum) = (Measured::default(), Sum::default());
    fills::run(&volume, &mut trial, arguments.fills, &mut rng, &mut measured)?;
    opening::again(&volume, &mut trial, arguments.openings, &mut rng, &mut measured)?;
    sum.add(trial.check()?);
    sum.add(opening::anew(&volume, (arguments.seed, arguments.openings), &mut rng, &mut measured)?);
    let Measured { fills, refused, refused_latest, resumed_latest, reads_when_full, .. } = measured;
    say(&format!(
        "full: {kind} of {} MiB filled {fills} times under one process: {refused} appends refused, each within {} ms; \
         appends went on within {} ms of space, without a restart; {reads_when_full} reads and {} deliveries while it \
         was full; opened {} times on a full disk ({} said why they could not); {sum}; 0 violations",
        arguments.mebibytes,
        refused_latest.as_millis(),
        resumed_latest.as_millis(),
        measured.deliveries_when_full,
        measured.openings,
        measured.openings_refused,
    ));
    if let Some(places) = volume.full_at() {
        say(&format!("full: {kind} was full in: {places}"));
    }
    Ok(())
}

/// Small enough that segments, index runs and write-ahead files are made all the time.
fn settings(rng: &mut Rng) -> StoreArguments {
    StoreArguments {
        segment_events: [200, 1_000, 4_000][rng.usize(..3)],
        segment_bytes: 1 << 20,
        wal_file_bytes: 1 << 20,
        wal_bytes: 4 << 20,
        ..StoreArguments::draw(rng)
    }
}

/// A full disk is said, and nothing else.
fn is_for_lack_of_space(refusal: &Refusal) -> Result<()> {
    ensure!(
        refusal.is(factlog_core::ErrorKind::Unavailable) && refusal.message.contains("free some space"),
        "on a full disk somebody was told {}: {}",
        refusal.kind,
        refusal.message
    );
    Ok(())
}
