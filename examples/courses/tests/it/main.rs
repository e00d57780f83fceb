//! The program as a person runs it: what it promises to show must be so, also the second time on one log.

use std::process::Command;

#[test]
fn no_course_is_overbooked_the_first_time_or_the_second() {
    let directory = tempfile::tempdir().expect("a directory");
    for (time, refused) in [("first", 130), ("second", 240)] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_courses")).arg(directory.path()).output().expect("it runs");
        let (told, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "the {time} time: {errors}");
        assert!(told.contains("botany            12      12"), "the {time} time: {told}");
        assert!(told.contains(&format!("refused: {refused} wishes")), "the {time} time: {told}");
    }
}
