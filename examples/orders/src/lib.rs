//! Orders from cart to delivery: facts, rules, a process that spans days, and what readers see.
//!
//! * [`rules`]: what an order and the stock of an article allow.
//! * [`fulfilment`]: the process: reserve, wait for the payment, ship; and undo in reverse what was done if it comes to
//!   nothing.
//! * [`shop`]: all of it running, and its books.
//! * [`read_models`]: the state of every order, what is left of every article, and what came in, day by day.

pub mod fulfilment;
pub mod read_models;
pub mod rules;
pub mod shop;

use factlog::{Event, EventSet};
use serde::{Deserialize, Serialize};

/// A customer wants so many of an article.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "order.placed", tags(order))]
pub struct Placed {
    /// Which order.
    pub order: u64,
    /// Of what.
    pub article: String,
    /// How many.
    pub pieces: u32,
    /// What it costs, in cents.
    pub cents: u64,
}

/// So many are put aside for the order.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "stock.reserved", tags(order, article))]
pub struct Reserved {
    /// For which order.
    pub order: u64,
    /// Of what.
    pub article: String,
    /// How many.
    pub pieces: u32,
}

/// They are not put aside any more.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "stock.released", tags(order, article))]
pub struct Released {
    /// For which order they were.
    pub order: u64,
    /// Of what.
    pub article: String,
    /// How many.
    pub pieces: u32,
}

/// New pieces came in.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "stock.delivered", tags(article))]
pub struct Restocked {
    /// Of what.
    pub article: String,
    /// How many.
    pub pieces: u32,
}

/// The customer paid.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "payment.received", tags(order))]
pub struct Paid {
    /// For which order.
    pub order: u64,
    /// How much.
    pub cents: u64,
}

/// The customer got the money back.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "payment.refunded", tags(order))]
pub struct Refunded {
    /// For which order.
    pub order: u64,
    /// How much.
    pub cents: u64,
}

/// The parcel is on its way.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "order.shipped", tags(order))]
pub struct Shipped {
    /// Which order.
    pub order: u64,
}

/// It came to nothing.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "order.cancelled", tags(order))]
pub struct Cancelled {
    /// Which order.
    pub order: u64,
    /// Why.
    pub reason: String,
}

/// The parcel arrived.
#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "order.delivered", tags(order))]
pub struct Delivered {
    /// Which order.
    pub order: u64,
}

/// Everything that happens to an order.
#[derive(EventSet, Clone, Debug, PartialEq)]
pub enum OrderEvent {
    /// It is placed.
    Placed(Placed),
    /// Stock is put aside for it.
    Reserved(Reserved),
    /// It is not any more.
    Released(Released),
    /// It is paid.
    Paid(Paid),
    /// The money went back.
    Refunded(Refunded),
    /// It is on its way.
    Shipped(Shipped),
    /// It came to nothing.
    Cancelled(Cancelled),
    /// It arrived.
    Delivered(Delivered),
}

/// Everything that changes the stock.
#[derive(EventSet, Clone, Debug, PartialEq)]
pub enum StockEvent {
    /// New pieces.
    Restocked(Restocked),
    /// Pieces put aside.
    Reserved(Reserved),
    /// Pieces put back.
    Released(Released),
}

impl OrderEvent {
    /// Which order it is about.
    pub fn order(&self) -> u64 {
        match self {
            Self::Placed(Placed { order, .. })
            | Self::Reserved(Reserved { order, .. })
            | Self::Released(Released { order, .. })
            | Self::Paid(Paid { order, .. })
            | Self::Refunded(Refunded { order, .. })
            | Self::Shipped(Shipped { order })
            | Self::Cancelled(Cancelled { order, .. })
            | Self::Delivered(Delivered { order }) => *order,
        }
    }
}

#[cfg(test)]
mod tests;
