//! Whether a reader takes, without loss, all that a writer may have written; and if not, at which field.
//!
//! * Each alternative of the writer must fit one alternative of the reader.
//! * A recursive type fits where it fits as far as it was followed: what is being judged is taken for fitting.
//! * Old is always named before new, whoever reads.

mod kinds;
mod object;
mod words;

use serde_json::Value;

use crate::Problem;
use crate::shape::{Alternative, Array, Kind, alternatives};
use words::Words;

pub(crate) use words::Direction;

/// What stands against reading as `reader` what was written as `writer`.
pub(crate) fn fits(writer: &Value, reader: &Value, direction: Direction) -> Vec<Problem> {
    let mut judge = Judge { writer, reader, words: Words(direction), under_way: Vec::new() };
    judge.schema(writer, reader, "")
}

struct Judge<'a> {
    /// Where the references of either side lead.
    writer: &'a Value,
    reader: &'a Value,
    words: Words,
    under_way: Vec<(Value, Value)>,
}

impl Judge<'_> {
    fn schema(&mut self, writer: &Value, reader: &Value, path: &str) -> Vec<Problem> {
        let pair = (writer.clone(), reader.clone());
        if self.under_way.contains(&pair) {
            return Vec::new();
        }
        self.under_way.push(pair);
        let (written, read) = (alternatives(writer, self.writer), alternatives(reader, self.reader));
        let mut problems = Vec::new();
        for one in &written {
            problems.extend(self.one_of(one, &written, &read, path));
        }
        self.under_way.pop();
        problems.dedup();
        problems
    }

    /// What stands against reading one alternative of the writer as any of the reader's.
    fn one_of(
        &mut self,
        one: &Alternative,
        written: &[Alternative],
        read: &[Alternative],
        path: &str,
    ) -> Vec<Problem> {
        let choice = 1 < written.len() || 1 < read.len();
        let mut best: Option<Vec<Problem>> = None;
        for candidate in read {
            let problems = self.alternative(one, candidate, choice, path);
            if problems.is_empty() {
                return problems;
            }
            let alike = kinds::alike(one, candidate, choice);
            if alike && best.as_ref().is_none_or(|best| problems.len() < best.len()) {
                best = Some(problems);
            }
        }
        best.unwrap_or_else(|| vec![Problem::new(path, self.words.no_such(one, read, choice))])
    }

    fn alternative(
        &mut self,
        writer: &Alternative,
        reader: &Alternative,
        choice: bool,
        path: &str,
    ) -> Vec<Problem> {
        let mut problems: Vec<Problem> = reader
            .opaque
            .iter()
            .filter(|(name, value)| writer.opaque.get(*name) != Some(value))
            .map(|(name, _)| Problem::new(path, words::opaque(name)))
            .collect();
        problems.extend(match (&writer.kind, &reader.kind) {
            (_, Kind::Any) => Vec::new(),
            (Kind::Array(writer), Kind::Array(reader)) => self.array(writer, reader, path),
            (Kind::Object(written), Kind::Object(read)) => {
                let path = match kinds::tag(&writer.kind, choice) {
                    Some(kinds::Tag::Inside(_, variant)) => format!("{path}({variant})"),
                    _ => path.to_owned(),
                };
                self.object(written, read, &path)
            }
            (written, read) => kinds::scalar(written, read, self.words)
                .map(|what| vec![Problem::new(path, what)])
                .unwrap_or_default(),
        });
        problems
    }

    fn array(&mut self, writer: &Array, reader: &Array, path: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let longest = |array: &Array| array.max.unwrap_or(u64::MAX);
        if writer.min < reader.min || longest(reader) < longest(writer) {
            problems.push(Problem::new(path, self.words.lengths(writer, reader)));
        }
        if reader.unique && !writer.unique && 1 < longest(writer) {
            problems.push(Problem::new(path, self.words.to_set()));
        }
        let all = writer.first.len().max(reader.first.len());
        for index in 0..all {
            let at = |array: &Array| array.first.get(index).unwrap_or(&array.rest).clone();
            let written = u64::try_from(index).is_ok_and(|index| index < longest(writer));
            if written {
                problems.extend(self.schema(&at(writer), &at(reader), &format!("{path}[{index}]")));
            }
        }
        let more = u64::try_from(all).is_ok_and(|all| all < longest(writer) && all < longest(reader));
        if more {
            problems.extend(self.schema(&writer.rest, &reader.rest, &format!("{path}[]")));
        }
        problems
    }
}
