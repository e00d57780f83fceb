//! `factlog doctor`: what people read, what scripts get, and how it ends.

use serde_json::Value;

use crate::harness::{Home, bare, events, run};

fn finding<'a>(checkup: &'a Value, check: &str) -> &'a Value {
    let findings = checkup["findings"].as_array().expect("an array");
    findings.iter().find(|finding| finding["check"] == check).unwrap_or(&Value::Null)
}

/// Every number, time and id as `#`, and every unit of a size or time as `[unit]`: they differ from run to run.
fn redacted(line: &str) -> String {
    let bare = |word: &str| word.trim_matches(|c: char| "(),;:".contains(c)).to_owned();
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) || word.len() == 36;
    let units = ["µs", "ms", "s", "B", "KiB", "MiB", "GiB", "TiB"];
    let mut after_number = false;
    let words = line.split(' ').map(|word| {
        let core = bare(word);
        let unit = after_number && units.contains(&core.as_str());
        after_number = !core.is_empty() && is_number(&core);
        match (after_number, unit) {
            (true, _) => word.replace(&core, "#"),
            (_, true) => word.replacen(&core, "[unit]", 1),
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Would fail if what people read lost its order, its advice or its sum.
#[test]
fn people_read_a_line_for_each_check_and_a_sum() {
    let home = Home::with_accounts();
    std::fs::remove_file(home.store().join("MANIFEST.0")).expect("it is there");
    let ran = home.run(&["doctor"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    // What depends on the machine is checked by its form elsewhere.
    let of_the_machine = ["file system", "space", "files", "sync", "direct io", "open files", "memory"];
    let store = home.store().display().to_string();
    let mut shown = Vec::new();
    let mut skipping = false;
    let (lines, sum) = ran.out.split_once("\n\n").expect("a sum below the lines");
    assert!(sum.contains(" fine, ") && sum.ends_with(" not looked at\n"), "{sum}");
    for line in lines.lines() {
        let check = line.get(9..21).unwrap_or_default().trim();
        skipping = of_the_machine.contains(&check) || (skipping && check.is_empty());
        if !skipping {
            shown.push(redacted(&line.replace(&store, "[store]")));
        }
    }
    insta::assert_snapshot!(shown.join("\n"));
}

/// Would fail if a script could not rely on the names, or an open or missing store were no subject for a doctor.
#[test]
fn programs_get_levels_and_figures() {
    let home = Home::new();
    assert_eq!(home.run_with(&["import", "-"], events(2_000)).code, 0);
    let checkup = home.json(&["doctor"]);
    assert_eq!(finding(&checkup, "opening")["figures"]["tail_events"], 2_000);
    assert!(finding(&checkup, "sync")["figures"]["durable_p50_ns"].as_u64().is_some_and(|nanos| 0 < nanos));
    assert!(["fine", "warning"].contains(&checkup["worst"].as_str().expect("a level")), "{checkup}");
    assert_eq!(home.json(&["stats"])["events"], 2_000, "nobody was locked out, nothing lost");

    let nowhere = run(bare(&["doctor", "--json", "--data", &home.path("new").display().to_string()]), b"");
    assert_eq!(nowhere.code, 0, "{nowhere:?}");
    assert!(
        finding(&nowhere.json(), "store")["found"].as_str().is_some_and(|found| found.contains("none yet"))
    );
}

/// Would fail if a sick store passed in a script.
#[test]
fn a_problem_ends_with_one_and_damage_with_seven() {
    let home = Home::new();
    let letter = home.write("letter.txt", "dear");
    let ran = run(bare(&["doctor", "--data", &letter]), b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("no directory"), "{ran:?}");

    let home = Home::with_accounts();
    let wal = home.store().join("wal").join("00000001");
    std::fs::remove_file(wal).expect("it is there");
    let ran = home.run(&["doctor", "--json"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    assert_eq!(finding(&ran.json(), "damage")["level"], "problem");
    assert_eq!(ran.error()["code"], "F0007");
}
