//! The journal's statements.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Append, Head, Stored, checksum};
use crate::db::{Db, Tx, now_us};
use crate::error::Result;
use crate::gate::Owner;
use crate::ids::{BatchId, DocumentId, UserId};
use crate::update::ClientId;
use crate::{on_pool, on_tx};

const HEAD: &str = "select head, epoch from document_head where document_id = $1";
const SNAPSHOT: &str = "select seq, bytes, checksum from document_snapshot
    where document_id = $1 and seq < $2 order by seq desc limit 1";
const ROWS: &str = "select seq, bytes, checksum from document_update
    where document_id = $1 and seq > $2 order by seq";
const OWNERS: &str = "select client_id, user_id, closed from document_client where document_id = $1";
const LAST_OF_BATCH: &str = "select max(seq) from document_update where document_id = $1 and batch_id = $2";
const INSERT_ROW: &str = "insert into document_update
    (document_id, seq, batch_id, author_id, bytes, checksum, created_us) values ($1, $2, $3, $4, $5, $6, $7)";
/// Sets what a document takes: its last snapshot and the rows after that.
const MEASURE: &str = "update document_head set bytes =
    coalesce((
        select length(s.bytes) from document_snapshot s
        where s.document_id = document_head.document_id order by s.seq desc limit 1), 0)
    + coalesce((
        select sum(length(u.bytes)) from document_update u
        where u.document_id = document_head.document_id and u.seq > coalesce((
            select max(s.seq) from document_snapshot s where s.document_id = document_head.document_id), 0)), 0)
    where document_id = $1";
const INSERT_OWNER: &str = "insert into document_client (document_id, client_id, user_id, closed)
    values ($1, $2, $3, $4) on conflict (document_id, client_id) do nothing";

/// Everything stored of one document.
pub(super) struct Document {
    pub(super) head: Head,
    pub(super) snapshot: Option<Stored>,
    pub(super) rows: Vec<Stored>,
    pub(super) owners: Vec<(ClientId, Owner)>,
}

type StoredRow = (i64, Vec<u8>, i64);

pub(super) async fn head(db: &Db, document: DocumentId) -> Result<Option<Head>> {
    let row: Option<(i64, i64)> =
        on_pool!(db, read, pool => sqlx::query_as(HEAD).bind(document).fetch_optional(pool).await)?;
    Ok(row.map(|(seq, epoch)| Head { seq, epoch }))
}

pub(super) async fn documents(db: &Db) -> Result<Vec<DocumentId>> {
    const LIVING: &str = "select id from document where deleted_us is null order by id";
    let rows: Vec<(DocumentId,)> = on_pool!(db, read, pool => sqlx::query_as(LIVING).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|(document,)| document).collect())
}

/// Reads a document from its last snapshot before row `below`; in one snapshot of the database if the transaction is one.
pub(super) async fn load(tx: &mut Tx, document: DocumentId, below: i64) -> Result<Option<Document>> {
    let head: Option<(i64, i64)> =
        on_tx!(&mut *tx, conn => sqlx::query_as(HEAD).bind(document).fetch_optional(conn).await)?;
    let Some((seq, epoch)) = head else { return Ok(None) };
    let snapshot: Option<StoredRow> =
        on_tx!(&mut *tx, conn => sqlx::query_as(SNAPSHOT).bind(document).bind(below).fetch_optional(conn).await)?;
    let after = snapshot.as_ref().map_or(0, |row| row.0);
    let rows: Vec<StoredRow> =
        on_tx!(&mut *tx, conn => sqlx::query_as(ROWS).bind(document).bind(after).fetch_all(conn).await)?;
    let owners: Vec<(i64, UserId, i64)> =
        on_tx!(&mut *tx, conn => sqlx::query_as(OWNERS).bind(document).fetch_all(conn).await)?;
    Ok(Some(Document {
        head: Head { seq, epoch },
        snapshot: snapshot.map(stored),
        rows: rows.into_iter().map(stored).collect(),
        owners: owners.into_iter().map(owner).collect(),
    }))
}

