//! The supervisor: one thread per read model that starts and halts workers, switches generations and takes orders.
//!
//! * It follows the generation readers see and the newest one, where they are of this program's version.
//! * It applies no event, so it also tells of workers that stand still.
//! * A generation that cannot be built is given up where readers see another of the same version, which is followed
//!   again. One that another program took over is that program's, with what is built beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use factlog_core::{Error, ErrorKind, Result};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::board::Condition;
use super::effects::Dispatcher;
use super::generations;
use super::lease::Terms;
use super::orders::{Act, Answer, Hand, Order};
use super::partition::slot;
use super::rows::GIVEN_UP;
use super::shared::Shared;
use super::target::{Control, Target, guarded};
use super::waits::{Halt, Waited};
use super::worker::Worker;
use super::{ProjectionError, acts};

/// How often it looks at everything; the bound within which an order is seen.
const TICK: Duration = Duration::from_millis(250);

pub(super) struct Supervisor<T: Target> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) runtime: Option<Handle>,
    pub(super) workers: BTreeMap<(u64, u16), Running>,
    pub(super) dispatcher: Option<Running>,
    pub(super) verifier: Option<Running>,
    /// Who waits for which generation to be built, and the one that was asked for last.
    pub(super) waiting: Vec<(u64, Answer)>,
    pub(super) asked: u64,
}

/// A thread that can be told to halt.
pub(super) struct Running {
    pub(super) halt: Arc<Halt>,
    thread: JoinHandle<()>,
}

impl Running {
    pub(super) fn start(
        name: &str,
        runtime: Option<Handle>,
        work: impl FnOnce(Arc<Halt>) + Send + 'static,
    ) -> Result<Self> {
        let halt = Arc::new(Halt::default());
        let told = halt.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _entered = runtime.as_ref().map(Handle::enter);
            told.here();
            work(told.clone());
        });
        let thread = thread
            .map_err(|cause| Error::unavailable(format!("cannot start the thread {name}")).because(cause))?;
        Ok(Self { halt, thread })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn end(self) {
        self.halt.halt();
        // A panic there was seen to where it happened.
        let _ = self.thread.join();
    }
}

impl<T: Target> Supervisor<T> {
    pub(super) fn start(self, runtime: Option<Handle>) -> Result<()> {
        let name = format!("projection {}", T::NAME);
        let thread = thread::Builder::new().name(name).spawn(move || {
            let _entered = runtime.as_ref().map(Handle::enter);
            self.shared.supervisor.here();
            self.run();
        });
        let name = T::NAME;
        thread.map(|_| ()).map_err(|cause| {
            Error::unavailable(format!("cannot start a thread for read model {name}")).because(cause)
        })
    }

    fn run(mut self) {
        loop {
            if let Err(error) = self.round() {
                self.report(error);
            }
            match self.order() {
                Poll::Pending => {}
                Poll::Ready(Some(Order::Act(act, answer))) => self.take(&act, answer),
                Poll::Ready(Some(Order::Stop(done))) => {
                    self.stop();
                    // Whoever is told that it stopped may open the store again at once.
                    drop(self);
                    // A caller that no longer waits needs no answer.
                    let _ = done.send(());
                    return;
                }
                Poll::Ready(None) => return self.stop(),
            }
        }
    }

    /// The next order, `None` when no handle is left; pending if there is none within a tick.
    fn order(&mut self) -> Poll<Option<Order>> {
        match self.shared.supervisor.clone().wait(self.orders.recv(), Some(TICK)) {
            Waited::Ready(order) => Poll::Ready(order),
            Waited::Tick | Waited::Halted => Poll::Pending,
        }
    }

    /// Looks at everything once.
    fn round(&mut self) -> Result<(), ProjectionError> {
        self.shared.look()?;
        self.shared.change(|board| board.broken = None);
        self.take_orders()?;
        self.give_up()?;
        self.tell();
        self.ensure()?;
        self.switch_if_due()?;
        self.measure();
        let store = self.shared.store.clone();
        let target = self.shared.target.clone();
        if let Waited::Ready(recorded) =
            self.shared.supervisor.wait(acts::record(&*target, &*store), Some(TICK))
        {
            recorded?;
        }
        if let Some(dispatcher) = &self.dispatcher {
            dispatcher.halt.wake();
        }
        Ok(())
    }

    /// Carries out the orders that were left in the sink.
    fn take_orders(&mut self) -> Result<(), ProjectionError> {
        // They are for whoever took over.
        if self.is_superseded() {
            return Ok(());
        }
        for found in self.shared.orders()? {
            if found.act == Ok(Act::Verify) {
                self.verify(found)?;
                continue;
            }
            let done = match &found.act {
                Ok(act) => match self.act(act, Hand::of(&found)) {
                    // It stays, and is carried out as soon as that can be.
                    Err(ProjectionError::Store(error)) if error.kind() == ErrorKind::Unavailable => {
                        return Err(error.into());
                    }
                    done => done.map_err(|error| error.to_string()),
                },
                Err(error) => Err(format!("this order makes no sense: {error}")),
            };
            self.sign();
            self.shared.settle(&found, &done)?;
        }
        Ok(())
    }

