//! The binary: arguments and signals only.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use clap::error::ErrorKind;
use coterie::config::{self, Cli, Command, Config, DocumentsAction};
use coterie::db::Db;
use coterie::error::Error;
use coterie::replica::{self, Fault, worker};
use coterie::server::Server;
use coterie::terminal::Terminal;
use coterie::{doctor, journal, project, report, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(worker::ARGUMENT) {
        let Some(most) = std::env::args().nth(2).and_then(|bytes| bytes.parse().ok()) else {
            return refuse("a worker is started by the server, which tells it how many bytes it may keep");
        };
        return worker::run(most).map_or_else(|error| refuse(&error.to_string()), |()| ExitCode::SUCCESS);
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
    let given = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    let (reporting, courier) = given(&cli.settings.sentry_dsn).map(|dsn| report::to(&dsn)).transpose()?.unzip();
    telemetry::start(given(&cli.settings.log).as_deref(), given(&cli.settings.log_format).as_deref(), reporting)?;
    let stop = CancellationToken::new();
    let courier = courier.map(|courier| {
        report::note_panics();
        tokio::spawn(courier.run(stop.clone()))
    });
    let done = carry_out(cli).await;
    stop.cancel();
    if let Some(courier) = courier {
        // It ends by itself, soon.
        let _ = courier.await;
    }
    done
}

async fn carry_out(cli: Cli) -> anyhow::Result<()> {
    let command = match cli.command.unwrap_or(Command::Serve) {
        Command::Login { server } => return login(&server).await,
        Command::Logout { server } => return logout(&server).await,
        command => command,
    };
    let config = Config::try_from(cli.settings)?;
    match command {
        Command::NewEpoch => new_epoch(&config).await,
        Command::Doctor => doctor(&config).await,
        Command::Documents { action } => documents(&config, action).await,
        Command::Serve | Command::Login { .. } | Command::Logout { .. } => serve(config).await,
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
    let demo = running.state().config.demo;
    if let Some(link) = if demo { project::demo(running.state()).await? } else { None } {
        println!("See what it does: {link}");
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("shutting down");
    running.shutdown().await;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "what to do is this command's answer")]
async fn login(server: &str) -> anyhow::Result<()> {
    let terminal = Terminal::new(server, config::own_settings()?)?;
    println!("{}", terminal.login(|said| println!("{said}")).await?);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "who is signed out is this command's answer")]
async fn logout(server: &str) -> anyhow::Result<()> {
    println!("{}", Terminal::new(server, config::own_settings()?)?.logout().await?);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the number of documents is this command's answer")]
async fn new_epoch(config: &Config) -> anyhow::Result<()> {
    let db = Db::existing(&config.database_url).await?;
    let documents = journal::new_epoch(&db).await?;
    db.close().await;
    println!("{documents} documents begin a new epoch");
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the findings are this command's answer")]
async fn doctor(config: &Config) -> anyhow::Result<()> {
    let db = Db::existing(&config.database_url).await?;
    let report = doctor::examine(&db).await?;
    db.close().await;
    for finding in &report.findings {
        println!("{finding}");
    }
    println!("{} documents looked at, {} findings", report.documents, report.findings.len());
    ensure!(report.findings.is_empty(), "something is wrong with what is stored; see above");
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the list is this command's answer")]
async fn documents(config: &Config, action: DocumentsAction) -> anyhow::Result<()> {
    let db = Db::existing(&config.database_url).await?;
    match action {
        DocumentsAction::Inspect => {
            for Fault { document, crashes, reason, set_aside } in replica::faults(&db).await? {
                let state = if set_aside { "set aside" } else { "in use" };
                println!("{document}  {state}, cost {crashes} workers: {reason}");
            }
        }
        DocumentsAction::Quarantine { document, reason } => match replica::quarantine(&db, document, &reason).await {
            Err(Error::NotFound) => bail!("there is no document {document}"),
            done => done?,
        },
        DocumentsAction::Release { document } => {
            ensure!(replica::release(&db, document).await?, "document {document} was not set aside");
        }
    }
    db.close().await;
    Ok(())
}
