//! `bank serve`, and the lines of `README.md` about it as they stand.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::Bank;

/// The server of a bank, killed with whatever the test came to.
struct Served {
    child: Child,
    /// What it says of itself.
    said: Value,
}

impl Served {
    fn start(bank: &Bank, line: &str) -> Self {
        let mut command = bank.command(&format!("{line} --listen 127.0.0.1:0 --json"));
        command.current_dir(bank.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        if output.read_line(&mut line).unwrap() == 0 {
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("it ended: {why}");
        }
        child.stdout = Some(output.into_inner());
        Self { child, said: serde_json::from_str(&line).unwrap() }
    }

    fn url(&self) -> &str {
        self.said["http"].as_str().unwrap()
    }

    /// Told to terminate, it ends in order.
    fn stop(mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs these lines in the directory of the bank; what they say, or how they failed.
fn sh(bank: &Bank, script: &str) -> Result<String, String> {
    let output = Command::new("sh").args(["-ec", script]).current_dir(bank.path()).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if output.status.success() { Ok(out) } else { Err(format!("{out}{err}")) }
}

/// The block of the page with `bank serve`, and the one after it.
fn page() -> (String, String) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned());
    let mut blocks = blocks.skip_while(|block| !block.starts_with("bank serve"));
    (blocks.next().expect("the line that serves"), blocks.next().expect("the lines that call"))
}

/// Would fail if a newcomer who types what the page says got something else than the page says.
#[test]
fn the_lines_of_the_page_open_deposit_and_see_it() {
    let bank = Bank::new();
    fs::create_dir(bank.path().join("target")).unwrap();
    let (serve, calls) = page();
    let served = Served::start(&bank, serve.trim().strip_prefix("bank ").unwrap());
    assert_eq!(served.said["key"], Value::Null, "it is in the file");
    let calls = calls.replace("http://127.0.0.1:4271", served.url());
    assert!(calls.contains(served.url()), "{calls}");
    let told = sh(&bank, &calls).unwrap();
    assert!(told.contains(r#""deduplicated":false"#) && told.contains(r#""balance":"50.00""#), "{told}");
    let again = sh(&bank, &calls.replace("overdraft_limit", "overdraft")).unwrap_err();
    assert!(again.contains("400"), "{again}");
    served.stop();
    assert_eq!(bank.json("balance ada")["balance"], json!("50.00"));
    let mode =
        std::os::unix::fs::MetadataExt::mode(&fs::metadata(bank.path().join("target/bank.key")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

/// Would fail if what the bank refuses could not be acted on by a program, or a restart forgot the keys.
#[test]
fn the_bank_is_called_as_its_rules_allow() {
    let bank = Bank::new();
    let served = Served::start(&bank, "serve");
    let key = served.said["key"].as_str().expect("shown once").to_owned();
    let call = |served: &Served, headers: &str, body: &str, path: &str| {
        let body = if body.is_empty() { String::new() } else { format!("--json '{body}'") };
        let line = format!("curl -s {headers} {body} '{}{path}'", served.url());
        let text = sh(&bank, &line).unwrap();
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let shown = format!("-H 'authorization: Bearer {key}'");
    let command = |served: &Served, name: &str, body: Value| {
        call(served, &shown, &body.to_string(), &format!("/app/bank/{name}"))
    };
    for (name, body) in [
        ("open", json!({ "account": "1", "on": "1994-04-05" })),
        ("open", json!({ "account": "2", "on": "1994-04-05" })),
        ("deposit", json!({ "account": "1", "amount": "20.00", "on": "1994-04-06" })),
        ("withdraw", json!({ "account": "1", "amount": "5.00", "on": "1994-04-07" })),
        ("transfer", json!({ "from": "1", "to": "2", "amount": "10.50", "on": "1994-05-01" })),
    ] {
        assert_eq!(command(&served, name, body.clone())["deduplicated"], json!(false), "{name} {body}");
    }
    let refused = command(&served, "withdraw", json!({ "account": "1", "amount": "5.00" }));
    assert_eq!((&refused["status"], &refused["code"]), (&json!(422), &json!("F0015")), "{refused}");
    assert_eq!(refused["rule"], "insufficient-funds");
    let refused = command(&served, "deposit", json!({ "account": "1", "amount": "ten" }));
    assert_eq!((&refused["status"], &refused["field"]), (&json!(400), &json!("amount")), "{refused}");
    assert_eq!(call(&served, "", "", "/app/bank/balance?account=1")["status"], 401);
    let seen = format!("{shown} -H 'Factlog-Position: 6'");
    let statement = call(&served, &seen, "", "/app/bank/statement?account=1&month=1994-04");
    assert_eq!(
        (&statement["after"], &statement["lines"][1]["change"]),
        (&json!("15.00"), &json!("20.00")),
        "{statement}"
    );
    assert_eq!(call(&served, &seen, "", "/app/bank/balance?account=9")["status"], 404);
    assert_eq!(call(&served, &seen, "", "/app/bank/statement?account=1&month=may")["status"], 400);
    let health = call(&served, &shown, "", "/health/projections");
    assert_eq!(health["projections"].as_array().map(Vec::len), Some(2), "{health}");
    served.stop();
    let served = Served::start(&bank, "serve");
    assert_eq!(served.said["key"], Value::Null, "there is one already");
    assert_eq!(call(&served, &seen, "", "/app/bank/balance?account=2")["balance"], "10.50");
    served.stop();
}
