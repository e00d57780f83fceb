//! A process that opens a store and lets clients at it, telling all they ask and are told.
//!
//! * It goes on until it is killed, or until its standard input ends: then clients stop, every subscription must come to
//!   the head, and the store is closed. So no worker outlives its supervisor.
//! * What its standard input says first are appends of earlier lives, one a line, to be repeated; an empty line ends them.
//! * It judges nothing but that subscriptions arrive; everything else is for whoever listens.

mod clients;
mod clock;
mod limits;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use factlog_core::{Error, EventStore, Position};
use factlog_engine::Engine;
use parking_lot::Mutex;

use crate::asking::World;
use crate::setting::StoreArguments;
use crate::told::{Line, Question, Refusal, Teller};
use clients::Clients;
pub(crate) use clock::Time;
pub(crate) use limits::Limits;

/// How long subscriptions may take to come to a head that stays.
const ARRIVAL_STEPS: u32 = 3_000;
const ARRIVAL_STEP: Duration = Duration::from_millis(10);

/// What a worker does. Everything it does follows from these and the moments at which its threads run.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct WorkerArguments {
    /// The store's directory
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Clients that append, one thing after the other
    #[arg(long, default_value_t = 8)]
    pub(crate) writers: u32,
    /// Clients that read, and ask for heads and tracking
    #[arg(long, default_value_t = 2)]
    pub(crate) readers: u32,
    /// Clients that follow subscriptions
    #[arg(long, default_value_t = 2)]
    pub(crate) followers: u32,
    /// What all lives of a store have in common: the same seed, the same events
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u32,
    /// Which life of the store it is: another number, other questions
    #[arg(long, default_value_t = 0)]
    pub(crate) life: u32,
    /// Bytes of an event's data at most, but for the few large ones
    #[arg(long, default_value_t = 300)]
    pub(crate) event_bytes: usize,
    /// What the clock of the store does
    #[arg(long, value_enum, default_value_t = Time::System)]
    pub(crate) time: Time,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

impl WorkerArguments {
    /// Eight writers, two readers and two followers on this store.
    pub(crate) fn usual(dir: &Path, store: StoreArguments) -> Self {
        Self {
            dir: dir.to_owned(),
            writers: 8,
            readers: 2,
            followers: 2,
            seed: 0,
            life: 0,
            event_bytes: 300,
            time: Time::System,
            store,
            limits: Limits::default(),
        }
    }

    /// The same as words of a command.
    pub(crate) fn words(&self) -> Vec<String> {
        let numbers = [
            ("--writers", u64::from(self.writers)),
            ("--readers", u64::from(self.readers)),
            ("--followers", u64::from(self.followers)),
            ("--seed", u64::from(self.seed)),
            ("--life", u64::from(self.life)),
            ("--event-bytes", self.event_bytes as u64),
        ];
        let mut words = vec!["--dir".to_owned(), self.dir.to_string_lossy().into_owned()];
        words.extend(numbers.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]));
        words.extend(["--time".to_owned(), self.time.word().to_owned()]);
        words.extend(self.store.words());
        words.extend(self.limits.words());
        words
    }
}

/// What the threads of a worker share.
struct Shared {
    engine: Engine,
    world: World,
    life: u32,
    teller: Teller,
    /// Clients stop.
    stop: AtomicBool,
    /// Appends that can be repeated.
    repeats: Mutex<Vec<Question>>,
    /// What each follower has caught up with; `u64::MAX` once it ended.
    arrived: Vec<AtomicU64>,
}

/// Works until it is told to stop; 1 if the store refused, 3 if a subscription did not arrive.
pub(crate) fn run(arguments: &WorkerArguments) -> ExitCode {
    let teller = match Teller::new() {
        Ok(teller) => teller,
        Err(_) => return ExitCode::FAILURE,
    };
    if let Err(error) = arguments.limits.set() {
        teller.tell(&Line::Failed(Refusal { kind: "Limits".to_owned(), message: error.to_string() }));
        return ExitCode::FAILURE;
    }
    let settings = arguments.store.settings();
    let engine = match Engine::open_with(&arguments.dir, settings, arguments.time.clock()) {
        Ok(engine) => engine,
        Err(error) => {
            teller.tell(&Line::Failed(Refusal::of(&error)));
            return ExitCode::FAILURE;
        }
    };
    let head = match pollster::block_on(engine.head()) {
        Ok(head) => Position::number(head.position),
        Err(error) => {
            teller.tell(&Line::Failed(Refusal::of(&error)));
            return ExitCode::FAILURE;
        }
    };
    teller.tell(&Line::Opened(head));
    let shared = Arc::new(Shared {
        engine,
        world: World::new(arguments.seed, arguments.event_bytes),
        life: arguments.life,
        teller,
        stop: AtomicBool::new(false),
        repeats: Mutex::new(repeats()),
        arrived: (0..arguments.followers).map(|_| AtomicU64::new(0)).collect(),
    });
    let clients = Clients::start(&shared, arguments);
    wait_for_the_end_of_input();
    match end(&shared, clients) {
        Ok(()) => ExitCode::SUCCESS,
        Err((error, code)) => {
            shared.teller.tell(&Line::Failed(Refusal::of(&error)));
            code
        }
    }
}

/// The appends of earlier lives, up to an empty line.
fn repeats() -> Vec<Question> {
    let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).filter_map(|line| serde_json::from_str(&line).ok()).collect()
}

fn wait_for_the_end_of_input() {
    let lines = std::io::stdin().lock().lines();
    lines.map_while(Result::ok).for_each(drop);
}

/// Stops the clients, waits until every subscription has delivered everything, and closes.
fn end(shared: &Shared, clients: Clients) -> Result<(), (Error, ExitCode)> {
    shared.stop.store(true, Ordering::Relaxed);
    clients.askers.into_iter().for_each(|thread| drop(thread.join()));
    let failed = |error| (error, ExitCode::FAILURE);
    let head = pollster::block_on(shared.engine.head()).map_err(failed)?;
    let head = Position::number(head.position);
    let has_arrived = |at: &AtomicU64| head <= at.load(Ordering::Acquire);
    let mut steps = 0;
    while !shared.arrived.iter().all(has_arrived) {
        if steps == ARRIVAL_STEPS {
            let at: Vec<_> = shared.arrived.iter().map(|at| at.load(Ordering::Acquire)).collect();
            let message =
                format!("the head is {head}, and subscriptions have caught up with {at:?} only for 30 s");
            return Err((Error::unavailable(message), ExitCode::from(3)));
        }
        steps += 1;
        std::thread::sleep(ARRIVAL_STEP);
    }
    pollster::block_on(shared.engine.close()).map_err(failed)?;
    clients.followers.into_iter().for_each(|thread| drop(thread.join()));
    shared.teller.tell(&Line::Closed);
    Ok(())
}

#[cfg(test)]
mod tests {
    //! A setting that is lost on the way to the process would leave it untried.
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        worker: WorkerArguments,
    }

    #[test]
    fn a_worker_is_told_everything_that_was_drawn_for_it() {
        for seed in 0..50 {
            let store = StoreArguments::draw(&mut fastrand::Rng::with_seed(seed));
            store.settings().validate().expect("a store can be set so");
            let mut worker = WorkerArguments::usual(Path::new("/there"), store);
            (worker.seed, worker.life, worker.time) = (9, 8, Time::Backwards);
            worker.limits = Limits { limit_data: Some(1), limit_files: None, limit_file_bytes: Some(seed) };
            let words = [&["program".to_owned()][..], &worker.words()].concat();
            assert_eq!(Program::parse_from(words).worker, worker);
        }
    }
}
