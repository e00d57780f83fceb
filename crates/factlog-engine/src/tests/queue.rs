//! The inbox: first come first served when it is full, and a caller that gives up does not stop the line.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use factlog_core::{Append, EventStore, ReadOptions};

use super::{close, event, open, read, small};
use crate::Settings;

#[test]
fn appends_enter_in_the_order_of_their_first_poll_even_when_the_queue_is_full() {
    // An import relies on it: with a window of appends in flight the log has the order of the file.
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { queue_appends: 3, ..small() });
    let mut cx = Context::from_waker(Waker::noop());
    let mut waiting: Vec<_> = (1..=300).map(|n| engine.append(Append::new([event(n)]))).collect();
    for future in &mut waiting {
        let _ = future.as_mut().poll(&mut cx);
    }
    // Every seventh caller goes away; it is no matter whether its append is recorded.
    let mut at = 0;
    waiting.retain(|_| {
        at += 1;
        at % 7 != 0
    });
    for future in waiting {
        pollster::block_on(future).expect("append");
    }
    close(&engine);
    let engine = open(dir.path(), small());
    let (events, _) = read(&engine, ReadOptions::default());
    let ids: Vec<_> = events.iter().map(|recorded| recorded.event.id).collect();
    assert!(ids.is_sorted(), "the order of the log is the order of first polls");
    let kept = (1..=300).filter(|n| n % 7 != 0).map(|n| event(n).id);
    assert!(kept.into_iter().all(|id| ids.contains(&id)), "nobody who stayed was left out");
}

#[test]
fn an_append_larger_than_the_queue_enters_when_it_is_empty() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), Settings { queue_bytes: 1, group_bytes: 1, ..small() });
    for n in 1..=5 {
        pollster::block_on(engine.append(Append::new([event(n)]))).expect("append");
    }
    let mut append = pin!(engine.append(Append::new([event(6)])));
    let mut cx = Context::from_waker(Waker::noop());
    while append.as_mut().poll(&mut cx).is_pending() {
        std::thread::yield_now();
    }
}
