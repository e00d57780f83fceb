//! Every value of core comes back from the wire as it was, through bytes.

use std::time::Duration;

use factlog_core::{
    Append, Appended, Conflict, Delivery, Direction, Event, Head, Position, ProjectionInfo, Query,
    ReadOptions, RecordedEvent, StartFrom, Stats, StreamInfo, TypeInfo,
};
use proptest::option;
use proptest::prelude::*;
use prost::Message;

use super::values;
use crate::recorded::as_generated;
use crate::v1;

/// The same message after it was bytes.
fn sent<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).expect("a message")
}

proptest! {
    #[test]
    fn an_append_comes_back(append in values::append()) {
        let back = Append::try_from(sent(&v1::AppendRequest::from(append.clone())));
        prop_assert_eq!(back.expect("valid"), append);
    }

    #[test]
    fn an_answer_comes_back(appended in values::appended()) {
        let back = Appended::try_from(sent(&v1::AppendResponse::from(appended.clone())));
        prop_assert_eq!(back.expect("valid"), appended);
    }

    #[test]
    fn a_conflict_comes_back(conflict in values::conflict()) {
        let back = Conflict::try_from(sent(&v1::Conflict::from(&conflict)));
        prop_assert_eq!(back.expect("valid"), conflict);
    }

    #[test]
    fn an_event_comes_back(event in values::event()) {
        prop_assert_eq!(Event::try_from(sent(&v1::Event::from(event.clone()))).expect("valid"), event);
    }

    #[test]
    fn a_recorded_event_and_a_mark_come_back(
        event in values::recorded(),
        head in option::of(values::position()),
    ) {
        let back = RecordedEvent::try_from(sent(&v1::RecordedEvent::from(event.clone())));
        prop_assert_eq!(back.expect("valid"), event.clone());
        // Would fail if other programs, whose code is generated, read something else.
        let (ours, theirs) = (v1::RecordedEvent::from(event.clone()), as_generated(event.clone()));
        prop_assert_eq!(ours.encode_to_vec(), theirs.encode_to_vec());
        prop_assert_eq!(ours.encoded_len(), theirs.encoded_len());
        for delivery in [Delivery::Event(event), Delivery::CaughtUp(head)] {
            let back = Delivery::try_from(sent(&v1::Delivery::from(delivery.clone())));
            prop_assert_eq!(back.expect("valid"), delivery);
        }
        let back = Option::<Position>::try_from(sent(&v1::SnapshotHead::from(head)));
        prop_assert_eq!(back.expect("valid"), head);
    }

    #[test]
    fn a_read_and_a_subscription_come_back(
        query in values::query(),
        after in option::of(values::position()),
        until in option::of(values::position()),
        from_revision in option::of(values::revision()),
        backwards in any::<bool>(),
        limit in option::of(any::<u64>()),
    ) {
        let direction = if backwards { Direction::Backwards } else { Direction::Forwards };
        let read = (query.clone(), ReadOptions { after, until, from_revision, direction, limit });
        let back = <(Query, ReadOptions)>::try_from(sent(&v1::ReadRequest::from(read.clone())));
        prop_assert_eq!(back.expect("valid"), read);
        for from in [StartFrom::from(after), StartFrom::End] {
            let follow = (query.clone(), from);
            let back = <(Query, StartFrom)>::try_from(sent(&v1::SubscribeRequest::from(follow.clone())));
            prop_assert_eq!(back.expect("valid"), follow);
        }
    }

    #[test]
    fn lists_and_numbers_come_back(
        stream in values::stream(),
        event_type in values::event_type(),
        last_revision in values::revision(),
        places in (values::position(), values::position()),
        numbers in any::<[u64; 5]>(),
        store in option::of(any::<[u8; 16]>()),
        head in (option::of(values::position()), option::of(values::time())),
    ) {
        let head = Head { position: head.0, recorded_at: head.1 };
        prop_assert_eq!(Head::try_from(sent(&v1::Head::from(head))).expect("valid"), head);
        let [events, streams, types, tags, bytes_on_disk] = numbers;
        let store = store.map(uuid::Uuid::from_bytes);
        let stats = Stats { events, streams, types, tags, head, bytes_on_disk, store };
        prop_assert_eq!(Stats::try_from(sent(&v1::Stats::from(stats))).expect("valid"), stats);
        let (first_position, last_position) = places;
        let info = StreamInfo { stream, events, last_revision, first_position, last_position };
        prop_assert_eq!(StreamInfo::try_from(sent(&v1::StreamInfo::from(info.clone()))).expect("valid"), info);
        let info = TypeInfo { event_type, events };
        prop_assert_eq!(TypeInfo::try_from(sent(&v1::TypeInfo::from(info.clone()))).expect("valid"), info);
    }
    #[test]
    fn a_projection_comes_back(
        texts in any::<(String, String, Option<String>)>(),
        well in any::<bool>(),
        applied in option::of(values::position()),
        advanced_at in option::of(values::time()),
        numbers in any::<[u64; 3]>(),
    ) {
        let ((name, state, problem), [lag_events, micros, parked]) = (texts, numbers);
        let lag = Duration::from_micros(micros);
        let info = ProjectionInfo { name, state, well, applied, advanced_at, lag_events, lag, parked, problem };
        let back = ProjectionInfo::try_from(sent(&v1::ProjectionInfo::from(info.clone())));
        prop_assert_eq!(back.expect("valid"), info);
    }
}
