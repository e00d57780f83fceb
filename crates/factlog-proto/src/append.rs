//! Appends and what came of them, to the wire and back. Lost races are in `conflict`.

use factlog_core::{
    Append, AppendCondition, Appended, Error, ExpectedRevision, Position, Result, Revision, StreamId,
    Tracking, limits,
};

use crate::event::{optional_position, position, required};
use crate::query::check_count;
use crate::v1;
use crate::v1::append_condition::Condition;
use crate::v1::expected_revision::Expected;

impl From<Append> for v1::AppendRequest {
    fn from(append: Append) -> Self {
        Self {
            events: append.events.into_iter().map(Into::into).collect(),
            conditions: append.conditions.into_iter().map(Into::into).collect(),
            tracking: append.tracking.map(Into::into),
        }
    }
}

impl TryFrom<v1::AppendRequest> for Append {
    type Error = Error;

    fn try_from(request: v1::AppendRequest) -> Result<Self> {
        check_count("events in one append", request.events.len(), limits::APPEND_EVENTS_MAX)?;
        check_count("conditions of one append", request.conditions.len(), limits::CONDITIONS_MAX)?;
        Ok(Self {
            events: request.events.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            conditions: request.conditions.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            tracking: request.tracking.map(Tracking::try_from).transpose()?,
        })
    }
}

impl From<AppendCondition> for v1::AppendCondition {
    fn from(condition: AppendCondition) -> Self {
        let condition = match condition {
            AppendCondition::Revision { stream, expected } => Condition::Revision(v1::RevisionCondition {
                stream: stream.as_str().to_owned(),
                expected: Some(expected.into()),
            }),
            AppendCondition::NoneMatch { query, after } => Condition::NoneMatch(v1::NoneMatchCondition {
                query: Some(query.into()),
                after: after.map(Position::get),
            }),
        };
        Self { condition: Some(condition) }
    }
}

impl TryFrom<v1::AppendCondition> for AppendCondition {
    type Error = Error;

    fn try_from(condition: v1::AppendCondition) -> Result<Self> {
        match required("the kind of a condition (`revision` or `none_match`)", condition.condition)? {
            Condition::Revision(v1::RevisionCondition { stream, expected }) => Ok(Self::Revision {
                stream: StreamId::new(stream)?,
                expected: required("the expected revision of a condition", expected)?.try_into()?,
            }),
            Condition::NoneMatch(v1::NoneMatchCondition { query, after }) => Ok(Self::NoneMatch {
                query: required("the query of a condition", query)?.try_into()?,
                after: optional_position("`after` of a condition", after)?,
            }),
        }
    }
}

impl From<ExpectedRevision> for v1::ExpectedRevision {
    fn from(expected: ExpectedRevision) -> Self {
        let expected = match expected {
            ExpectedRevision::Any => Expected::Any(()),
            ExpectedRevision::NoStream => Expected::NoStream(()),
            ExpectedRevision::Exists => Expected::Exists(()),
            ExpectedRevision::At(revision) => Expected::At(revision.get()),
        };
        Self { expected: Some(expected) }
    }
}

impl TryFrom<v1::ExpectedRevision> for ExpectedRevision {
    type Error = Error;

    fn try_from(expected: v1::ExpectedRevision) -> Result<Self> {
        let what = "the kind of an expected revision (`any`, `no_stream`, `exists` or `at`)";
        Ok(match required(what, expected.expected)? {
            Expected::Any(()) => Self::Any,
            Expected::NoStream(()) => Self::NoStream,
            Expected::Exists(()) => Self::Exists,
            Expected::At(revision) => Self::At(Revision::new(revision)),
        })
    }
}

impl From<Appended> for v1::AppendResponse {
    fn from(appended: Appended) -> Self {
        Self {
            first: appended.first.get(),
            last: appended.last.get(),
            revisions: appended.revisions.into_iter().map(Into::into).collect(),
            deduplicated: appended.deduplicated,
        }
    }
}

impl TryFrom<v1::AppendResponse> for Appended {
    type Error = Error;

    fn try_from(response: v1::AppendResponse) -> Result<Self> {
        Ok(Self {
            first: position("the first position of an append", response.first)?,
            last: position("the last position of an append", response.last)?,
            revisions: response.revisions.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            deduplicated: response.deduplicated,
        })
    }
}
