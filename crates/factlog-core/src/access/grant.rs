//! One grant: what may be done, and with which events.

use std::fmt;
use std::str::FromStr;

use super::SERVER_STREAMS;
use crate::{Error, Event, EventType, QueryItem, Result, StreamFilter, Tag};

/// What a grant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// To read events and to follow them.
    Read,
    /// To append events.
    Append,
    /// To call what a program offers beside the store. It says nothing of events.
    Call,
    /// To keep keys and grants. It says nothing of events.
    Admin,
}

/// What may be done with which events: all that it names must hold.
///
/// As text: actions with commas between, then `stream:PREFIX`, `tag:TAG`, `type:TYPE`, each at most once.
///
/// * `stream:orders-` speaks of events in streams whose id begins so; `stream:$` of those of the system too, which no
///   grant without it writes.
/// * `tag:tenant:a` speaks of events with that tag; to append, an event must not have another tag with the same key
///   (what is in front of its first colon), so that no tenant writes into another's.
///
/// `call` alone speaks of all calls, `call app:bank` of those of the service `bank`, `call app:bank/withdraw` of one.
///
/// ```
/// # use factlog_core::access::Grant;
/// let grant: Grant = "append,read stream:orders- type:order.placed".parse()?;
/// assert_eq!(grant.to_string(), "read,append stream:orders- type:order.placed");
/// assert!("read stream:".parse::<Grant>().is_err());
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// In order, each once, at least one.
    actions: Vec<Action>,
    stream_prefix: Option<String>,
    tag: Option<Tag>,
    event_type: Option<EventType>,
    /// Of calls: a service, or one call of it.
    app: Option<String>,
}

impl Grant {
    /// Without a tag or a type.
    pub(super) fn of(actions: &[Action], stream_prefix: Option<&str>) -> Self {
        let stream_prefix = stream_prefix.map(str::to_owned);
        Self { actions: actions.to_vec(), stream_prefix, tag: None, event_type: None, app: None }
    }

    /// Whether it allows this action at all.
    pub(super) fn has(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Whether it speaks of every event but those of the system.
    pub(super) fn is_general(&self) -> bool {
        self.stream_prefix.is_none() && self.tag.is_none() && self.event_type.is_none()
    }

    /// Whether it speaks of every event in a stream of the system.
    pub(super) fn is_of_the_system(&self) -> bool {
        self.stream_prefix.as_deref() == Some("$") && self.tag.is_none() && self.event_type.is_none()
    }

    /// Whether this event may be read by it.
    pub(super) fn reads(&self, event: &Event) -> bool {
        self.has(Action::Read)
            && self.speaks_of_stream(event.stream.as_ref().map(|stream| stream.as_str()), SERVER_STREAMS)
            && self.tag.as_ref().is_none_or(|tag| event.tags.contains(tag))
            && self.event_type.as_ref().is_none_or(|event_type| *event_type == event.event_type)
    }

    /// Whether this event may be appended by it.
    pub(super) fn appends(&self, event: &Event) -> bool {
        self.has(Action::Append)
            && self.speaks_of_stream(event.stream.as_ref().map(|stream| stream.as_str()), "$")
            && self.tag.as_ref().is_none_or(|tag| event.tags.contains(tag) && alone(tag, event))
            && self.event_type.as_ref().is_none_or(|event_type| *event_type == event.event_type)
    }

    /// Whether what is called so, `service/name`, may be called by it. Nothing is called the empty text: that asks for all.
    pub(super) fn calls(&self, name: &str) -> bool {
        let named =
            |app: &str| name.strip_prefix(app).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.has(Action::Call) && self.app.as_deref().is_none_or(named)
    }

    /// Whether it speaks of all events of the stream, or tracking source, of this name.
    pub(super) fn covers_stream(&self, stream: &str) -> bool {
        self.tag.is_none() && self.event_type.is_none() && self.speaks_of_stream(Some(stream), SERVER_STREAMS)
    }

    /// Whether it speaks of all events of this type.
    pub(super) fn covers_type(&self, event_type: &EventType) -> bool {
        self.stream_prefix.is_none()
            && self.tag.is_none()
            && self.event_type.as_ref().is_none_or(|own| own == event_type)
    }

    /// `reserved` is how the streams begin that only a grant speaks of which names them.
    fn speaks_of_stream(&self, stream: Option<&str>, reserved: &str) -> bool {
        match (&self.stream_prefix, stream) {
            (None, None) => true,
            (None, Some(stream)) => !stream.starts_with(reserved),
            (Some(_), None) => false,
            (Some(prefix), Some(stream)) => stream.starts_with(prefix.as_str()),
        }
    }

    /// Whether it speaks of all that this item could match. An item that names neither a stream, a tag nor a type could match
    /// what is the server's; `with_server` says whether that counts.
    pub(super) fn covers(&self, item: &QueryItem, with_server: bool) -> bool {
        let stream = match (&self.stream_prefix, &item.stream) {
            (None, None) => !with_server || cannot_be_the_servers(item),
            (None, Some(StreamFilter::Id(id))) => !id.as_str().starts_with(SERVER_STREAMS),
            (None, Some(StreamFilter::Category(category))) => category.as_str() != "$server",
            (Some(_), None) => false,
            (Some(prefix), Some(StreamFilter::Id(id))) => id.as_str().starts_with(prefix.as_str()),
            (Some(prefix), Some(StreamFilter::Category(category))) => {
                category.as_str().starts_with(prefix.as_str())
            }
        };
        let tag = self.tag.as_ref().is_none_or(|tag| item.tags.contains(tag));
        let only = |own: &EventType| !item.types.is_empty() && item.types.iter().all(|other| other == own);
        stream && tag && self.event_type.as_ref().is_none_or(only)
    }

    /// The item, made narrower by what the grant says; `None` if both have nothing in common. It may match more than both,
    /// never less.
    pub(super) fn narrow(&self, item: &QueryItem) -> Option<QueryItem> {
        let mut narrowed = item.clone();
        if let Some(prefix) = &self.stream_prefix {
            match &item.stream {
                None => narrowed.stream = category_of(prefix),
                Some(StreamFilter::Id(id)) if !id.as_str().starts_with(prefix.as_str()) => return None,
                Some(StreamFilter::Category(category)) => {
                    let category = category.as_str();
                    if !category.starts_with(prefix.as_str()) && !prefix.starts_with(category) {
                        return None;
                    }
                }
                Some(StreamFilter::Id(_)) => {}
            }
        }
        if let Some(tag) = &self.tag
            && !narrowed.tags.contains(tag)
        {
            // With too many tags it stays as wide as it was.
            narrowed.tags = narrowed.tags.with([tag.clone()]).unwrap_or(narrowed.tags);
        }
        if let Some(event_type) = &self.event_type {
            if !item.types.is_empty() && !item.types.contains(event_type) {
                return None;
            }
            narrowed.types = vec![event_type.clone()];
        }
        Some(narrowed)
    }
}

/// Whether it names a service, or a call of one.
fn is_of_calls(text: &str) -> bool {
    text.split('/').count() <= 2 && text.split('/').all(is_call_name)
}

/// Whether a service, or one of its calls, can have this name: 1 to 64 small letters, digits, `-` and `_`.
pub fn is_call_name(text: &str) -> bool {
    let well = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(well)
}

/// The server's own events have no tags, and types that begin with `$`.
fn cannot_be_the_servers(item: &QueryItem) -> bool {
    let plain = |event_type: &EventType| !event_type.as_str().starts_with('$');
    !item.tags.is_empty() || (!item.types.is_empty() && item.types.iter().all(plain))
}

/// A filter that all streams with this prefix pass, where there is one.
fn category_of(prefix: &str) -> Option<StreamFilter> {
    let (category, _) = prefix.split_once('-')?;
    Some(StreamFilter::Category(category.parse().ok()?))
}

/// Whether an event has no other tag with the key of this one.
fn alone(tag: &Tag, event: &Event) -> bool {
    let Some((key, _)) = tag.as_str().split_once(':') else { return true };
    let same_key = |other: &Tag| other.as_str().strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    event.tags.iter().all(|other| other == tag || !same_key(other))
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Append => "append",
            Self::Call => "call",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Action {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "read" => Ok(Self::Read),
            "append" => Ok(Self::Append),
            "call" => Ok(Self::Call),
            "admin" => Ok(Self::Admin),
            other => Err(Error::invalid(format!("{other:?} is no action; give read, append, call or admin"))),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, action) in self.actions.iter().enumerate() {
            write!(f, "{}{action}", if n == 0 { "" } else { "," })?;
        }
        let selectors = [
            ("stream", self.stream_prefix.as_deref()),
            ("tag", self.tag.as_ref().map(|tag| tag.as_str())),
            ("type", self.event_type.as_ref().map(|event_type| event_type.as_str())),
            ("app", self.app.as_deref()),
        ];
        selectors.iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, " {name}:{value}"),
            None => Ok(()),
        })
    }
}