fn stored((seq, bytes, checksum): StoredRow) -> Stored {
    Stored { seq, bytes, checksum }
}

fn owner((client, user, closed): (i64, UserId, i64)) -> (ClientId, Owner) {
    (ClientId(client.cast_unsigned()), if closed == 0 { Owner::User(user) } else { Owner::Closed })
}

pub(super) async fn insert_head(tx: &mut Tx, document: DocumentId, head: Head, bytes: i64) -> Result<()> {
    const INSERT: &str = "insert into document_head (document_id, head, epoch, bytes) values ($1, $2, $3, $4)";
    on_tx!(tx, conn => {
        sqlx::query(INSERT).bind(document).bind(head.seq).bind(head.epoch).bind(bytes).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Measures what a document takes anew, in a statement after those that changed it.
pub(super) async fn measure(tx: &mut Tx, document: DocumentId) -> Result<()> {
    on_tx!(tx, conn => sqlx::query(MEASURE).bind(document).execute(conn).await.map(|_| ()))?;
    Ok(())
}

pub(super) async fn insert_row(
    tx: &mut Tx,
    document: DocumentId,
    seq: i64,
    batch: BatchId,
    author: UserId,
    bytes: &[u8],
) -> Result<(), sqlx::Error> {
    let sum = checksum(bytes);
    on_tx!(tx, conn => {
        sqlx::query(INSERT_ROW)
            .bind(document)
            .bind(seq)
            .bind(batch)
            .bind(author)
            .bind(bytes)
            .bind(sum)
            .bind(now_us())
            .execute(conn)
            .await
            .map(|_| ())
    })
}

pub(super) async fn insert_owner(
    tx: &mut Tx,
    document: DocumentId,
    client: ClientId,
    user: UserId,
    owner: Owner,
) -> Result<(), sqlx::Error> {
    let closed = i64::from(owner == Owner::Closed);
    on_tx!(tx, conn => {
        sqlx::query(INSERT_OWNER)
            .bind(document)
            .bind(client.0.cast_signed())
            .bind(user)
            .bind(closed)
            .execute(conn)
            .await
            .map(|_| ())
    })
}

pub(super) async fn insert_snapshot(tx: &mut Tx, document: DocumentId, seq: i64, bytes: &[u8]) -> Result<()> {
    const INSERT: &str = "insert into document_snapshot (document_id, seq, bytes, checksum, created_us)
        values ($1, $2, $3, $4, $5) on conflict (document_id, seq) do nothing";
    let sum = checksum(bytes);
    on_tx!(tx, conn => {
        sqlx::query(INSERT)
            .bind(document)
            .bind(seq)
            .bind(bytes)
            .bind(sum)
            .bind(now_us())
            .execute(conn)
            .await
            .map(|_| ())
    })?;
    Ok(())
}

pub(super) async fn raise_epoch(tx: &mut Tx, document: DocumentId) -> Result<()> {
    const RAISE: &str = "update document_head set epoch = epoch + 1 where document_id = $1";
    on_tx!(tx, conn => sqlx::query(RAISE).bind(document).execute(conn).await.map(|_| ()))?;
    Ok(())
}

pub(super) async fn raise_epochs(tx: &mut Tx) -> Result<u64> {
    const RAISE: &str = "update document_head set epoch = epoch + 1";
    Ok(on_tx!(tx, conn => sqlx::query(RAISE).execute(conn).await.map(|done| done.rows_affected()))?)
}

pub(super) async fn close_owners(tx: &mut Tx) -> Result<()> {
    const CLOSE: &str = "update document_client set closed = 1";
    on_tx!(tx, conn => sqlx::query(CLOSE).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Reads heads and, on Postgres, locks them in id order, so that two servers never wait for each other in a circle. The
/// answers are in the order of `documents`, which must be that of the ids.
pub(super) async fn lock_heads(tx: &mut Tx, documents: &[DocumentId]) -> Result<Vec<Option<Head>>, sqlx::Error> {
    const LOCK: &str = "select document_id, head, epoch from document_head
        where document_id = any($1) order by document_id for update";
    let rows: Vec<(DocumentId, i64, i64)> = match tx {
        Tx::Postgres(tx) => {
            let ids: Vec<Uuid> = documents.iter().map(|document| document.0).collect();
            sqlx::query_as(LOCK).bind(ids).fetch_all(&mut **tx).await?
        }
        Tx::Sqlite(tx) => heads_sqlite(tx, documents).await?,
    };
    let mut rows = rows.into_iter().peekable();
    let head =
        |document: &DocumentId| rows.next_if(|row| row.0 == *document).map(|(_, seq, epoch)| Head { seq, epoch });
    Ok(documents.iter().map(head).collect())
}

/// The number of the last row that an append wrote, if it did.
pub(super) async fn last_of_batch(tx: &mut Tx, append: &Append) -> Result<Option<i64>, sqlx::Error> {
    let (seq,): (Option<i64>,) = on_tx!(tx, conn => {
        sqlx::query_as(LAST_OF_BATCH).bind(append.document).bind(append.batch).fetch_one(conn).await
    })?;
    Ok(seq)
}

/// Writes rows, owners and new heads of appends whose heads are locked and as expected.
pub(super) async fn append(tx: &mut Tx, appends: &[&Append]) -> Result<(), sqlx::Error> {
    match tx {
        Tx::Postgres(conn) => append_postgres(conn, appends).await,
        Tx::Sqlite(conn) => {
            raise_heads_sqlite(conn, appends).await?;
            append_sqlite(conn, appends).await
        }
    }
}

/// As [`append`], on SQLite and for appends whose heads were not looked at. Answers whether all were as expected; where
/// they were not, the transaction is to be rolled back.
pub(super) async fn append_expected(tx: &mut Tx, appends: &[&Append]) -> Result<bool, sqlx::Error> {
    let Tx::Sqlite(conn) = tx else { return Ok(false) };
    let expected = raise_heads_sqlite(conn, appends).await? == appends.len();
    if expected {
        append_sqlite(conn, appends).await?;
    }
    Ok(expected)
}

async fn append_postgres(
    tx: &mut sqlx::Transaction<'static, sqlx::Postgres>,
    appends: &[&Append],
) -> Result<(), sqlx::Error> {
    const ROWS: &str = "insert into document_update
        (document_id, seq, batch_id, author_id, bytes, checksum, created_us)
        select *, $7 from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::bytea[], $6::bigint[])";
    const OWNERS: &str = "insert into document_client (document_id, client_id, user_id, closed)
        select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[])
        on conflict (document_id, client_id) do nothing";
    const HEADS: &str = "update document_head as h set head = new.head, bytes = h.bytes + new.bytes
        from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as new (document_id, head, bytes)
        where h.document_id = new.document_id";
    let rows = || {
        appends
            .iter()
            .flat_map(|append| append.rows.iter().zip(append.expected.seq + 1..).map(move |row| (append, row)))
    };
    sqlx::query(ROWS)
        .bind(rows().map(|(append, _)| append.document.0).collect::<Vec<Uuid>>())
        .bind(rows().map(|(_, (_, seq))| seq).collect::<Vec<i64>>())
        .bind(rows().map(|(append, _)| append.batch.0).collect::<Vec<Uuid>>())
        .bind(rows().map(|(_, (row, _))| row.author.0).collect::<Vec<Uuid>>())
        .bind(rows().map(|(_, (row, _))| &row.update[..]).collect::<Vec<&[u8]>>())
        .bind(rows().map(|(_, (row, _))| checksum(&row.update)).collect::<Vec<i64>>())
        .bind(now_us())
        .execute(&mut **tx)
        .await?;
    let claims = || appends.iter().flat_map(|append| append.claims.iter().map(move |claim| (append, claim)));
    if claims().next().is_some() {
        sqlx::query(OWNERS)
            .bind(claims().map(|(append, _)| append.document.0).collect::<Vec<Uuid>>())
            .bind(claims().map(|(_, (client, _, _))| client.0.cast_signed()).collect::<Vec<i64>>())
            .bind(claims().map(|(_, (_, user, _))| user.0).collect::<Vec<Uuid>>())
            .bind(claims().map(|(_, (_, _, owner))| i64::from(*owner == Owner::Closed)).collect::<Vec<i64>>())
            .execute(&mut **tx)
            .await?;
    }
    sqlx::query(HEADS)
        .bind(appends.iter().map(|append| append.document.0).collect::<Vec<Uuid>>())
        .bind(appends.iter().map(|append| append.head().seq).collect::<Vec<i64>>())
        .bind(appends.iter().map(|append| append.bytes()).collect::<Vec<i64>>())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Rows in one statement on SQLite, which takes no arrays: a few lengths, so that each text is prepared once. A hundred
/// rows cost four turns of the thread that owns the connection instead of a hundred.
const ROWS_AT_ONCE: [usize; 4] = [64, 16, 4, 1];

/// Parts items into runs of those lengths.
fn runs<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let len = ROWS_AT_ONCE.into_iter().find(|&len| len <= items.len())?;
        let (run, rest) = items.split_at(len);
        items = rest;
        Some(run)
    })
}

/// The places of rows of values: `(?, ?), (?, ?)`. Without numbers, which the library looks up by going through all of
/// them.
fn places(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row.as_str(); rows].join(", ")
}

