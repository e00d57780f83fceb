//! The runner: takes what is delivered, what landed and what is due, commits what follows, and dispatches.
//!
//! * One commit at a time. Its records are folded into the book when the store has answered, and not before.
//! * A conflict that an operator's record explains is decided again. Any other means that somebody else runs the
//!   process: this one is fenced.
//! * It does not wait for time. Whoever drives it, a thread or a test, says when to look again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use factlog_core::{
    AppendError, Appended, BoxFuture, Conflict, ErrorKind, FailedCondition, Position, StreamId, Timestamp,
};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tracing::Instrument as _;

use super::book::Book;
use super::dispatch::{Dispatch, Dispatched};
use super::feed::Feed;
use super::inspect::records_after;
use super::names::Names;
use super::react::{read, said};
use super::record::CommandRef;
use super::stage::Stage;
use super::status::{ProcessState, ProcessStatus};
use super::{ProcessError, ProcessManager};
use crate::{App, spans};

pub(super) struct Runner<P: ProcessManager> {
    pub(super) app: App,
    pub(super) names: Names,
    pub(super) process: P,
    pub(super) parallel: usize,
    pub(super) book: Book,
    pub(super) feed: Feed,
    pub(super) flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// Outcomes that are not recorded yet.
    pub(super) landed: Vec<Landed>,
    /// A commit that may have taken effect: it is tried again before anything else.
    pub(super) unsure: Option<Stage>,
    /// No runner has written anything up to here that is not folded.
    pub(super) folded: Option<Position>,
    /// How far inputs are handled by the log's own account.
    pub(super) tracked: Option<Position>,
    /// How far they are handled; above `tracked` only what concerns nobody.
    pub(super) handled: Option<Position>,
    /// The last position that there is for certain: the head at the start, and what came of this runner's work since.
    pub(super) known: Option<Position>,
    /// Inputs passed over since something was recorded.
    pub(super) silent: u64,
    /// The time of the last event that was delivered: the time never goes back behind it.
    pub(super) latest: Timestamp,
    /// Instances whose command is tried again later.
    pub(super) resting: Vec<StreamId>,
    pub(super) problem: Option<String>,
}

/// A command that came back.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) stream: StreamId,
    pub(super) command: CommandRef,
    pub(super) outcome: Dispatched,
}

/// What one turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Worked,
    /// There is nothing to do before something is delivered, lands, or is due.
    Idle,
}

impl<P: ProcessManager> Runner<P> {
    /// Does the next piece of work, if there is any.
    pub(super) async fn turn(&mut self) -> Result<Turn, ProcessError> {
        while let Some(Some(landed)) = self.flights.next().now_or_never() {
            self.arrive(landed)?;
        }
        let stage = match self.unsure.take() {
            Some(stage) => stage,
            None => self.stage().await?,
        };
        if !stage.is_empty() {
            let span = spans::step(P::NAME, stage.taken);
            self.commit(stage).instrument(span).await?;
            return Ok(Turn::Worked);
        }
        if 0 < stage.taken {
            self.pass(&stage);
            return Ok(Turn::Worked);
        }
        Ok(if self.launch() { Turn::Worked } else { Turn::Idle })
    }

    /// Turns until there is nothing left to do now.
    pub(super) async fn until_idle(&mut self) -> Result<(), ProcessError> {
        loop {
            if self.turn().await? == Turn::Worked {
                continue;
            }
            if self.flights.is_empty() {
                if self.feed.reached == self.app.store().head().await?.position {
                    return Ok(());
                }
                self.feed.next(P::NAME).await?;
            } else if let Some(landed) = self.flights.next().await {
                self.arrive(landed)?;
            }
        }
    }

    /// Whether everything that this runner knows of is dealt with.
    pub(super) fn at_rest(&self) -> bool {
        let quiet = self.flights.is_empty() && self.landed.is_empty() && self.resting.is_empty();
        quiet && self.caught_up() && self.book.next_ready().is_none() && self.book.next_backlog().is_none()
    }

    /// Whether every input recorded by now is handled, as far as this runner can know.
    pub(super) fn caught_up(&self) -> bool {
        self.feed.pending.is_empty() && self.known <= self.feed.reached
    }

    /// Whether this turn took inputs that nobody hears.
    fn pass(&mut self, stage: &Stage) {
        self.feed.handled(stage.taken);
        self.handled = self.handled.max(stage.through);
        self.silent += stage.taken as u64;
    }

