//! A chain that does not reach from the first version to the last.
extern crate factlog_app as factlog;
use factlog::{Event, Upcast};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.b")]
struct First;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.b", version = 2, upcast(First))]
struct NoImpl;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.b", version = 3, upcast(First))]
struct Gap;

impl Upcast<First> for Gap {
    fn upcast(_: First) -> Self {
        Self
    }
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.b", version = 2, upcast(First))]
struct Second;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.b", version = 3, upcast(Second))]
struct Third;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.b", version = 2, upcast(Third))]
struct WrongOrder;

impl Upcast<First> for Second {
    fn upcast(_: First) -> Self {
        Self
    }
}

impl Upcast<Second> for Third {
    fn upcast(_: Second) -> Self {
        Self
    }
}

impl Upcast<Third> for WrongOrder {
    fn upcast(_: Third) -> Self {
        Self
    }
}

fn main() {}
