//! Forty students race for six courses on the embedded store: no course is ever overbooked, no student overloaded.
//!
//! `cargo run -p courses [DIRECTORY]`; without a directory the log is a temporary one.
#![expect(clippy::print_stdout, reason = "it tells a story on the terminal")]

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use factlog::engine::Settings;
use factlog::{App, Engine, ExecuteError};

use courses::{COURSES_MAX, Course, Define, Load, Refusal, Subscribe};

/// The courses on offer, with their room.
const COURSES: [(&str, u32); 6] =
    [("algebra", 30), ("botany", 12), ("chemistry", 20), ("drawing", 8), ("ethics", 25), ("french", 15)];
/// Students who want all of them.
const STUDENTS: usize = 40;

#[tokio::main]
async fn main() -> Result<()> {
    let temporary = tempfile::tempdir().context("no temporary directory can be made")?;
    let directory = std::env::args_os().nth(1).map_or_else(|| temporary.path().join("log"), PathBuf::from);
    let store = Engine::open(&directory, Settings::default())
        .with_context(|| format!("the log in {} cannot be opened", directory.display()))?;
    let app = App::new(store);
    for (course, capacity) in COURSES {
        match app.execute(Define { course: course.into(), capacity }).await {
            Ok(_) | Err(ExecuteError::Rejected(Refusal::CourseExists(_))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    println!("{STUDENTS} students want {} courses each, all at once ...\n", COURSES.len());
    let refused = race(&app).await?;
    println!("{:<12}{:>8}{:>8}", "course", "room", "taken");
    for (course, capacity) in COURSES {
        let Course { taken, .. } = app.load::<Course>(&course.to_owned()).await?.state;
        ensure!(taken <= capacity, "{course} is overbooked");
        println!("{course:<12}{capacity:>8}{taken:>8}");
    }
    for number in 0..STUDENTS {
        let Load(courses) = app.load::<Load>(&student(number)).await?.state;
        ensure!(courses <= COURSES_MAX, "student {number} is overloaded");
    }
    println!("\nrefused: {refused} wishes, for want of room or because {COURSES_MAX} courses are enough");
    for counts in app.boundary_counts().iter().filter(|counts| 0 < counts.conflicts) {
        let (boundary, conflicts, attempts) = (&counts.boundary, counts.conflicts, counts.attempts);
        println!("raced for {boundary}: {conflicts} of {attempts} decisions were made again on newer facts");
    }
    Ok(app.store().close().await?)
}

/// Everybody asks for everything at the same time; answers how often somebody was refused.
async fn race(app: &App) -> Result<usize> {
    let mut wishes = tokio::task::JoinSet::new();
    for number in 0..STUDENTS {
        // Everybody begins with another course.
        for turn in 0..COURSES.len() {
            let course = COURSES[(number + turn) % COURSES.len()].0.to_owned();
            let (app, student) = (app.clone(), student(number));
            wishes.spawn(async move { app.execute(Subscribe { course, student }).await });
        }
    }
    let mut refused = 0;
    while let Some(wish) = wishes.join_next().await {
        match wish? {
            Ok(_) => {}
            Err(ExecuteError::Rejected(_)) => refused += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(refused)
}

fn student(number: usize) -> String {
    format!("student-{number:02}")
}
