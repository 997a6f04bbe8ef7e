//! What a restarted server has, held against what is owed: to a newcomer by every way in, and in the tables.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use coterie::db::Db;
use coterie::on_pool;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use uuid::Uuid;
use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, Transact, Update};

use super::edits::{self, Clocks, Twice};
use super::people::{Place, join};
use super::wire::Dialect;

/// The log as far as it was read, document by document.
#[derive(Default)]
pub(super) struct Log {
    documents: BTreeMap<usize, (i64, Clocks)>,
    pub(super) rows: u64,
}

/// The letters of all documents.
#[derive(Debug, Default)]
pub(super) struct Letters {
    /// That are there.
    pub(super) kept: u64,
    /// That were sent, owed to nobody, and are not.
    pub(super) gone: u64,
}

/// Asserts that nothing owed is missing and nothing is there twice.
pub(super) async fn assert_kept(place: &Place, server: SocketAddr, database: &str, log: &mut Log) -> Letters {
    let db = open(database).await;
    let mut letters = Letters::default();
    for document in 0..place.project.documents.len() {
        let update = place.project.state(server, document).await;
        let mut state = Clocks::new();
        edits::absorb(&mut state, &update, Twice::IsAFault).expect("the state is without a gap");
        let lost = place.ledger.lost(document, &state);
        assert!(lost.is_empty(), "document {document}: {lost:#?}");
        assert_eq!(text_by_yrs(&update), edits::text(&state), "the text of document {document}");
        for dialect in [Dialect::Yjs, Dialect::Hocuspocus] {
            let joined = join(place, server, document, dialect).await.expect("a newcomer is let in");
            assert_eq!(edits::difference(&joined, &state), "", "document {document} by {dialect:?}");
        }
        let logged = log.read(&db, place, document).await;
        assert_eq!(edits::difference(logged, &state), "", "the log of document {document}");
        letters.gone += place.ledger.settle(document, &state);
        letters.kept += state.values().map(|&end| u64::from(end)).sum::<u64>();
    }
    close(db).await;
    letters
}

impl Log {
    /// Reads on in the log of a document: rows without a gap up to the head, and every letter once.
    async fn read(&mut self, db: &Db, place: &Place, document: usize) -> &Clocks {
        const ROWS: &str = "select seq, bytes from document_update where document_id = $1 and seq > $2 order by seq";
        const COUNT: &str = "select (select count(*) from document_update where document_id = $1),
            (select head from document_head where document_id = $1)";
        let id: Uuid = place.project.documents[document].parse().expect("an id");
        let (last, known) = self.documents.entry(document).or_default();
        let rows: Vec<(i64, Vec<u8>)> =
            on_pool!(db, read, pool => sqlx::query_as(ROWS).bind(id).bind(*last).fetch_all(pool).await)
                .expect("the log can be read");
        for (seq, bytes) in rows {
            assert_eq!(seq, *last + 1, "a row of document {document} is missing");
            edits::absorb(known, &bytes, Twice::IsAFault).expect("rows follow each other");
            *last = seq;
            self.rows += 1;
        }
        let counted: (i64, i64) = on_pool!(db, read, pool => sqlx::query_as(COUNT).bind(id).fetch_one(pool).await)
            .expect("the head can be read");
        assert_eq!(counted, (*last, *last), "rows and head of document {document}");
        known
    }
}

fn text_by_yrs(update: &[u8]) -> String {
    let doc = Doc::new();
    let content = doc.get_or_insert_text("content");
    let mut transaction = doc.transact_mut();
    transaction.apply_update(Update::decode_v1(update).expect("an update")).expect("yrs takes it");
    content.get_string(&transaction)
}

/// A view on the tables beside the server, gone before the server is killed: an open one would keep SQLite's index of
/// the log alive, and the server would not have to recover.
async fn open(database: &str) -> Db {
    if database.starts_with("postgres") {
        return Db::Postgres(
            PgPoolOptions::new().max_connections(1).connect(database).await.expect("Postgres answers"),
        );
    }
    let options: SqliteConnectOptions = database.parse().expect("an address");
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options.read_only(true)).await;
    let pool = pool.expect("the file can be opened");
    Db::Sqlite { read: pool.clone(), write: pool }
}

async fn close(db: Db) {
    db.close().await;
}
