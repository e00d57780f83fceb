//! Many writers on one boundary: each must come through, whatever the rule's views conflict with.

use std::sync::Barrier;

use factlog::engine::Settings;
use factlog::{App, Engine};

use crate::bank::{Balance, Deposit, Withdraw};

const WRITERS: u64 = 64;
const EACH: u64 = 4;

/// Writers that all try again at once burn their attempts against each other: with as many of them as this, most
/// would be told that they lost the race although the rule allows every one.
#[test]
fn sixty_four_writers_on_one_boundary_all_come_through() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::new(Engine::open(directory.path(), Settings::default()).unwrap());
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime().block_on(app.execute(Deposit { account: 1, amount: 1_000_000 }).into_future()).unwrap();
    let start = Barrier::new(WRITERS as usize);
    let write = || {
        let runtime = runtime();
        start.wait();
        for _ in 0..EACH {
            runtime.block_on(app.execute(Withdraw { account: 1, amount: 1 }).into_future()).unwrap();
        }
    };
    std::thread::scope(|scope| (0..WRITERS).for_each(|_| drop(scope.spawn(write))));
    let left = runtime().block_on(app.load::<Balance>(&1).into_future()).unwrap().state;
    assert_eq!(left, Balance(1_000_000 - WRITERS * EACH));
}
