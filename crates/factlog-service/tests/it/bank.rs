//! The smallest bank: money in, money out as far as it goes, and a read model of balances.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog::{
    App, Context, Decide, Event, EventSet, Events, MemoryStore, Projection, ReadModel, Recorded, Result,
    Tags, View, events, tags,
};
use factlog_core::EventStore as _;
use factlog_core::access::{Grants, NewKey};
use factlog_core::{Query, ReadOptions, RecordedEvent};
use factlog_service::{Access, Call, Refused, Server, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::{Answer, send};

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.deposited", tags(account = account))]
pub(crate) struct Deposited {
    pub(crate) account: String,
    pub(crate) amount: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "money.withdrawn", tags(account = account))]
pub(crate) struct Withdrawn {
    pub(crate) account: String,
    pub(crate) amount: u64,
}

#[derive(EventSet, Clone, Debug, PartialEq)]
pub(crate) enum Money {
    In(Deposited),
    Out(Withdrawn),
}

#[derive(Default, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account(u64);

impl View for Account {
    type Id = String;
    type Event = Money;
    const NAME: &'static str = "account";

    fn tags(account: &String) -> Result<Tags> {
        tags![account = account]
    }

    fn apply(&mut self, event: &Money) {
        match event {
            Money::In(event) => self.0 += event.amount,
            Money::Out(event) => self.0 -= event.amount,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Deposit {
    account: String,
    amount: u64,
    #[serde(default)]
    #[expect(dead_code, reason = "only what is wrong within it is looked at")]
    note: Option<Note>,
}

#[derive(Deserialize)]
struct Note {
    #[expect(dead_code, reason = "only what is wrong with it is looked at")]
    lines: Vec<String>,
}

impl Decide for Deposit {
    type Model = ();
    type Event = Money;
    type Error = std::convert::Infallible;

    fn boundary(&self) {}

    fn decide(&self, (): &(), _: &Context) -> std::result::Result<Events<Money>, Self::Error> {
        if self.amount == 0 {
            return Ok(Events::none());
        }
        Ok(events![Deposited { account: self.account.clone(), amount: self.amount }])
    }
}

pub(crate) struct Withdraw {
    account: String,
    amount: u64,
}

/// Why not.
#[derive(Debug)]
pub(crate) struct TooLittle(u64);

impl std::fmt::Display for TooLittle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there are only {} left", self.0)
    }
}

impl std::error::Error for TooLittle {}

impl Decide for Withdraw {
    type Model = Account;
    type Event = Money;
    type Error = TooLittle;

    fn boundary(&self) -> String {
        self.account.clone()
    }

    fn decide(&self, account: &Account, _: &Context) -> std::result::Result<Events<Money>, TooLittle> {
        if account.0 < self.amount {
            return Err(TooLittle(account.0));
        }
        Ok(events![Withdrawn { account: self.account.clone(), amount: self.amount }])
    }
}

/// Balances, kept by a thread that takes its time.
pub(crate) struct Balances(Duration);

impl Projection for Balances {
    type Event = Money;
    type Key = String;
    type Document = u64;
    const NAME: &'static str = "balances";

    fn keys(&self, event: &Recorded<Money>) -> Vec<String> {
        match &event.event {
            Money::In(event) => vec![event.account.clone()],
            Money::Out(event) => vec![event.account.clone()],
        }
    }

    fn apply(&self, _: &String, balance: Option<u64>, event: &Recorded<Money>) -> Option<u64> {
        std::thread::sleep(self.0);
        let mut account = Account(balance.unwrap_or_default());
        account.apply(&event.event);
        Some(account.0)
    }
}

/// What is sent to withdraw: the account is that of whoever calls, unless it is said.
#[derive(Deserialize)]
struct Wish {
    account: Option<String>,
    amount: u64,
}

fn withdraw(wish: Wish, call: &Call) -> std::result::Result<Withdraw, Refused> {
    let own = call.principal.as_ref().map(ToString::to_string);
    let account = wish.account.or(own).ok_or_else(|| Refused::invalid("say which account"))?;
    Ok(Withdraw { account, amount: wish.amount })
}

#[derive(Deserialize)]
struct Of {
    account: String,
}

/// A served bank.
pub(crate) struct Bank {
    pub(crate) at: SocketAddr,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) balances: ReadModel<Balances>,
    pub(crate) access: Option<Arc<Access>>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<()>>,
}

