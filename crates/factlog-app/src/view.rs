//! Views: what a decision or a question needs to know, as a fold over the events it is about.
//!
//! * A view is sync and does no I/O; its boundary (types × tags, or a stream) follows from its declaration.
//! * This module does not know where events come from.

use factlog_core::{Error, EventType, Query, QueryItem, Result, StreamFilter, StreamId, Tag, Tags};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{EventSet, Recorded, SnapshotPolicy};

/// A fold over the events that carry the tags of an id: the state a decision is made on.
///
/// The consistency boundary is derived from it: a command that decides on this view loses the race against
/// any event of these types with these tags, and against nothing else. So keep views narrow.
///
/// With [`Snapshots`](crate::Snapshots) the state is kept as JSON and read back, so all of it has to be in its serde
/// form: no `#[serde(skip)]`, no fraction that is not a number. A state that is written differently each time, such
/// as one with a `HashSet`, is never taken from a snapshot.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # fn main() {
/// # use factlog::{tags, Event, Result, Tags, View};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.deposited", tags(account = account_id))]
/// # struct Deposited { account_id: u64, amount: u64 }
/// #[derive(Default, Clone, Serialize, Deserialize)]
/// struct Balance(u64);
///
/// impl View for Balance {
///     type Id = u64;
///     type Event = Deposited;
///     const NAME: &'static str = "balance";
///     fn tags(account: &u64) -> Result<Tags> {
///         tags![account = account]
///     }
///     fn apply(&mut self, event: &Deposited) {
///         self.0 += event.amount;
///     }
/// }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a view",
    label = "no `View` here",
    note = "write `impl View for {Self}` with its id, its events, its tags and `fn apply`"
)]
pub trait View: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What one of them is about.
    type Id: Clone + Send + Sync + 'static;
    /// The types it folds.
    type Event: EventSet;
    /// Its name, of this view alone; snapshots are kept under it.
    const NAME: &'static str;
    /// Raise it when `apply` changes its meaning, so that no snapshot of the old meaning is used.
    const VERSION: u32 = 1;
    /// What to do about events in an aggregate's stream that are of no type in the set. A view without a stream of its
    /// own, a history and a read model ask for their types by name and never meet one.
    const UNKNOWN: UnknownTypes = UnknownTypes::Skip;

    /// The tags an event must all carry to be folded: `tags![account = id]`. `tags![]` for any.
    ///
    /// A key that no event of the set has is a mistake, as such a view would see nothing: whoever asks for the view is
    /// told so. That *every* event has it is what [`sees_every_event`](crate::sees_every_event) tests.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](factlog_core::ErrorKind::Invalid) where the id makes a tag longer than 255 bytes.
    fn tags(id: &Self::Id) -> Result<Tags>;

    /// The one stream its events lie in, if it is an **aggregate**. Together with no tags, the condition of a
    /// decision is then that the stream's revision is what it was.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](factlog_core::ErrorKind::Invalid) where the id makes a stream id longer than 512 bytes.
    fn stream(_id: &Self::Id) -> Result<Option<StreamId>> {
        Ok(None)
    }

    /// When to keep a snapshot of it, if otherwise than [the app's](crate::Snapshots::new).
    fn snapshot_policy() -> Option<SnapshotPolicy> {
        None
    }

    /// Folds one event.
    fn apply(&mut self, event: &Self::Event);

    /// Folds one event with its place, time and metadata. Override it only to look at those.
    fn apply_recorded(&mut self, recorded: &Recorded<Self::Event>) {
        self.apply(&recorded.event);
    }
}

/// What to do about events of types that are not in the set.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # use factlog::{App, Event, EventStoreExt as _, MemoryStore, Result, StreamId, Tags, UnknownTypes, View, tags};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "clock.ticked")]
/// # struct Ticked;
/// #[derive(Default, Clone, Serialize, Deserialize)]
/// struct Clock;
/// impl View for Clock {
///     type Id = u64;
///     type Event = Ticked;
///     const NAME: &'static str = "clock";
///     const UNKNOWN: UnknownTypes = UnknownTypes::Stop;
///     fn tags(_: &u64) -> Result<Tags> { tags![] }
///     fn stream(id: &u64) -> Result<Option<StreamId>> { StreamId::new(format!("clock-{id}")).map(Some) }
///     fn apply(&mut self, _: &Ticked) {}
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// # store.append_one(factlog_core::Event::new("clock.wound".parse()?, "").in_stream("clock-1".parse()?)).await?;
/// // `clock.wound` was recorded.
/// let refused = App::new(store).load::<Clock>(&1).await.err().expect("it is of no type in the set");
/// assert!(refused.to_string().starts_with("cannot read clock.wound version 1 at position 1"));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownTypes {
    /// Pass them over, and count them in [`Loaded::events_unknown`](crate::Loaded::events_unknown): an aggregate that
    /// only looks at some of its events, or an older program beside a newer one.
    Skip,
    /// Stop with a [`CodecError`](crate::CodecError) that names the type and the position.
    Stop,
}

