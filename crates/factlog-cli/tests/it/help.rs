//! The help, the version, completions, and wrong command lines.

use crate::harness::{Home, bare, run};

/// Would fail if an option changed its name or its sense without anybody seeing it.
#[test]
fn the_help_begins_with_examples_and_names_the_exit_codes() {
    let top = run(bare(&["--help"]), b"");
    assert_eq!((top.code, top.err.as_str()), (0, ""));
    insta::assert_snapshot!("help", top.out);
    let mut all = String::new();
    for command in [
        &["append"][..],
        &["read"],
        &["tail"],
        &["streams"],
        &["streams", "list"],
        &["head"],
        &["stats"],
        &["verify"],
        &["import"],
        &["export"],
        &["bench"],
        &["bench", "append"],
        &["bench", "read"],
        &["completions"],
    ] {
        let help = run(bare(&[command, &["--help"]].concat()), b"");
        all.push_str(&format!("━━ factlog {} --help\n{}\n", command.join(" "), help.out));
    }
    insta::assert_snapshot!("help_of_commands", all);
}

#[test]
fn the_version_goes_to_standard_output() {
    let ran = run(bare(&["--version"]), b"");
    assert_eq!((ran.code, ran.out), (0, format!("factlog {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_shell_gets_a_completion_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(bare(&["completions", shell]), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains("verify") && ran.out.contains("if-no-match-tag"), "{shell}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_two_and_its_code() {
    let ran = run(bare(&["append", "s", "--type"]), b"");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.ends_with("code: F0002\n"), "{}", ran.err);
}

#[test]
fn a_command_without_a_data_directory_says_how_to_name_one() {
    let ran = run(bare(&["stats"]), b"");
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.err);
}

/// Would fail if the directory were only known on one side of the command, or the variable won over the option.
#[test]
fn the_data_directory_is_named_before_or_after_the_command_or_by_the_variable() {
    let home = Home::with_accounts();
    let store = home.store().display().to_string();
    for arguments in
        [&["--data", &store, "head"][..], &["head", "--data", &store], &["streams", "--data", &store, "list"]]
    {
        let mut command = bare(arguments);
        command.env("FACTLOG_DATA", "/nonexistent");
        assert_eq!(run(command, b"").code, 0, "{arguments:?}");
    }
    assert_eq!(home.run(&["head"]).code, 0);
}