impl Bank {
    /// Everybody may do everything. The read model takes so long for each event, queries wait for it so long.
    pub(crate) async fn start(takes: Duration, wait: Duration) -> Self {
        Self::run(takes, wait, false).await
    }

    pub(crate) async fn with_keys() -> Self {
        Self::run(Duration::ZERO, Duration::from_secs(20), true).await
    }

    async fn run(takes: Duration, wait: Duration, keys: bool) -> Self {
        let store = Arc::new(MemoryStore::new());
        let app = App::new(store.clone());
        let balances = app.project(Balances(takes)).in_memory().start().expect("start");
        let reading = balances.clone();
        let live = app.clone();
        let service = Service::new("bank", app)
            .wait(wait)
            .rule(|_: &TooLittle| "too-little")
            .command::<Deposit>("deposit")
            .command_from("withdraw", withdraw)
            .query("balance", [balances.operations()], move |of: Of, _| {
                let balances = reading.clone();
                async move {
                    let balance = balances.get(&of.account).await?;
                    let balance =
                        balance.ok_or_else(|| Refused::not_found(format!("no account {}", of.account)))?;
                    Ok(json!({ "account": of.account, "balance": balance }))
                }
            })
            .query("live", [], move |of: Of, _| {
                let app = live.clone();
                async move { Ok(app.load::<Account>(&of.account).await?.state) }
            });
        let health = factlog_service::health([balances.operations()]);
        let mut server =
            Server::new(store.clone()).mount(service).projections(health, Duration::from_secs(60));
        let mut access = None;
        if keys {
            let opened = Access::open(store.clone()).await.expect("open");
            server = server.authenticated(opened.clone());
            access = Some(opened);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let at = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.serve(listener, async {
            // A sender that is gone is as good.
            let _ = stopped.await;
        }));
        Self { at, store, balances, access, stop, serving }
    }

    /// A new key of a principal with these grants, as a header.
    pub(crate) async fn key(&self, principal: &str, grants: &[&str]) -> String {
        let grants = Some(Grants::parse(grants.iter().copied()).expect("grants"));
        let new = NewKey { principal: principal.parse().expect("a name"), grants, expires_at: None };
        let owner = self.access.clone().expect("it asks for keys").as_owner();
        format!("authorization: Bearer {}", owner.create_key(new).await.expect("a key").secret)
    }

    pub(crate) async fn post(&self, call: &str, headers: &[&str], body: &str) -> Answer {
        post(self.at, call, headers, body).await
    }

    pub(crate) async fn get(&self, call: &str, headers: &[&str]) -> Answer {
        let headers: Vec<String> = headers.iter().map(ToString::to_string).collect();
        send(self.at, &format!("GET /app/bank/{call}"), &headers, "").await
    }

    /// What is recorded but by the server itself.
    pub(crate) async fn recorded(&self) -> Vec<RecordedEvent> {
        let read = self.store.read(Query::All, ReadOptions::default()).collect().await.expect("read");
        let own = |event: &RecordedEvent| event.event.stream.is_none();
        read.events.into_iter().filter(own).collect()
    }

    pub(crate) async fn stop(self) {
        self.end().await;
    }

    /// Stops it; how it ended, and what outlives it.
    pub(crate) async fn end(self) -> (Arc<MemoryStore>, ReadModel<Balances>) {
        self.stop.send(()).expect("it runs");
        self.serving.await.expect("no panic").expect("it ends in order");
        (self.store, self.balances)
    }
}

pub(crate) async fn post(at: SocketAddr, call: &str, headers: &[&str], body: &str) -> Answer {
    let mut all = vec!["content-type: application/json".to_owned()];
    all.extend(headers.iter().map(ToString::to_string));
    send(at, &format!("POST /app/bank/{call}"), &all, body).await
}
