//! The thread that drives a runner: turns while there is work, then waits for a delivery, a command, an order, or time.
//!
//! * Its timers are its own, so it works on whatever runtime the caller has, and on none. They only say when to look.
//! * What the store or a call needs of the caller's runtime, it finds: everything is polled in its context.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use factlog_core::{Error, ErrorKind};
use futures_util::StreamExt as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Sleep;

use super::handle::{Order, Seen};
use super::react::micros;
use super::runner::{Runner, Turn};
use super::status::ProcessState;
use super::{ProcessError, ProcessManager, Processes};

/// Orders that wait for the thread at most; the next caller waits.
const ORDERS_MAX: usize = 8;
/// The first and the longest pause while something is unavailable.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// While timers run, the clock is looked at so often at least: it may be set while nobody looks.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn start<P: ProcessManager>(runner: Runner<P>) -> Result<Processes, ProcessError> {
    let seen = Seen { status: runner.status(), at_rest: false };
    let (publish, status) = watch::channel(seen);
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    let handle = Processes::new(&runner, status, orders);
    let callers = Handle::try_current().ok();
    let driven = move || {
        let own = Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without I/O needs no resources");
        let driver = Driver {
            runner,
            orders: received,
            publish,
            timers: own.handle().clone(),
            looking: Vec::new(),
            rest: None,
            pause: PAUSES.0,
        };
        own.block_on(Within { callers, driven: Box::pin(driver.run()) });
    };
    let spawned = thread::Builder::new().name(format!("process {}", P::NAME)).spawn(driven);
    spawned.map_err(|cause| {
        Error::unavailable(format!("cannot start a thread for process {}", P::NAME)).because(cause)
    })?;
    Ok(handle)
}

struct Driver<P: ProcessManager> {
    runner: Runner<P>,
    orders: mpsc::Receiver<Order>,
    publish: watch::Sender<Seen>,
    timers: Handle,
    /// Who wants to know when the clock has been looked at.
    looking: Vec<oneshot::Sender<()>>,
    /// When commands that rest are tried again.
    rest: Option<Pin<Box<Sleep>>>,
    pause: Duration,
}

/// Why the thread ends: somebody said so, or nobody is left who could.
struct Stop(Option<oneshot::Sender<()>>);

impl<P: ProcessManager> Driver<P> {
    async fn run(mut self) {
        let stop = self.follow().await;
        self.publish.send_modify(|seen| seen.status.state = ProcessState::Stopped);
        // Whoever is told that it stopped may open the store again at once.
        drop(self);
        if let Some(done) = stop.0 {
            // A caller that no longer waits needs no answer.
            let _ = done.send(());
        }
    }

