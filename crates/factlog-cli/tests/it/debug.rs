//! `factlog debug bundle`: what is in it, and what must never be.

use std::io::Read as _;

use serde_json::Value;

use crate::harness::{Home, run};

const CANARY: &str = "c4n4ry-s3cr3t";

/// The files of an archive by name, and all its bytes.
fn opened(path: &std::path::Path) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).expect("the bundle");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("it unpacks");
    let mut archive = tar::Archive::new(&bytes[..]);
    let file = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.expect("an entry");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        (entry.path().expect("a name").display().to_string(), content)
    };
    let files = archive.entries().expect("entries").map(file).collect();
    (files, bytes)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Would fail if a secret of the environment, of a file or of an event were sent to whoever helps.
#[test]
fn a_bundle_tells_how_the_store_is_and_no_secret() {
    let home = Home::with_accounts();
    let payload = format!("{{\"iban\":\"{CANARY}\"}}");
    let stream = format!("person-{CANARY}");
    home.ok(&[
        "append",
        &stream,
        "--type",
        "person.named",
        "--payload",
        &payload,
        "--tag",
        &format!("name:{CANARY}"),
    ]);
    std::fs::create_dir_all(home.path("config/factlog")).expect("a directory");
    let contexts = format!("[contexts.prod]\nserver = \"factlog://ada:{CANARY}@host:1?key={CANARY}\"\n");
    home.write("config/factlog/contexts.toml", contexts);
    home.write("factlog.toml", format!("key = \"{CANARY}\"\n"));
    let key_file = home.write("key", CANARY);
    let bundle = |arguments: &[&str]| {
        let mut command = home.command(&[&["debug", "bundle", "--json"], arguments].concat());
        command.env("FACTLOG_KEY", CANARY).env("FACTLOG_KEY_FILE", &key_file).env("OTEL_X", CANARY);
        command.env_remove("FACTLOG_DATA").env("FACTLOG_SERVER", format!("factlog://h:1?key={CANARY}"));
        command.arg("--data").arg(home.store());
        run(command, b"")
    };
    let path = home.path("bundle.tar.gz");
    let name = path.display().to_string();
    let ran = bundle(&["--dry-run", "--output", &name]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!path.exists(), "a list is no file");
    let listed: Vec<String> = ran.json()["pieces"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|piece| piece["name"].as_str().expect("a name").to_owned())
        .collect();
    let ran = bundle(&["--output", &name]);
    assert_eq!((ran.code, &ran.json()["output"]), (0, &Value::from(name.as_str())), "{ran:?}");
    let (files, bytes) = opened(&path);
    assert!(!holds(&bytes, CANARY), "{:?}", files.iter().find(|(_, content)| holds(content, CANARY)));
    let names: Vec<_> =
        files.iter().map(|(name, _)| name.trim_start_matches("factlog-debug/").to_owned()).collect();
    assert_eq!(names, listed);
    let piece = |wanted: &str| -> Value {
        let content = &files.iter().find(|(name, _)| name.ends_with(wanted)).expect(wanted).1;
        serde_json::from_slice(content).expect("JSON")
    };
    assert_eq!(piece("stats.json")["events"], 4);
    assert_eq!(piece("verify.json")["clean"], true);
    assert!(
        piece("settings.json")["serve"]["not_told"].is_string(),
        "a file with a key that no setting has may hold a secret"
    );
    assert_eq!(piece("settings.json")["environment"]["FACTLOG_KEY"], "[set, not shown]");
    assert_eq!(
        piece("settings.json")["contexts"]["contexts"]["prod"]["server"],
        "factlog://host:1?[parameters not shown]"
    );
    assert!(piece("doctor.json")["findings"].as_array().is_some_and(|findings| 3 < findings.len()));
    assert!(
        piece("files.json")["files"].as_array().expect("files").iter().any(|file| file["name"] == "STORE")
    );
    let again = bundle(&["--output", &name]);
    assert_eq!(again.code, 1, "a file that is there is kept: {again:?}");
    assert_eq!(opened(&path).1, bytes);
}

/// Would fail if there were no bundle when it is needed most.
#[test]
fn there_is_a_bundle_of_a_damaged_store() {
    let home = Home::with_accounts();
    std::fs::write(home.store().join("STORE"), "gone").expect("it can be damaged");
    let before = std::fs::read(home.store().join("MANIFEST.0")).expect("a manifest");
    let ran = home.run(&["debug", "bundle", "--output", "damaged.tar.gz"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("about.json"), "it lists what it holds: {ran:?}");
    let (files, _) = opened(&home.path("damaged.tar.gz"));
    let stats = &files.iter().find(|(name, _)| name.ends_with("stats.json")).expect("a piece").1;
    assert!(holds(stats, "not_told"), "{}", String::from_utf8_lossy(stats));
    assert_eq!(std::fs::read(home.store().join("MANIFEST.0")).expect("a manifest"), before);
}
