//! Looking up in windows: what lies far apart is found in both directions, by readers and by conditions alike.

use factlog_core::{
    Append, AppendCondition, Event, EventStore, EventType, FailedCondition, Position, Query, QueryItem,
    ReadOptions, Tags,
};

use super::{open, small};

#[test]
fn rare_events_are_found_over_long_distances() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let plain = || Event::new(EventType::new("tick").expect("type"), "");
    let rare = || plain().tagged(Tags::new(["rare"]).expect("tags"));
    let mut expected = Vec::new();
    for _ in 0..3 {
        let events = std::iter::once(rare()).chain((0..70_000).map(|_| plain()));
        let appended = pollster::block_on(engine.append(Append::new(events))).expect("append");
        expected.push(appended.first);
    }
    let query = Query::any_of([QueryItem::tagged(Tags::new(["rare"]).expect("tags"))]).expect("query");
    let positions = |options: ReadOptions| {
        let read = pollster::block_on(engine.read(query.clone(), options).collect()).expect("read");
        read.events.iter().map(|event| event.position).collect::<Vec<_>>()
    };
    assert_eq!(positions(ReadOptions::default()), expected);
    expected.reverse();
    assert_eq!(positions(ReadOptions::default().backwards()), expected);

    let conflict = |after: Option<Position>| {
        let append = Append::new([plain()]).when(AppendCondition::none_match(query.clone(), after));
        match pollster::block_on(engine.append(append)) {
            Ok(_) => None,
            Err(error) => error.conflict().cloned().map(|conflict| conflict.failed),
        }
    };
    let newest = FailedCondition::NoneMatch { index: 0, position: expected[0] };
    for after in [None, Some(Position::FIRST), Some(expected[1]), expected[0].previous()] {
        assert_eq!(conflict(after), Some(vec![newest.clone()]), "after {after:?}");
    }
    assert_eq!(conflict(Some(expected[0])), None);
}