    async fn follow(&mut self) -> Stop {
        let mut pause = PAUSES.0;
        loop {
            let went = match self.turns().await {
                Ok(()) => {
                    pause = PAUSES.0;
                    self.wait().await
                }
                Err(Ended::Stop(stop)) => return stop,
                Err(Ended::Failed(error)) => Err(Ended::Failed(error)),
            };
            match went {
                Ok(()) => {}
                Err(Ended::Stop(stop)) => return stop,
                Err(Ended::Failed(ProcessError::Store(error))) if is_passing(&error) => {
                    self.publish(Turn::Worked, |state| *state = ProcessState::Waiting(error));
                    if let Some(stop) = self.pause(pause).await {
                        return stop;
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
                Err(Ended::Failed(error)) => {
                    self.publish(Turn::Worked, |state| *state = ProcessState::Failed(error));
                    return self.stopped().await;
                }
            }
        }
    }

    /// Turns until there is nothing to do now.
    async fn turns(&mut self) -> Result<(), Ended> {
        loop {
            let turned = {
                let mut turn = Box::pin(self.runner.turn());
                loop {
                    tokio::select! {
                        biased;
                        order = self.orders.recv() => match order {
                            Some(Order::Look(done)) => self.looking.push(done),
                            Some(Order::Stop(done)) => return Err(Ended::Stop(Stop(Some(done)))),
                            None => return Err(Ended::Stop(Stop(None))),
                        },
                        turned = &mut turn => break turned.map_err(Ended::Failed)?,
                    }
                }
            };
            self.publish(turned, |_| {});
            if turned == Turn::Idle {
                for done in self.looking.drain(..) {
                    let _ = done.send(());
                }
                return Ok(());
            }
        }
    }

    /// Waits for whatever comes first.
    async fn wait(&mut self) -> Result<(), Ended> {
        self.rest();
        let mut look = self.look();
        let (flights, feed) = (&mut self.runner.flights, &mut self.runner.feed);
        let landed = tokio::select! {
            biased;
            order = self.orders.recv() => match order {
                Some(Order::Look(done)) => {
                    self.looking.push(done);
                    None
                }
                Some(Order::Stop(done)) => return Err(Ended::Stop(Stop(Some(done)))),
                None => return Err(Ended::Stop(Stop(None))),
            },
            Some(landed) = flights.next(), if !flights.is_empty() => Some(landed),
            delivered = feed.next(P::NAME), if !feed.is_full() => {
                delivered.map_err(|error| Ended::Failed(error.into()))?;
                None
            }
            () = until(self.rest.as_mut()) => {
                self.rest = None;
                self.pause = (self.pause * 2).min(PAUSES.1);
                self.runner.wake_resting();
                None
            }
            () = until(look.as_mut()) => None,
        };
        landed.map_or(Ok(()), |landed| self.runner.arrive(landed).map_err(Ended::Failed))
    }

    /// Sets the pause for commands that rest.
    fn rest(&mut self) {
        if self.runner.resting.is_empty() {
            self.pause = if self.runner.problem.is_none() { PAUSES.0 } else { self.pause };
        } else if self.rest.is_none() {
            self.rest = Some(self.sleep(self.pause));
        }
    }

    /// When to look at the clock: when the next timer is due, and from time to time before.
    fn look(&self) -> Option<Pin<Box<Sleep>>> {
        let due = self.runner.book.totals().next_due?;
        let now = self.runner.app.clock().now();
        let left = due.as_micros().saturating_sub(now.as_micros()).clamp(1_000, micros(LOOK));
        Some(self.sleep(Duration::from_micros(left.unsigned_abs())))
    }

    async fn pause(&mut self, pause: Duration) -> Option<Stop> {
        let mut over = self.sleep(pause);
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Look(done)) => self.looking.push(done),
                    Some(Order::Stop(done)) => return Some(Stop(Some(done))),
                    None => return Some(Stop(None)),
                },
                () = &mut over => return None,
            }
        }
    }

    /// Waits to be told to stop.
    async fn stopped(&mut self) -> Stop {
        self.looking.clear();
        loop {
            match self.orders.recv().await {
                Some(Order::Look(_)) => {}
                Some(Order::Stop(done)) => return Stop(Some(done)),
                None => return Stop(None),
            }
        }
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<Sleep>> {
        let _own = self.timers.enter();
        Box::pin(tokio::time::sleep(duration))
    }

    /// Shows how it is. Only who has just found nothing to do is at rest.
    fn publish(&self, turned: Turn, change: impl FnOnce(&mut ProcessState)) {
        let at_rest = turned == Turn::Idle && self.runner.at_rest();
        let mut seen = Seen { status: self.runner.status(), at_rest };
        change(&mut seen.status.state);
        self.publish.send_replace(seen);
    }
}

/// Why turning or waiting ended.
enum Ended {
    Stop(Stop),
    Failed(ProcessError),
}

/// Whether trying again later may help.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate)
}

async fn until(sleep: Option<&mut Pin<Box<Sleep>>>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}

/// Polls a future in the context of the caller's runtime, if there is one.
struct Within {
    callers: Option<Handle>,
    driven: Pin<Box<dyn Future<Output = ()>>>,
}

impl Future for Within {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let callers = self.callers.clone();
        let _entered = callers.as_ref().map(Handle::enter);
        self.driven.as_mut().poll(context)
    }
}
