//! Trap 26: instances that wait for days meet the code of today.

use factlog::process::{
    Cancellation, Dispatch, Dispatching, Effects, Input, Inspect, ProcessError, ProcessManager,
};
use factlog::{App, MemoryStore, Recorded};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use super::shop::{Do, Fact};

/// A process of which only the shape matters.
macro_rules! process {
    ($name:ident, version $version:literal, state $state:ty, timer $timer:ty, $set:expr) => {
        struct $name;
        impl ProcessManager for $name {
            type Event = Fact;
            type State = $state;
            type Command = Do;
            type Timer = $timer;
            const NAME: &'static str = "evolving";
            const VERSION: u32 = $version;
            fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
                Some(event.event.order().to_string())
            }
            fn evolve(&self, _: &mut $state, _: &Input<Self>) {}
            fn react(&self, _: &$state, _: &Input<Self>) -> Effects<Self> {
                $set
            }
            fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
                to.execute(command)
            }
        }
    };
}

#[derive(Serialize, Deserialize)]
enum OldTimer {
    Reminder,
}

#[derive(Serialize, Deserialize)]
enum NewTimer {
    Deadline,
}

#[derive(Default, Serialize, Deserialize)]
struct OldState {
    name: String,
}

#[derive(Default, Serialize, Deserialize)]
struct NewState {
    title: String,
}

const FAR: std::time::Duration = std::time::Duration::from_secs(86_400);

process!(Old, version 1, state OldState, timer OldTimer, Effects::none().timer(OldTimer::Reminder, FAR));
process!(SameState, version 2, state OldState, timer NewTimer, Effects::none().timer(NewTimer::Deadline, FAR));
process!(NewShape, version 2, state NewState, timer OldTimer, Effects::none());

async fn old_app() -> App {
    let app = App::new(MemoryStore::new());
    for order in [7, 8] {
        app.execute(Do::Place { order }).await.unwrap();
    }
    app.process(Old).run_until_idle().await.unwrap();
    app
}

/// A step that the code of today does not know must be named at the start, not met at midnight.
#[test]
fn instances_parked_at_a_step_that_was_removed_are_refused_by_name_until_they_are_cancelled() {
    block_on(async {
        let app = old_app().await;
        let refused = app.process(SameState).start().await.expect_err("the timer is gone");
        let ProcessError::Parked { process, steps } = &refused else { panic!("{refused}") };
        assert_eq!((*process, steps.len()), ("evolving", 2));
        assert_eq!((steps[0].instance.as_str(), steps[0].step.as_str()), ("7", r#"timer "Reminder""#));
        let said = refused.to_string();
        for part in ["process evolving", r#"instance "7" at timer "Reminder""#, r#"instance "8""#] {
            assert!(said.contains(part), "{said}");
        }
        let inspect = Inspect::new(app.store().clone(), "evolving").unwrap();
        for instance in ["7", "8"] {
            inspect.cancel(instance, Cancellation::Abandon, "the reminder is gone").await.unwrap();
        }
        let status = app.process(SameState).run_until_idle().await.unwrap();
        assert_eq!((status.open, status.timers), (0, 0));
    });
}

#[test]
fn a_state_that_the_present_code_cannot_read_is_refused_by_name() {
    block_on(async {
        let app = old_app().await;
        let refused = app.process(NewShape).run_until_idle().await.expect_err("another state");
        let said = refused.to_string();
        assert!(said.contains(r#"instance "7" at its state"#) && said.contains("title"), "{said}");
    });
}

struct Migrating;

impl ProcessManager for Migrating {
    type Event = Fact;
    type State = NewState;
    type Command = Do;
    type Timer = OldTimer;
    const NAME: &'static str = "evolving";
    const VERSION: u32 = 3;
    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        Some(event.event.order().to_string())
    }
    fn evolve(&self, state: &mut NewState, _: &Input<Self>) {
        state.title.push('!');
    }
    fn react(&self, _: &NewState, _: &Input<Self>) -> Effects<Self> {
        Effects::none()
    }
    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        to.execute(command)
    }
    fn read_state(&self, version: u32, state: serde_json::Value) -> serde_json::Result<NewState> {
        if version < 3 {
            let old: OldState = serde_json::from_value(state)?;
            return Ok(NewState { title: format!("once {:?}", old.name) });
        }
        serde_json::from_value(state)
    }
}

/// What was recorded by an older version is lifted, and then read as the present one's.
#[test]
fn a_state_of_an_older_version_is_lifted_and_an_older_program_refuses_what_came_of_it() {
    block_on(async {
        let app = old_app().await;
        for _ in 0..2 {
            app.execute(Do::Pay { order: 7 }).await.unwrap();
            app.process(Migrating).run_until_idle().await.unwrap();
        }
        let inspect = Inspect::new(app.store().clone(), "evolving").unwrap();
        let lifted = inspect.show("7").await.unwrap().unwrap();
        assert_eq!(lifted.state.unwrap()["title"], r#"once ""!!"#);
        assert_eq!(lifted.version, 3);
        let refused = app.process(Old).run_until_idle().await.expect_err("an older program");
        assert!(
            matches!(&refused, ProcessError::Newer { recorded: 3, known: 1, instance, .. } if instance == "7"),
            "{refused}"
        );
    });
}
