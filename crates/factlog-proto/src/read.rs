//! Reads and subscriptions, to the wire and back.

use factlog_core::{Delivery, Direction, Error, Position, Query, ReadOptions, Result, Revision, StartFrom};

use crate::event::{optional_position, position, required};
use crate::v1;
use crate::v1::delivery::Delivery as Delivered;
use crate::v1::subscribe_request::From as Start;

impl From<(Query, ReadOptions)> for v1::ReadRequest {
    fn from((query, options): (Query, ReadOptions)) -> Self {
        let direction = match options.direction {
            Direction::Forwards => v1::Direction::Forwards,
            Direction::Backwards => v1::Direction::Backwards,
        };
        Self {
            query: Some(query.into()),
            after: options.after.map(Position::get),
            until: options.until.map(Position::get),
            from_revision: options.from_revision.map(Revision::get),
            direction: direction.into(),
            limit: options.limit,
        }
    }
}

impl TryFrom<v1::ReadRequest> for (Query, ReadOptions) {
    type Error = Error;

    fn try_from(request: v1::ReadRequest) -> Result<Self> {
        let direction = match v1::Direction::try_from(request.direction) {
            Ok(v1::Direction::Unspecified | v1::Direction::Forwards) => Direction::Forwards,
            Ok(v1::Direction::Backwards) => Direction::Backwards,
            Err(_) => {
                let number = request.direction;
                return Err(Error::invalid(format!(
                    "{number} is no direction; give 1 or 2, or leave it out"
                )));
            }
        };
        let options = ReadOptions {
            after: optional_position("`after` of a read", request.after)?,
            until: optional_position("`until` of a read", request.until)?,
            from_revision: request.from_revision.map(Revision::new),
            direction,
            limit: request.limit,
        };
        Ok((required("the query of a read", request.query)?.try_into()?, options))
    }
}

impl From<Option<Position>> for v1::SnapshotHead {
    fn from(position: Option<Position>) -> Self {
        Self { position: position.map(Position::get) }
    }
}

impl TryFrom<v1::SnapshotHead> for Option<Position> {
    type Error = Error;

    fn try_from(head: v1::SnapshotHead) -> Result<Self> {
        optional_position("the head of a snapshot", head.position)
    }
}

impl From<(Query, StartFrom)> for v1::SubscribeRequest {
    fn from((query, from): (Query, StartFrom)) -> Self {
        let from = match from {
            StartFrom::Beginning => Start::Beginning(()),
            StartFrom::After(position) => Start::After(position.get()),
            StartFrom::End => Start::End(()),
        };
        Self { query: Some(query.into()), from: Some(from) }
    }
}

impl TryFrom<v1::SubscribeRequest> for (Query, StartFrom) {
    type Error = Error;

    fn try_from(request: v1::SubscribeRequest) -> Result<Self> {
        let from = match required("where to begin (`beginning`, `after` or `end`)", request.from)? {
            Start::Beginning(()) => StartFrom::Beginning,
            Start::After(number) => StartFrom::After(position("`after` of a subscription", number)?),
            Start::End(()) => StartFrom::End,
        };
        Ok((required("the query of a subscription", request.query)?.try_into()?, from))
    }
}

impl From<Delivery> for v1::Delivery {
    fn from(delivery: Delivery) -> Self {
        let delivery = match delivery {
            Delivery::Event(event) => Delivered::Event(event.into()),
            Delivery::CaughtUp(head) => Delivered::CaughtUp(head.into()),
        };
        Self { delivery: Some(delivery) }
    }
}

impl TryFrom<v1::Delivery> for Delivery {
    type Error = Error;

    fn try_from(delivery: v1::Delivery) -> Result<Self> {
        Ok(match required("the kind of a delivery", delivery.delivery)? {
            Delivered::Event(event) => Self::Event(event.try_into()?),
            Delivered::CaughtUp(head) => Self::CaughtUp(head.try_into()?),
        })
    }
}