impl FromStr for Grant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: String| Error::invalid(format!("{text:?} is no grant: {why}"));
        let mut words = text.split_ascii_whitespace();
        let actions = words.next().ok_or_else(|| wrong("it names no action".to_owned()))?;
        let mut actions: Vec<Action> = actions
            .split(',')
            .map(str::parse)
            .collect::<Result<_>>()
            .map_err(|why| wrong(why.to_string()))?;
        actions.sort_unstable();
        actions.dedup();
        let mut grant = Self { actions, stream_prefix: None, tag: None, event_type: None, app: None };
        for word in words {
            let (name, value) = word.split_once(':').unwrap_or((word, ""));
            let why = |error: Error| wrong(format!("in {word:?}: {error}"));
            let twice = match name {
                "stream" if value.is_empty() => {
                    return Err(wrong("stream: names no prefix; leave it out".to_owned()));
                }
                "stream" => grant.stream_prefix.replace(value.to_owned()).is_some(),
                "tag" => grant.tag.replace(value.parse().map_err(why)?).is_some(),
                "type" => grant.event_type.replace(value.parse().map_err(why)?).is_some(),
                "app" if !is_of_calls(value) => {
                    return Err(wrong(format!("{word:?} is neither app:SERVICE nor app:SERVICE/NAME")));
                }
                "app" => grant.app.replace(value.to_owned()).is_some(),
                _ => {
                    return Err(wrong(format!(
                        "{word:?} is none of stream:PREFIX, tag:TAG, type:TYPE, app:NAME"
                    )));
                }
            };
            if twice {
                return Err(wrong(format!("{name} stands there twice; give two grants")));
            }
        }
        if grant.app.is_some() && grant.actions != [Action::Call] {
            return Err(wrong(
                "app: speaks of calls only; give other actions in a grant of their own".to_owned(),
            ));
        }
        if grant.has(Action::Call) && !grant.is_general() {
            return Err(wrong("calls have no stream, tag or type; app:SERVICE/NAME names them".to_owned()));
        }
        Ok(grant)
    }
}
