//! A tag that was forgotten on an event, or misspelt in a view: said at the first use, with what to write.

use factlog::{
    App, ErrorKind, Event, EventSet, MemoryStore, Result, Split, Tags, Upcast, View, given_nothing,
    sees_every_event, tags,
};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use crate::bank::Account;
use crate::traps::caught;

macro_rules! events {
    ($($name:ident = $text:literal $(($($attribute:tt)+))?),+ $(,)?) => {
        $(
            #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[event(name = $text $(, $($attribute)+)?)]
            struct $name { account: u64 }
        )+
    };
}

events! {
    Opened = "a.opened",
    Closed = "a.closed" (tags(account)),
    MovedV1 = "a.moved" (tags(account)),
    Moved = "a.moved" (version = 2, upcast(MovedV1)),
    Summed = "a.summed" (tags(account)),
    Counted = "a.counted" (split_from(Sums)),
}

#[derive(EventSet, Clone, Debug, PartialEq)]
enum Both {
    Opened(Opened),
    Closed(Closed),
}

impl Upcast<MovedV1> for Moved {
    fn upcast(MovedV1 { account }: MovedV1) -> Self {
        Self { account }
    }
}

struct Sums;
impl Split for Sums {
    type Old = Summed;
    type Into = Counted;
    fn split(Summed { account }: Summed) -> Vec<Counted> {
        vec![Counted { account }]
    }
}

macro_rules! views {
    ($($name:ident of $event:ident by $key:ident),+ $(,)?) => {
        $(
            #[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
            struct $name(u64);
            impl View for $name {
                type Id = u64;
                type Event = $event;
                const NAME: &'static str = stringify!($name);
                fn tags(account: &u64) -> Result<Tags> {
                    tags![$key = account]
                }
                fn apply(&mut self, _: &$event) {
                    self.0 += 1;
                }
            }
        )+
    };
}

views! {
    Untagged of Opened by account,
    Misspelt of Both by acount,
    Some of Both by account,
    OldTag of Moved by account,
    SplitTag of Counted by account,
}

/// Such a view is empty for ever, and a decision on it has a boundary that nothing ever breaks.
#[test]
fn a_view_that_asks_for_a_tag_that_no_event_has_is_refused_with_what_to_write() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        let error = app.load::<Untagged>(&1).await.expect_err("no event has the tag");
        assert_eq!(error.store_error().map(|error| error.kind()), Option::Some(ErrorKind::Invalid));
        let said = error.to_string();
        assert!(
            said.contains("write `#[event(..., tags(account = field))]`") && said.contains("they have none"),
            "{said}"
        );
        let said = app.load::<Misspelt>(&1).await.expect_err("no event has the tag").to_string();
        assert!(
            said.contains("view Misspelt asks for tags `acount:...`") && said.contains("they have account"),
            "{said}"
        );
        app.load::<Some>(&1).await.expect("one of the events has the tag");
        app.load::<OldTag>(&1).await.expect("what is stored may have the tag");
        app.load::<SplitTag>(&1).await.expect("what it is split from may have the tag");
    });
    caught("a misspelt tag", "view Misspelt asks for tags", || {
        given_nothing().view::<Misspelt>(&1);
    });
}

#[test]
fn the_kit_names_the_events_that_a_view_never_sees() {
    sees_every_event::<Account>(&1);
    caught("a forgotten tag", "a.opened has no tag `account`, so view Some never sees it", || {
        sees_every_event::<Some>(&1);
    });
}
