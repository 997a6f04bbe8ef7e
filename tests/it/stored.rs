//! Logs as no server writes them: what is stored past every check, and what is damaged.

use coterie::db::{Db, Tx};
use coterie::ids::{BatchId, DocumentId, UserId};
use coterie::journal::{self, Append, Row};
use sqlx::AssertSqlSafe;

/// Puts rows into a log past every check.
pub async fn store(db: &Db, document: DocumentId, author: UserId, updates: &[Vec<u8>]) {
    let mut tx = db.begin().await.unwrap();
    journal::lock(&mut tx, &[document]).await.unwrap();
    let expected = journal::load_in(&mut tx, document).await.unwrap().head;
    let rows = updates.iter().map(|update| Row { author, update: update.clone().into() }).collect();
    let append = Append { document, batch: BatchId::new(), expected, rows, claims: Vec::new() };
    journal::append_in(&mut tx, &append).await.unwrap();
    tx.commit().await.unwrap();
}

/// Runs a statement.
pub async fn run(db: &Db, statement: String) -> u64 {
    let mut tx = db.begin().await.unwrap();
    let statement = AssertSqlSafe(statement);
    let rows = match &mut tx {
        Tx::Postgres(tx) => sqlx::query(statement).execute(&mut **tx).await.unwrap().rows_affected(),
        Tx::Sqlite(tx) => sqlx::query(statement).execute(&mut **tx).await.unwrap().rows_affected(),
    };
    tx.commit().await.unwrap();
    rows
}

/// A document's id as a statement spells it.
pub fn spelled(db: &Db, document: DocumentId) -> String {
    match db {
        Db::Postgres(_) => format!("'{document}'"),
        Db::Sqlite { .. } => format!("x'{}'", document.0.simple()),
    }
}

/// How many rows of its log a document has.
pub async fn rows_of(db: &Db, document: DocumentId) -> i64 {
    let (count,): (i64,) = coterie::on_pool!(db, read, pool => {
        sqlx::query_as("select count(*) from document_update where document_id = $1").bind(document).fetch_one(pool).await
    })
    .unwrap();
    count
}
