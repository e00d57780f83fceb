//! Each rule of `deny.toml` is broken once, on the file of this very repository.
use super::*;

const DENY: &str = include_str!("../../../deny.toml");
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn package(name: &str, license: &str) -> Package {
    let source = Some(REGISTRY.to_owned());
    let license = Some(license.to_owned());
    Package { name: name.to_owned(), version: "1.0.0".to_owned(), license, source, wildcards: Vec::new() }
}

fn findings(package: Package) -> Vec<String> {
    let findings = check(DENY, &[package]).expect("deny.toml is sound");
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn allowed_licences_pass_in_every_spelling() {
    for license in [
        "MIT",
        "MIT OR Apache-2.0",
        "MIT/Apache-2.0",
        "Unlicense OR MIT",
        "(MIT OR GPL-3.0-only) AND Unicode-3.0",
    ] {
        assert_eq!(findings(package("good", license)), Vec::<String>::new(), "{license}");
    }
}

#[test]
fn other_licences_fail() {
    for license in
        ["GPL-3.0-only", "MIT AND GPL-3.0-only", "Apache-2.0 WITH LLVM-exception", "do what you like"]
    {
        let found = findings(package("bad", license));
        assert_eq!(found.len(), 1, "{license}");
        assert!(found[0].starts_with("deny.toml:1: bad 1.0.0 has the licence"), "{}", found[0]);
    }
}

#[test]
fn a_crate_without_a_licence_fails() {
    let found = findings(Package { license: None, ..package("silent", "MIT") });
    assert_eq!(found, ["deny.toml:1: silent 1.0.0 names no licence: find out, or replace the crate"]);
}

#[test]
fn a_banned_crate_fails_with_its_reason() {
    let found = findings(package("bincode", "MIT"));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("is banned: unmaintained"), "{}", found[0]);
}

#[test]
fn a_crate_from_git_fails() {
    let source = Some("git+https://example.invalid/x".to_owned());
    let found = findings(Package { source, ..package("forked", "MIT") });
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("comes from git+"), "{}", found[0]);
}

#[test]
fn our_own_crates_name_versions() {
    let ours = Package { source: None, wildcards: vec!["bytes".to_owned()], ..package("factlog-x", "MIT") };
    let found = findings(ours);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("any version of bytes"), "{}", found[0]);
}

#[test]
fn a_rule_that_is_not_implemented_here_is_refused() {
    let text = DENY.replace("include-dev = true", "confidence-threshold = 0.9");
    let error = check(&text, &[]).expect_err("must refuse");
    assert!(error.to_string().contains("licenses.confidence-threshold"), "{error}");
    let text = DENY.replace("unknown-git = \"deny\"", "unknown-git = \"allow\"");
    let error = check(&text, &[]).expect_err("must refuse");
    assert!(error.to_string().contains("unknown-git"), "{error}");
}
