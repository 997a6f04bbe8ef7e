//! The binary: arguments and signals only.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use clap::error::ErrorKind;
use coterie::config::{Cli, Command, Config};
use coterie::db::Db;
use coterie::replica::worker;
use coterie::server::Server;
use coterie::{journal, telemetry};
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(worker::ARGUMENT) {
        return worker::run().map_or_else(|error| refuse(&error.to_string()), |()| ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(act()),
        Err(error) => refuse(&format!("cannot start: {error}")),
    }
}

async fn act() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => error.exit(),
        Err(error) => return refuse(error.to_string().trim_start_matches("error: ")),
    };
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&format!("{error:#}")),
    }
}

/// One line that says what is wrong and what to do.
fn refuse(said: &str) -> ExitCode {
    let line = said.lines().next().unwrap_or("failed");
    eprintln!("coterie: {line}");
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    telemetry::start(cli.settings.log.as_deref().filter(|filter| !filter.is_empty()))?;
    let config = Config::try_from(cli.settings)?;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config).await,
        Command::NewEpoch => new_epoch(&config).await,
    }
}

#[allow(clippy::print_stdout, reason = "the address to open is this command's answer")]
async fn serve(config: Config) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for signals")?;
    // The port first: where it is taken, another server may be using the same database.
    let listener = Server::listener(config.listen)?;
    let running = Server::new(config).await?.start(listener)?;
    println!("Coterie is ready: open {}", running.state().base_url());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("shutting down");
    running.shutdown().await;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the number of documents is this command's answer")]
async fn new_epoch(config: &Config) -> anyhow::Result<()> {
    let db = Db::connect(&config.database_url).await?;
    let documents = journal::new_epoch(&db).await?;
    db.close().await;
    println!("{documents} documents begin a new epoch");
    Ok(())
}
