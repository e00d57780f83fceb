//! `factlog bench`: the figures are there, and nothing is left behind or written where nobody asked.

use serde_json::Value;

use crate::harness::{Home, bare, run};

fn figures(arguments: &[&str]) -> Value {
    let ran = run(bare(&[arguments, &["--json"]].concat()), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

#[test]
fn an_append_benchmark_answers_its_figures_beside_the_disk() {
    let report = figures(&["bench", "append", "--events", "200", "--writers", "4", "--size", "100"]);
    for name in [
        "events_per_second",
        "p50_us",
        "p99_us",
        "raw_sync_per_second",
        "raw_sync_before",
        "raw_sync_after",
        "appends_per_raw_sync",
    ] {
        assert!(report[name].as_f64().is_some_and(|figure| 0.0 < figure), "{name} in {report}");
    }
    assert_eq!(
        (&report["events"], &report["writers"], &report["size"]),
        (&200.into(), &4.into(), &100.into())
    );
    let directory = report["directory"].as_str().expect("a directory");
    assert!(!std::path::Path::new(directory).exists(), "{directory} is left behind");
}

/// Would fail if a benchmark wrote to the store of the environment: facts cannot be taken back.
#[test]
fn a_benchmark_writes_only_where_the_command_line_says() {
    let home = Home::with_accounts();
    assert_eq!(home.run(&["bench", "append", "--events", "50", "--batch", "10"]).code, 0);
    assert_eq!(home.json(&["head"])["position"], 3);
    let fresh = home.path("fresh").display().to_string();
    home.ok(&["bench", "append", "--events", "50", "--batch", "10", "--data", &fresh]);
    assert!(50 <= home.json(&["stats", "--data", &fresh])["events"].as_u64().expect("a number"));
}

#[test]
fn a_read_benchmark_fills_an_empty_store_and_leaves_another_as_it_is() {
    let home = Home::with_accounts();
    let filled = figures(&["bench", "read", "--events", "3000"]);
    assert_eq!((&filled["events"], &filled["filled"]), (&3_000.into(), &true.into()));
    assert_eq!(filled["by_stream"]["events"], 3_000);
    let store = home.store().display().to_string();
    let given = figures(&["bench", "read", "--data", &store]);
    assert_eq!((&given["events"], &given["filled"]), (&3.into(), &false.into()));
    assert_eq!(home.json(&["head"])["position"], 3);
}
