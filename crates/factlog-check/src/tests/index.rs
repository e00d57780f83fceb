//! The index finds what a scan with [`Query::matches`] finds; were it wrong, every other checker would be.

use factlog_core::Query;
use fastrand::Rng;

use super::generate::{Mix, seeded};
use super::questions::query as query_of;
use crate::index::Index;

#[test]
fn the_index_agrees_with_a_scan() {
    let mut hits = 0;
    for seed in 0..40 {
        let history = seeded(seed, Mix::WithoutSubscriptions, 150, 60);
        let index = Index::new(&history.log);
        let mut rng = Rng::with_seed(seed);
        for _ in 0..50 {
            let query = query_of(&mut rng);
            let (after, upto) = (rng.u64(..30), rng.u64(..60));
            let due: Vec<u64> =
                (after + 1..=upto.min(index.end())).filter(|&at| scan(&index, &query, at)).collect();
            assert_eq!(index.matches(&query, after, upto), due, "seed {seed}: {query:?} ({after}, {upto}]");
            assert_eq!(index.next(&query, after, upto), due.first().copied(), "seed {seed}: {query:?}");
            assert_eq!(index.newest(&query, after, upto), due.last().copied(), "seed {seed}: {query:?}");
            hits += due.len();
        }
    }
    assert!(1_000 < hits, "the questions are about something: {hits} hits");
}

fn scan(index: &Index<'_>, query: &Query, place: u64) -> bool {
    query.matches(&index.log[place as usize - 1].event)
}
