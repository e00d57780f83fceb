//! Property [`Log`](Property::Log): what must hold of a log whoever wrote it.

use std::collections::HashMap;

use factlog_core::Revision;

use super::facts::Facts;
use super::{Property, Violation};

/// Positions are 1, 2, 3, ...; so are revisions from 0 in each stream; times never go back.
pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    let mut streams: HashMap<&str, u64> = HashMap::new();
    let mut latest = None;
    for (place, recorded) in (1..).zip(facts.index.log) {
        let mut wrong = |what| found.push(Violation::of_place(Property::Log, place, what));
        if recorded.position.get() != place {
            wrong(format!("says that it is at position {}", recorded.position));
        }
        let revision = recorded.event.stream.as_ref().map(|stream| {
            let next = streams.entry(stream.as_str()).or_default();
            *next += 1;
            Revision::new(*next - 1)
        });
        if recorded.revision != revision {
            let (actual, due) = (number(recorded.revision), number(revision));
            wrong(format!("says that it has {actual}; {due} is due"));
        }
        let time = recorded.recorded_at;
        if let Some(latest) = latest.filter(|&latest| time < latest) {
            wrong(format!("was recorded at {time}, after one that was recorded at {latest}"));
        }
        latest = latest.max(Some(time));
    }
}

fn number(revision: Option<Revision>) -> String {
    revision.map_or_else(|| "no revision".to_owned(), |revision| format!("revision {revision}"))
}
