//! `factlog completions`: a completion script, made from the command line's own definition.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::failure::Outcome;
use crate::output::Output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog completions bash > ~/.local/share/bash-completion/completions/factlog
  factlog completions zsh > ~/.zfunc/_factlog
  factlog completions fish > ~/.config/fish/completions/factlog.fish";

/// Print a completion script for a shell
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    // Made in memory first: the generator panics where it cannot write, such as into a closed pipe.
    let mut script = Vec::new();
    generate(arguments.shell, &mut crate::cli::command(), "factlog", &mut script);
    let mut output = Output::stdout();
    output.bytes(&script)?;
    output.flush()
}
