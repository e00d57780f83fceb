//! Lost races, to the wire and back.

use factlog_core::{Conflict, Error, FailedCondition, Result, Revision, StreamId};

use crate::event::{position, required};
use crate::v1;
use crate::v1::failed_condition::Failed;

impl From<&Conflict> for v1::Conflict {
    fn from(conflict: &Conflict) -> Self {
        let failed: Vec<_> = conflict.failed.iter().filter_map(wire).collect();
        let total = u32::try_from(conflict.failed.len()).unwrap_or(u32::MAX);
        Self { failed, total }
    }
}

/// `None` for a kind of condition that this version of the wire has no word for; `total` counts it all the same.
fn wire(failed: &FailedCondition) -> Option<v1::FailedCondition> {
    let failed = match failed {
        FailedCondition::Revision { index, stream, expected, actual } => {
            Failed::Revision(v1::FailedRevision {
                index: number(*index),
                stream: stream.as_str().to_owned(),
                expected: Some((*expected).into()),
                actual: actual.map(Revision::get),
            })
        }
        FailedCondition::NoneMatch { index, position } => {
            Failed::NoneMatch(v1::FailedNoneMatch { index: number(*index), position: position.get() })
        }
        FailedCondition::Tracking { stale, recorded } => Failed::Tracking(v1::FailedTracking {
            stale: Some(stale.clone().into()),
            recorded: recorded.get(),
        }),
        _ => return None,
    };
    Some(v1::FailedCondition { failed: Some(failed) })
}

/// An append has at most 1,000 conditions.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl TryFrom<v1::Conflict> for Conflict {
    type Error = Error;

    fn try_from(conflict: v1::Conflict) -> Result<Self> {
        Ok(Self { failed: conflict.failed.into_iter().map(TryInto::try_into).collect::<Result<_>>()? })
    }
}

impl TryFrom<v1::FailedCondition> for FailedCondition {
    type Error = Error;

    fn try_from(failed: v1::FailedCondition) -> Result<Self> {
        Ok(match required("the kind of a failed condition", failed.failed)? {
            Failed::Revision(v1::FailedRevision { index, stream, expected, actual }) => Self::Revision {
                index: index as usize,
                stream: StreamId::new(stream)?,
                expected: required("the expected revision of a failed condition", expected)?.try_into()?,
                actual: actual.map(Revision::new),
            },
            Failed::NoneMatch(found) => Self::NoneMatch {
                index: found.index as usize,
                position: position("the position of a failed condition", found.position)?,
            },
            Failed::Tracking(v1::FailedTracking { stale, recorded }) => Self::Tracking {
                stale: required("the tracking of a failed condition", stale)?.try_into()?,
                recorded: position("the recorded position of a tracking", recorded)?,
            },
        })
    }
}
