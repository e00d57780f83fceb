//! Every mistake in a split.
extern crate factlog_app as factlog;
use factlog::{Event, Split, Upcast};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.old")]
struct Old;

struct NoImpl;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.one", split_from(NoImpl))]
struct NotSplit;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.other")]
struct Other;

struct IntoOther;

impl Split for IntoOther {
    type Old = Old;
    type Into = Other;
    fn split(_: Old) -> Vec<Other> {
        vec![]
    }
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.two", split_from(IntoOther))]
struct NotInTheSet;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.old", split_from(IntoItself))]
struct Itself;

struct IntoItself;

impl Split for IntoItself {
    type Old = Old;
    type Into = Itself;
    fn split(_: Old) -> Vec<Itself> {
        vec![]
    }
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.three", split_from(IntoOlder))]
struct Older;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.three", version = 2, upcast(Older))]
struct Newer;

impl Upcast<Older> for Newer {
    fn upcast(_: Older) -> Self {
        Self
    }
}

struct IntoOlder;

impl Split for IntoOlder {
    type Old = Old;
    type Into = Older;
    fn split(_: Old) -> Vec<Older> {
        vec![]
    }
}

fn main() {}
