//! The command line: what was typed becomes one call, its answer becomes text or JSON, its error an exit code.

mod accounts;
mod answer;
mod args;
mod balance;
mod calls;
mod demo;
mod failure;
mod history;
mod import;
mod movements;
mod progress;
mod rebuild;
mod reconcile;
mod serve;
mod statement;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;

use answer::Answer;
use args::{Cli, Command};
use failure::OutputFailed;

/// Runs the program with the arguments of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => return failure::usage(&refused, std::env::args_os().any(|word| word == "--json")),
    };
    let json = cli.common.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return failure::report(&anyhow::Error::new(error).context("no threads can be started"), json);
        }
    };
    match runtime.block_on(answer(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever was reading has seen enough.
        Err(error) if failure::reader_is_gone(&error) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, json),
    }
}

/// Does what was typed and writes the answer to standard output.
async fn answer(cli: Cli) -> anyhow::Result<()> {
    let json = cli.common.json;
    if let Command::Demo = cli.command {
        return demo::run(cli.common.data, json).await;
    }
    if let Command::Serve(args) = &cli.command {
        return serve::run(&directory(cli.common.data), args, json).await;
    }
    let answer = dispatch(cli).await?;
    say(&if json { format!("{}\n", answer.json) } else { answer.text })
}

/// Writes to standard output.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(OutputFailed)?;
    Ok(())
}

/// One command, one answer.
async fn dispatch(cli: Cli) -> anyhow::Result<Answer> {
    let data = directory(cli.common.data);
    match cli.command {
        Command::Import(args) => import::run(&data, &args).await,
        Command::Open(args) => movements::open(&data, args).await,
        Command::Deposit(args) => movements::deposit(&data, args).await,
        Command::Withdraw(args) => movements::withdraw(&data, args).await,
        Command::Transfer(args) => movements::transfer(&data, args).await,
        Command::Interest(args) => movements::interest(&data, args).await,
        Command::Fee(args) => movements::fee(&data, args).await,
        Command::Close(args) => movements::close(&data, args).await,
        Command::Balance(args) => balance::run(&data, args).await,
        Command::Statement(args) => statement::run(&data, args).await,
        Command::History(args) => history::run(&data, args).await,
        Command::Accounts => accounts::run(&data).await,
        Command::Reconcile(args) => reconcile::run(&data, &args).await,
        Command::Rebuild => rebuild::run(&data).await,
        Command::Verify => verify::run(&data),
        Command::Demo | Command::Serve(_) => anyhow::bail!("the demo calls neither itself nor a server"),
    }
}

/// The directory of the ledger.
fn directory(said: Option<PathBuf>) -> PathBuf {
    said.unwrap_or_else(|| PathBuf::from("bank-data"))
}

/// One command line of the demo, without the name of the program.
async fn run_line(words: impl Iterator<Item = OsString>, data: &Path) -> anyhow::Result<Answer> {
    let program = [OsString::from("bank"), OsString::from("--data"), data.into()];
    dispatch(Cli::try_parse_from(program.into_iter().chain(words))?).await
}