/// Which events one view is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) item: QueryItem,
    /// The stream of an aggregate: all of its events are read, those of other types are passed over.
    pub(crate) aggregate: Option<StreamId>,
}

impl Scope {
    pub(crate) fn of<V: View>(id: &V::Id) -> Result<Self> {
        let tags = V::tags(id)?;
        check_keys::<V>(&tags)?;
        let stream = V::stream(id)?;
        let aggregate = stream.clone().filter(|_| tags.is_empty());
        let types = if aggregate.is_some() { Vec::new() } else { event_types::<V::Event>()? };
        let stream = stream.map(StreamFilter::Id);
        let item = QueryItem { types, tags, stream };
        Ok(Self { item, aggregate })
    }

    /// The text that tells this scope from every other of the same view.
    pub(crate) fn key(&self) -> String {
        let tags = self.item.tags.iter().map(|tag| tag.as_str());
        let stream = match &self.item.stream {
            Some(StreamFilter::Id(stream)) => stream.as_str(),
            _ => "",
        };
        let parts: Vec<&str> = std::iter::once(stream).chain(tags).collect();
        serde_json::Value::from(parts).to_string()
    }
}

/// A view that asks for what no event of its set has would be empty for ever, and its boundary without effect.
fn check_keys<V: View>(tags: &Tags) -> Result<()> {
    let known = V::Event::TAG_KEYS;
    let Some(tag) =
        tags.iter().find(|tag| !known.is_empty() && known.iter().all(|(_, keys)| !has(keys, tag)))
    else {
        return Ok(());
    };
    let key = key_of(tag);
    let mut keys: Vec<&str> = known.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
    keys.sort_unstable();
    keys.dedup();
    let keys =
        if keys.is_empty() { "they have none".to_owned() } else { format!("they have {}", keys.join(", ")) };
    Err(Error::invalid(format!(
        "view {} asks for tags `{key}:...`, but no event of its set has such a tag ({keys}): correct `fn tags`, or write \
         `#[event(..., tags({key} = field))]` on the structs of the events it folds",
        V::NAME
    )))
}

/// Whether an event with these keys may carry the tag.
pub(crate) fn has(keys: &[&str], tag: &Tag) -> bool {
    let is = |key: &&str| {
        tag.as_str().strip_prefix(*key).is_some_and(|rest| key.is_empty() || rest.starts_with(':'))
    };
    keys.iter().any(is)
}

pub(crate) fn key_of(tag: &Tag) -> &str {
    tag.as_str().split(':').next().unwrap_or_default()
}

/// Every name of a set's events, once each.
pub(crate) fn event_types<E: EventSet>() -> Result<Vec<EventType>> {
    let mut names = E::NAMES.to_vec();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(EventType::new).collect()
}

/// What to ask a store for, or `None` for no item.
pub(crate) fn query_of(mut items: Vec<QueryItem>) -> Option<Query> {
    let mut unique: Vec<QueryItem> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        if !unique.contains(&item) {
            unique.push(item);
        }
    }
    (!unique.is_empty()).then_some(Query::AnyOf(unique))
}

/// The tags `key:value`, by `Display`: `tags![account = id, owner = name]`; a `Result<Tags>`.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # fn main() -> factlog::Result<()> {
/// use factlog::tags;
/// assert_eq!(tags![account = 42]?[0].as_str(), "account:42");
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! tags {
    () => { $crate::Result::<$crate::Tags>::Ok($crate::Tags::NONE) };
    ($($key:ident = $value:expr),+ $(,)?) => {
        $crate::Tags::new([$(::std::format!(::std::concat!(::std::stringify!($key), ":{}"), $value)),+])
    };
}
