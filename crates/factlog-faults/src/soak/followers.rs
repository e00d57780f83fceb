//! The subscribers, each of which knows what has to come next.
//!
//! Most follow a lane from where the load begins. Some read all of a lane, or the whole log, again and again; some take one event
//! and then nothing; some give up their connection every few seconds and go on over another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use factlog_client::RemoteStore;
use factlog_core::{Delivery, EventStore as _, Position, Query, RecordedEvent, StartFrom, Subscription};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::facts::{Facts, LANES, by_stream, by_tag, place};
use super::server::Server;

/// Readers of the whole log; readers of a lane; those who do not read; those who connect again.
const WHOLE: usize = 4;
const AGAIN: usize = 36;
const STALLED: usize = 40;
const RECONNECTING: usize = 20;
/// Followers of one connection.
const OF_A_CLIENT: usize = 10;
/// A reader of the whole log rests after so many events: it is to take minutes, and not a core.
const BURST: u64 = 64;
const REST: Duration = Duration::from_millis(20);
/// Time between two readings of one lane, and that of one connection of those who connect again.
const PAUSE: Duration = Duration::from_secs(2);
const SESSION: Duration = Duration::from_secs(3);
/// Events that those who did not read are given in the end.
const READ_ON: u64 = 500;

/// All of them.
#[derive(Debug)]
pub(super) struct Followers {
    tasks: JoinSet<Result<()>>,
    lanes: Vec<Lane>,
    stalled: Vec<(RemoteStore, Subscription)>,
    counts: Arc<Counts>,
}

/// How often it was done, and how many events came.
#[derive(Debug, Default)]
struct Counts {
    events: AtomicU64,
    whole: AtomicU64,
    again: AtomicU64,
    connected: AtomicU64,
}

/// A lane and the number in it that has to come next.
#[derive(Clone, Debug)]
struct Lane {
    number: u64,
    next: Arc<AtomicU64>,
    counts: Arc<Counts>,
}

impl Lane {
    fn take(&self, event: &RecordedEvent) -> Result<()> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let (at, lane) = (event.position, self.number);
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        let came = place(event)?.with_context(|| format!("position {at} is in no lane"))?;
        ensure!(came == (lane, next), "a follower of lane {lane} was to get {next} and got {came:?} at {at}");
        Ok(())
    }
}

impl Followers {
    /// Starts them.
    pub(super) async fn start(server: &Server, facts: &Facts, count: usize) -> Result<Self> {
        let mut all =
            Self { tasks: JoinSet::new(), lanes: Vec::new(), stalled: Vec::new(), counts: Arc::default() };
        let begun = Position::new(facts.filled()).context("there are events")?;
        let waiting = count - WHOLE - AGAIN - STALLED - RECONNECTING;
        let mut client = Arc::new(server.client()?);
        for number in 0..waiting {
            if number % OF_A_CLIENT == 0 {
                client = Arc::new(server.client()?);
            }
            let lane = all.lane(number as u64 % LANES, facts.in_lane(0));
            all.tasks.spawn(follow(client.clone(), lane, number % 2 == 0, begun));
        }
        for number in 0..RECONNECTING {
            let lane = all.lane(number as u64, facts.in_lane(0));
            all.tasks.spawn(connect_again(server.target(), lane, begun));
        }
        for number in 0..AGAIN {
            all.tasks.spawn(read_lane(server.client()?, number as u64, all.counts.clone()));
        }
        for _ in 0..WHOLE {
            all.tasks.spawn(read_whole(server.client()?, all.counts.clone()));
        }
        for _ in 0..STALLED {
            let client = server.client()?;
            let mut stalled = client.subscribe(Query::All, StartFrom::Beginning);
            ensure!(next(&mut stalled).await?.0.is_some_and(|first| first.position == Position::FIRST));
            all.stalled.push((client, stalled));
        }
        Ok(all)
    }

    fn lane(&mut self, number: u64, next: u64) -> Lane {
        let lane = Lane { number, next: Arc::new(next.into()), counts: self.counts.clone() };
        self.lanes.push(lane.clone());
        lane
    }

