//! Spans of the framework: what a collector sees of a command, and of what follows from it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use factlog::{App, MemoryStore, OnTimeout};
use parking_lot::Mutex;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::shop::{Do, Fulfil};
use crate::SOON;
use crate::bank::{Balances, Record, app_with, deposited, opened};

/// Every span of the framework.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<One>>>);

/// A span: its parent's name, its own, and what it says.
type One = (String, &'static str, String);

#[derive(Default)]
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("memory takes all");
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).expect("it is new");
        if span.metadata().target() != "factlog::app" {
            return;
        }
        let parent = span.parent().map_or(String::new(), |parent| parent.name().to_owned());
        let mut said = Said::default();
        attributes.record(&mut said);
        self.0.lock().push((parent, span.name(), said.0));
    }
}

impl Seen {
    /// Whether there is a span of this name below that one, which says this.
    fn has(&self, parent: &str, name: &str, said: &str) -> bool {
        self.0.lock().iter().any(|(of, own, says)| of == parent && *own == name && says.contains(said))
    }
}

/// Would fail if a collector could not see where the time of a command goes, or what a read model and a process do with its events.
#[tokio::test]
async fn a_collector_sees_a_command_and_what_follows_from_it() {
    let seen = Seen::default();
    // For all threads: read models have their own.
    tracing::subscriber::set_global_default(Registry::default().with(seen.clone())).expect("the only one");
    let app = app_with([opened(1)]).await;
    let balances = app.project(Balances).in_memory().start().expect("start");
    let outcome = app.execute(Record(vec![deposited(1, 7)])).await.expect("it is recorded");
    balances.at_least(outcome.position, SOON, OnTimeout::Error).await.expect("it follows");
    balances.stop().await.expect("stop");
    let orders = App::new(MemoryStore::new());
    orders.execute(Do::Place { order: 1 }).await.expect("it is recorded");
    orders.process(Fulfil).run_until_idle().await.expect("it is handled");
    for (parent, name, said) in [
        ("", "command", "factlog.command=\"Record\""),
        ("command", "decide", "factlog.attempt=1"),
        ("command", "append", "db.operation.batch.size=1"),
        ("", "project", "factlog.projection=\"balances\""),
        ("", "process step", "factlog.inputs=1"),
        ("", "dispatch", "factlog.process="),
        ("dispatch", "command", "factlog.command=\"Do\""),
    ] {
        assert!(seen.has(parent, name, said), "{parent} > {name} {said}: {:#?}", seen.0.lock());
    }
}
