//! `factlog processes`: what the log tells while the program is stopped, and what it does when it starts again.

use std::sync::atomic::Ordering;

use factlog::process::Inspect;
use factlog_core::{EventStore as _, EventStoreExt as _, Query, ReadOptions, StreamId};
use serde_json::{Value, json};

use super::program::{Program, Thanks};
use crate::harness::Home;

/// Accounts 1 and 2 deposited; the process was ill with account 1.
async fn ill() -> (Home, Vec<Value>) {
    let program = Program::start();
    let thanks = Thanks::default();
    thanks.0.store(true, Ordering::Relaxed);
    program.deposit(&[(1, 5), (2, 6), (1, 7)]).await;
    program.app.process(thanks).run_until_idle().await.expect("it runs");
    let own = Inspect::new(program.app.store().clone(), "thanks").expect("a name");
    let own = own.instances().await.expect("read").iter().map(|instance| json!(instance)).collect();
    (program.stop().await, own)
}

/// How often an account was thanked.
async fn thanked(program: &Program, account: u64) -> usize {
    let tag = format!("account:{account}");
    let mut events = program.app.store().read(Query::All, ReadOptions::default());
    let mut count = 0;
    while let Some(event) = events.next().await {
        let event = event.expect("read").event;
        let own = event.tags.iter().any(|found| found.as_str() == tag);
        count += usize::from(own && event.event_type.as_str() == "account.thanked");
    }
    count
}

/// Would fail if this fold of the records and the framework's own came apart.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_as_the_framework_reads_it() {
    let (home, own) = ill().await;
    let listed = home.json(&["processes", "list", "thanks"]);
    assert_eq!(listed["instances"], json!(own));
    assert_eq!(own.len(), 2);
    let all = home.json(&["processes", "list"]);
    assert_eq!(
        all["processes"],
        json!([{ "process": "thanks", "version": 1, "open": 2, "timers": 1, "commands": 0, "quarantined": 1 }])
    );
    let mut shown = home.json(&["processes", "show", "thanks", "2"]);
    let members = shown.as_object_mut().expect("an object");
    assert_eq!(members.remove("stream"), Some(json!("$process-thanks:2")));
    assert_eq!(members.remove("process"), Some(json!("thanks")));
    assert_eq!(shown, own[1]);
    let mut table =
        home.ok(&["processes", "list"]) + "\n" + &home.ok(&["processes", "list", "thanks"]) + "\n";
    table.push_str(&home.ok(&["processes", "show", "thanks", "1"]));
    let due = own[1]["timers"][0]["due"].as_str().expect("a time");
    // A time is as long as its fraction needs, and its column with it.
    let table = table.replace(due, "DUE");
    let columns = |line: &str| {
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        cells.collect::<Vec<_>>().join("  ")
    };
    let lines: Vec<_> = table.lines().map(columns).collect();
    insta::assert_snapshot!("processes", lines.join("\n"));
}

/// Would fail if the record were not what the process reads, or were read as a second start of the instance.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_takes_effect_when_the_program_starts_again() {
    let (home, _) = ill().await;
    let retried = home.json(&["processes", "retry", "thanks", "1", "--reason", "it is well again"]);
    assert_eq!(retried["recorded"], "$process.retried");
    let again = home.run(&["processes", "retry", "thanks", "1", "--reason", "twice", "--json"]);
    assert_eq!(again.code, 4, "{again:?}");
    assert_eq!(again.error()["what"], "instance 1 does not stand still");

    let program = Program::over(home);
    assert_eq!(thanked(&program, 1).await, 0);
    let status = program.app.process(Thanks::default()).run_until_idle().await.expect("it runs");
    assert_eq!((status.quarantined, thanked(&program, 1).await, thanked(&program, 2).await), (0, 2, 1));
    program.stop().await;
}

/// Would fail if a cancelled instance went on, or its compensations ran in silence, twice or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_takes_effect_when_the_program_starts_again() {
    let (home, _) = ill().await;
    let cancelled = home.json(&["processes", "cancel", "thanks", "2", "--reason", "a test account"]);
    assert_eq!((&cancelled["recorded"], &cancelled["commands"]), (&json!("$process.cancelled"), &json!(1)));
    let abandoned =
        home.json(&["processes", "cancel", "thanks", "1", "--reason", "a test account", "--abandon"]);
    assert_eq!(abandoned["commands"], 0);
    let again = home.run(&["processes", "cancel", "thanks", "1", "--reason", "twice"]);
    assert_eq!(again.code, 4, "{again:?}");
    insta::assert_snapshot!("ended_already", again.err);
    assert_eq!(home.json(&["processes", "show", "thanks", "1"])["phase"], "cancelled");

    let program = Program::over(home);
    program.deposit(&[(2, 8)]).await;
    let status = program.app.process(Thanks::default()).run_until_idle().await.expect("it runs");
    assert_eq!((status.open, status.timers, status.commands), (0, 0, 0));
    assert_eq!((thanked(&program, 1_002).await, thanked(&program, 1_001).await), (1, 0), "compensations");
    assert_eq!(
        (thanked(&program, 2).await, thanked(&program, 1).await),
        (1, 0),
        "later inputs are passed over"
    );
    let home = program.stop().await;
    assert_eq!(home.json(&["processes", "list", "thanks"])["instances"], json!([]));
}

/// Would fail if a running program were waited for without end, or nobody said what to do.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_is_said_with_what_to_do() {
    let (home, _) = ill().await;
    let mut said = String::new();
    for (arguments, code) in [
        (&["processes", "list", "nobody"][..], 3),
        (&["processes", "show", "nobody", "1"], 3),
        (&["processes", "show", "thanks", "9"], 3),
        (&["processes", "cancel", "thanks", "1"], 2),
    ] {
        let ran = home.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {ran:?}");
        said.push_str(&format!("━━ factlog {}\n{}\n", arguments.join(" "), ran.err));
    }
    insta::assert_snapshot!("process_errors", said);
    let program = Program::over(home);
    let ran = program.cli(&["processes", "list", "--json"]).await;
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(
        ran.error()["what_to_do"].as_str().is_some_and(|what| what.contains("stop the program")),
        "{ran:?}"
    );
    let own = program.app.store().read_stream(StreamId::new("$process-thanks:1").expect("a stream")).await;
    assert_eq!(own.expect("read").events.len(), 2, "nothing was written");
    program.stop().await;
}
