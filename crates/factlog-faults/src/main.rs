//! `factlog-faults`: the real engine in real processes, killed, starved and misused, and what must hold afterwards.

use std::process::ExitCode;

mod amnesia;

fn main() -> ExitCode {
    ExitCode::SUCCESS
}
