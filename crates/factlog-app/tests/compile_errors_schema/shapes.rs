//! Events without a shape in a catalog.
extern crate factlog_app as factlog;
use factlog::schema::{Catalog, schemars::JsonSchema};
use factlog::{Event, EventSet, Split, Upcast};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "a.opened")]
struct NoShape;

#[derive(Event, JsonSchema, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "a.closed")]
struct Closed;

#[derive(EventSet)]
enum AccountEvent {
    Opened(NoShape),
    Closed(Closed),
}

#[derive(Event, JsonSchema, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "a.opened", version = 2, upcast(NoShape))]
struct OlderWithoutShape;

impl Upcast<NoShape> for OlderWithoutShape {
    fn upcast(_: NoShape) -> Self {
        Self
    }
}

#[derive(Event, JsonSchema, Serialize, Deserialize)]
#[schemars(crate = "factlog::schema::schemars")]
#[event(name = "a.reopened", split_from(IntoReopened))]
struct SplitFromNoShape;

struct IntoReopened;

impl Split for IntoReopened {
    type Old = NoShape;
    type Into = SplitFromNoShape;
    fn split(_: NoShape) -> Vec<SplitFromNoShape> {
        vec![]
    }
}

struct NoEvents;

fn main() {
    let _ = Catalog::new().with::<AccountEvent>();
    let _ = Catalog::new().with::<OlderWithoutShape>();
    let _ = Catalog::new().with::<SplitFromNoShape>();
    let _ = Catalog::new().with::<NoEvents>();
}
