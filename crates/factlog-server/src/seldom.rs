//! Deliveries without the flood of news that there is no news: every commit moves the head, and each subscription that waits
//! is told of it, also where the commit brought nothing that matches.
//!
//! * What comes after an event is told at once, and so is the first after a pause.
//! * The last is always told, [`CAUGHT_UP_EVERY`] later at the most.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use factlog_core::{Delivery, Result, Subscription};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Sleep, sleep};

/// How often a caller is told at the most how far the log is while there are no events for it.
pub(crate) const CAUGHT_UP_EVERY: Duration = Duration::from_millis(50);

/// See the module.
pub(crate) struct Seldom {
    deliveries: Subscription,
    /// Runs since the caller was told how far the log is, if no event came after it.
    pause: Option<Pin<Box<Sleep>>>,
    /// What it is to be told after the pause.
    held: Option<Delivery>,
}

impl Seldom {
    pub(crate) fn new(deliveries: Subscription) -> Self {
        Self { deliveries, pause: None, held: None }
    }

    fn pauses(&mut self, context: &mut Context<'_>) -> bool {
        self.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(context).is_pending())
    }

    fn tell(&mut self, caught_up: Delivery) -> Poll<Option<Result<Delivery>>> {
        self.held = None;
        self.pause = Some(Box::pin(sleep(CAUGHT_UP_EVERY)));
        Poll::Ready(Some(Ok(caught_up)))
    }
}

impl Stream for Seldom {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.deliveries.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(caught_up @ Delivery::CaughtUp(_)))) => {
                    if !self.pauses(context) {
                        return self.tell(caught_up);
                    }
                    self.held = Some(caught_up);
                }
                Poll::Ready(other) => {
                    (self.pause, self.held) = (None, None);
                    return Poll::Ready(other);
                }
                Poll::Pending => {
                    let due = self.held.is_some() && !self.pauses(context);
                    let held = self.held.take_if(|_| due);
                    return held.map_or(Poll::Pending, |caught_up| self.tell(caught_up));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use factlog_core::{Append, Event, EventStore as _, EventType, MemoryStore, Query, QueryItem, StartFrom};
    use futures_util::FutureExt as _;

    use super::*;

    /// Would fail if each commit cost each idle subscription a message, if the last head were kept back for ever, or if what
    /// follows an event had to wait.
    #[tokio::test(start_paused = true)]
    async fn heads_are_told_at_times_and_the_last_one_always() {
        let store = MemoryStore::new();
        let append = async |name: &str| {
            let event = Event::new(EventType::new(name).expect("a type"), "x");
            store.append(Append::new([event])).await.expect("it is appended").last
        };
        let wanted = QueryItem::of_types([EventType::new("wanted").expect("a type")]);
        let wanted = Query::any_of([wanted]).expect("a query");
        let mut seldom = Seldom::new(store.subscribe(wanted, StartFrom::Beginning));
        let caught_up = |head| Some(Delivery::CaughtUp(head));
        let now = |seldom: &mut Seldom| Some(seldom.next().now_or_never()?.expect("open").expect("well"));
        assert_eq!(now(&mut seldom), caught_up(None));
        let mut last = append("other").await;
        for _ in 0..9 {
            assert!(now(&mut seldom).is_none(), "it was told just now");
            last = append("other").await;
        }
        let told = seldom.next().await.expect("open").expect("well");
        assert_eq!(Some(told), caught_up(Some(last)), "when the pause is over");
        let last = append("wanted").await;
        assert!(matches!(now(&mut seldom), Some(Delivery::Event(_))));
        assert_eq!(now(&mut seldom), caught_up(Some(last)), "behind an event at once");
        append("other").await;
        assert!(now(&mut seldom).is_none());
        tokio::time::advance(CAUGHT_UP_EVERY).await;
        let last = append("other").await;
        assert_eq!(now(&mut seldom), caught_up(Some(last)), "the first after a pause at once");
    }
}
