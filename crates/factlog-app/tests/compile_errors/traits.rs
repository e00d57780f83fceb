//! What is missing where a command, a view or a projection is expected.
extern crate factlog_app as factlog;
use factlog::{App, MemoryStore, View, tags};
use serde::{Deserialize, Serialize};

struct Nothing;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account;

impl View for Account {
    type Id = u64;
    type Event = Nothing;
    const NAME: &'static str = "account";
    fn tags(id: &u64) -> factlog::Result<factlog::Tags> {
        tags![account = id]
    }
    fn apply(&mut self, _: &Nothing) {}
}

fn main() {
    let app = App::new(MemoryStore::new());
    let _ = app.execute(Nothing);
    let _ = app.load::<Nothing>(&1);
    let _ = app.project(Nothing);
    let _ = App::new(Nothing);
}
