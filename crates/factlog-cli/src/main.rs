//! The `factlog` binary: see the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    factlog_cli::run()
}
