//! Orders: leaving one for the program that runs a projection, and waiting for its answer.
//!
//! * Whoever waits is told that it was done, that it was refused, or that nothing was done: an order that nobody took
//!   is taken back. Only one that was taken and not answered is indefinite, which is said.
//! * Without waiting an order stays until a program takes it, be it at its next start.

use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use factlog_core::EventId;
use serde_json::Value;

use super::{File, Projection};
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::span;
use crate::output::printable;
use crate::stopwatch::Stopwatch;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// How long an order that was taken is waited for beyond its time.
const GRACE: Duration = Duration::from_secs(5);

/// How to wait for the program.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// Leave the order and go: it is done when a program next runs the projection
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for the program's answer before the order is taken back
    #[arg(long, value_name = "SECONDS", default_value_t = 30, conflicts_with = "no_wait", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

impl Waiting {
    /// For questions that the user did not ask for himself.
    pub(crate) const SHORT: Self = Self { no_wait: false, timeout: 5 };
}

/// What became of an order.
#[derive(Debug)]
pub(crate) enum Given {
    /// The program's words.
    Done(String),
    /// It lies there, under this id.
    Left(String),
}

/// An order that lies there.
#[derive(Debug)]
pub(crate) enum Left {
    /// A program that runs will see it.
    ToBeAnswered(Lying),
    /// Until a program takes it, under this id.
    ToLie(String),
}

/// An order that somebody waits for.
#[derive(Debug)]
pub(crate) struct Lying {
    name: String,
    id: String,
}

impl Lying {
    /// The program's words, once it has answered.
    pub(crate) fn answer(&self, file: &File) -> Outcome<Option<String>> {
        let answer = file.take(&self.name, &format!("answer/{}", self.id))?;
        answer.map(|answer| said(&self.name, &answer)).transpose()
    }

    /// Takes it back; whether that was in time.
    pub(crate) fn take_back(&self, file: &File) -> Outcome<bool> {
        Ok(file.take(&self.name, &format!("order/{}", self.id))?.is_some())
    }
}

/// Leaves an order: where it is waited for, only for a program that runs.
pub(crate) fn leave(file: &File, projection: &Projection, order: &Value, waiting: Waiting) -> Outcome<Left> {
    if !waiting.no_wait && !projection.is_running() {
        return Err(not_running(projection));
    }
    let (name, id) = (projection.name.clone(), EventId::generate().to_string());
    file.put(&name, &format!("order/{id}"), &order.to_string())?;
    Ok(if waiting.no_wait { Left::ToLie(id) } else { Left::ToBeAnswered(Lying { name, id }) })
}

/// Gives an order to whoever runs the projection, and waits for what is said.
pub(crate) fn give(file: &File, projection: &Projection, order: &Value, waiting: Waiting) -> Outcome<Given> {
    let left = match leave(file, projection, order, waiting)? {
        Left::ToBeAnswered(left) => left,
        Left::ToLie(id) => return Ok(Given::Left(id)),
    };
    if let Some(said) = wait_until(Duration::from_secs(waiting.timeout), || left.answer(file))? {
        return Ok(Given::Done(said));
    }
    let name = printable(&projection.name);
    if left.take_back(file)? {
        let what =
            format!("the program that runs {name} took no order for {} s; nothing was done", waiting.timeout);
        return Err(Failure::new(Kind::Unavailable, what)
            .advise("look at the program; --timeout waits longer, --no-wait leaves the order there"));
    }
    match wait_until(GRACE, || left.answer(file))? {
        Some(said) => Ok(Given::Done(said)),
        None => Err(Failure::new(Kind::Indeterminate, "the order was taken and is not answered")
            .because("the program is busy with it, or ended meanwhile")
            .advise(format!("see `factlog projections show {name}` before giving it again"))),
    }
}

/// Looks until there is something, or the time is over.
pub(crate) fn wait_until<T>(
    timeout: Duration,
    mut look: impl FnMut() -> Outcome<Option<T>>,
) -> Outcome<Option<T>> {
    let watch = Stopwatch::start();
    loop {
        let late = timeout <= watch.elapsed();
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if late {
            return Ok(None);
        }
        sleep(LOOK);
    }
}

fn said(name: &str, answer: &str) -> Outcome<String> {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    match (answer["done"].as_str(), answer["error"].as_str()) {
        (Some(done), _) => Ok(done.to_owned()),
        (None, error) => Err(Failure::new(Kind::Failure, format!("{} does not do that", printable(name)))
            .because(error.unwrap_or("its answer makes no sense"))),
    }
}

fn not_running(projection: &Projection) -> Failure {
    let name = printable(&projection.name);
    let why = match projection.last_sign() {
        Some(status) if status.state == "stopped" => {
            format!("it was stopped {} ago", span(projection.since(status.at)))
        }
        Some(status) => format!("its last sign of life is {} old", span(projection.since(status.at))),
        None => "it has never shown a sign of life".to_owned(),
    };
    Failure::new(Kind::Unavailable, format!("no program runs {name}; nothing was done"))
        .because(why)
        .advise("start the program; with --no-wait the order is left there, and done when it starts")
}
