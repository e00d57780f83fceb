//! A disk that is kinder than a real one would pass an engine that forgets a sync; one that is meaner would fail a
//! sound one.

use std::collections::BTreeSet;

use fastrand::Rng;

use crate::amnesia::content::Content;
use crate::amnesia::loss::{Loss, Order};
use crate::amnesia::names::{Directory, Operation};

const SOME: Loss = Loss::Some { sector: 512, names: Order::Any, garbage: false };

/// What a file may hold after a loss of power, over many seeds.
fn outcomes(content: &Content, loss: Loss) -> BTreeSet<Vec<u8>> {
    let one = |seed| {
        let mut content = content.clone();
        content.lose_power(loss, &[7; 8192], &mut Rng::with_seed(seed));
        assert_eq!(content.current, content.durable);
        content.current
    };
    (0..600).map(one).collect()
}

fn synced(bytes: &[u8]) -> Content {
    let mut content = Content::default();
    content.write(bytes, 0);
    content.sync();
    content
}

#[test]
fn what_was_synced_survives_every_loss() {
    let content = synced(&[1; 3000]);
    for loss in [Loss::All, SOME] {
        assert_eq!(outcomes(&content, loss), BTreeSet::from([vec![1; 3000]]));
    }
}

#[test]
fn what_was_not_synced_is_gone_whole_or_by_sectors_and_never_mixed_within_one() {
    let mut content = synced(&[1; 2048]);
    content.write(&[2; 2048], 0);
    assert_eq!(outcomes(&content, Loss::All), BTreeSet::from([vec![1; 2048]]));
    let some = outcomes(&content, SOME);
    for bytes in &some {
        assert_eq!(bytes.len(), 2048);
        for sector in bytes.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]) && [1, 2].contains(&sector[0]));
        }
    }
    assert_eq!(some.len(), 16, "each of the four sectors by itself");
}

#[test]
fn a_later_write_never_survives_in_a_sector_without_an_earlier_one() {
    let mut content = synced(&[0; 512]);
    content.write(&[1; 256], 0);
    content.write(&[2; 256], 256);
    let both = [vec![1; 256], vec![2; 256]].concat();
    let first = [vec![1; 256], vec![0; 256]].concat();
    assert_eq!(outcomes(&content, SOME), BTreeSet::from([vec![0; 512], first, both]));
}

#[test]
fn a_durable_write_makes_only_its_own_bytes_durable_and_only_within_the_durable_length() {
    let mut content = synced(&[0; 1024]);
    content.write(&[1; 512], 0);
    content.write_durably(&[2; 1024], 512);
    assert_eq!(content.current, [vec![1; 512], vec![2; 1024]].concat());
    assert_eq!(content.durable, [vec![0; 512], vec![2; 512]].concat());
    content.sync();
    assert_eq!(content.durable, content.current);
}

#[test]
fn a_durable_write_is_never_overwritten_by_an_older_one_that_was_not() {
    let mut content = synced(&[0; 2048]);
    content.write(&[1; 2048], 0);
    content.write_durably(&[2; 512], 512);
    for bytes in outcomes(&content, SOME) {
        assert_eq!(bytes[512..1024], [2; 512]);
    }
    content.sync();
    assert_eq!(content.durable, content.current);
}

#[test]
fn a_file_that_was_emptied_and_not_synced_is_the_old_one_or_only_the_new() {
    let mut content = synced(&[1; 1024]);
    content.resize(0);
    content.write(&[2; 512], 0);
    assert_eq!(outcomes(&content, Loss::All), BTreeSet::from([vec![1; 1024]]));
    let some = outcomes(&content, SOME);
    assert_eq!(some, BTreeSet::from([vec![1; 1024], vec![], vec![0; 512], vec![2; 512]]));
}

#[test]
fn a_file_that_was_emptied_has_no_durable_length_until_it_is_synced() {
    let mut content = synced(&[1; 1024]);
    content.resize(0);
    content.resize(1024);
    content.write_durably(&[2; 512], 0);
    assert_eq!(content.durable, [1; 1024]);
    content.sync();
    assert_eq!(content.durable, [vec![2; 512], vec![0; 512]].concat());
}

#[test]
fn what_a_file_gained_without_its_bytes_may_be_what_another_file_has_there() {
    let mut content = Content::default();
    content.write(&[1; 512], 0);
    let garbage = Loss::Some { sector: 512, names: Order::Any, garbage: true };
    assert!(outcomes(&content, garbage).contains(&vec![7; 512]));
    assert!(!outcomes(&content, SOME).contains(&vec![7; 512]));
}

#[test]
fn what_a_failed_sync_forgot_reads_as_before_and_no_later_sync_writes_it() {
    let lost = (0..100).any(|seed| {
        let mut content = synced(&[0; 512]);
        content.write(&[1; 512], 0);
        content.forget_some(&mut Rng::with_seed(seed));
        content.sync();
        assert_eq!(content.current, [1; 512]);
        content.durable == [0; 512]
    });
    assert!(lost);
}

#[test]
fn a_renamed_file_is_there_under_one_of_its_names_until_the_directory_is_synced() {
    let mut directory = Directory::default();
    directory.apply(Operation::Add { name: "old".into(), id: 2 });
    directory.sync(1);
    directory.apply(Operation::Add { name: "new".into(), id: 3 });
    directory.apply(Operation::Move { from: "new".into(), to: "old".into(), id: 3 });
    let one = |seed| {
        let mut directory = directory.clone();
        directory.lose_power(SOME, &mut Rng::with_seed(seed));
        directory.current.into_iter().map(|(name, id)| (name.into_string().unwrap(), id)).collect::<Vec<_>>()
    };
    let all: BTreeSet<_> = (0..200).map(one).collect();
    let old = ("old".to_owned(), 2);
    let both = vec![("new".to_owned(), 3), old.clone()];
    assert_eq!(all, BTreeSet::from([vec![old], both, vec![("old".to_owned(), 3)]]));
}
