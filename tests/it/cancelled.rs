//! Work that nobody waits for any more harms nobody else.

use std::time::Duration;

use crate::engines::{Database, Engine, on_both_engines};

on_both_engines![transactions_broken_off_at_their_beginning_leave_no_connection_in_one];

async fn transactions_broken_off_at_their_beginning_leave_no_connection_in_one(engine: Engine) {
    let database = Database::create(engine).await;
    let db = database.connect().await;
    for round in 0..400_u64 {
        let time = Duration::from_micros(round * 7 % 900);
        let _ = tokio::time::timeout(time, db.begin_read()).await;
        let _ = tokio::time::timeout(time, db.begin()).await;
    }
    for _ in 0..40 {
        crate::stored::run(&db, "create table if not exists written (n bigint)".to_owned()).await;
        crate::stored::run(&db, "insert into written values (1)".to_owned()).await;
    }
    db.close().await;
    let db = database.connect().await;
    assert_eq!(crate::stored::run(&db, "update written set n = 2".to_owned()).await, 40, "all of it is there");
}
