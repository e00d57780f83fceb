//! `factlog explain`.

use crate::harness::{bare, run};

/// Would fail if a code changed its meaning without anybody seeing it, or could not be looked up.
#[test]
fn every_code_is_explained() {
    let explain = |line: &[&str]| {
        let ran = run(bare(&[&["explain"], line].concat()), b"");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line:?}");
        ran.out
    };
    let texts = [&[][..], &["F0004"], &["indeterminate"], &["f0003"], &["F0010", "--json"]].map(explain);
    insta::assert_snapshot!("explain", texts.join("━━\n"));
    let page = include_str!("../../../../docs/errors.md");
    for line in page.lines().filter_map(|line| line.strip_prefix("## ")) {
        let code = line.split(' ').next().expect("a word");
        assert!(explain(&[code]).starts_with(&format!("{line}\n")), "{line}");
    }
}

#[test]
fn an_unknown_code_is_not_found_and_the_nearest_is_suggested() {
    for (code, near) in [("F0019", "F0009"), ("F04", "F0004"), ("conflit", "CONFLICT"), ("E0004", "F0004")] {
        let ran = run(bare(&["explain", code, "--json"]), b"");
        assert_eq!((ran.code, ran.out.as_str()), (3, ""));
        let advice = ran.error()["what_to_do"].as_str().expect("advice").to_owned();
        assert!(advice.starts_with(&format!("is {near} meant?")), "{code}: {advice}");
    }
    let ran = run(bare(&["explain", "something"]), b"");
    assert_eq!(ran.code, 3);
    assert!(!ran.err.contains("meant"), "{}", ran.err);
}
