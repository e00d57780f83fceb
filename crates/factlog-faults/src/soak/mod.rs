//! `factlog serve` under a limit of memory, on a log of several GiB, with a thousand subscribers, for minutes or an hour.
//!
//! | module | what it is |
//! |---|---|
//! | `facts` | the events, by lane and number, so that whoever follows knows what comes next |
//! | `confined` | the limit of memory, and which one it is |
//! | `server` | the process, its memory and its processor time |
//! | `followers` | the subscribers: most wait, some begin anew, some do not read, some connect again |
//! | `samples` | what was measured every second, and what must hold of it |
//!
//! What must hold: nobody misses an event or gets one twice, no call fails, the process is not killed and ends well, its memory
//! does not grow, and appends keep their pace.

mod confined;
mod facts;
mod followers;
mod samples;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use factlog_client::RemoteStore;
use factlog_core::{Append, EventStore, Position, Query, ReadOptions};
use fastrand::Rng;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::check::say;
pub(crate) use confined::enter;
use facts::{Facts, LANES};
use followers::Followers;
use samples::{Samples, lap};
use server::Server;

/// Time between two appends, and events of one.
const PACE: Duration = Duration::from_millis(100);
const EVENTS: u64 = 10;
/// Time between two reads of old positions, and events of one.
const LOOK: Duration = Duration::from_millis(200);
const LOOKED_AT: u64 = 20;
/// How long everybody may take to have everything, once nothing more is appended.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keep a real server under load with little memory: a log of several GiB, a thousand subscribers
///
/// The server has a limit of 256 MiB: of a cgroup (v2) where one can be made, or else of its private memory (RLIMIT_DATA). It
/// says which. Exit code 1 if anything was missed, doubled, refused or killed, if memory grew, or if appends got slower.
#[derive(Debug, clap::Args)]
pub(crate) struct SoakArguments {
    /// How long the load lasts
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// GiB of events that are there before
    #[arg(long, default_value_t = 3)]
    gib: u64,
    /// Subscribers
    #[arg(long, default_value_t = 1_000)]
    subscribers: usize,
    /// MiB that the server may have
    #[arg(long, default_value_t = 256)]
    limit: u64,
    /// Where the store goes, and is removed [the system's temporary directory]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Fills, serves, loads and judges.
pub(crate) fn run(arguments: &SoakArguments) -> Result<()> {
    ensure!(100 <= arguments.subscribers, "fewer than 100 subscribers are no load");
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::Builder::new().prefix("factlog-soak-").tempdir_in(parent)?;
    let facts = facts::fill(&dir.path().join("store"), arguments.gib << 30)?;
    let server = Server::start(dir.path(), arguments.limit << 20)?;
    say(&format!("soak: {}", server.limit()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let summary = runtime.block_on(load(server, &facts, arguments))?;
    say(&format!("soak: {summary}"));
    Ok(())
}

async fn load(mut server: Server, facts: &Facts, arguments: &SoakArguments) -> Result<String> {
    let mut followers = Followers::start(&server, facts, arguments.subscribers).await?;
    say(&format!("soak: {}", followers.described()));
    let mut samples = Samples::new(arguments.limit << 20);
    let client = Arc::new(server.client()?);
    let mut reads = tokio::spawn(look_back(client.clone(), facts.clone()));
    let mut ticks = interval(PACE);
    // Nothing is made up for: where appends take longer, there are fewer.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (started, mut second) = (lap(), 0);
    let mut facts = facts.clone();
    while second < arguments.minutes * 60 {
        ticks.tick().await;
        let began = lap();
        append(&*client, &mut facts).await?;
        samples.appended(began.elapsed());
        while second < started.elapsed().as_secs() {
            second += 1;
            samples.add(server.look()?);
            if second.is_multiple_of(30) {
                say(&format!("soak: {} s: {}; {}", second, samples.said(), followers.said()));
            }
        }
        followers.check().await?;
        if reads.is_finished() {
            (&mut reads).await.context("a reader of old positions panicked")??;
            bail!("a reader of old positions ended");
        }
    }
    reads.abort();
    if timeout(PATIENCE, followers.until(&facts)).await.is_err() {
        bail!("after {} s without an append somebody still lacks events", PATIENCE.as_secs());
    }
    followers.stalled_read_on().await?;
    let verdict = samples.judge()?;
    let said = followers.said();
    drop((followers, client));
    let limit = server.stop().await?;
    Ok(format!("{verdict}; {said}; {limit}"))
}

/// One append to the next lanes.
async fn append(store: &dyn EventStore, facts: &mut Facts) -> Result<()> {
    let events = facts.next(EVENTS)?;
    let appended = store.append(Append::new(events)).await;
    let appended = appended.map_err(|error| anyhow::anyhow!("an append failed: {error}"))?;
    ensure!(!appended.deduplicated, "an append counts as a repeat");
    ensure!(appended.last.get() - appended.first.get() + 1 == EVENTS, "an append is not in one piece");
    Ok(())
}

/// Reads somewhere among the old events, again and again, and compares all of each event.
async fn look_back(store: Arc<RemoteStore>, facts: Facts) -> Result<()> {
    let mut rng = Rng::with_seed(7);
    loop {
        let after = rng.u64(1..facts.filled() - LOOKED_AT);
        let options = ReadOptions::default().after(Position::new(after)).limit(LOOKED_AT);
        let mut events = store.read(Query::All, options);
        for at in after + 1..=after + LOOKED_AT {
            let event = events.next().await.context("a read ended early")??;
            ensure!(event.position.get() == at, "a read brought {} for {at}", event.position);
            facts::is_as_filled(&event)?;
        }
        sleep(LOOK).await;
    }
}

const _: () = assert!(LANES.is_multiple_of(EVENTS));