/// The heads of those of the documents that have a log, in the order of the ids.
async fn heads_sqlite(
    tx: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
    documents: &[DocumentId],
) -> Result<Vec<(DocumentId, i64, i64)>, sqlx::Error> {
    let mut heads = Vec::with_capacity(documents.len());
    for run in runs(documents) {
        let text = format!(
            "select document_id, head, epoch from document_head where document_id in {} order by document_id",
            places(1, run.len())
        );
        let mut query = sqlx::query_as::<_, (DocumentId, i64, i64)>(AssertSqlSafe(text));
        for document in run {
            query = query.bind(document);
        }
        heads.extend(query.fetch_all(&mut **tx).await?);
    }
    Ok(heads)
}

/// Moves the heads that are as expected, and answers how many are.
async fn raise_heads_sqlite(
    tx: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
    appends: &[&Append],
) -> Result<usize, sqlx::Error> {
    let mut raised = 0;
    for run in runs(appends) {
        let text = format!(
            "update document_head set head = new.column4, bytes = document_head.bytes + new.column5
            from (values {}) as new
            where document_id = new.column1 and epoch = new.column2 and document_head.head = new.column3",
            places(run.len(), 5)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for append in run {
            let expected = append.expected;
            query = query.bind(append.document).bind(expected.epoch).bind(expected.seq);
            query = query.bind(append.head().seq).bind(append.bytes());
        }
        raised += query.execute(&mut **tx).await?.rows_affected();
    }
    Ok(usize::try_from(raised).unwrap_or(usize::MAX))
}

/// Writes rows and owners.
async fn append_sqlite(
    tx: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
    appends: &[&Append],
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = appends
        .iter()
        .flat_map(|append| append.rows.iter().zip(append.expected.seq + 1..).map(move |(row, seq)| (append, row, seq)))
        .collect();
    let now = now_us();
    for run in runs(&rows) {
        let text = format!(
            "insert into document_update (document_id, seq, batch_id, author_id, bytes, checksum, created_us) values {}",
            places(run.len(), 7)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (append, row, seq) in run {
            query = query.bind(append.document).bind(*seq).bind(append.batch).bind(row.author);
            query = query.bind(&row.update[..]).bind(checksum(&row.update)).bind(now);
        }
        query.execute(&mut **tx).await?;
    }
    let claims: Vec<_> =
        appends.iter().flat_map(|append| append.claims.iter().map(move |claim| (append.document, claim))).collect();
    for run in runs(&claims) {
        let text = format!(
            "insert into document_client (document_id, client_id, user_id, closed) values {}
            on conflict (document_id, client_id) do nothing",
            places(run.len(), 4)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (document, (client, user, owner)) in run {
            let closed = i64::from(*owner == Owner::Closed);
            query = query.bind(document).bind(client.0.cast_signed()).bind(user).bind(closed);
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}
