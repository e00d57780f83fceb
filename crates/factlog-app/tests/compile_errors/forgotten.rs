//! A derive, an arm or a word that was forgotten.
extern crate factlog_app as factlog;
use factlog::{Event, EventSet, Result, Tags, View, tags};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(name = "a.opened", tags(account = account))]
struct NoSerde {
    account: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.listed", tags(list))]
struct ListAsTag {
    list: Vec<u64>,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.closed")]
struct Closed;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.frozen")]
struct Frozen;

#[derive(EventSet)]
enum AccountEvent {
    Closed(Closed),
    Frozen(Frozen),
}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    closed: bool,
}

impl View for Account {
    type Id = u64;
    type Event = AccountEvent;
    const NAME: &'static str = "account";
    fn tags(id: &u64) -> Result<Tags> {
        tags![account = id]
    }
    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Closed(_) => self.closed = true,
        }
    }
}

fn main() {}
