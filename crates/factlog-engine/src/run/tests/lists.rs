//! Long posting lists: every length at which their shape changes, dense and sparse, moved through in both ways.

use factlog_core::Direction;

use super::super::{Postings, RunBuilder as Builder, check};
use super::*;

fn written(lists: &[Vec<u64>], last: u64) -> Arc<Run> {
    let (file, name) = (Memory::default(), RunName { level: 0, first: 10, last });
    let mut builder = Builder::new(STORE, name, lists.len() as u64, 0, &file);
    for (n, list) in lists.iter().enumerate() {
        let key = keys::key(keys::TAG, &format!("{n:03}"));
        builder.key(&key, 0, list.iter().map(|&position| Ok::<_, io::Error>(position))).expect("memory");
    }
    builder.finish().expect("memory");
    let run = open(&file, name).expect("whole");
    check(&run, &mut |_| {}).expect("whole");
    run
}

fn cursor(run: &Arc<Run>, n: usize) -> Postings {
    let found = run.find(&keys::key(keys::TAG, &format!("{n:03}"))).expect("whole").expect("there");
    run.cursor(&found)
}

/// Seeks that a model answers: near, far, between postings, below and above all.
fn assert_seeks(run: &Arc<Run>, n: usize, list: &[u64]) {
    let mut cursor = cursor(run, n);
    let mut at = 0_u64;
    let targets = (0..600_u64).map(|n| {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
        list[(at >> 33) as usize % list.len()].wrapping_add((at & 7) + (at >> 5 & 3)).wrapping_sub(4)
    });
    for from in targets.chain([0, 9, 10, list[0], list[list.len() - 1], u64::MAX]) {
        let index = list.partition_point(|&position| position < from);
        assert_eq!(cursor.seek(from, Direction::Forwards).expect("whole"), list.get(index).copied());
        let after = list.partition_point(|&position| position <= from);
        let below = after.checked_sub(1).map(|at| list[at]);
        assert_eq!(cursor.seek(from, Direction::Backwards).expect("whole"), below);
        assert_eq!(cursor.nth(index as u64).expect("whole"), list.get(index).copied());
    }
}

#[test]
fn lists_of_every_shape_answer() {
    let lengths = [1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 128 * 64, 128 * 64 + 1, 128 * 128 + 1];
    let lists: Vec<Vec<u64>> =
        lengths.iter().map(|&length| (0..length).map(|n| 10 + 3 * n).collect()).collect();
    let run = written(&lists, 200_000);
    for (n, list) in lists.iter().enumerate() {
        assert_seeks(&run, n, list);
    }
}

#[test]
fn long_lists_answer_dense_and_sparse() {
    let dense: Vec<u64> = (10..150_010).collect();
    let every_tenth: Vec<u64> = (0..120_000).map(|n| 10 + n * 10 + n % 7).collect();
    let mut at = 10;
    let sparse: Vec<u64> = (0..110_000_u64)
        .map(|n| {
            // Mostly small gaps and now and then a huge one, so that both ways of packing are used.
            at += 1 + n * n % 97 + if n % 1000 == 999 { 1 << 35 } else { 0 };
            at
        })
        .collect();
    let last = sparse[sparse.len() - 1];
    let lists = [dense, every_tenth, sparse];
    let run = written(&lists, last);
    for (n, list) in lists.iter().enumerate() {
        assert_seeks(&run, n, list);
        let mut all = cursor(&run, n);
        for &position in list {
            assert_eq!(all.advance().expect("whole"), Some(position));
        }
        assert_eq!(all.advance().expect("whole"), None);
        let (mut back, mut from) = (cursor(&run, n), u64::MAX);
        for &position in list.iter().rev().take(5_000) {
            assert_eq!(back.seek(from, Direction::Backwards).expect("whole"), Some(position));
            from = position - 1;
        }
    }
}

/// A dense list must cost next to nothing: an event's category and type are such lists.
#[test]
fn dense_lists_are_small() {
    let run = written(&[(10..400_010).collect(), (0..100_000).map(|n| 10 + n * 4).collect()], 400_010);
    assert!(run.bytes() < 150_000, "{} bytes for 500,000 postings", run.bytes());
}

#[test]
#[should_panic(expected = "postings grow")]
fn postings_that_do_not_grow_are_refused() {
    written(&[vec![12, 12]], 20);
}
