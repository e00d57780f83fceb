//! The failure harness: the same life again and again, each time stopped at another moment, and then lived to its end.
//!
//! * The world stops between any two effects: before and after each append of [`World::store`] and each commit of
//!   [`World::sink`], and wherever else a test says that there is an effect, with [`World::effect`].
//! * What has stopped answers nothing any more: every call of the store fails as `Closed`, so nothing else of that life
//!   can take effect. What took effect before stays.
//! * It is deterministic where the life is: it counts, and knows no time.

mod sink;

use std::fmt;
use std::ops::AsyncFn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Error, EventStore, EventStream, Head, Position, Query,
    ReadOptions, Result, StartFrom, Subscription, Timestamp,
};
use futures_util::{StreamExt as _, future, stream};
use tokio::sync::watch;

/// Moments after which a life is taken to be endless.
const MOMENTS_MAX: u64 = 100_000;

/// How a life ends that is not stopped.
pub type LifeResult = std::result::Result<(), Box<dyn std::error::Error>>;

/// Lives `life` on a new store, and stops it at its first moment; then again on the same store, to its end; then
/// `check`s what came of both. Then the same with the second moment, and so on until nothing is stopped any more.
/// Answers how many moments there were.
///
/// A life has to begin where the last one left off, as a program that is started again does: commands under keys,
/// processes and projections that resume.
///
/// ```
/// # extern crate factlog_app as factlog;
#[doc = include_str!("../docs/orders.txt")]
#[doc = include_str!("../docs/payments.txt")]
/// use factlog::stops::{World, stop_everywhere};
///
/// let life = async |world: World| {
///     let clock = Arc::new(ManualClock::default());
///     let app = App::builder(world.store()).clock(clock.clone()).build();
///     app.execute(Place { order: 7 }).key("place 7").await?;
///     app.process(Payments).run_until_idle().await?;
///     clock.advance(Duration::from_secs(30 * 60));
///     app.process(Payments).run_until_idle().await?;
///     Ok(())
/// };
/// let store = || MemoryStore::with_clock(Arc::new(ManualClock::default()));
/// let moments = stop_everywhere(store, life, async |world: World| {
///     let order = App::new(world.store()).load::<Order>(&7).await.expect("an order");
///     assert!(order.state.cancelled);
/// }).await;
/// assert!(8 <= moments);
/// # Ok(()) }
/// ```
///
/// # Panics
/// Where a life that is not stopped fails, where a life never ends, and where `check` panics; each time with the moment.
pub async fn stop_everywhere<S: EventStore>(
    store: impl Fn() -> S,
    life: impl AsyncFn(World) -> LifeResult,
    check: impl AsyncFn(World),
) -> u64 {
    for moment in 1..MOMENTS_MAX {
        if !lives(Arc::new(store()), &[moment], &life, &check).await {
            return moment - 1;
        }
    }
    panic!("the life has more than {MOMENTS_MAX} moments; give it an end");
}

/// As [`stop_everywhere`], but the second life is stopped, too, at each of its moments, before the third is lived to its
/// end. Answers how many pairs of moments there were: their number grows with the square.
///
/// # Panics
/// As [`stop_everywhere`].
pub async fn stop_everywhere_twice<S: EventStore>(
    store: impl Fn() -> S,
    life: impl AsyncFn(World) -> LifeResult,
    check: impl AsyncFn(World),
) -> u64 {
    let mut pairs = 0;
    for first in 1..MOMENTS_MAX {
        for second in 1..MOMENTS_MAX {
            if !lives(Arc::new(store()), &[first, second], &life, &check).await {
                if second == 1 {
                    return pairs;
                }
                break;
            }
            pairs += 1;
        }
    }
    panic!("the life has more than {MOMENTS_MAX} moments; give it an end");
}