    pub(super) fn described(&self) -> String {
        format!(
            "{} subscribers: {} follow a lane by tag or stream, {RECONNECTING} of them over a new connection every {} s; {AGAIN} read \
             a lane and {WHOLE} the whole log again and again; {STALLED} do not read",
            self.tasks.len() + self.stalled.len(),
            self.lanes.len(),
            SESSION.as_secs(),
        )
    }

    pub(super) fn said(&self) -> String {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        format!(
            "{} events followed, {} lanes and {} logs read, {} connections anew",
            of(&self.counts.events),
            of(&self.counts.again),
            of(&self.counts.whole),
            of(&self.counts.connected),
        )
    }

    /// Whether all is well so far.
    pub(super) async fn check(&mut self) -> Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended.context("a subscriber panicked")??;
                bail!("a subscriber ended")
            }
        }
    }

    /// Waits until everybody who follows has every event.
    pub(super) async fn until(&mut self, facts: &Facts) {
        let has_all = |lane: &Lane| lane.next.load(Ordering::Relaxed) == facts.in_lane(lane.number);
        while !self.lanes.iter().all(has_all) {
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whoever did not read gets what comes next, as if nothing had been.
    pub(super) async fn stalled_read_on(&mut self) -> Result<()> {
        self.check().await?;
        for (_, stalled) in &mut self.stalled {
            for at in 2..READ_ON {
                let (event, _) = next(stalled).await?;
                let came = event.map(|event| event.position.get());
                ensure!(came == Some(at), "whoever had not read was to get {at} and got {came:?}");
            }
        }
        Ok(())
    }
}

/// An event, or how far everything was delivered.
async fn next(deliveries: &mut Subscription) -> Result<(Option<RecordedEvent>, Option<Position>)> {
    match deliveries.next().await.context("a subscription ended without a reason")?? {
        Delivery::Event(event) => Ok((Some(event), None)),
        Delivery::CaughtUp(head) => Ok((None, head)),
    }
}

async fn follow(client: Arc<RemoteStore>, lane: Lane, tagged: bool, after: Position) -> Result<()> {
    let query = if tagged { by_tag(lane.number)? } else { by_stream(lane.number)? };
    let mut deliveries = client.subscribe(query, StartFrom::After(after));
    loop {
        if let (Some(event), _) = next(&mut deliveries).await? {
            lane.take(&event)?;
        }
    }
}

async fn connect_again(target: String, lane: Lane, mut after: Position) -> Result<()> {
    loop {
        let client = RemoteStore::open(&target)?;
        let mut deliveries = client.subscribe(by_tag(lane.number)?, StartFrom::After(after));
        let following = async {
            loop {
                let (event, head) = next(&mut deliveries).await?;
                if let Some(event) = event {
                    lane.take(&event)?;
                    after = event.position;
                }
                after = after.max(head.unwrap_or(after));
            }
        };
        let ended: Result<Result<()>, _> = timeout(SESSION, following).await;
        if let Ok(ended) = ended {
            return ended;
        }
        lane.counts.connected.fetch_add(1, Ordering::Relaxed);
    }
}

async fn read_lane(client: RemoteStore, number: u64, counts: Arc<Counts>) -> Result<()> {
    loop {
        let lane = Lane { number, next: Arc::default(), counts: counts.clone() };
        let mut deliveries = client.subscribe(by_tag(number)?, StartFrom::Beginning);
        while let (Some(event), _) = next(&mut deliveries).await? {
            lane.take(&event)?;
        }
        counts.again.fetch_add(1, Ordering::Relaxed);
        sleep(PAUSE).await;
    }
}

async fn read_whole(client: RemoteStore, counts: Arc<Counts>) -> Result<()> {
    loop {
        let mut deliveries = client.subscribe(Query::All, StartFrom::Beginning);
        let mut at = 0;
        while let (Some(event), _) = next(&mut deliveries).await? {
            at += 1;
            ensure!(
                event.position.get() == at,
                "a reader of everything was to get {at} and got {}",
                event.position
            );
            if at % BURST == 0 {
                sleep(REST).await;
            }
        }
        counts.whole.fetch_add(1, Ordering::Relaxed);
    }
}