    /// Whether another program runs what readers see, where this one did.
    fn is_superseded(&self) -> bool {
        let board = self.shared.board.lock();
        let served = board.serving.and_then(|serving| board.generations.get(&serving));
        served.is_some_and(|served| matches!(served.condition(), Condition::TakenOver))
    }

    fn report(&self, error: ProjectionError) {
        match &error {
            // The next look is soon; workers say what they wait for.
            ProjectionError::Store(cause) if cause.kind() == ErrorKind::Unavailable => {}
            // Nothing that a sick store keeps from being recorded is lost, and workers say how the store is.
            ProjectionError::Store(cause) if cause.kind() == ErrorKind::Closed => {}
            _ => self.shared.change(|board| board.broken = Some(error)),
        }
    }

    /// Gives up what cannot be built. What another program builds is left to it.
    fn give_up(&mut self) -> Result<(), ProjectionError> {
        let Some((number, condition)) = self.building() else { return Ok(()) };
        let Some(error) = condition.problem(T::NAME) else { return Ok(()) };
        self.answer(number, &Err(error.clone()));
        if matches!(condition, Condition::TakenOver) {
            return Ok(());
        }
        let why = json!({ "generation": number, "error": error.to_string() });
        let served_here = {
            let board = self.shared.board.lock();
            let served = board.serving.and_then(|serving| board.generations.get(&serving));
            served.is_some_and(|served| self.shared.is_mine(&served.row))
        };
        if !served_here {
            return Ok(());
        }
        self.halt_where(|(generation, _)| generation == number);
        let mut control = Control::default();
        control.put(GIVEN_UP.to_owned(), Some(why.to_string()));
        self.shared.write_act(control)?;
        generations::drop_generation(&*self.shared.target, number)?;
        self.shared.look()?;
        // What readers saw before is followed again, as far as it can be.
        self.shared.change(|board| {
            for progress in board.generations.values_mut() {
                progress.workers.retain(|_, condition| !matches!(condition, Condition::Failed(_)));
            }
        });
        Ok(())
    }

    /// The workers that should be there are.
    pub(super) fn ensure(&mut self) -> Result<(), ProjectionError> {
        self.shared.remember()?;
        let mut followed = BTreeMap::new();
        {
            let board = self.shared.board.lock();
            let mine = || board.generations.iter().filter(|(_, progress)| self.shared.is_mine(&progress.row));
            let served = mine().find(|(number, _)| Some(**number) == board.serving);
            for (number, progress) in served.into_iter().chain(mine().next_back()).filter(|_| !board.paused) {
                followed
                    .insert(*number, (progress.row.clone(), progress.condition().problem(T::NAME).is_some()));
            }
        }
        self.halt_where(|(generation, _)| !followed.contains_key(&generation));
        self.workers.retain(|_, running| !running.thread.is_finished());
        let (workers, slots) = (self.shared.settings.workers, self.shared.settings.slots);
        for (generation, (row, failed)) in followed {
            for index in (0..workers).filter(|_| !failed) {
                if self.workers.contains_key(&(generation, index)) {
                    continue;
                }
                let shared = self.shared.clone();
                let terms = Terms { owner: format!("{}/{index}", shared.owner), lease: shared.lease };
                // One that belongs to one process has its place; others take what is free.
                let places = if shared.lease.is_none() { 1 } else { slots };
                let wanted = (0..places).map(|next| slot((index + next) % slots, slots)).collect();
                let row = row.clone();
                let running =
                    Running::start(&format!("projection {}", T::NAME), self.runtime.clone(), move |halt| {
                        let worker =
                            Worker::new(shared.clone(), (generation, index), wanted, terms, halt, row);
                        let run = || {
                            worker.run();
                            Ok::<_, String>(())
                        };
                        if guarded(run).is_err() {
                            let panicked = Condition::Failed(ProjectionError::Panicked(T::NAME));
                            shared.condition(generation, index, panicked);
                        }
                    })?;
                self.workers.insert((generation, index), running);
            }
        }
        Ok(())
    }

    pub(super) fn halt_where(&mut self, gone: impl Fn((u64, u16)) -> bool) {
        let keys: Vec<(u64, u16)> = self.workers.keys().copied().filter(|key| gone(*key)).collect();
        let ending: Vec<Running> = keys.into_iter().filter_map(|key| self.workers.remove(&key)).collect();
        ending.iter().for_each(|running| running.halt.halt());
        ending.into_iter().for_each(Running::end);
    }

    fn stop(&mut self) {
        self.halt_where(|_| true);
        [self.dispatcher.take(), self.verifier.take()].into_iter().flatten().for_each(Running::end);
        self.shared.change(|board| board.stopped = true);
        self.sign();
    }

    pub(super) fn dispatch(halt: &Halt, dispatcher: &Dispatcher<T>, shared: &Shared<T>) {
        loop {
            // What goes wrong is tried again after the pause.
            let done = guarded(|| dispatcher.round());
            let more = done.as_ref().is_ok_and(|more| *more);
            shared.handed_out(done.err());
            if !more && matches!(halt.pause(TICK), Waited::Halted) || halt.halted() {
                return dispatcher.leave();
            }
        }
    }
}
