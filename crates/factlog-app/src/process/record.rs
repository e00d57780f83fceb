//! Records: what a process writes into the log about itself, as JSON that is readable without its code.
//!
//! * The log is the only memory of a process: whatever it knows is the fold of its records.
//! * The stored form is in `docs/format.md` and does not change; new members are optional.

use bytes::Bytes;
use factlog_core::{
    ContentType, Error, Event as RawEvent, EventId, EventType, Position, RecordedEvent, Result, StreamId,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json::{maybe_position, position, text};
use super::names::Names;
use crate::Metadata;

/// The kinds of records; each is a type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Started,
    Passed,
    Reacted,
    TimerFired,
    CommandDone,
    CommandRefused,
    Quarantined,
    Waiting,
    Retried,
    Cancelled,
}

impl Kind {
    pub(super) const ALL: [Self; 10] = [
        Self::Started,
        Self::Passed,
        Self::Reacted,
        Self::TimerFired,
        Self::CommandDone,
        Self::CommandRefused,
        Self::Quarantined,
        Self::Waiting,
        Self::Retried,
        Self::Cancelled,
    ];
    /// What a process hears of its own records: inputs, and what an operator did.
    pub(super) const HEARD: [Self; 4] =
        [Self::TimerFired, Self::CommandRefused, Self::Retried, Self::Cancelled];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Started => "$process.started",
            Self::Passed => "$process.passed",
            Self::Reacted => "$process.reacted",
            Self::TimerFired => "$process.timer-fired",
            Self::CommandDone => "$process.command-done",
            Self::CommandRefused => "$process.command-refused",
            Self::Quarantined => "$process.quarantined",
            Self::Waiting => "$process.waiting",
            Self::Retried => "$process.retried",
            Self::Cancelled => "$process.cancelled",
        }
    }

    pub(super) fn event_type(self) -> EventType {
        EventType::new(self.name()).expect("a short name is a type")
    }

    pub(super) fn of(event_type: &EventType) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == event_type.as_str())
    }

    /// Whether an operator writes it, beside whoever runs the process.
    pub(super) fn is_operators(self) -> bool {
        matches!(self, Self::Retried | Self::Cancelled)
    }
}

/// An input by its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRef {
    /// Where it is recorded.
    #[serde(with = "position")]
    pub position: Position,
    /// Its id.
    #[serde(with = "text")]
    pub id: EventId,
}

impl InputRef {
    pub(super) fn of(event: &RecordedEvent) -> Self {
        Self { position: event.position, id: event.event.id }
    }
}

/// A command by the input it answers and its place among the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandRef {
    /// The position of the input.
    #[serde(with = "position")]
    pub input: Position,
    /// Which of the commands that answer it, from 0.
    pub index: u32,
}

/// A timer that was set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TimerSet {
    pub(super) timer: Value,
    #[serde(with = "text")]
    pub(super) due: Timestamp,
}

/// An input was handled: the state after it, and what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reacted {
    pub(super) input: InputRef,
    pub(super) state: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) commands: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) timers_cancelled: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) timers_set: Vec<TimerSet>,
    /// All that are recorded now, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) compensations: Vec<Value>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) completed: bool,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Record {
    Started(Through),
    Passed(Through),
    Reacted(Reacted),
    TimerFired(TimerSet),
    CommandDone(Done),
    CommandRefused(Refused),
    Quarantined(Quarantined),
    Waiting(Waiting),
    Retried(Because),
    Cancelled(Cancelled),
}

/// Inputs up to here are not handled, or were passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Through {
    #[serde(with = "position")]
    pub(super) through: Position,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(super) command: CommandRef,
    /// What to wait for to read what it did; absent where it did nothing that is in this log.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_position")]
    pub(super) at: Option<Position>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(super) command: CommandRef,
    pub(super) refused: Value,
    pub(super) reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quarantined {
    pub(super) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<InputRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<CommandRef>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(super) input: InputRef,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Because {
    pub(super) reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cancelled {
    pub(super) reason: String,
    /// The compensations that run now, in the order in which they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) commands: Vec<Value>,
}

impl Record {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Started(_) => Kind::Started,
            Self::Passed(_) => Kind::Passed,
            Self::Reacted(_) => Kind::Reacted,
            Self::TimerFired(_) => Kind::TimerFired,
            Self::CommandDone(_) => Kind::CommandDone,
            Self::CommandRefused(_) => Kind::CommandRefused,
            Self::Quarantined(_) => Kind::Quarantined,
            Self::Waiting(_) => Kind::Waiting,
            Self::Retried(_) => Kind::Retried,
            Self::Cancelled(_) => Kind::Cancelled,
        }
    }

    /// The record's own members as they are stored.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("values, texts and numbers are JSON")
    }
}

/// A record with what stands beside it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The instance it is about; `None` for one about the process itself.
    pub(super) instance: Option<String>,
    /// The version of the code that wrote it.
    pub(super) version: u32,
    pub(super) record: Record,
}

impl Entry {
    /// The event to append.
    pub(super) fn encode(&self, names: &Names, id: EventId, about: &Metadata) -> RawEvent {
        let mut members = Map::new();
        members.insert("process".to_owned(), names.process.clone().into());
        members.insert("version".to_owned(), self.version.into());
        if let Some(instance) = &self.instance {
            members.insert("instance".to_owned(), instance.clone().into());
        }
        if let Value::Object(own) = self.record.to_json() {
            members.extend(own);
        }
        RawEvent {
            id,
            event_type: self.record.kind().event_type(),
            tags: names.tags(),
            data: Bytes::from(Value::Object(members).to_string()),
            metadata: about.encode(1),
            content_type: ContentType::JSON,
            stream: Some(self.stream(names)),
        }
    }

    pub(super) fn stream(&self, names: &Names) -> StreamId {
        self.instance.as_deref().map_or_else(|| names.own.clone(), |instance| names.stream(instance))
    }

    /// Reads a stored record; `None` where it is of a kind that a later program added.
    ///
    /// # Errors
    /// `Corrupt`: it is none of ours, although it is called so.
    pub(super) fn decode(event: &RecordedEvent) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
            instance: Option<String>,
        }
        let Some(kind) = Kind::of(&event.event.event_type) else { return Ok(None) };
        let read = || {
            let members: Value = serde_json::from_slice(&event.event.data)?;
            let head = Head::deserialize(&members)?;
            serde_json::Result::Ok(Self {
                instance: head.instance,
                version: head.version,
                record: body(kind, members)?,
            })
        };
        read().map(Some).map_err(|cause| {
            let (name, position) = (kind.name(), event.position);
            Error::corrupt(format!("{name} at position {position} is not as a process writes it"))
                .because(cause)
        })
    }
}

fn body(kind: Kind, members: Value) -> serde_json::Result<Record> {
    use serde_json::from_value as read;
    Ok(match kind {
        Kind::Started => Record::Started(read(members)?),
        Kind::Passed => Record::Passed(read(members)?),
        Kind::Reacted => Record::Reacted(read(members)?),
        Kind::TimerFired => Record::TimerFired(read(members)?),
        Kind::CommandDone => Record::CommandDone(read(members)?),
        Kind::CommandRefused => Record::CommandRefused(read(members)?),
        Kind::Quarantined => Record::Quarantined(read(members)?),
        Kind::Waiting => Record::Waiting(read(members)?),
        Kind::Retried => Record::Retried(read(members)?),
        Kind::Cancelled => Record::Cancelled(read(members)?),
    })
}
