//! What a seed decides for a whole run: how the store is set, how much is asked, how often it crashes. Every run leaves
//! some of it out, since what is always there hides what shows only without it (swarm testing, Groce et al. 2012).

use std::time::Duration;

use factlog_engine::{Compression, JournalMode, Settings};
use fastrand::Rng;

/// The odds of a run. Weights are shares of all steps.
#[derive(Clone, Debug)]
pub(super) struct Swarm {
    pub(super) steps: u64,
    pub(super) clients: u32,
    pub(super) streams: u32,
    pub(super) types: u32,
    pub(super) tags: u32,
    /// Events of an append at most.
    pub(super) events: u32,
    /// Bytes of an event's data at most.
    pub(super) bytes: u32,
    /// A crash is due in one step of so many.
    pub(super) crash_in: u32,
    /// Looks that a durable write may take.
    pub(super) latency: u32,
    /// Harm is done in one step of so many, where harm is done.
    pub(super) harm_in: u32,
    /// Of a million reads so many turn a bit, where harm is done.
    pub(super) rot: u32,
    /// Of four groups, so many are written beside others.
    pub(super) company: u32,
    pub(super) weights: Weights,
    pub(super) settings: Settings,
}

/// How often each thing is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    pub(super) client: u32,
    pub(super) writer: u32,
    pub(super) sealer: u32,
    pub(super) indexer: u32,
    pub(super) clock: u32,
    pub(super) close: u32,
}

impl Swarm {
    pub(super) fn draw(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed ^ 0x5_3a5);
        let weights = Weights {
            client: rng.u32(4..12),
            writer: rng.u32(2..12),
            sealer: rng.u32(0..4),
            indexer: rng.u32(0..4),
            clock: rng.u32(0..2),
            close: u32::from(rng.u32(..4) == 0),
        };
        // What was added later has a generator of its own, so that seeds that were told still mean the same runs.
        let later = &mut Rng::with_seed(seed ^ 0xda_6a6e);
        // A disk now and then that is so slow that nearly all that can be is under way at once.
        let slow = later.u32(..12) == 0;
        Self {
            steps: rng.u64(60..400),
            clients: rng.u32(1..6),
            streams: rng.u32(1..6),
            types: rng.u32(1..4),
            tags: rng.u32(0..6),
            events: [1, 1, 1, 3, 12][rng.usize(..5)],
            bytes: [20, 300, 3_000][rng.usize(..3)],
            crash_in: [8, 20, 60, 150][rng.usize(..4)],
            latency: [0, 1, 3, 12][rng.usize(..4)].max(if slow { 1_000 } else { 0 }),
            company: rng.u32(..5),
            weights,
            settings: settings(rng),
            harm_in: [12, 40, 120][later.usize(..3)],
            rot: [0, 0, 0, 2_000][later.usize(..4)],
        }
    }
}

fn settings(rng: &mut Rng) -> Settings {
    let small = rng.bool();
    Settings {
        segment_events: if rng.bool() { rng.u64(1..30) } else { rng.u64(30..300) },
        segment_bytes: if rng.bool() { 4096 } else { 1 << 20 },
        wal_file_bytes: 64 << 10,
        wal_bytes: if rng.bool() { 128 << 10 } else { 1 << 20 },
        group_bytes: if rng.u32(..4) == 0 { 1 } else { 1 << 20 },
        groups_in_flight: rng.usize(1..9),
        journal: JournalMode::Auto,
        vouch_after: Duration::ZERO,
        compression: if rng.bool() { Compression::Zstd } else { Compression::None },
        cache_bytes: if small { 0 } else { 1 << 20 },
        index_cache_bytes: if small { 0 } else { 1 << 20 },
        filter_bytes: if small { 0 } else { 1 << 20 },
        ..Settings::default()
    }
}
