//! The bounded context of these tests: accounts with money in whole coins.

use factlog::{
    App, Context, Decide, Event, EventSet, Events, MemoryStore, Projection, Recorded, Result, StreamId, Tags,
    View, events, tags,
};
use serde::{Deserialize, Serialize};

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.opened", tags(account = account))]
pub(crate) struct Opened {
    pub(crate) account: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.deposited", tags(account))]
pub(crate) struct Deposited {
    pub(crate) account: u64,
    pub(crate) amount: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.withdrawn", tags(account = account))]
pub(crate) struct Withdrawn {
    pub(crate) account: u64,
    pub(crate) amount: u64,
}

#[derive(EventSet, Clone, Debug, PartialEq)]
pub(crate) enum AccountEvent {
    Opened(Opened),
    Deposited(Deposited),
    Withdrawn(Withdrawn),
}

pub(crate) fn opened(account: u64) -> AccountEvent {
    Opened { account }.into()
}

pub(crate) fn deposited(account: u64, amount: u64) -> AccountEvent {
    Deposited { account, amount }.into()
}

pub(crate) fn withdrawn(account: u64, amount: u64) -> AccountEvent {
    Withdrawn { account, amount }.into()
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) open: bool,
    pub(crate) balance: u64,
    pub(crate) movements: u64,
}

impl View for Account {
    type Id = u64;
    type Event = AccountEvent;
    const NAME: &'static str = "account";
    fn tags(account: &u64) -> Result<Tags> {
        tags![account = account]
    }
    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened(_) => self.open = true,
            AccountEvent::Deposited(event) => self.balance += event.amount,
            AccountEvent::Withdrawn(event) => self.balance -= event.amount,
        }
        self.movements += 1;
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InsufficientFunds;

impl std::fmt::Display for InsufficientFunds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("insufficient funds")
    }
}

impl std::error::Error for InsufficientFunds {}

/// Records events as they are: the facts a test begins with.
pub(crate) struct Record(pub(crate) Vec<AccountEvent>);

impl Decide for Record {
    type Model = ();
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) {}
    fn decide(&self, (): &(), _: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        Ok(self.0.iter().cloned().collect())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Withdraw {
    pub(crate) account: u64,
    pub(crate) amount: u64,
}

impl Decide for Withdraw {
    type Model = Account;
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) -> u64 {
        self.account
    }
    fn decide(&self, account: &Account, _: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        if account.balance < self.amount {
            return Err(InsufficientFunds);
        }
        let (account, amount) = (self.account, self.amount);
        Ok(events![Withdrawn { account, amount }])
    }
}

/// Two views of one type with different ids, decided together.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) amount: u64,
}

impl Decide for Transfer {
    type Model = (Account, Account);
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) -> (u64, u64) {
        (self.from, self.to)
    }
    fn decide(
        &self,
        (from, to): &(Account, Account),
        _: &Context,
    ) -> Result<Events<AccountEvent>, InsufficientFunds> {
        if from.balance < self.amount || !to.open {
            return Err(InsufficientFunds);
        }
        Ok(events![
            Withdrawn { account: self.from, amount: self.amount },
            Deposited { account: self.to, amount: self.amount },
        ])
    }
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "cart.item_added", tags(cart = cart), stream = "cart-{cart}")]
pub(crate) struct ItemAdded {
    pub(crate) cart: u64,
}

/// An aggregate: one stream, at most three items.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cart {
    pub(crate) items: u64,
}

impl View for Cart {
    type Id = u64;
    type Event = ItemAdded;
    const NAME: &'static str = "cart";
    fn tags(_: &u64) -> Result<Tags> {
        tags![]
    }
    fn stream(cart: &u64) -> Result<Option<StreamId>> {
        StreamId::new(format!("cart-{cart}")).map(Some)
    }
    fn apply(&mut self, _: &ItemAdded) {
        self.items += 1;
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AddItem {
    pub(crate) cart: u64,
}

impl Decide for AddItem {
    type Model = Cart;
    type Event = ItemAdded;
    type Error = InsufficientFunds;
    fn boundary(&self) -> u64 {
        self.cart
    }
    fn decide(&self, cart: &Cart, _: &Context) -> Result<Events<ItemAdded>, InsufficientFunds> {
        if 3 <= cart.items {
            return Err(InsufficientFunds);
        }
        Ok(events![ItemAdded { cart: self.cart }])
    }
}

/// Balances by account; a deposit of nothing removes the account, to have removals too.
pub(crate) struct Balances;

impl Projection for Balances {
    type Event = AccountEvent;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "balances";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        let account = match &recorded.event {
            AccountEvent::Opened(event) => event.account,
            AccountEvent::Deposited(event) => event.account,
            AccountEvent::Withdrawn(event) => event.account,
        };
        vec![account, account]
    }
    fn apply(&self, _: &u64, balance: Option<u64>, recorded: &Recorded<AccountEvent>) -> Option<u64> {
        let balance = balance.unwrap_or(0);
        match &recorded.event {
            AccountEvent::Opened(_) => Some(balance),
            AccountEvent::Deposited(event) => (0 < event.amount).then_some(balance + event.amount),
            AccountEvent::Withdrawn(event) => Some(balance - event.amount),
        }
    }
}

/// An app over a new store that holds these facts.
pub(crate) async fn app_with(facts: impl IntoIterator<Item = AccountEvent>) -> App {
    let app = App::new(MemoryStore::new());
    record(&app, facts).await;
    app
}

/// Records facts, each in a commit of its own.
pub(crate) async fn record(app: &App, facts: impl IntoIterator<Item = AccountEvent>) {
    for fact in facts {
        app.execute(Record(vec![fact])).await.expect("recorded");
    }
}
