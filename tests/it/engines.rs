//! The two database engines: a fresh database of either for each test, and the macro by which a test runs on both.

use std::time::Duration;

use coterie::db::Db;
use coterie::ids::DocumentId;
use coterie::on_pool;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Where tests find a Postgres cluster in which they may create databases.
pub const POSTGRES: &str = "COTERIE_TEST_POSTGRES";

/// How long a test may take before it counts as hanging.
pub const TEST_TIME: Duration = Duration::from_secs(300);

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Makes `sqlite::name` and `postgres::name` of each `async fn name(engine: Engine)`.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::engines::in_time(Box::pin(super::$name(crate::engines::Engine::Sqlite))).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::engines::in_time(Box::pin(super::$name(crate::engines::Engine::Postgres))).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// Makes `postgres::name` of each `async fn name()` that is about Postgres alone.
macro_rules! on_postgres {
    ($($name:ident),* $(,)?) => {
        mod postgres_alone {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::engines::in_time(Box::pin(super::$name())).await;
            })*
        }
    };
}
pub(crate) use on_postgres;

/// Fails a test that hangs.
pub async fn in_time(test: impl Future<Output = ()>) {
    tokio::time::timeout(TEST_TIME, test).await.expect("the test does not hang");
}

/// An empty database, which goes with this value.
#[derive(Debug)]
pub struct Database {
    /// As `DATABASE_URL` takes it.
    pub url: String,
    /// For the files of a server; the database of SQLite is among them.
    pub folder: TempDir,
    in_cluster: Option<InCluster>,
}

/// A database in the cluster of [`POSTGRES`].
#[derive(Debug)]
struct InCluster {
    name: String,
    cluster: PgConnectOptions,
}

impl Database {
    /// A fresh one, with the tables that a server makes at its first start.
    pub async fn create(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        match engine {
            Engine::Sqlite => {
                std::fs::write(folder.path().join(SQLITE_FILE), template::of_sqlite().await).unwrap();
                Self { url: sqlite_url(&folder), folder, in_cluster: None }
            }
            Engine::Postgres => {
                let (cluster, address) = cluster();
                let template = template::of_postgres(&cluster, &address).await;
                Self::of_cluster(folder, (cluster, address), &format!("template {template}")).await
            }
        }
    }

    /// One of Postgres in which there is nothing.
    pub async fn empty() -> Self {
        Self::of_cluster(tempfile::tempdir().unwrap(), cluster(), "").await
    }

    async fn of_cluster(folder: TempDir, (cluster, address): (PgConnectOptions, String), like: &str) -> Self {
        let name = format!("coterie_{}", Uuid::new_v4().simple());
        run(&cluster, format!("create database {name} {like}")).await;
        Self { url: beside(&address, &name), folder, in_cluster: Some(InCluster { name, cluster }) }
    }

    /// The same database for another server; it goes with the first value.
    pub fn shared(&self) -> Self {
        Self { url: self.url.clone(), folder: tempfile::tempdir().unwrap(), in_cluster: None }
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        if self.in_cluster.is_some() { Engine::Postgres } else { Engine::Sqlite }
    }

    /// Another way in than the server's, for what a test looks up or breaks.
    pub async fn connect(&self) -> Db {
        Db::connect(&self.url).await.unwrap()
    }
}

impl Database {
    /// Runs statements that are written for one engine.
    pub async fn execute(&self, statements: String) {
        let db = self.connect().await;
        on_pool!(&db, write, pool => sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await.map(drop)).unwrap();
        db.close().await;
    }

    /// The number that a statement finds for a document.
    pub async fn number(&self, statement: &'static str, document: DocumentId) -> i64 {
        let db = self.connect().await;
        let (number,) = on_pool!(&db, read, pool => {
            sqlx::query_as::<_, (i64,)>(statement).bind(document).fetch_one(pool).await
        })
        .unwrap();
        db.close().await;
        number
    }

    /// Changes what is stored of a document.
    pub async fn change(&self, statement: &'static str, document: DocumentId) {
        let db = self.connect().await;
        let changed = on_pool!(&db, write, pool => {
            sqlx::query(statement).bind(document).execute(pool).await.map(|done| done.rows_affected())
        });
        assert_eq!(changed.unwrap(), 1, "{statement}");
        db.close().await;
    }

