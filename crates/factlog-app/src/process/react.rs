//! Handling one input: from an instance and what it hears to the one record of it. Pure, but for what the user's code
//! does; runner and test kit share it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use factlog_core::{Error, Position, RecordedEvent, Timestamp, limits};
use serde::Serialize;
use serde_json::Value;

use super::effects::{Due, Effect};
use super::instance::{Instance, Phase};
use super::record::{Entry, InputRef, Kind, Quarantined, Reacted, Record, TimerSet, Waiting};
use super::{Effects, Input, ProcessError, ProcessManager};
use crate::{Metadata, Recorded};

/// The first and the last time that have a text; timers that would be due before or later are due then.
const TIMES: (i64, i64) = (-377_705_023_201_000_000, 253_402_207_200_000_000);
/// Bytes that a record has at most besides its state, its commands and the like.
const ROOM: usize = 4 << 10;

/// An input and the instance that hears it.
pub(super) struct Heard<P: ProcessManager> {
    pub(super) instance: String,
    pub(super) input: InputRef,
    pub(super) recorded_at: Timestamp,
    /// The conversation it belongs to.
    pub(super) correlation: String,
    what: What<P>,
}

enum What<P: ProcessManager> {
    /// All facts that one stored event is read as.
    Event(Vec<Recorded<P::Event>>),
    Fired(Value),
    Refused {
        command: Value,
        reason: String,
    },
}

/// What an input comes to.
pub(super) enum Handled {
    /// It concerns nobody any more.
    PassedOver,
    Record(Record),
}

/// Who hears a delivered event, if anybody does.
pub(super) fn hear<P: ProcessManager>(
    process: &P,
    event: &RecordedEvent,
) -> Result<Option<Heard<P>>, ProcessError> {
    let (instance, what) = match Kind::of(&event.event.event_type) {
        Some(_) => {
            let Some(entry) = Entry::decode(event)? else { return Ok(None) };
            let what = match entry.record {
                Record::TimerFired(fired) => What::Fired(fired.timer),
                Record::CommandRefused(refused) => {
                    What::Refused { command: refused.refused, reason: refused.reason }
                }
                _ => return Ok(None),
            };
            (entry.instance, what)
        }
        None => {
            let (mut instance, mut facts) = (None, Vec::new());
            for fact in Recorded::<P::Event>::facts(event)? {
                let its = catch_unwind(AssertUnwindSafe(|| process.instance(&fact)))
                    .map_err(|panic| ProcessError::Panicked(P::NAME, said(&*panic)))?;
                if its.is_none() {
                    continue;
                }
                if instance.is_some() && instance != its {
                    return Err(several_instances::<P>(event).into());
                }
                instance = its;
                facts.push(fact);
            }
            (instance, What::Event(facts))
        }
    };
    let Some(instance) = instance else { return Ok(None) };
    let correlation = Metadata::parse(&event.event.metadata).correlation_id().map(str::to_owned);
    Ok(Some(Heard {
        instance,
        input: InputRef::of(event),
        recorded_at: event.recorded_at,
        correlation: correlation.unwrap_or_else(|| event.event.id.to_string()),
        what,
    }))
}

fn several_instances<P: ProcessManager>(event: &RecordedEvent) -> Error {
    let (name, event_type, position) = (P::NAME, &event.event.event_type, event.position);
    Error::invalid(format!(
        "the event {event_type} at position {position} is read as facts of several instances of process {name}; let \
         `instance` name one of them"
    ))
}

/// What a delivered input comes to: an instance that stands still keeps it for later.
pub(super) fn deliver<P: ProcessManager>(process: &P, instance: &Instance, heard: Heard<P>) -> Handled {
    let stands_still = instance.quarantine.is_some() || !instance.waiting.is_empty();
    if instance.phase == Phase::Open && stands_still {
        return Handled::Record(Record::Waiting(Waiting { input: heard.input }));
    }
    handle(process, instance, heard)
}

/// What an input comes to now.
pub(super) fn handle<P: ProcessManager>(process: &P, instance: &Instance, heard: Heard<P>) -> Handled {
    let input = heard.input;
    let fresh = instance.revision.is_none();
    let concerns = match &heard.what {
        What::Event(facts) if fresh => {
            let begins = || facts.iter().any(|fact| process.begins(fact));
            catch_unwind(AssertUnwindSafe(begins)).unwrap_or(true)
        }
        What::Event(_) | What::Refused { .. } => true,
        What::Fired(timer) => is_awaited(instance, timer, input.position),
    };
    if instance.phase != Phase::Open || !concerns {
        return Handled::PassedOver;
    }
    let answer = catch_unwind(AssertUnwindSafe(|| answer(process, instance, heard)));
    Handled::Record(match answer {
        Ok(Ok(reacted)) => Record::Reacted(reacted),
        Ok(Err(reason)) => stopped(input, reason),
        Err(panic) => stopped(input, format!("it panicked: {}", said(&*panic))),
    })
}

