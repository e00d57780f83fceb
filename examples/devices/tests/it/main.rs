//! The program as a person runs it.

use std::process::Command;

#[test]
fn every_reading_is_rolled_up_and_a_word_that_is_no_number_is_said() {
    let run = |word: &str| Command::new(env!("CARGO_BIN_EXE_devices")).arg(word).output().expect("it runs");
    let output = run("40_000");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("at position 40000: 80 readings") && told.contains("01:00"), "{told}");
    let output = run("many");
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("how many readings")
    );
}