    async fn commit(&mut self, stage: Stage) -> Result<(), ProcessError> {
        let store = self.app.store().clone();
        let append = stage.append(&self.names, self.tracked, self.folded);
        let tracking = append.tracking.as_ref().map(|tracking| tracking.position);
        let mut sent = store.append(append);
        let mut early = Vec::new();
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut sent => break answer,
                Some(landed) = self.flights.next(), if !self.flights.is_empty() => early.push(landed),
            }
        };
        drop(sent);
        match answer {
            Ok(appended) => self.committed(stage, &appended, tracking),
            Err(AppendError::Conflict(conflict)) => {
                self.landed.extend(stage.landed);
                self.reconcile(&conflict).await?;
            }
            Err(AppendError::Failed(error)) => {
                let again = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate);
                self.unsure = again.then_some(stage);
                return Err(error.into());
            }
        }
        early.into_iter().try_for_each(|landed| self.arrive(landed))
    }

    fn committed(&mut self, stage: Stage, appended: &Appended, tracking: Option<Position>) {
        self.tracked = self.tracked.max(tracking);
        self.folded = Some(appended.last);
        self.known = self.known.max(Some(appended.last));
        self.silent = 0;
        self.feed.handled(stage.taken);
        self.handled = self.handled.max(stage.through);
        let landed: Vec<StreamId> = stage.landed.iter().map(|landed| landed.stream.clone()).collect();
        stage.settle(&mut self.book, appended);
        for stream in landed {
            self.book.set_busy(&stream, false);
        }
    }

    /// Folds what an operator wrote meanwhile.
    async fn reconcile(&mut self, conflict: &Conflict) -> Result<(), ProcessError> {
        let fenced = || ProcessError::Fenced { process: P::NAME, conflict: conflict.to_string() };
        for failed in &conflict.failed {
            let FailedCondition::Revision { stream, .. } = failed else { return Err(fenced()) };
            let folded = self.book.get(stream).and_then(|instance| instance.revision);
            let records = records_after(&**self.app.store(), stream, folded).await?;
            if records.is_empty() || !records.iter().all(|(entry, _)| entry.record.kind().is_operators()) {
                return Err(fenced());
            }
            for (entry, place) in records {
                self.book.apply(stream, &entry, &place);
            }
        }
        Ok(())
    }

    /// Takes a command that came back.
    pub(super) fn arrive(&mut self, landed: Landed) -> Result<(), ProcessError> {
        match &landed.outcome {
            Dispatched::Gone(error) => return Err(error.clone().into()),
            Dispatched::Again(reason) => {
                self.problem = Some(reason.clone());
                self.resting.push(landed.stream);
                return Ok(());
            }
            Dispatched::Done(position) => {
                self.problem = None;
                self.known = self.known.max(*position);
            }
            Dispatched::Refused(_) | Dispatched::Stuck(_) => {}
        }
        self.landed.push(landed);
        Ok(())
    }

    /// Commands that rest are tried again.
    pub(super) fn wake_resting(&mut self) {
        for stream in std::mem::take(&mut self.resting) {
            self.book.set_busy(&stream, false);
        }
    }

    /// Dispatches what can be; answers whether there was anything.
    fn launch(&mut self) -> bool {
        let mut launched = false;
        while self.flights.len() < self.parallel
            && let Some(stream) = self.book.next_ready()
        {
            self.book.set_busy(&stream, true);
            let Some(flight) = self.flight(&stream) else { continue };
            self.flights.push(flight);
            launched = true;
        }
        launched
    }

    fn flight(&self, stream: &StreamId) -> Option<BoxFuture<'static, Landed>> {
        let instance = self.book.get(stream)?;
        let open = instance.next_command()?;
        let (stream, command) = (stream.clone(), open.at);
        let to = Dispatch {
            app: self.app.clone(),
            key: self.names.key(&instance.instance, command.input, command.index),
            causation: open.cause,
            correlation: open.correlation.clone(),
        };
        let begun = read(open.command.clone(), "command").and_then(|typed| {
            catch_unwind(AssertUnwindSafe(|| self.process.dispatch(typed, to)))
                .map_err(|panic| format!("`dispatch` panicked: {}", said(&*panic)))
        });
        Some(Box::pin(
            async move {
                let outcome = match begun {
                    Err(reason) => Dispatched::Stuck(reason),
                    Ok(dispatching) => match AssertUnwindSafe(dispatching.0).catch_unwind().await {
                        Ok(outcome) => outcome,
                        Err(panic) => Dispatched::Stuck(format!("it panicked: {}", said(&*panic))),
                    },
                };
                Landed { stream, command, outcome }
            }
            .instrument(spans::dispatch(P::NAME)),
        ))
    }

    pub(super) fn status(&self) -> ProcessStatus {
        let totals = self.book.totals();
        ProcessStatus {
            name: P::NAME,
            version: P::VERSION,
            state: if self.caught_up() { ProcessState::Live } else { ProcessState::CatchingUp },
            // What was delivered up to the head and concerns nobody is handled, too.
            handled: if self.caught_up() { self.handled.max(self.feed.reached) } else { self.handled },
            open: totals.open,
            timers: totals.timers,
            next_due: totals.next_due,
            commands: totals.commands,
            quarantined: totals.quarantined,
            command_problem: self.problem.clone(),
        }
    }
}
