//! `factlog parked`: from a key that stands still to one that goes on.

use std::sync::atomic::Ordering;

use factlog::projection::Switch;
use factlog_core::{EventStoreExt as _, StreamId};
use serde_json::{Value, json};

use super::program::Program;
use super::projections::varying;

/// What was recorded of acts, once there is one of this type.
async fn acts(program: &Program, kind: &str) -> Value {
    let stream = StreamId::new("$parked-amounts").expect("a stream");
    for _ in 0..100 {
        let events = program.app.store().read_stream(stream.clone()).await.expect("read").events;
        if let Some(found) = events.iter().find(|event| event.event.event_type.as_str() == kind) {
            return serde_json::from_slice(&found.event.data).expect("JSON");
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no {kind} was recorded");
}

/// Would fail if a key were lost on the way, or told to go on while it stands still.
#[tokio::test(flavor = "multi_thread")]
async fn a_parked_key_is_shown_edited_and_goes_on() {
    let program = Program::start();
    program.poison.store(13, Ordering::Relaxed);
    program.deposit(&[(1, 5), (2, 13), (1, 6), (2, 7)]).await;
    let model = program.project(Switch::WhenBuilt);
    program.caught_up(&model).await;
    let listed = program.until(&["parked", "list"], |listed| listed["parked"][0]["waiting"] == 2).await;
    assert_eq!(listed["parked"].as_array().map(Vec::len), Some(1));
    let shown = program.json(&["parked", "show", "amounts", "account-2"]).await;
    assert_eq!(shown["event"]["data"], r#"{"account":2,"amount":13}"#, "{shown}");
    assert_eq!(shown["waiting_positions"], json!([2, 4]));

    let retried = program.cli(&["parked", "retry", "amounts", "account-2", "--json"]).await;
    assert_eq!(retried.code, 1, "{retried:?}");
    assert_eq!(retried.error()["what"], r#"key "account-2" was tried again, and failed again"#);

    let wrong = program.cli(&["parked", "edit", "amounts", "account-2", r#"{"account":2}"#, "--json"]).await;
    assert_eq!(wrong.code, 1, "data that does not fit would stop the read model: {wrong:?}");
    let data = r#"{"account":2,"amount":14}"#;
    let edited = program.json(&["parked", "edit", "amounts", r#""account-2""#, data]).await;
    assert_eq!((&edited["goes_on"], &edited["is"]), (&json!(true), &json!(data)), "{edited}");
    assert_eq!(edited["was"], r#"{"account":2,"amount":13}"#);
    assert_eq!(model.get(&"account-2".to_owned()).await.expect("read"), Some(vec![14, 7]));
    let gone = program.cli(&["parked", "retry", "amounts", "account-2"]).await;
    assert_eq!(gone.code, 3, "{gone:?}");
    insta::assert_snapshot!("not_parked", gone.err);
    assert_eq!(acts(&program, "$projection.edited").await["data"], data);
    model.stop().await.expect("it stops");
}

/// Would fail if a skip were not recorded with its reason, took more than one event, or a cure did not help.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_passes_over_an_event_with_a_reason_that_is_recorded() {
    let program = Program::start();
    program.poison.store(13, Ordering::Relaxed);
    program.deposit(&[(1, 13), (1, 6), (1, 13), (1, 7)]).await;
    let model = program.project(Switch::WhenBuilt);
    program.caught_up(&model).await;
    program.until(&["parked", "list", "amounts"], |listed| listed["parked"][0]["waiting"] == 4).await;
    let skip = ["parked", "skip", "amounts", "account-1", "--reason", "typed twice"];
    let ran = program.cli(&skip).await;
    assert_eq!(ran.code, 1, "the next poison holds it up: {ran:?}");
    insta::assert_snapshot!("stands_still_again", ran.err);
    let act = acts(&program, "$projection.skipped").await;
    assert_eq!((&act["reason"], &act["position"]), (&json!("typed twice"), &json!(1)));

    program.poison.store(0, Ordering::Relaxed);
    let ran = program.cli(&["parked", "retry", "amounts", "account-1"]).await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "key \"account-1\" of amounts goes on at position 3\n"),
        "{ran:?}"
    );
    assert_eq!(model.get(&"account-1".to_owned()).await.expect("read"), Some(vec![6, 13, 7]));
    model.stop().await.expect("it stops");
}

/// Would fail if an event could be looked at only while the program runs, or only while it does not.
#[tokio::test(flavor = "multi_thread")]
async fn the_failing_event_is_shown_by_the_program_and_by_the_store_it_left() {
    let program = Program::start();
    program.poison.store(13, Ordering::Relaxed);
    program.deposit(&[(1, 5), (2, 13)]).await;
    let model = program.project(Switch::WhenBuilt);
    program.caught_up(&model).await;
    program.until(&["projections", "show", "amounts"], |shown| shown["head"] == 2).await;
    let show = ["parked", "show", "amounts", "account-2"];
    let running = program.json(&show).await;
    model.stop().await.expect("it stops");
    drop(model);
    let home = program.stop().await;
    let read_model = home.path("read.sqlite").display().to_string();
    let stopped = home.json(&[&show[..], &["--read-model", &read_model]].concat());
    assert_eq!(running["event"], stopped["event"]);
    insta::assert_json_snapshot!("parked_key", varying(stopped));
    let mut table = home.ok(&["parked", "list", "--read-model", &read_model]);
    for n in 0..10 {
        table = table.replace(&format!("in {n} s"), " now");
    }
    insta::assert_snapshot!("parked_keys", table.replace("1  never", "1    now"));
}
