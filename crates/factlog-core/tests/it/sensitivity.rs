//! The suite must notice a broken store: a suite that passes whatever happens would bless every store.
//!
//! Each flaw is put to the scenario that is there for it; the same scenario passes on the same store without it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use factlog_core::conformance::{self, block_on};

use crate::broken::{Flaw, Flawed};

macro_rules! notices {
    ($($test:ident: $flaw:ident by $about:ident::$scenario:ident;)*) => {
        $(
            #[test]
            fn $test() {
                let check = |flaw| {
                    let subject = Flawed::new(flaw);
                    block_on(conformance::$about::$scenario(&subject));
                };
                check(Flaw::None);
                let panic = catch_unwind(AssertUnwindSafe(|| check(Flaw::$flaw)));
                assert_noticed(Flaw::$flaw, stringify!($scenario), panic);
            }
        )*
    };
}

/// The scenario must have failed, and by its own observation rather than by a hang.
fn assert_noticed(flaw: Flaw, scenario: &str, outcome: std::thread::Result<()>) {
    let Err(panic) = outcome else {
        panic!("{scenario} passes on a store that {flaw:?}");
    };
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let said = said.expect("a scenario fails with a message");
    assert!(!said.contains("woke"), "{scenario} only hangs on a store that {flaw:?}: {said}");
}

notices! {
    conditions_ignored: IgnoresConditions by conditions::stale_boundary_conflicts;
    conditions_ignored_under_load: IgnoresConditions by conditions::sixteen_racers_withdraw_what_is_there;
    revisions_ignored: IgnoresConditions by conditions::each_expected_revision_is_exact;
    conditions_ignored_in_flight: IgnoresConditions by conditions::conditions_count_appends_in_flight;
    boundary_too_wide: TakesEveryEventForMatching by conditions::a_boundary_is_exact;
    boundary_too_wide_under_load: TakesEveryEventForMatching by conditions::disjoint_boundaries_never_conflict;
    boundary_off_by_one: TakesAfterAsInclusive by conditions::a_boundary_is_exact;
    boundary_checked_too_early: ChecksConditionsOutsideTheLock by conditions::sixteen_racers_withdraw_what_is_there;
    write_skew: ChecksConditionsOutsideTheLock by conditions::crossing_boundaries_have_one_winner;
    revision_checked_too_early: ChecksConditionsOutsideTheLock by conditions::racers_on_one_revision_have_one_winner;
    one_failure_of_many: TellsOnlyTheFirstFailedCondition by conditions::all_failed_conditions_are_told_in_order;
    ghost_of_a_refusal: WritesAGhostWhenItRefuses by append::a_refused_append_leaves_no_trace;
    ghost_of_a_bound: WritesAGhostWhenItRefuses by bounds::queries_and_conditions_are_bounded;
    append_in_pieces: SplitsAnAppend by append::an_append_is_seen_whole;
    append_in_pieces_repeated: SplitsAnAppend by idempotency::a_repeat_answers_where_the_events_are;
    place_taken_late: TakesItsPlaceAtTheSecondPoll by append::appends_take_their_place_in_the_order_of_calls;
    metadata_lost: LosesMetadata by append::what_is_appended_is_what_is_read;
    bound_off_by_one: RefusesTheLargestData by bounds::data_and_metadata_are_bounded;
    repeat_recorded_twice: ForgetsWhatWasAppended by idempotency::a_repeat_answers_where_the_events_are;
    racing_repeat_recorded_twice: ForgetsWhatWasAppended by idempotency::racing_repeats_record_once;
    repeat_in_conflict: ChecksConditionsOfARepeat by idempotency::a_repeat_answers_where_the_events_are;
    reused_id_believed: ComparesOnlyTheFirstId by idempotency::a_first_id_with_other_content_is_invalid;
    repeat_tracks: MovesTrackingOnARepeat by idempotency::a_repeat_leaves_tracking_alone;
    stale_tracking: AcceptsStaleTracking by tracking::tracking_grows_or_conflicts;
    stale_tracking_under_load: AcceptsStaleTracking by tracking::racing_consumers_process_each_position_once;
    tracking_apart: TracksBeforeItAppends by tracking::tracking_and_events_are_one_commit;
    head_of_the_matches: TellsTheLastMatchAsHead by reads::a_read_ends_at_the_head_it_started_with;
    no_snapshot: ReadsOnPastItsSnapshot by reads::a_read_ends_at_the_head_it_started_with;
    limit_before_filter: LimitsBeforeItFilters by reads::the_index_agrees_with_matches;
    backwards_off_by_one: TakesUntilAsExclusiveBackwards by reads::each_bound_of_a_read_is_exact;
    second_tag_unseen: LooksAtOneTagOnly by reads::the_index_agrees_with_matches;
    category_by_prefix: TakesACategoryForAPrefix by reads::the_index_agrees_with_matches;
    delivery_dropped: DropsDeliveries by subscriptions::every_checkpoint_resumes_exactly;
    delivery_dropped_live: DropsDeliveries by subscriptions::a_subscription_starts_where_it_is_told;
    hand_over_lost: LosesTheHandOver by subscriptions::nothing_is_lost_or_repeated_at_the_hand_over;
    delivery_dropped_under_load: DropsDeliveries by subscriptions::nothing_is_lost_or_repeated_at_the_hand_over;
    checkpoint_repeated: RepeatsTheCheckpoint by subscriptions::every_checkpoint_resumes_exactly;
    checkpoint_repeated_under_load: RepeatsTheCheckpoint by subscriptions::nothing_is_lost_or_repeated_at_the_hand_over;
    late_start: StartsAtTheFirstPoll by subscriptions::a_subscription_starts_where_it_is_told;
    slow_subscriber_dropped: DropsSlowSubscribers by subscriptions::a_slow_subscriber_loses_nothing;
    time_goes_back: FollowsTheClockBack by time::recorded_at_never_decreases;
    head_time_is_now: TellsTheClockAsHeadTime by time::an_append_has_one_time_and_the_head_tells_it;
    position_at_exclusive: FindsPositionsBeforeATimeOnly by time::positions_are_found_by_time;
    open_after_close: StaysOpen by closing::after_close_everything_says_closed;
    acknowledged_lost: LosesTheLastAppendInARestart by append::what_is_acknowledged_is_visible_and_stays;
    borders_lost: LosesAppendBordersInARestart by idempotency::a_repeat_answers_where_the_events_are;
    tracking_lost: LosesAppendBordersInARestart by tracking::tracking_grows_or_conflicts;
}
