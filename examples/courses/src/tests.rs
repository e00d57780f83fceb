//! The rules, one by one, without a store; and many at once, with one.

use factlog::{App, MemoryStore, given, given_nothing};
use proptest::prelude::*;

use super::*;

fn defined(capacity: u32) -> CourseEvent {
    CourseDefined { course: "botany".into(), capacity }.into()
}

fn subscribed(course: &str, student: &str) -> CourseEvent {
    Subscribed { course: course.into(), student: student.into() }.into()
}

fn take(student: &str) -> Subscribe {
    Subscribe { course: "botany".into(), student: student.into() }
}

#[test]
fn a_course_is_taken_while_there_is_room() {
    given([defined(1)]).when(take("ada")).then([subscribed("botany", "ada")]);
    given([defined(1), subscribed("botany", "bob")])
        .when(take("ada"))
        .rejected(Refusal::Full("botany".into()));
    let more = CapacityChanged { course: "botany".into(), capacity: 2 };
    given([defined(1), subscribed("botany", "bob"), more.into()])
        .when(take("ada"))
        .then([subscribed("botany", "ada")]);
    given_nothing().when(take("ada")).rejected(Refusal::NoCourse("botany".into()));
}

#[test]
fn a_student_takes_so_many_courses_and_each_once() {
    let others = ["algebra", "chemistry", "drawing", "ethics", "french"];
    let taken = others.map(|course| subscribed(course, "ada"));
    given(taken.clone()).and([defined(9)]).when(take("ada")).rejected(Refusal::TooMany("ada".into()));
    given(taken).and([defined(9)]).when(take("bob")).then([subscribed("botany", "bob")]);
    let again = Refusal::NothingToDo("ada takes botany already".into());
    given([defined(9), subscribed("botany", "ada")]).when(take("ada")).rejected(again);
    let leave = Unsubscribe { course: "botany".into(), student: "ada".into() };
    let left = Unsubscribed { course: "botany".into(), student: "ada".into() };
    given([defined(9), subscribed("botany", "ada")]).when(leave.clone()).then([left.clone()]);
    given([defined(1), subscribed("botany", "ada"), left.into()])
        .when(take("bob"))
        .then([subscribed("botany", "bob")]);
    given([defined(9)]).when(leave).rejected(Refusal::NothingToDo("ada does not take botany".into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Trap 5: whoever wins the races, no course is overbooked and no student overloaded.
    #[test]
    fn races_never_break_a_rule(capacity in 1..6_u32, wishes in prop::collection::vec((0..7_u8, 0..8_u8), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().expect("a runtime");
        runtime.block_on(async {
            let app = App::new(MemoryStore::new());
            for course in 0..7 {
                app.execute(Define { course: course.to_string(), capacity }).await.expect("it is new");
            }
            let tasks = wishes.into_iter().map(|(course, student)| {
                let wish = Subscribe { course: course.to_string(), student: student.to_string() };
                let app = app.clone();
                tokio::spawn(async move { app.execute(wish).await })
            });
            for task in tasks.collect::<Vec<_>>() {
                // A refusal is as good an answer as any.
                drop(task.await.expect("no panic"));
            }
            for course in 0..7 {
                let course = app.load::<Course>(&course.to_string()).await.expect("loads").state;
                assert!(course.taken <= capacity, "{course:?}");
            }
            for student in 0..8 {
                let Load(courses) = app.load::<Load>(&student.to_string()).await.expect("loads").state;
                assert!(courses <= COURSES_MAX);
            }
        });
    }
}
