//! A store as one caller may use it.
//!
//! * An append is refused unless every event may be appended, and every condition is about what the caller may know: its
//!   outcome would tell whether such events exist.
//! * A read, and a subscription, brings what may be read and leaves out the rest as if it were not there.
//! * The source of a tracking counts as the name of a stream.

use std::sync::Arc;

use factlog_core::access::{Action, Grants};
use factlog_core::{
    Append, AppendCondition, AppendError, Appended, BoxFuture, Error, Event, EventStore, EventStream, Head,
    Position, Query, ReadOptions, Result, StartFrom, Subscription, Timestamp,
};

use super::audit::Audit;
use super::caller::Caller;
use super::lasting::{self, Lasting};
use super::places::Places;

/// The store, the caller, and where denials are told.
#[derive(Debug)]
pub(super) struct Guarded<S: ?Sized> {
    pub(super) caller: Caller,
    pub(super) audit: Audit,
    pub(super) places: Arc<Places>,
    pub(super) store: Arc<S>,
}

impl<S: ?Sized> Guarded<S> {
    /// A denial, told to the audit log.
    pub(super) fn deny(&self, action: Action, what: String) -> Error {
        let principal = self.caller.principal();
        let error =
            Error::denied(format!("{principal} may not {what}; whoever keeps the grants can allow it"));
        self.audit.denied(principal, action, what);
        error
    }

    fn may_append(&self, append: &Append) -> Result<()> {
        let grants = self.caller.grants()?;
        if let Some(event) = append.events.iter().find(|event| !grants.may_append(event)) {
            return Err(self.deny(Action::Append, format!("append {}", said(event))));
        }
        let writes = |stream| append.events.iter().any(|event| event.stream.as_ref() == Some(stream));
        for (index, condition) in append.conditions.iter().enumerate() {
            let known = match condition {
                AppendCondition::Revision { stream, .. } => grants.may_expect(stream) || writes(stream),
                AppendCondition::NoneMatch { query, .. } => grants.covers_condition(query),
            };
            if !known {
                let what =
                    format!("know whether condition {index} holds, which is about events it may not read");
                return Err(self.deny(Action::Read, what));
            }
        }
        match &append.tracking {
            Some(tracking) if !grants.covers_stream(Action::Append, tracking.source.as_str()) => {
                Err(self.deny(Action::Append, format!("record how far {} was processed", tracking.source)))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// An event to people who may not append it. What it says stays out.
fn said(event: &Event) -> String {
    match &event.stream {
        Some(stream) => format!("{} to stream {stream}", event.event_type),
        None => format!("{} to no stream", event.event_type),
    }
}

/// What is asked of the store, and whether each event has to be looked at.
fn allowed(grants: &Grants, query: Query) -> (Query, bool) {
    match grants.covers(&query) {
        true => (query, false),
        false => (grants.narrow(&query), true),
    }
}

impl<S: EventStore + ?Sized> EventStore for Guarded<S> {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        match self.may_append(&append) {
            Ok(()) => self.store.append(append),
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }

    fn read(&self, query: Query, mut options: ReadOptions) -> EventStream {
        let grants = match self.caller.grants() {
            Ok(grants) => grants,
            Err(error) => return EventStream::failed(error),
        };
        if let Err(error) = options.validate(&query) {
            return EventStream::failed(error);
        }
        let (query, filter) = allowed(&grants, query);
        let place = match self.places.take(self.caller.authenticated()) {
            Ok(place) => place,
            Err(error) => return EventStream::failed(error),
        };
        // What is left out does not count.
        let limit = if filter { options.limit.take() } else { None };
        let caller = self.caller.clone();
        lasting::read(self.store.read(query, options), move |events| {
            Lasting::new(events, &caller, grants, filter).limit(limit).at(place)
        })
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let grants = match self.caller.grants().and_then(|grants| query.validate().map(|()| grants)) {
            Ok(grants) => grants,
            Err(error) => return Subscription::failed(error),
        };
        let place = match self.places.take(self.caller.authenticated()) {
            Ok(place) => place,
            Err(error) => return Subscription::failed(error),
        };
        let (query, filter) = allowed(&grants, query);
        let deliveries = self.store.subscribe(query, from);
        Subscription::new(Lasting::new(deliveries, &self.caller, grants, filter).at(place))
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        match self.caller.grants() {
            Ok(_) => self.store.head(),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        match self.caller.grants() {
            Ok(grants) if may_track(&grants, source) => self.store.tracking(source),
            Ok(_) => Box::pin(std::future::ready(Ok(None))),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        match self.caller.grants() {
            Ok(_) => self.store.position_at(time),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    /// No caller closes the store of a server.
    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Err(self.deny(Action::Admin, "close the store".to_owned()))))
    }
}

fn may_track(grants: &Grants, source: &str) -> bool {
    [Action::Read, Action::Append].into_iter().any(|action| grants.covers_stream(action, source))
}
