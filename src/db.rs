//! The database: one of two engines behind one enum, and the macros that run the same SQL text on either.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use parking_lot::Mutex;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::time::{Instant, timeout};

use crate::limits;

/// A handle on the database; cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// Postgres: one pool for reading and writing.
    Postgres(PgPool),
    /// SQLite in WAL mode: many readers, and one writer so that writers wait in our queue instead of in the engine's.
    Sqlite {
        /// Read-only connections.
        read: SqlitePool,
        /// The single writing connection.
        write: SqlitePool,
    },
}

/// Runs one expression on whichever pool reads: `on_pool!(db, read, pool => sqlx::query(…).fetch_all(pool).await)`.
///
/// The expression is compiled once per engine, so it must have the same type on both. Use `write` for statements
/// that change anything.
#[macro_export]
macro_rules! on_pool {
    ($db:expr, read, $pool:ident => $body:expr) => {
        match $db {
            $crate::db::Db::Postgres($pool) => $body,
            $crate::db::Db::Sqlite { read: $pool, .. } => $body,
        }
    };
    ($db:expr, write, $pool:ident => $body:expr) => {
        match $db {
            $crate::db::Db::Postgres($pool) => $body,
            $crate::db::Db::Sqlite { write: $pool, .. } => $body,
        }
    };
}

/// Whether a connection that was idle for so long still answers. When one was `silent`, all that were idle then are taken to
/// be: after an outage that ends no connection, to ask them one by one would keep edits waiting that could be saved.
async fn answers(connection: &mut PgConnection, idle: Duration, silent: &Mutex<Option<Instant>>) -> bool {
    let since = Instant::now().checked_sub(idle);
    if silent.lock().is_some_and(|silent| since < Some(silent)) {
        return false;
    }
    let answer = timeout(limits::PING_TIME, connection.ping()).await;
    if answer.is_err() {
        *silent.lock() = Some(Instant::now());
    }
    matches!(answer, Ok(Ok(())))
}

/// An open transaction on either engine; dropped without [`Tx::commit`], it is rolled back.
///
/// On SQLite it holds the write lock from its start, so it never fails half-way because another writer came first.
#[derive(Debug)]
pub enum Tx {
    /// On Postgres.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
    /// On SQLite.
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
}

/// Runs one expression on an open [`Tx`]: `on_tx!(tx, conn => sqlx::query(…).execute(conn).await)`.
///
/// `tx` is a `&mut Tx` (or a place of type `Tx`); inside, `conn` is the engine's `&mut …Connection`, to be used once
/// (reborrow with `&mut *conn` to use it again).
#[macro_export]
macro_rules! on_tx {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Postgres(tx) => {
                let $conn = &mut **tx;
                $body
            }
            $crate::db::Tx::Sqlite(tx) => {
                let $conn = &mut **tx;
                $body
            }
        }
    };
}

impl Tx {
    /// Makes everything done in this transaction durable.
    ///
    /// # Errors
    /// When the database did not confirm it; whether it was committed is then unknown.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(tx) => tx.commit().await,
            Self::Sqlite(tx) => tx.commit().await,
        }
    }
}

