//! The whole street under `kill -9`: a process that writes, follows and rebuilds is killed at any moment, many times.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use factlog::engine::Settings;
use factlog::{App, Engine, OnTimeout, Position};

use crate::bank::{Balances, Deposit};

/// The test, which in a child process is what is killed.
const TEST: &str = "kills::a_process_killed_at_any_moment_leaves_each_command_counted_once";
/// Where the child works.
const DIRECTORY: &str = "FACTLOG_TEST_KILLED_IN";
/// Whether the child rebuilds: only some do, because a rebuild mends whatever a kill has spoilt.
const REBUILDS: &str = "FACTLOG_TEST_REBUILDS";
/// How long each child lives, in milliseconds, from hardly open to thousands of events, and whether it rebuilds.
const LIVES: [(u64, bool); 20] = [
    (40, false),
    (150, true),
    (70, true),
    (260, true),
    (20, true),
    (110, true),
    (90, false),
    (300, true),
    (35, true),
    (60, false),
    (190, false),
    (45, false),
    (130, false),
    (80, false),
    (55, false),
    (100, false),
    (65, false),
    (170, false),
    (50, false),
    (120, false),
];
const SOON: Duration = Duration::from_secs(30);
const ACCOUNTS: u64 = 7;

fn open(directory: &Path) -> App {
    App::new(Engine::open(directory.join("log"), Settings::default()).unwrap())
}

fn read_model(directory: &Path) -> PathBuf {
    directory.join("read.sqlite")
}

/// The n-th command: the same under the same key whoever executes it.
fn deposit(n: u64) -> (Deposit, String) {
    (Deposit { account: n % ACCOUNTS, amount: n + 1 }, format!("deposit-{n}"))
}

/// What is killed: it deposits, follows and rebuilds until then.
async fn work_until_killed(directory: &Path) {
    let app = open(directory);
    let model = app.project(Balances).sqlite(read_model(directory)).start().unwrap();
    let rebuilds = std::env::var_os(REBUILDS).is_some();
    tokio::spawn(async move {
        loop {
            if !rebuilds {
                // The read model is held, so that it runs until the end.
                std::future::pending::<()>().await;
            }
            model.rebuild().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let head = Position::number(app.store().head().await.unwrap().position);
    // The last ones once more, as a caller does that was killed before it heard the answer.
    for n in head.saturating_sub(5).. {
        let (command, key) = deposit(n);
        app.execute(command).key(key).await.unwrap();
    }
}

fn start_child(directory: &Path, rebuilds: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", TEST, "--nocapture"]).env(DIRECTORY, directory);
    if rebuilds {
        command.env(REBUILDS, "yes");
    }
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// Traps 10, 11 and 15: wherever the process dies, between command and effect, batch and checkpoint, rebuild and
/// switch, each command counts once and the read model that is left equals a fresh one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_moment_leaves_each_command_counted_once() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return work_until_killed(Path::new(&directory)).await;
    }
    let directory = tempfile::tempdir().unwrap();
    for (life, rebuilds) in LIVES {
        let mut child = start_child(directory.path(), rebuilds);
        std::thread::sleep(Duration::from_millis(life));
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ended, None, "it lives until it is killed");
    }

    let app = open(directory.path());
    let head = app.store().head().await.unwrap().position;
    let mut expected = BTreeMap::new();
    for n in 0..Position::number(head) {
        let (deposit, _) = deposit(n);
        *expected.entry(deposit.account).or_insert(0) += deposit.amount;
    }
    assert_eq!(expected.len() as u64, ACCOUNTS, "the children came to work");
    let expected: Vec<(u64, u64)> = expected.into_iter().collect();

    let left = app.project(Balances).sqlite(read_model(directory.path())).start().unwrap();
    assert!(left.checkpoint().is_some(), "the file has come somewhere");
    let fresh = app.project(Balances).in_memory().start().unwrap();
    for model in [&left, &fresh] {
        model.at_least(head, SOON, OnTimeout::Error).await.unwrap();
        assert_eq!(model.all().await.unwrap(), expected);
    }
    left.rebuild().await.unwrap();
    assert_eq!(left.all().await.unwrap(), expected);
}
