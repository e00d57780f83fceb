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
        &["serve"],
        &["config"],
        &["config", "show"],
        &["config", "check"],
        &["health"],
        &["gen"],
        &["verify"],
        &["doctor"],
        &["projections"],
        &["projections", "list"],
        &["projections", "show"],
        &["projections", "pause"],
        &["projections", "rebuild"],
        &["projections", "switch"],
        &["projections", "verify"],
        &["parked"],
        &["parked", "list"],
        &["parked", "show"],
        &["parked", "retry"],
        &["parked", "edit"],
        &["parked", "skip"],
        &["processes"],
        &["processes", "list"],
        &["processes", "show"],
        &["processes", "retry"],
        &["processes", "cancel"],
        &["schema"],
        &["schema", "check"],
        &["schema", "diff"],
        &["schema", "export"],
        &["import"],
        &["export"],
        &["bench"],
        &["bench", "append"],
        &["bench", "read"],
        &["debug"],
        &["debug", "bundle"],
        &["context"],
        &["context", "add"],
        &["context", "show"],
        &["explain"],
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

/// Would fail if a script that reads JSON had to read English when it mistypes an option.
#[test]
fn a_wrong_command_line_is_refused_in_json_where_json_is_asked_for() {
    let ran = run(bare(&["--json", "head", "--bogus"]), b"");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(ran.error()["code"], "F0002");
    assert!(
        ran.error()["what"].as_str().is_some_and(|what| what.starts_with("unexpected argument '--bogus'"))
    );
}

/// Would fail if colour reached a file or a log that nobody asked to be coloured, or could not be asked for.
#[test]
fn colour_is_where_it_is_asked_for_and_nowhere_else() {
    for (variables, option, coloured) in [
        (&[][..], None, false),
        (&[("CLICOLOR_FORCE", "1")], None, true),
        (&[("CLICOLOR_FORCE", "1")], Some("--color=never"), false),
        (&[("NO_COLOR", "1")], None, false),
        (&[("NO_COLOR", "1")], Some("--color=always"), true),
    ] {
        for wrong in [&["stats"][..], &["stats", "--bogus"]] {
            let mut command = bare(wrong);
            command.env_remove("NO_COLOR").args(option).envs(variables.iter().copied());
            let ran = run(command, b"");
            assert_eq!(ran.code, 2);
            assert_eq!(
                ran.err.contains('\u{1b}'),
                coloured,
                "{wrong:?} {variables:?} {option:?}: {}",
                ran.err
            );
        }
    }
    assert_eq!(run(bare(&["stats", "--color", "always", "--data", "/nonexistent"]), b"").code, 3);
}

#[test]
fn a_command_without_a_store_says_how_to_name_one() {
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
