//! Every mistake in an event set.
extern crate factlog_app as factlog;
use factlog::{Event, EventSet};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.opened")]
struct Opened;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.reopened", renamed_from("a.opened"))]
struct Reopened;

struct Plain;

#[derive(EventSet)]
enum Empty {}

#[derive(EventSet)]
struct NoEnum;

#[derive(EventSet)]
enum Fields {
    Opened { at: u64 },
}

#[derive(EventSet)]
enum Twice {
    A(Opened),
    B(Opened),
}

#[derive(EventSet)]
enum SameName {
    Opened(Opened),
    Reopened(Reopened),
}

#[derive(EventSet)]
enum NotAnEvent {
    Plain(Plain),
}

fn main() {}
