//! What is committed is what is made, and keeps the rules that a linter does not know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use yaml_rust2::{Yaml, YamlLoader};

use super::{COMPOSE, DATA, DOCKERFILE, KUBERNETES, LEAVE, Recipe, STOP, SYSTEMD};
use crate::settings::TABLE;

const ALL: [Recipe; 4] = [SYSTEMD, DOCKERFILE, KUBERNETES, COMPOSE];

/// Settings that these files name and the table does not have yet. Take a name away when its setting comes.
const AWAITED: [&str; 0] = [];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_committed_files_are_what_is_made() {
    for recipe in &ALL {
        let path = top().join("deploy").join(recipe.file);
        if std::env::var_os("FACTLOG_UPDATE").is_some() {
            std::fs::write(&path, recipe.text()).expect("write the file");
        }
        let found = std::fs::read_to_string(&path).expect("a committed file");
        assert!(
            found == recipe.text(),
            "deploy/{} is older: run this test with FACTLOG_UPDATE=1",
            recipe.file
        );
    }
}

/// Would fail if a file named a flag or a variable that the server does not know, so that it does not start.
#[test]
fn they_name_settings_that_there_are() {
    let known: BTreeSet<&str> = TABLE.iter().map(|setting| setting.name).collect();
    for name in AWAITED {
        assert!(!known.contains(name), "{name} is a setting now: it is no longer awaited");
    }
    for recipe in &ALL {
        let marks = recipe.template.split("@{").skip(1).filter_map(|mark| mark.split_once('}'));
        let names =
            marks.filter_map(|(mark, _)| mark.strip_prefix("flag ").or(mark.strip_prefix("variable ")));
        let names: BTreeSet<&str> = names.collect();
        assert!(!names.is_empty(), "{}", recipe.file);
        for name in names {
            assert!(known.contains(name) || AWAITED.contains(&name), "{}: {name}", recipe.file);
        }
        let text = recipe.text();
        let bare = text.split(|c: char| c.is_whitespace() || "=\"'".contains(c));
        let flags = bare.filter_map(|word| word.strip_prefix("--"));
        let ours = flags.filter(|flag| known.contains(flag) || AWAITED.contains(flag)).count();
        let marked = recipe.template.matches("@{flag ").count();
        assert_eq!(ours, marked, "{}: a flag is written out and not marked", recipe.file);
    }
}

/// Would fail if an image were built with another compiler than the one that the tests ran with.
#[test]
fn the_image_is_built_with_the_compiler_of_the_repository() {
    let toolchain = std::fs::read_to_string(top().join("rust-toolchain.toml")).expect("a file");
    assert!(toolchain.contains(&format!("channel = \"{}\"", super::filled("rust"))), "{toolchain}");
}

