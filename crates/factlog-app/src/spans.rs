//! Spans of what the framework does: for whoever has a subscriber of `tracing`, and at no cost for whoever has none.
//!
//! * All are of the level debug and of the target `factlog::app`; attributes are OpenTelemetry's where it has some.
//! * They name types, processes and read models, and count; what callers say, and what is stored, stays out.
//! * A command has its decisions and appends below it. What follows from events is a trace of its own: it begins when the
//!   events come, which may be years later.

use std::any::type_name;

use factlog_core::{Append, Position};
use tracing::Span;

const TARGET: &str = "factlog::app";

/// The name of a type without the way to it.
fn short<T>() -> &'static str {
    let name = type_name::<T>();
    let plain = name.split('<').next().unwrap_or(name);
    plain.rsplit("::").next().unwrap_or(plain)
}

/// A command, from its first read to its outcome.
pub(crate) fn command<C>() -> Span {
    tracing::debug_span!(target: TARGET, "command", otel.name = short::<C>(), factlog.command = short::<C>())
}

/// One decision on what was read.
pub(crate) fn decide<C>(attempt: u32) -> Span {
    tracing::debug_span!(target: TARGET, "decide", factlog.command = short::<C>(), factlog.attempt = attempt)
}

/// One append.
pub(crate) fn append(append: &Append) -> Span {
    tracing::debug_span!(
        target: TARGET,
        "append",
        otel.kind = "client",
        db.system.name = "factlog",
        db.operation.name = "append",
        db.operation.batch.size = append.events.len(),
    )
}

/// One commit of a read model, with all that was folded for it.
pub(crate) fn project(projection: &'static str, generation: u64, events: u64) -> Span {
    tracing::debug_span!(
        target: TARGET,
        "project",
        otel.kind = "consumer",
        factlog.projection = projection,
        factlog.generation = generation,
        factlog.events = events,
        factlog.position = tracing::field::Empty,
    )
}

/// So far the span has come.
pub(crate) fn reached(span: &Span, position: Option<Position>) {
    if let Some(position) = position.filter(|_| !span.is_disabled()) {
        span.record("factlog.position", position.get());
    }
}

/// One step of a process manager: inputs are handled, and what follows from them is recorded.
pub(crate) fn step(process: &'static str, inputs: usize) -> Span {
    tracing::debug_span!(
        target: TARGET,
        "process step",
        otel.kind = "consumer",
        factlog.process = process,
        factlog.inputs = inputs,
    )
}

/// A command of a process manager, carried out.
pub(crate) fn dispatch(process: &'static str) -> Span {
    tracing::debug_span!(target: TARGET, "dispatch", factlog.process = process)
}
