//! Acts: what was parked, resumed, retried, edited, skipped - recorded as events in the stream
//! `$parked-<projection>`.
//!
//! * An act is first a row, committed with its effect, and then an event under an id made of the row's name. A crash
//!   in between is made good at the next look: the append is repeated and the store knows the id.

use factlog_core::{Append, AppendError, Event, EventStore, EventType, Result, StreamId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::sink::Committed;
use super::target::{Control, Target};

pub(super) const PARKED: &str = "$projection.parked";
pub(super) const RESUMED: &str = "$projection.resumed";
pub(super) const RETRIED: &str = "$projection.retried";
pub(super) const EDITED: &str = "$projection.edited";
pub(super) const SKIPPED: &str = "$projection.skipped";

/// Ids of acts are UUIDv5 in this namespace, of the sink's identity, a slash and the row's name.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d0f_4c56_0f0c_5f8b_8a6b_2d6e_9b1f_7c21);
/// Acts recorded in one go.
const ACTS_MAX: usize = 256;

/// Adds an act to a commit.
pub(super) fn note(control: &mut Control, now: Timestamp, kind: &'static str, mut data: Value) {
    data["at"] = now.to_string().into();
    let text = data.to_string();
    let distinct = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
    let name = format!("act/{:020}/{distinct:016x}/{kind}", now.as_micros().max(0));
    control.put(name, Some(text));
}

/// Puts noted acts into the log; answers whether there may be more.
pub(super) async fn record<T: Target>(target: &T, store: &dyn EventStore) -> Result<bool> {
    let acts = target.rows("act/", ACTS_MAX)?;
    if acts.is_empty() {
        return Ok(false);
    }
    let identity = target.rows("identity", 1)?.remove("identity").unwrap_or_default();
    let stream = StreamId::new(format!("$parked-{}", T::NAME))?;
    for (name, text) in &acts {
        let kind = name.splitn(4, '/').nth(3).unwrap_or(PARKED);
        let id = Uuid::new_v5(&NAMESPACE, format!("{identity}/{name}").as_bytes());
        let mut event = Event::new(EventType::new(kind)?, text.clone()).in_stream(stream.clone());
        event.id = id.into();
        match store.append(Append::new([event])).await {
            Ok(_) => {}
            Err(AppendError::Failed(error)) => return Err(error),
            Err(AppendError::Conflict(conflict)) => {
                return Err(factlog_core::Error::unavailable(format!("an act was not recorded: {conflict}")));
            }
        }
        let mut control = Control::default();
        control.change(name.clone(), Some(text.clone()), None);
        // Whoever else took the row away has recorded the very same event.
        let (Committed::Written | Committed::Refused) = target.write(control)?;
    }
    rows_left(target)
}

fn rows_left<T: Target>(target: &T) -> Result<bool> {
    Ok(!target.rows("act/", 1)?.is_empty())
}

/// The row that makes ids of this sink's acts its own.
pub(super) fn identity(control: &mut Control, id: &str) {
    control.change("identity".to_owned(), None, Some(id.to_owned()));
}

/// A parked key's text in rows is its JSON; the name of the row that skips one of its events.
pub(super) fn skip(position: u64, key: &str) -> String {
    format!("skip/{position:020}/{key}")
}

pub(super) fn edit(position: u64) -> String {
    format!("edit/{position:020}")
}
