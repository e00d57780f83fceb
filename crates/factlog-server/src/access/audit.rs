//! The audit log of what was refused: denials and failed authentications, as events in the stream `$server-audit`.
//!
//! * They are counted for a short while and then appended together, so that whoever is refused ten thousand times a second does
//!   not fill the disk: at most [`KINDS`] different ones a second, the others as a number.
//! * Nobody waits for it: a refusal is answered at once. What the log does not take is counted and told with the next.
//!
//! What administrators do is recorded by the facts in `$server-access`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::access::{Action, PrincipalName};
use factlog_core::{Append, Event, EventStore, EventType, Result, StreamId};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// The stream of the audit log.
const STREAM: &str = "$server-audit";
/// How long refusals are counted before they are appended.
const GATHER: Duration = Duration::from_secs(1);
/// Different refusals that are told one by one.
const KINDS: usize = 100;
/// Bytes of what a refusal was about.
const WHAT_BYTES: usize = 512;

/// Where refusals are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audit(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    counted: Mutex<Counted>,
    told: Notify,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    kinds: HashMap<Refused, u64>,
    others: u64,
}

impl Counted {
    fn subtract(&mut self, told: &Self) {
        self.others -= told.others;
        for (refused, count) in &told.kinds {
            if let Some(now) = self.kinds.get_mut(refused) {
                *now -= count;
            }
        }
        self.kinds.retain(|_, count| *count != 0);
    }
}

/// One kind of refusal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Refused {
    Denied { principal: PrincipalName, action: Action, what: String },
    Unauthenticated { peer: Option<IpAddr>, why: Cow<'static, str> },
}

impl Audit {
    /// A principal was denied this.
    pub(super) fn denied(&self, principal: &PrincipalName, action: Action, mut what: String) {
        what.truncate(what.floor_char_boundary(WHAT_BYTES));
        self.count(Refused::Denied { principal: principal.clone(), action, what });
    }

    /// Somebody did not show who it is.
    pub(super) fn unauthenticated(&self, peer: Option<IpAddr>, why: impl Into<Cow<'static, str>>) {
        self.count(Refused::Unauthenticated { peer, why: why.into() });
    }

    fn count(&self, refused: Refused) {
        let mut counted = self.0.counted.lock();
        if let Some(count) = counted.kinds.get_mut(&refused) {
            *count += 1;
        } else if counted.kinds.len() < KINDS {
            counted.kinds.insert(refused, 1);
        } else {
            counted.others += 1;
        }
        drop(counted);
        self.0.told.notify_one();
    }

    /// Appends what is counted, until it is dropped.
    pub(crate) async fn record(&self, store: &dyn EventStore) -> Infallible {
        loop {
            self.0.told.notified().await;
            tokio::time::sleep(GATHER).await;
            self.flush(store).await;
        }
    }

    /// Appends what is counted by now.
    pub(crate) async fn flush(&self, store: &dyn EventStore) {
        // It stays counted until it is recorded: a flush that is given up, or that fails, is made good by the next.
        let counted = self.0.counted.lock().clone();
        let Ok(events) = events(&counted) else { return };
        if !events.is_empty() && store.append(Append::new(events)).await.is_ok() {
            self.0.counted.lock().subtract(&counted);
        }
    }
}

fn events(counted: &Counted) -> Result<Vec<Event>> {
    let one = |(refused, count): (&Refused, &u64)| match refused {
        Refused::Denied { principal, action, what } => event(
            "$server.access-denied",
            &json!({ "principal": principal.as_str(), "action": action.to_string(), "what": what, "count": count }),
        ),
        Refused::Unauthenticated { peer, why } => event(
            "$server.authentication-failed",
            &json!({ "peer": peer.map(|peer| peer.to_string()), "why": why, "count": count }),
        ),
    };
    let mut events = counted.kinds.iter().map(one).collect::<Result<Vec<_>>>()?;
    if 0 < counted.others {
        events.push(event("$server.refusals-not-told", &json!({ "count": counted.others }))?);
    }
    Ok(events)
}

fn event(event_type: &str, data: &Value) -> Result<Event> {
    Ok(Event::new(EventType::new(event_type)?, data.to_string()).in_stream(StreamId::new(STREAM)?))
}

#[cfg(test)]
mod tests {
    use factlog_core::{EventStore as _, EventStoreExt as _, MemoryStore};

    use super::*;

    /// Would fail if whoever is refused could fill the disk with it, or if a refusal were not counted, or twice, or lost
    /// because the store took nothing for a while.
    #[tokio::test]
    async fn many_refusals_are_few_events() {
        let (audit, store) = (Audit::default(), MemoryStore::new());
        let principal = PrincipalName::new("orders").expect("a name");
        for n in 0..10_000_u32 {
            audit.denied(&principal, Action::Append, format!("append to {}", n % 200));
        }
        audit.unauthenticated(None, "no key");
        let closed = MemoryStore::new();
        closed.close().await.expect("close");
        audit.flush(&closed).await;
        audit.flush(&store).await;
        audit.flush(&store).await;
        let read = store.read_stream(StreamId::new(STREAM).expect("a stream")).await.expect("read");
        assert_eq!(read.events.len(), KINDS + 1);
        let count = |data: &[u8]| {
            let told: Value = serde_json::from_slice(data).expect("JSON");
            told["count"].as_u64().expect("a number")
        };
        assert_eq!(read.events.iter().map(|event| count(&event.event.data)).sum::<u64>(), 10_001);
    }
}
