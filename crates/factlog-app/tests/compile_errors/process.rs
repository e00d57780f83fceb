//! What is missing where a process manager is expected, or in one.
extern crate factlog_app as factlog;
use factlog::process::{Dispatch, Dispatching, Input, ProcessManager};
use factlog::{App, Event, MemoryStore, Recorded};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.placed")]
struct Placed;

#[derive(Serialize, Deserialize)]
struct Nothing;

struct Forgetful;

impl ProcessManager for Forgetful {
    type Event = Placed;
    type State = u64;
    type Command = Nothing;
    const NAME: &'static str = "forgetful";
    fn instance(&self, _: &Recorded<Placed>) -> Option<String> {
        None
    }
    fn evolve(&self, _: &mut u64, _: &Input<Self>) {}
    fn dispatch(&self, command: Nothing, to: Dispatch) -> Dispatching {
        to.execute(command)
    }
}

fn main() {
    let app = App::new(MemoryStore::new());
    let _ = app.process(Nothing);
}