    /// Every row of a table as text.
    pub async fn dump(&self, table: &str) -> Vec<String> {
        let db = self.connect().await;
        let rows: Vec<(String,)> = match &db {
            Db::Sqlite { read, .. } => {
                let columns =
                    format!("select group_concat(name, ') || '' '' || quote(') from pragma_table_info('{table}')");
                let (columns,): (String,) = sqlx::query_as(AssertSqlSafe(columns)).fetch_one(read).await.unwrap();
                let rows = format!("select quote({columns}) from {table}");
                sqlx::query_as(AssertSqlSafe(rows)).fetch_all(read).await.unwrap()
            }
            Db::Postgres(pool) => {
                let rows = format!("select cast({table} as text) from {table}");
                sqlx::query_as(AssertSqlSafe(rows)).fetch_all(pool).await.unwrap()
            }
        };
        db.close().await;
        rows.into_iter().map(|(row,)| row).collect()
    }

    /// An id as the engine writes it in a statement.
    pub fn literal(&self, id: Uuid) -> String {
        match self.engine() {
            Engine::Sqlite => format!("x'{}'", id.simple()),
            Engine::Postgres => format!("'{id}'"),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(InCluster { name, cluster }) = self.in_cluster.take() else { return };
        // A drop cannot wait on the test's runtime, so it has its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&cluster, format!("drop database if exists {name} with (force)")));
        });
        if dropped.join().is_err() {
            eprintln!("a test's database could not be dropped");
        }
    }
}

/// The file of SQLite in a server's folder.
const SQLITE_FILE: &str = "coterie.db";

fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite://{}/{SQLITE_FILE}", folder.path().display())
}

/// The address of another database of the same cluster.
fn beside(address: &str, name: &str) -> String {
    let (server, _) = address.rsplit_once('/').expect("the address names a database");
    format!("{server}/{name}")
}

/// The cluster of [`POSTGRES`] and its address.
fn cluster() -> (PgConnectOptions, String) {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    let address = std::env::var(POSTGRES).unwrap_or_else(|_| panic!("run make test (it starts a private Postgres)"));
    (address.parse().unwrap(), address)
}

/// What every test's database begins as a copy of: to make the tables anew for each would be a third of what most tests
/// take.
mod template {
    use super::*;

    /// The file, of which there is one in each run.
    pub(super) async fn of_sqlite() -> &'static [u8] {
        static FILE: OnceCell<Vec<u8>> = OnceCell::const_new();
        let make = || async {
            let folder = tempfile::tempdir().unwrap();
            // The last connection takes everything into the file as it closes.
            Db::connect(&sqlite_url(&folder)).await.unwrap().close().await;
            std::fs::read(folder.path().join(SQLITE_FILE)).unwrap()
        };
        FILE.get_or_init(make).await
    }

    /// The name of the database, which stays in the cluster: the next run with the same tables finds it.
    pub(super) async fn of_postgres(cluster: &PgConnectOptions, address: &str) -> &'static str {
        static NAME: OnceCell<String> = OnceCell::const_new();
        let make = || async {
            let mut tables = Sha256::new();
            sqlx::migrate!().iter().for_each(|migration| tables.update(&migration.checksum));
            let tables = Uuid::from_slice(&tables.finalize()[..16]).unwrap();
            let name = format!("coterie_template_{}", tables.simple());
            let mut connection = PgConnection::connect_with(cluster).await.unwrap();
            // Until the connection closes, so that runs beside this one wait.
            sqlx::query("select pg_advisory_lock(1)").execute(&mut connection).await.unwrap();
            let found = sqlx::query("select from pg_database where datname = $1").bind(&name);
            if found.fetch_optional(&mut connection).await.unwrap().is_none() {
                // By its name only once it is complete.
                let half = format!("coterie_{}", Uuid::new_v4().simple());
                run(cluster, format!("create database {half}")).await;
                Db::connect(&beside(address, &half)).await.unwrap().close().await;
                run(cluster, format!("alter database {half} rename to {name}")).await;
            }
            connection.close().await.unwrap();
            name
        };
        NAME.get_or_init(make).await
    }
}

async fn run(cluster: &PgConnectOptions, statement: String) {
    let mut connection = PgConnection::connect_with(cluster).await.unwrap();
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
