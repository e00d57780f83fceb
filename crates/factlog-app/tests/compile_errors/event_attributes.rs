//! Every mistake in `#[event(...)]`.
extern crate factlog_app as factlog;
use factlog::Event;
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize)]
struct NoName;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "")]
struct EmptyName;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.b", nmae = "a.c")]
struct UnknownWord;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.b", name = "a.c")]
struct NameTwice;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", tags(account = acount_id))]
struct WrongField {
    account_id: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", stream = "account-{acount_id}")]
struct WrongStream {
    account_id: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", version = 0)]
struct VersionZero;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", version = 2)]
struct NoUpcast;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", renamed_from("account.opened"))]
struct OwnFormerName;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Generic<T> {
    value: T,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
enum Enumeration {
    A,
}

fn main() {}
