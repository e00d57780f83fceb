//! A program of a user: accounts, a read model that may not digest an amount, and a process that may be ill.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use factlog::process::{Dispatch, Dispatching, Effects, Input, ProcessManager};
use factlog::projection::{ApplyError, Switch};
use factlog::{
    App, Context, Decide, Event, EventSet, Events, OnTimeout, Projection, ReadModel, Recorded, events,
};
use factlog_core::EventStore as _;
use factlog_engine::{Engine, Settings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::harness::{Home, Ran};

/// How long a test waits for what takes a moment; reaching it is a failure.
const SOON: Duration = Duration::from_secs(60);

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.deposited", tags(account = account), stream = "account-{account}")]
pub(crate) struct Deposited {
    pub(crate) account: u64,
    pub(crate) amount: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.thanked", tags(account = account))]
pub(crate) struct Thanked {
    pub(crate) account: u64,
}

#[derive(EventSet, Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    Deposited(Deposited),
    Thanked(Thanked),
}

/// What can be done; it happens as often as it is executed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Do {
    Deposit { account: u64, amount: u64 },
    Thank { account: u64 },
}

impl Decide for Do {
    type Model = ();
    type Event = Fact;
    type Error = std::convert::Infallible;
    fn boundary(&self) {}
    fn decide(&self, (): &(), _: &Context) -> Result<Events<Fact>, Self::Error> {
        Ok(match *self {
            Self::Deposit { account, amount } => events![Deposited { account, amount }],
            Self::Thank { account } => events![Thanked { account }],
        })
    }
}

/// The amounts of each account in order. It cannot digest one amount until it is cured, and rests while it is told to.
pub(crate) struct Amounts {
    poison: Arc<AtomicU64>,
    rests: Arc<AtomicBool>,
}

impl Projection for Amounts {
    type Event = Fact;
    type Key = String;
    type Document = Vec<u64>;
    const NAME: &'static str = "amounts";
    fn keys(&self, recorded: &Recorded<Fact>) -> Vec<String> {
        match &recorded.event {
            Fact::Deposited(event) => vec![format!("account-{}", event.account)],
            Fact::Thanked(_) => Vec::new(),
        }
    }
    fn apply(&self, _: &String, seen: Option<Vec<u64>>, recorded: &Recorded<Fact>) -> Option<Vec<u64>> {
        let mut seen = seen.unwrap_or_default();
        if let Fact::Deposited(event) = &recorded.event {
            seen.push(event.amount);
        }
        Some(seen)
    }
    fn try_apply(
        &self,
        key: &String,
        seen: Option<Vec<u64>>,
        recorded: &Recorded<Fact>,
    ) -> Result<Option<Vec<u64>>, ApplyError> {
        while self.rests.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        match &recorded.event {
            Fact::Deposited(event) if event.amount == self.poison.load(Ordering::Relaxed) => {
                Err("this amount is poison".into())
            }
            _ => Ok(self.apply(key, seen, recorded)),
        }
    }
}

/// Thanks whoever deposited, unless it is ill and the account is the first.
#[derive(Clone, Default)]
pub(crate) struct Thanks(pub(crate) Arc<AtomicBool>);

impl ProcessManager for Thanks {
    type Event = Fact;
    type State = u64;
    type Command = Do;
    type Timer = String;
    const NAME: &'static str = "thanks";
    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        match &event.event {
            Fact::Deposited(event) => Some(event.account.to_string()),
            Fact::Thanked(_) => None,
        }
    }
    fn evolve(&self, state: &mut u64, input: &Input<Self>) {
        if let Input::Event(Recorded { event: Fact::Deposited(event), .. }) = input {
            assert!(!(self.0.load(Ordering::Relaxed) && event.account == 1), "account 1 makes me ill");
            *state += event.amount;
        }
    }
    fn react(&self, _: &u64, input: &Input<Self>) -> Effects<Self> {
        match input {
            Input::Event(Recorded { event: Fact::Deposited(event), .. }) => Effects::none()
                .timer("remind".to_owned(), Duration::from_secs(86_400))
                .compensation(Do::Thank { account: 1_000 + event.account })
                .command(Do::Thank { account: event.account }),
            Input::Event(_) | Input::TimerFired(_) | Input::Refused { .. } => Effects::none(),
        }
    }
    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        to.execute(command)
    }
}

/// The program, over the store of a home.
pub(crate) struct Program {
    pub(crate) home: Home,
    pub(crate) app: App,
    pub(crate) poison: Arc<AtomicU64>,
    pub(crate) rests: Arc<AtomicBool>,
}

impl Program {
    pub(crate) fn start() -> Self {
        Self::over(Home::new())
    }

    pub(crate) fn over(home: Home) -> Self {
        let engine = Engine::open(home.store(), Settings::default()).expect("a store");
        Self {
            home,
            app: App::new(engine),
            poison: Arc::new(AtomicU64::new(u64::MAX)),
            rests: Arc::default(),
        }
    }

    pub(crate) async fn deposit(&self, deposits: &[(u64, u64)]) {
        for (account, amount) in deposits {
            self.app.execute(Do::Deposit { account: *account, amount: *amount }).await.expect("recorded");
        }
    }

    /// Starts the read model.
    pub(crate) fn project(&self, switch: Switch) -> ReadModel<Amounts> {
        self.project_with(switch, 1)
    }

    /// The same with so many workers, each with its share of the keys.
    pub(crate) fn project_with(&self, switch: Switch, workers: u16) -> ReadModel<Amounts> {
        let amounts = Amounts { poison: self.poison.clone(), rests: self.rests.clone() };
        let project = self.app.project(amounts).sqlite(self.home.path("read.sqlite"));
        project.switch(switch).workers(workers).start().expect("it starts")
    }

    pub(crate) async fn caught_up(&self, model: &ReadModel<Amounts>) {
        let head = self.app.store().head().await.expect("a head").position;
        model.at_least(head, SOON, OnTimeout::Error).await.expect("it follows");
    }

    /// Runs the command line beside the program.
    pub(crate) async fn cli(&self, arguments: &[&str]) -> Ran {
        let mut command = self.home.command(arguments);
        command.env("FACTLOG_READ_MODEL", self.home.path("read.sqlite"));
        tokio::task::spawn_blocking(move || crate::harness::run(command, b"")).await.expect("it ends")
    }

    /// Its answer in JSON; it must succeed.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.cli(&[arguments, &["--json"]].concat()).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.json()
    }

    /// Looks until the answer is as wanted.
    pub(crate) async fn until(&self, arguments: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.json(arguments).await;
            if wanted(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{arguments:?} stays as {last}");
    }

    /// Ends it; the store is free.
    pub(crate) async fn stop(self) -> Home {
        self.app.store().close().await.expect("it closes");
        self.home
    }
}