/// Lives that are stopped at these moments, one after the other, and one to its end; whether all were stopped.
async fn lives(
    store: Arc<dyn EventStore>,
    moments: &[u64],
    life: &impl AsyncFn(World) -> LifeResult,
    check: &impl AsyncFn(World),
) -> bool {
    let said = Saying(moments.to_vec());
    let mut all = true;
    for moment in moments {
        let world = World::new(store.clone(), Some(*moment));
        let lived = life(world.clone()).await;
        if !world.has_stopped() {
            all = false;
            lived.expect("a life that is not stopped does not fail");
        }
    }
    if all {
        life(World::new(store.clone(), None)).await.expect("the last life does not fail");
    }
    check(World::new(store, None)).await;
    drop(said);
    all
}

/// The world of one life: a store, and the moment at which it stops.
#[derive(Clone, Debug)]
pub struct World {
    store: Arc<dyn EventStore>,
    clockwork: Arc<Clockwork>,
}

#[derive(Debug)]
struct Clockwork {
    /// Moments left; without end for a world that does not stop.
    left: AtomicU64,
    stopped: watch::Sender<bool>,
}

impl World {
    /// A world over this store that stops at this moment, the first being 1, or never.
    pub fn new(store: Arc<dyn EventStore>, stops_at: Option<u64>) -> Self {
        let left = AtomicU64::new(stops_at.unwrap_or(u64::MAX));
        Self { store, clockwork: Arc::new(Clockwork { left, stopped: watch::Sender::new(false) }) }
    }

    /// The store of this life.
    pub fn store(&self) -> impl EventStore + use<> {
        Mortal(self.clone())
    }

    /// Whether this life was stopped.
    pub fn has_stopped(&self) -> bool {
        *self.clockwork.stopped.borrow()
    }

    /// An effect that is not the store's: one moment before it, and one after it.
    ///
    /// # Errors
    /// `Closed` once the world has stopped; the effect has then happened or not.
    pub fn effect<T>(&self, effect: impl FnOnce() -> T) -> Result<T> {
        self.moment()?;
        let answer = effect();
        self.moment()?;
        Ok(answer)
    }

    fn moment(&self) -> Result<()> {
        self.check()?;
        if self.clockwork.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.clockwork.stopped.send_replace(true);
        }
        self.check()
    }

    fn check(&self) -> Result<()> {
        if self.has_stopped() { Err(stopped()) } else { Ok(()) }
    }
}

fn stopped() -> Error {
    Error::closed("the world has stopped")
}

/// A store that is gone when the world stops.
struct Mortal(World);

impl fmt::Debug for Mortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mortal").field(&self.0.store).finish()
    }
}

impl EventStore for Mortal {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            self.0.moment()?;
            let answer = self.0.store.append(append).await;
            self.0.moment()?;
            answer
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        match self.0.check() {
            Ok(()) => self.0.store.read(query, options),
            Err(error) => EventStream::failed(error),
        }
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let mut stop = self.0.clockwork.stopped.subscribe();
        let over = async move {
            if stop.wait_for(|stopped| *stopped).await.is_err() {
                future::pending::<()>().await;
            }
        };
        let living = self.0.store.subscribe(query, from).take_until(over);
        Subscription::new(living.chain(stream::once(future::ready(Err(stopped())))))
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        Box::pin(async move {
            self.0.check()?;
            self.0.store.head().await
        })
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        let source = source.to_owned();
        Box::pin(async move {
            self.0.check()?;
            self.0.store.tracking(&source).await
        })
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        Box::pin(async move {
            self.0.check()?;
            self.0.store.position_at(time).await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.0.store.close()
    }
}

/// Says at which moments the lives were stopped where one fails or a check panics.
struct Saying(Vec<u64>);

impl Drop for Saying {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(
                clippy::print_stderr,
                reason = "a panic's message cannot be added to; a test shows this beside it"
            )]
            {
                eprintln!("... with lives stopped at moments {:?}", self.0);
            }
        }
    }
}
