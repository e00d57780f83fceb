//! Listing the keys of the whole log, in order: merged from every run and generation.
//!
//! Each source has its keys in order, and sources follow each other in the log. So the merge takes the smallest name
//! of all, and adds up what the sources that have it say. It holds a page of each run and nothing else of them.

use std::sync::Arc;

use factlog_core::{Result, StreamId};

use crate::pieces::unreadable_again;
use crate::run::{Found, KeyScan, Run, Wrong, keys};
use crate::shared::Shared;
use crate::tail::{KeySpan, Kind};

/// What the whole log has of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// A run that cannot be read.
pub(crate) struct Trouble {
    run: Arc<Run>,
    wrong: Wrong,
}

/// Keys of one kind in order, over the whole log.
pub(crate) struct Keys<'a> {
    /// In the order of the log, each with the key it stands at.
    sources: Vec<Source<'a>>,
}

struct Source<'a> {
    next: Option<(String, Summary)>,
    rest: Rest<'a>,
}

enum Rest<'a> {
    Run { run: &'a Arc<Run>, keys: Box<KeyScan>, kind: Kind, prefix: &'a str },
    Tail(std::vec::IntoIter<KeySpan>),
}

impl Keys<'_> {
    /// The next key, with what the log has of it.
    pub(crate) fn next(&mut self) -> Result<Option<(String, Summary)>, Trouble> {
        let names = self.sources.iter().filter_map(|source| source.next.as_ref().map(|(name, _)| name));
        let Some(name) = names.min().cloned() else { return Ok(None) };
        let mut whole: Option<Summary> = None;
        for source in &mut self.sources {
            let here = source.next.as_ref().filter(|(here, _)| *here == name).map(|&(_, summary)| summary);
            let Some(summary) = here else { continue };
            source.advance()?;
            whole = Some(whole.map_or(summary, |whole| Summary {
                count: whole.count + summary.count,
                first: whole.first,
                last: summary.last,
            }));
        }
        Ok(whole.map(|whole| (name, whole)))
    }

    /// How many keys are left.
    pub(crate) fn count(&mut self) -> Result<u64, Trouble> {
        let mut count = 0;
        while self.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

impl Source<'_> {
    fn advance(&mut self) -> Result<(), Trouble> {
        self.next = match &mut self.rest {
            Rest::Tail(spans) => spans.next().map(|span| {
                let KeySpan { name, count, first, last, .. } = span;
                (name, Summary { count, first, last })
            }),
            Rest::Run { run, keys, kind, prefix } => {
                let trouble = |wrong| Trouble { run: run.clone(), wrong };
                match keys.next().transpose().map_err(trouble)? {
                    Some((key, found)) => match name_of(&key, *kind, prefix) {
                        Some(name) => Some((name, summary(run, &found).map_err(trouble)?)),
                        None => None,
                    },
                    None => None,
                }
            }
        };
        Ok(())
    }
}

/// The name of a key that is of the kind and begins with the prefix.
fn name_of(key: &[u8], kind: Kind, prefix: &str) -> Option<String> {
    let (&of_kind, name) = key.split_first()?;
    let name = std::str::from_utf8(name).ok()?;
    (of_kind == kind as u8 && name.starts_with(prefix)).then(|| name.to_owned())
}

fn summary(run: &Arc<Run>, found: &Found) -> Result<Summary, Wrong> {
    let first = run.nth(found, 0)?.unwrap_or(0);
    let last = if found.count == 1 { first } else { run.nth(found, found.count - 1)?.unwrap_or(first) };
    Ok(Summary { count: found.count, first, last })
}

impl Shared {
    /// Asks the keys of a kind that begin with `prefix`, above `after`, over the whole log.
    ///
    /// # Errors
    /// What keeps the index from being read.
    pub(crate) fn listed<T>(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        mut ask: impl FnMut(&mut Keys<'_>) -> Result<T, Trouble>,
    ) -> Result<T> {
        let head = self.head();
        let mut failures = 0;
        loop {
            let (runs, view) = self.whole_runs()?;
            let mut list = || {
                let mut sources = Vec::new();
                for run in &runs {
                    sources.push(begin_run(run, kind, prefix, after)?);
                }
                for generation in &view.generations {
                    let mut spans = generation.keys(kind, prefix, head);
                    spans.retain(|span| after.is_none_or(|after| after < span.name.as_str()));
                    spans.sort_unstable_by(|one, other| one.name.cmp(&other.name));
                    let mut source = Source { next: None, rest: Rest::Tail(spans.into_iter()) };
                    source.advance()?;
                    sources.push(source);
                }
                ask(&mut Keys { sources })
            };
            match list() {
                Ok(answer) => return Ok(answer),
                Err(Trouble { run, wrong }) => {
                    self.wound(&run, &wrong)?;
                    failures += 1;
                    if view.segments.len() < failures {
                        return Err(unreadable_again(run.name().first));
                    }
                }
            }
        }
    }

    /// How many streams the whole log has. Each run knows how many begin in it.
    pub(crate) fn stream_count(&self) -> Result<u64> {
        let head = self.head();
        let (runs, view) = self.whole_runs()?;
        let sealed: u64 = runs.iter().map(|run| run.counts().new_streams).sum();
        let spans = view.generations.iter().flat_map(|generation| generation.keys(Kind::Stream, "", head));
        Ok(sealed + spans.filter(|span| span.base == 0).count() as u64)
    }

    /// What the whole log has of a stream.
    pub(crate) fn summary_of(&self, stream: &StreamId) -> Result<Option<Summary>> {
        self.listed(Kind::Stream, stream.as_str(), None, |keys| {
            let found = keys.next()?;
            Ok(found.filter(|(name, _)| name == stream.as_str()).map(|(_, summary)| summary))
        })
    }
}

fn begin_run<'a>(
    run: &'a Arc<Run>,
    kind: Kind,
    prefix: &'a str,
    after: Option<&str>,
) -> Result<Source<'a>, Trouble> {
    let from = match after {
        Some(after) if prefix <= after => keys::key(kind as u8, &format!("{after}\0")),
        _ => keys::key(kind as u8, prefix),
    };
    let keys = Box::new(run.keys(&from));
    let mut source = Source { next: None, rest: Rest::Run { run, keys, kind, prefix } };
    source.advance()?;
    Ok(source)
}
