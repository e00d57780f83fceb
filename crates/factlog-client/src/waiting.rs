//! The appends that wait for their answers, in order, and what becomes of each.
//!
//! * The first `sent` of them were sent over the present session; the rest were not.
//! * As many as `window` are under way: half as many after a session that broke, one more with each answer. Otherwise
//!   a connection that never lives long enough to carry all of it would be filled again and again, and break again.
//! * `maybe` says that an earlier session may have brought it to the store.

use std::collections::VecDeque;

use factlog_core::{AppendError, Appended, Error, ErrorKind, Result};
use factlog_proto::v1;
use tokio::time::Instant;

use crate::queue::Asked;

/// Appends that are under way at a time, and their bytes: as many as a server takes in.
const APPENDS: usize = 1_024;
const BYTES: usize = 64 << 20;

/// The appends that wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    list: VecDeque<One>,
    sent: usize,
    window: usize,
    bytes: usize,
    last_number: u64,
}

#[derive(Debug)]
struct One {
    number: u64,
    asked: Asked,
    maybe: bool,
    /// Over the present session it was answered that nothing was written.
    refused: bool,
}

/// What an answer means for the session.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It goes on.
    GoOn,
    /// The store could not do it now: all that is unanswered is sent again later, in order.
    Later(Error),
}

impl Waiting {
    pub(crate) fn new() -> Self {
        Self { list: VecDeque::new(), sent: 0, window: APPENDS, bytes: 0, last_number: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there is room for one more.
    pub(crate) fn has_room(&self) -> bool {
        self.list.len() < APPENDS && self.bytes < BYTES
    }

    pub(crate) fn push(&mut self, asked: Asked) {
        self.last_number += 1;
        self.bytes += asked.room.bytes;
        self.list.push_back(One { number: self.last_number, asked, maybe: false, refused: false });
    }

    /// Whether something is to be sent now.
    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.list.len().min(self.window)
    }

    /// The next one to send; from now on it counts as sent.
    pub(crate) fn send(&mut self) -> Option<v1::AppendSessionRequest> {
        let one = self.list.get(self.sent)?;
        self.sent += 1;
        let append = Some(one.asked.append.clone().into());
        Some(v1::AppendSessionRequest { number: one.number, append, writer: None })
    }

    /// The session is over: nothing is sent, and what was may have come to the store.
    pub(crate) fn session_over(&mut self) {
        for one in self.list.iter_mut().take(self.sent) {
            one.maybe |= !one.refused;
            one.refused = false;
        }
        if 0 < self.sent {
            self.window = (self.window.min(self.sent) / 2).max(1);
        }
        self.sent = 0;
    }

    /// Hands an answer to whom it belongs.
    pub(crate) fn hear(&mut self, answer: v1::AppendSessionResponse) -> Heard {
        use v1::append_session_response::Outcome;
        let Ok(at) = self.list.binary_search_by_key(&answer.number, |one| one.number) else {
            return Heard::GoOn; // Its deadline has passed.
        };
        self.window = APPENDS.min(self.window + 1);
        let outcome = match answer.outcome {
            Some(Outcome::Appended(appended)) => Appended::try_from(appended).map_err(|error| {
                let what = "the append was written, but its answer cannot be read";
                AppendError::Failed(Error::indeterminate(format!("{what}: {error}")))
            }),
            Some(Outcome::Failure(failure)) => Err(AppendError::from(failure)),
            None => Err(AppendError::Failed(Error::indeterminate("the answer to an append is empty"))),
        };
        if let Err(AppendError::Failed(error)) = &outcome {
            match error.kind() {
                ErrorKind::Unavailable => {
                    self.list[at].refused = true;
                    return Heard::Later(error.clone());
                }
                ErrorKind::Indeterminate => {
                    self.list[at].maybe = true;
                    return Heard::Later(error.clone());
                }
                // Told of the append itself: the store has looked first whether it is recorded.
                ErrorKind::Invalid => {}
                // Told of the store: an earlier attempt may have been written all the same.
                _ if self.list[at].maybe => {
                    let message = format!("it may have been written before the store answered: {error}");
                    self.finish(at, Err(AppendError::Failed(Error::indeterminate(message))));
                    return Heard::GoOn;
                }
                _ => {}
            }
        }
        self.finish(at, outcome);
        Heard::GoOn
    }

    /// Gives up what is past its deadline.
    pub(crate) fn expire(&mut self, now: Instant, last: Option<&Error>) {
        let why = last.map_or_else(|| "no answer came in time".to_owned(), ToString::to_string);
        self.give_up(|one| one.asked.deadline <= now, &Error::unavailable(why));
    }

    /// Gives up all of it: the server will never take it.
    pub(crate) fn refuse(&mut self, error: &Error) {
        self.give_up(|_| true, error);
    }

    fn give_up(&mut self, which: impl Fn(&One) -> bool, error: &Error) {
        let mut at = 0;
        while at < self.list.len() {
            if !which(&self.list[at]) {
                at += 1;
                continue;
            }
            let maybe = self.list[at].maybe || (at < self.sent && !self.list[at].refused);
            let error = match maybe {
                true => Error::indeterminate(format!(
                    "the append was sent and its answer is unknown; repeat it with the same event ids: {error}"
                )),
                false if error.kind() == ErrorKind::Unavailable => {
                    Error::unavailable(format!("the append was not sent, nothing was written: {error}"))
                }
                false => error.clone(),
            };
            self.finish(at, Err(AppendError::Failed(error)));
        }
    }

    /// The deadline of the first; those behind it were called later, and all have the same time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.list.front().map(|one| one.asked.deadline)
    }

    fn finish(&mut self, at: usize, outcome: Result<Appended, AppendError>) {
        let Some(one) = self.list.remove(at) else { return };
        if at < self.sent {
            self.sent -= 1;
        }
        self.bytes -= one.asked.room.bytes;
        // Its caller may be gone.
        let _ = one.asked.answer.send(outcome);
    }
}