#[test]
fn the_image_runs_without_root_and_stops_in_order() {
    let text = DOCKERFILE.text();
    let joined = text.replace("\\\n", " ");
    let lines: Vec<&str> = joined.lines().filter(|line| !line.starts_with('#')).collect();
    let last = |word: &str| {
        let found = lines.iter().rev().find(|line| line.starts_with(word)).unwrap_or(&"");
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(lines.iter().filter(|line| line.starts_with("FROM ")).count(), 2);
    assert!(
        lines.iter().filter_map(|line| line.strip_prefix("FROM ")).all(|image| !image.contains("latest"))
    );
    assert_eq!(last("USER"), "USER 65532:65532");
    assert_eq!(last("STOPSIGNAL"), "STOPSIGNAL SIGTERM");
    assert_eq!(last("VOLUME"), format!("VOLUME [\"{DATA}\"]"));
    // There is no shell in the image: whatever runs is given as a list.
    for word in ["ENTRYPOINT [", "CMD [", "HEALTHCHECK"] {
        assert!(!last(word).is_empty(), "{word}");
    }
    assert!(last("HEALTHCHECK").ends_with("CMD [\"/usr/bin/factlog\", \"health\"]"));
}

fn documents(recipe: &Recipe) -> Vec<Yaml> {
    YamlLoader::load_from_str(&recipe.text()).expect("YAML")
}

/// Would fail if a pod ran as root, wrote beside its volume, or were killed before it could end what it had begun.
#[test]
fn the_pod_is_confined_and_has_time_to_stop() {
    let documents = documents(&KUBERNETES);
    let kinds: Vec<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
    assert_eq!(kinds, ["Service", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy"]);
    let set = &documents[1]["spec"];
    assert_eq!(set["replicas"].as_i64(), Some(1));
    let pod = &set["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"].as_str(), Some("RuntimeDefault"));
    assert_eq!(pod["automountServiceAccountToken"].as_bool(), Some(false));
    // Variables such as FACTLOG_PORT would be given otherwise.
    assert_eq!(pod["enableServiceLinks"].as_bool(), Some(false));
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"].as_bool(), Some(true));
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"].as_bool(), Some(false));
    assert_eq!(container["securityContext"]["capabilities"]["drop"][0].as_str(), Some("ALL"));
    for (probe, path) in [
        ("startupProbe", "/health/ready"),
        ("readinessProbe", "/health/ready"),
        ("livenessProbe", "/health/live"),
    ] {
        assert_eq!(container[probe]["httpGet"]["path"].as_str(), Some(path));
        assert_eq!(container[probe]["httpGet"]["scheme"].as_str(), Some("HTTPS"));
    }
    let leave = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_i64();
    assert_eq!(leave, i64::try_from(LEAVE.as_secs()).ok());
    let grace = pod["terminationGracePeriodSeconds"].as_i64().and_then(|seconds| u64::try_from(seconds).ok());
    assert!(
        grace.is_some_and(|grace| LEAVE.as_secs() + factlog_server::DRAIN.as_secs() < grace),
        "{grace:?}"
    );
    for volume in pod["volumes"].as_vec().expect("a list") {
        assert!(volume["secret"]["secretName"].as_str().is_some(), "{volume:?}");
    }
    assert_eq!(set["volumeClaimTemplates"].as_vec().map(Vec::len), Some(1));
    for (document, path) in [(2, "selector"), (3, "podSelector")] {
        let label = &documents[document]["spec"][path]["matchLabels"]["app.kubernetes.io/name"];
        assert_eq!(label, &set["template"]["metadata"]["labels"]["app.kubernetes.io/name"]);
        assert_eq!(label.as_str(), Some("factlog"));
    }
}

#[test]
fn the_composed_service_is_confined_and_has_time_to_stop() {
    let documents = documents(&COMPOSE);
    let service = &documents[0]["services"]["factlog"];
    assert_eq!(service["read_only"].as_bool(), Some(true));
    assert_eq!(service["cap_drop"][0].as_str(), Some("ALL"));
    assert_eq!(service["stop_grace_period"].as_str(), Some(format!("{}s", STOP.as_secs()).as_str()));
    assert!(service["ports"][0].as_str().is_some_and(|port| port.starts_with("127.0.0.1:")));
    let named = service["secrets"].as_vec().expect("a list").iter().filter_map(Yaml::as_str);
    let defined = documents[0]["secrets"].as_hash().expect("a table").keys().filter_map(Yaml::as_str);
    assert_eq!(named.collect::<Vec<_>>(), defined.collect::<Vec<_>>());
}

/// Would fail if the manager killed the server before it could end what it had begun, or ran it as somebody who stays.
#[test]
fn the_unit_is_confined_and_has_time_to_stop() {
    let text = SYSTEMD.text();
    let has = |line: &str| text.lines().any(|other| other == line);
    for line in [
        "Type=notify",
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "StateDirectory=factlog",
        "LimitNOFILE=65536",
        "Restart=on-failure",
        "CapabilityBoundingSet=",
        "Environment=FACTLOG_DATA=%S/factlog",
    ] {
        assert!(has(line), "{line}");
    }
    assert!(has(&format!("TimeoutStopSec={}s", STOP.as_secs())));
    let credentials: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("LoadCredential=")?.split(':').next()).collect();
    assert_eq!(credentials, ["tls-cert", "tls-key", "admin-key"]);
    for credential in credentials {
        assert!(text.contains(&format!("=%d/{credential}\n")), "{credential} is loaded and not used");
    }
}

const _: () = assert!(factlog_server::DRAIN.as_secs() < STOP.as_secs());
