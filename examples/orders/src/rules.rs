//! What may happen: commands and their rules, on the order and on the stock of its article.

use factlog::{Context, Decide, Events, Result, Tags, View, events, tags};
use serde::{Deserialize, Serialize};

use crate::{
    Cancelled, Delivered, OrderEvent, Paid, Placed, Refunded, Released, Reserved, Restocked, Shipped,
    StockEvent,
};

/// An order as far as rules need it.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// What was ordered: article, pieces, cents.
    pub placed: Option<(String, u32, u64)>,
    /// Pieces put aside for it.
    pub reserved: u32,
    /// Cents received and not refunded.
    pub paid: u64,
    /// Whether the parcel left, and arrived.
    pub shipped: bool,
    /// Whether the parcel arrived.
    pub delivered: bool,
    /// Whether it came to nothing.
    pub cancelled: bool,
}

impl View for Order {
    type Id = u64;
    type Event = OrderEvent;
    const NAME: &'static str = "order";
    fn tags(order: &u64) -> Result<Tags> {
        tags![order = order]
    }
    fn apply(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed(Placed { article, pieces, cents, .. }) => {
                self.placed = Some((article.clone(), *pieces, *cents));
            }
            OrderEvent::Reserved(reserved) => self.reserved += reserved.pieces,
            OrderEvent::Released(released) => self.reserved -= released.pieces,
            OrderEvent::Paid(paid) => self.paid += paid.cents,
            OrderEvent::Refunded(refunded) => self.paid -= refunded.cents,
            OrderEvent::Shipped(_) => self.shipped = true,
            OrderEvent::Cancelled(_) => self.cancelled = true,
            OrderEvent::Delivered(_) => self.delivered = true,
        }
    }
}

/// What is left of an article.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stock(pub u32);

impl View for Stock {
    type Id = String;
    type Event = StockEvent;
    const NAME: &'static str = "stock";
    fn tags(article: &String) -> Result<Tags> {
        tags![article = article]
    }
    fn apply(&mut self, event: &StockEvent) {
        match event {
            StockEvent::Restocked(restocked) => self.0 += restocked.pieces,
            StockEvent::Reserved(reserved) => self.0 -= reserved.pieces,
            StockEvent::Released(released) => self.0 += released.pieces,
        }
    }
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is such an order, or none.
    #[error("order {0} {1}")]
    Order(u64, &'static str),
    /// Not enough is left.
    #[error("only {left} of {article} are left")]
    SoldOut {
        /// Of what.
        article: String,
        /// How many.
        left: u32,
    },
    /// Nothing is sent there.
    #[error("no parcel goes to where order {0} is to go")]
    NoParcel(u64),
}

/// What an order may be told to do, by people and by the process. Each is written down as JSON until it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Put its pieces aside.
    Reserve,
    /// Put them back.
    Release,
    /// Take the customer's money.
    Pay,
    /// Give it back.
    Refund,
    /// Send the parcel.
    Ship,
    /// The parcel arrived.
    Deliver,
    /// Call it off.
    Cancel(String),
}

/// One of these, for one order. The rule knows the order, and the stock of the article where it matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Do {
    /// Which order.
    pub order: u64,
    /// Of what; to know the stock.
    pub article: String,
    /// What.
    pub act: Act,
}

impl Decide for Do {
    type Model = (Order, Option<Stock>);
    type Event = OrderEvent;
    type Error = Refusal;
    fn boundary(&self) -> (u64, Option<String>) {
        // Only who takes from the stock has to race for it.
        (self.order, (self.act == Act::Reserve).then(|| self.article.clone()))
    }
    fn decide(
        &self,
        (order, stock): &(Order, Option<Stock>),
        _: &Context,
    ) -> Result<Events<OrderEvent>, Refusal> {
        let (number, Some((article, pieces, cents))) = (self.order, order.placed.clone()) else {
            return Err(Refusal::Order(self.order, "was never placed"));
        };
        let over = order.cancelled || order.delivered;
        match &self.act {
            Act::Reserve | Act::Pay | Act::Ship | Act::Deliver if over => {
                Err(Refusal::Order(number, "is over"))
            }
            Act::Reserve if 0 < order.reserved => Ok(events![]),
            Act::Reserve => match stock.as_ref().map_or(0, |stock| stock.0) {
                left if left < pieces => Err(Refusal::SoldOut { article, left }),
                _ => Ok(events![Reserved { order: number, article, pieces }]),
            },
            Act::Release if order.reserved == 0 || order.shipped => Ok(events![]),
            Act::Release => Ok(events![Released { order: number, article, pieces: order.reserved }]),
            Act::Pay if order.reserved == 0 => Err(Refusal::Order(number, "has nothing put aside yet")),
            Act::Pay if 0 < order.paid => Ok(events![]),
            Act::Pay => Ok(events![Paid { order: number, cents }]),
            Act::Refund if order.paid == 0 => Ok(events![]),
            Act::Refund => Ok(events![Refunded { order: number, cents: order.paid }]),
            // An article that nobody can send: a stand-in for what the world refuses.
            Act::Ship if article == "piano" => Err(Refusal::NoParcel(number)),
            Act::Ship if order.reserved < pieces => {
                Err(Refusal::Order(number, "has nothing put aside any more"))
            }
            Act::Ship if order.paid < cents => Err(Refusal::Order(number, "is not paid")),
            Act::Ship => Ok(events![Shipped { order: number }]),
            Act::Deliver if !order.shipped => Err(Refusal::Order(number, "is not on its way")),
            Act::Deliver => Ok(events![Delivered { order: number }]),
            Act::Cancel(_) if order.shipped => Err(Refusal::Order(number, "is on its way")),
            Act::Cancel(_) if over => Ok(events![]),
            Act::Cancel(reason) => Ok(events![Cancelled { order: number, reason: reason.clone() }]),
        }
    }
}

/// Order something.
#[derive(Clone, Debug)]
pub struct Place(pub Placed);

impl Decide for Place {
    type Model = Order;
    type Event = OrderEvent;
    type Error = Refusal;
    fn boundary(&self) -> u64 {
        self.0.order
    }
    fn decide(&self, order: &Order, _: &Context) -> Result<Events<OrderEvent>, Refusal> {
        match order.placed {
            None => Ok(events![self.0.clone()]),
            Some(_) => Err(Refusal::Order(self.0.order, "was placed before")),
        }
    }
}

/// Put pieces on the shelf.
#[derive(Clone, Debug)]
pub struct Restock(pub Restocked);

impl Decide for Restock {
    type Model = ();
    type Event = StockEvent;
    type Error = Refusal;
    fn boundary(&self) {}
    fn decide(&self, (): &(), _: &Context) -> Result<Events<StockEvent>, Refusal> {
        Ok(events![self.0.clone()])
    }
}