impl Db {
    /// Connects, refuses a database that would lose committed data, and brings its tables up to date.
    ///
    /// `url` is `sqlite://path` (created when absent) or `postgres://…`.
    ///
    /// # Errors
    /// An unknown scheme, an unreachable or unsafe database, or a migration that fails; each says what to do.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let db = if url.starts_with("sqlite:") {
            Self::connect_sqlite(url).await?
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::connect_postgres(url).await?
        } else {
            bail!("DATABASE_URL must start with sqlite:// or postgres://");
        };
        db.migrate().await?;
        Ok(db)
    }

    /// As [`Db::connect`], but to the database of a server that has run: commands that look after one would otherwise
    /// find nothing wrong with the empty one that a mistyped address makes.
    ///
    /// # Errors
    /// As [`Db::connect`]; also where no server has stored anything.
    pub async fn existing(url: &str) -> anyhow::Result<Self> {
        if url.starts_with("sqlite:") {
            let options =
                SqliteConnectOptions::from_str(url).context("DATABASE_URL is not a valid sqlite:// address")?;
            let file = options.get_filename();
            ensure!(
                file.exists(),
                "there is no database at {}; set COTERIE_DATA_DIR or DATABASE_URL to where the server keeps its own",
                file.display()
            );
            return Self::connect(url).await;
        }
        if !url.starts_with("postgres") {
            return Self::connect(url).await;
        }
        let db = Self::connect_postgres(url).await?;
        let (found,): (bool,) = on_pool!(&db, read, pool => {
            sqlx::query_as("select exists (select from pg_tables where tablename = 'document_head')").fetch_one(pool).await
        })?;
        ensure!(found, "the database of DATABASE_URL is none of a Coterie server; correct DATABASE_URL");
        db.migrate().await?;
        Ok(db)
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        let migrator = sqlx::migrate!();
        on_pool!(self, write, pool => migrator.run(pool).await).context("cannot bring the database up to date")
    }

    async fn connect_sqlite(url: &str) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(url)
            .context("DATABASE_URL is not a valid sqlite:// address")?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL may lose the last commits when the machine loses power; saved would not mean saved.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What a statement of many rows keeps for its own undoing is small; in files, each would be made and removed.
            .pragma("temp_store", "memory")
            // Pages of the log before they go to their places: most of them were written again by then.
            .pragma("wal_autocheckpoint", limits::SQLITE_CHECKPOINT_PAGES.to_string())
            .busy_timeout(limits::LOCK_TIMEOUT);
        if let Some(folder) = options.get_filename().parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the data folder {}", folder.display()))?;
        }
        let file = options.get_filename().to_owned();
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            // A file does not go away like a server does: nothing is asked before a connection is used.
            .test_before_acquire(false)
            .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await
            .with_context(|| format!("cannot open the database file {}", file.display()))?;
        // What a killed server wrote last may be in the kernel's memory only, and would be shown as saved from here on.
        // A checkpoint syncs the log first.
        sqlx::query("pragma wal_checkpoint").execute(&write).await.context("cannot sync the database's log")?;
        let read = SqlitePoolOptions::new()
            .max_connections(limits::SQLITE_READERS)
            .test_before_acquire(false)
            .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
            .connect_lazy_with(options.read_only(true));
        Ok(Self::Sqlite { read, write })
    }

    async fn connect_postgres(url: &str) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .context("DATABASE_URL is not a valid postgres:// address")?
            .application_name("coterie")
            .options([
                ("lock_timeout", format!("{}ms", limits::LOCK_TIMEOUT.as_millis())),
                ("idle_in_transaction_session_timeout", format!("{}ms", limits::TRANSACTION_IDLE.as_millis())),
            ]);
        // One connection by hand first: a pool tries again until its time is up and then cannot say why.
        let first = timeout(limits::DATABASE_ACQUIRE_TIMEOUT, PgConnection::connect_with(&options)).await;
        let reason = match first {
            Ok(Ok(connection)) => connection.close().await.map_err(|error| error.to_string()).err(),
            Ok(Err(sqlx::Error::Database(refusal))) => Some(refusal.message().to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it does not answer".to_owned()),
        };
        if let Some(reason) = reason {
            bail!("cannot reach the Postgres database, start it or correct DATABASE_URL: {reason}");
        }
        let silent = Arc::new(Mutex::new(None));
        let pool = PgPoolOptions::new()
            .max_connections(limits::DATABASE_CONNECTIONS)
            .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(move |connection, at| {
                let silent = silent.clone();
                Box::pin(async move { Ok(answers(connection, at.idle_for, &silent).await) })
            })
            .connect_with(options)
            .await
            .context("cannot reach the Postgres database of DATABASE_URL")?;
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let (value,): (String,) = sqlx::query_as("select current_setting($1)")
                .bind(setting)
                .fetch_one(&pool)
                .await
                .context("cannot read Postgres' settings")?;
            if value == "off" {
                bail!("Postgres runs with {setting}=off and would lose saved edits in a crash; set it to on");
            }
        }
        Ok(Self::Postgres(pool))
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// When the database cannot be reached or, on SQLite, the write lock is not to be had in time.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let pool = pool.clone();
                unhurried(async move { pool.begin().await }).await.map(Tx::Postgres)
            }
            Self::Sqlite { write, .. } => {
                let begun = match write.begin_with("begin immediate").await {
                    // SQLite rolls back by itself when its disk is full, and the connection takes itself to be inside a
                    // transaction from then on. Nothing would ever be written again.
                    Err(sqlx::Error::InvalidSavePointStatement) => {
                        write.acquire().await?.close().await?;
                        write.begin_with("begin immediate").await
                    }
                    begun => begun,
                };
                begun.map(Tx::Sqlite)
            }
        }
    }

    /// Begins a transaction that reads one snapshot of the database, whatever is written meanwhile.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin_read(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let pool = pool.clone();
                unhurried(async move { pool.begin_with("begin isolation level repeatable read read only").await })
                    .await
                    .map(Tx::Postgres)
            }
            Self::Sqlite { read, .. } => read.begin().await.map(Tx::Sqlite),
        }
    }

    /// Whether the database answers now.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        on_pool!(self, write, pool => sqlx::query("select 1").execute(pool).await.map(|_| ()))
    }

    /// How many connections are idle, and how many there are.
    #[must_use]
    pub fn connections(&self) -> (usize, usize) {
        let of = |size: u32, idle: usize| (idle, usize::try_from(size).unwrap_or(usize::MAX));
        match self {
            Self::Postgres(pool) => of(pool.size(), pool.num_idle()),
            Self::Sqlite { read, write } => of(read.size() + write.size(), read.num_idle() + write.num_idle()),
        }
    }

    /// Closes every connection, so that an SQLite file is left without its write-ahead log.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

/// Begins a transaction in a task of its own, to its end. Broken off in between, when whoever asked has gone away, the
/// connection would go back to the pool inside the transaction, and what others did on it would be refused or lost.
async fn unhurried<T: Send + 'static>(
    begin: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
) -> Result<T, sqlx::Error> {
    tokio::spawn(begin).await.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed))
}

/// The time now in microseconds since 1970, as every `…_us` column holds it.
#[must_use]
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A duration in microseconds, the unit of every `…_us` column.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
