//! What readers see: the state of every order, what is left of every article, and what came in by the day.

use factlog::{Projection, Recorded};
use serde::{Deserialize, Serialize};

use crate::{OrderEvent, StockEvent};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// Placed.
    Placed,
    /// Its pieces are put aside.
    Reserved,
    /// Paid.
    Paid,
    /// On its way.
    Shipped,
    /// It arrived.
    Delivered,
    /// It came to nothing.
    Cancelled,
}

/// Every order.
#[derive(Clone, Copy, Debug)]
pub struct Orders;

impl Projection for Orders {
    type Event = OrderEvent;
    type Key = u64;
    type Document = Standing;
    const NAME: &'static str = "orders";
    fn keys(&self, event: &Recorded<OrderEvent>) -> Vec<u64> {
        vec![event.event.order()]
    }
    fn apply(&self, _: &u64, before: Option<Standing>, event: &Recorded<OrderEvent>) -> Option<Standing> {
        match event.event {
            OrderEvent::Placed(_) => Some(Standing::Placed),
            OrderEvent::Reserved(_) => Some(Standing::Reserved),
            OrderEvent::Paid(_) => Some(Standing::Paid),
            OrderEvent::Shipped(_) => Some(Standing::Shipped),
            OrderEvent::Delivered(_) => Some(Standing::Delivered),
            OrderEvent::Cancelled(_) => Some(Standing::Cancelled),
            OrderEvent::Released(_) | OrderEvent::Refunded(_) => before,
        }
    }
}

/// What is left of every article.
#[derive(Clone, Copy, Debug)]
pub struct Shelf;

impl Projection for Shelf {
    type Event = StockEvent;
    type Key = String;
    type Document = i64;
    const NAME: &'static str = "shelf";
    fn keys(&self, event: &Recorded<StockEvent>) -> Vec<String> {
        match &event.event {
            StockEvent::Restocked(event) => vec![event.article.clone()],
            StockEvent::Reserved(event) => vec![event.article.clone()],
            StockEvent::Released(event) => vec![event.article.clone()],
        }
    }
    fn apply(&self, _: &String, left: Option<i64>, event: &Recorded<StockEvent>) -> Option<i64> {
        let left = left.unwrap_or(0);
        match &event.event {
            StockEvent::Restocked(event) => Some(left + i64::from(event.pieces)),
            StockEvent::Reserved(event) => Some(left - i64::from(event.pieces)),
            StockEvent::Released(event) => Some(left + i64::from(event.pieces)),
        }
    }
}

/// What came in and went back, by the day it was recorded: `V` is its shape. Version 1 knows only a sum; version 2
/// counts payments and refunds apart, and is built beside version 1 while orders flow.
#[derive(Clone, Copy, Debug)]
pub struct Takings<const V: u32>;

/// A day of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Cents received less cents given back.
    pub cents: i64,
    /// Payments; since version 2.
    #[serde(default)]
    pub payments: u64,
    /// Refunds; since version 2.
    #[serde(default)]
    pub refunds: u64,
}

impl<const V: u32> Projection for Takings<V> {
    type Event = OrderEvent;
    type Key = i64;
    type Document = Day;
    const NAME: &'static str = "takings";
    const VERSION: u32 = V;
    fn keys(&self, event: &Recorded<OrderEvent>) -> Vec<i64> {
        match event.event {
            OrderEvent::Paid(_) | OrderEvent::Refunded(_) => {
                vec![event.recorded_at.as_micros() / 86_400_000_000]
            }
            _ => Vec::new(),
        }
    }
    fn apply(&self, _: &i64, day: Option<Day>, event: &Recorded<OrderEvent>) -> Option<Day> {
        let mut day = day.unwrap_or_default();
        match &event.event {
            OrderEvent::Paid(paid) => {
                day.cents += paid.cents.cast_signed();
                day.payments += u64::from(1 < V);
            }
            OrderEvent::Refunded(refunded) => {
                day.cents -= refunded.cents.cast_signed();
                day.refunds += u64::from(1 < V);
            }
            _ => {}
        }
        Some(day)
    }
}
