//! Keeping the server from committing, by the locks of somebody else.

use coterie::db::{Db, Tx};
use coterie::ids::DocumentId;

use crate::engines::Database;

/// While this lasts, nothing is appended to the document: on Postgres its head is locked, on SQLite the whole database.
pub struct Hold {
    db: Db,
    tx: Tx,
}

impl Hold {
    /// Locks.
    pub async fn of(database: &Database, document: DocumentId) -> Self {
        let db = database.connect().await;
        let mut tx = db.begin().await.unwrap();
        if let Tx::Postgres(tx) = &mut tx {
            // The server's own connections may not be idle inside a transaction for so long.
            sqlx::query("set local idle_in_transaction_session_timeout = 0").execute(&mut **tx).await.unwrap();
            sqlx::query("select 1 from document_head where document_id = $1 for update")
                .bind(document)
                .execute(&mut **tx)
                .await
                .unwrap();
        }
        Self { db, tx }
    }

    /// Lets go.
    pub async fn release(self) {
        self.tx.commit().await.unwrap();
        self.db.close().await;
    }
}