/// Whether that timer still runs: one that was cancelled or set again by an input before is not heard of.
fn is_awaited(instance: &Instance, timer: &Value, position: Position) -> bool {
    instance.timers.iter().any(|open| open.timer == *timer && open.fired == Some(position))
}

fn stopped(input: InputRef, reason: String) -> Record {
    Record::Quarantined(Quarantined { reason, input: Some(input), command: None })
}

fn answer<P: ProcessManager>(process: &P, instance: &Instance, heard: Heard<P>) -> Result<Reacted, String> {
    let (at, recorded_at) = (heard.input, heard.recorded_at);
    let inputs = match heard.what {
        What::Event(facts) => facts.into_iter().map(Input::Event).collect(),
        What::Fired(timer) => vec![Input::TimerFired(read(timer, "timer")?)],
        What::Refused { command, reason } => {
            vec![Input::Refused { command: read(command, "command")?, reason }]
        }
    };
    let mut state = state_of(process, instance)?;
    let mut effects = Effects::none();
    for input in inputs {
        process.evolve(&mut state, &input);
        effects.0.extend(process.react(&state, &input).0);
    }
    let reacted = resolve(instance, at, recorded_at, &state, effects)?;
    let size = Record::Reacted(reacted.clone()).to_json().to_string().len() + ROOM + instance.instance.len();
    if limits::DATA_BYTES_MAX < size {
        return Err(format!(
            "its state and effects have about {size} bytes, which is more than one event may have"
        ));
    }
    Ok(reacted)
}

/// The state as the present code reads it.
pub(super) fn state_of<P: ProcessManager>(process: &P, instance: &Instance) -> Result<P::State, String> {
    let Some(state) = instance.state.clone() else { return Ok(P::State::default()) };
    process.read_state(instance.version, state).map_err(|cause| unreadable("state", &cause))
}

pub(super) fn read<T: serde::de::DeserializeOwned>(value: Value, what: &str) -> Result<T, String> {
    serde_json::from_value(value).map_err(|cause| unreadable(what, &cause))
}

fn unreadable(what: &str, cause: &serde_json::Error) -> String {
    format!("the present code cannot read its {what}: {cause}")
}

fn resolve<P: ProcessManager>(
    instance: &Instance,
    input: InputRef,
    recorded_at: Timestamp,
    state: &P::State,
    effects: Effects<P>,
) -> Result<Reacted, String> {
    let mut reacted = Reacted {
        input,
        state: json(state)?,
        commands: Vec::new(),
        timers_cancelled: Vec::new(),
        timers_set: Vec::new(),
        compensations: instance.compensations.clone(),
        completed: false,
    };
    for effect in effects.0 {
        match effect {
            Effect::Command(command) => reacted.commands.push(json(&command)?),
            Effect::Timer(timer, due) => {
                let timer = json(&timer)?;
                reacted.timers_set.retain(|set| set.timer != timer);
                reacted.timers_set.push(TimerSet { timer, due: due.after(recorded_at) });
            }
            Effect::Cancel(timer) => {
                let timer = json(&timer)?;
                reacted.timers_set.retain(|set| set.timer != timer);
                reacted.timers_cancelled.push(timer);
            }
            Effect::Compensation(command) => reacted.compensations.push(json(&command)?),
            Effect::Compensate => {
                let undone = std::mem::take(&mut reacted.compensations);
                reacted.commands.extend(undone.into_iter().rev());
            }
            Effect::Complete => reacted.completed = true,
        }
    }
    Ok(reacted)
}

impl Due {
    fn after(self, recorded_at: Timestamp) -> Timestamp {
        let micros = match self {
            Self::At(due) => due.as_micros(),
            Self::After(duration) => recorded_at.as_micros().saturating_add(micros(duration)),
        };
        Timestamp::from_micros(micros.clamp(TIMES.0, TIMES.1))
    }
}

/// A duration in microseconds; 292,000 years is as long as it gets.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn json(value: &impl Serialize) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|cause| format!("what it decided cannot be written as JSON: {cause}"))
}

/// What a panic said.
pub(super) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
