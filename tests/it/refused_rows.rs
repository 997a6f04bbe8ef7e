//! Rows that the database refuses for good: they alone fail, and whoever wrote them is told.

use coterie::head::Head;
use coterie::ids::{BatchId, DocumentId};
use coterie::journal::{Append, Committer, Outcome, Row};
use coterie::meters::Meters;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::hold::Hold;
use crate::peer::{Dialect, Peer, typed};
use crate::server::{PATIENCE, TestServer};

on_both_engines![
    a_refused_document_does_not_keep_others_of_its_batch_from_committing,
    a_refused_author_does_not_keep_others_of_the_document_from_committing,
    an_append_that_panics_fails_alone_and_those_after_it_are_committed,
];

/// From now on, rows with this id in a column are refused.
async fn refuse_rows(database: &Database, column: &str, id: Uuid) {
    let id = database.literal(id);
    let statements = match database.engine() {
        Engine::Sqlite => format!(
            "create trigger fault before insert on document_update when new.{column} = {id}
            begin select raise(abort, 'fault'); end"
        ),
        Engine::Postgres => format!(
            "create function fault() returns trigger language plpgsql as
                $$ begin raise exception 'fault'; end $$;
            create trigger fault before insert on document_update for each row
                when (new.{column} = {id}) execute function fault()"
        ),
    };
    database.execute(statements).await;
}

async fn accept_rows(database: &Database) {
    let on_table = if database.engine() == Engine::Postgres { " on document_update" } else { "" };
    database.execute(format!("drop trigger fault{on_table}")).await;
}

/// Holds the commit of one edit, so that what is typed meanwhile is one batch.
async fn hold_with_an_edit(server: &TestServer, document: DocumentId, first: &mut Peer) -> Hold {
    let hold = Hold::of(&server.database, document).await;
    let admitted = server.tally("admitted");
    first.insert(0, "first ").await;
    server.until_tally("admitted", admitted + 1).await;
    hold
}

async fn a_refused_document_does_not_keep_others_of_its_batch_from_committing(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut documents = Vec::new();
    let mut peers = Vec::new();
    for path in ["a", "b", "c", "d", "e"] {
        documents.push(ann.create(project, path, "").await);
        peers.push(ann.socket(Dialect::Hocuspocus, project, path).join().await);
    }
    refuse_rows(&server.database, "document_id", documents[2].0).await;

    let hold = hold_with_an_edit(&server, documents[0], &mut peers[0]).await;
    for peer in &mut peers[1..] {
        peer.insert(0, "x").await;
        peer.round_trip().await;
    }
    hold.release().await;
    for (number, peer) in peers.iter_mut().enumerate() {
        if number == 2 {
            peer.until("the edit is refused", |peer| !peer.events.is_empty()).await;
            assert_eq!(peer.events[0]["code"], "unstorable");
            peer.insert(0, "y").await;
            peer.until("so is what follows it", |peer| peer.statuses.iter().filter(|saved| !**saved).count() == 2)
                .await;
        } else {
            peer.until_saved().await;
        }
    }
    assert_eq!(server.tally("unstorable"), 1);

    // Once the database takes such rows again, so does the server, from somebody new.
    accept_rows(&server.database).await;
    let mut newcomer = ann.socket(Dialect::Hocuspocus, project, "c").join().await;
    assert_eq!(newcomer.text(), "");
    newcomer.insert(0, "z").await;
    newcomer.until_saved().await;
    server.restart().await;
    for (number, text) in ["first ", "x", "z", "x", "x"].into_iter().enumerate() {
        assert_eq!(ann.text(project, documents[number]).await, text);
    }
}

async fn a_refused_author_does_not_keep_others_of_the_document_from_committing(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut guests = vec![ann.clone()];
    for name in ["Bob", "Cid", "Dan"] {
        let guest = TestClient::guest(server.place(), name).await;
        ann.invite(project, &guest, "editor").await;
        guests.push(guest);
    }
    let mut peers = Vec::new();
    for guest in &guests {
        peers.push(guest.socket(Dialect::Hocuspocus, project, "a").presence(json!({})).join().await);
    }
    refuse_rows(&server.database, "author_id", guests[2].id.0).await;

    let hold = hold_with_an_edit(&server, document, &mut peers[0]).await;
    let admitted = server.tally("admitted");
    for (number, peer) in peers.iter_mut().enumerate().skip(1) {
        peer.insert(0, ["", "Bob ", "Cid ", "Dan "][number]).await;
    }
    server.until_tally("admitted", admitted + 3).await;
    hold.release().await;
    peers[2].until("the edit is refused", |peer| peer.statuses.contains(&false)).await;
    for number in [0, 1, 3] {
        peers[number].until_saved().await;
    }
    server.restart().await;
    let text = ann.text(project, document).await;
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    assert_eq!(words, ["Bob", "Dan", "first"]);
}

async fn an_append_that_panics_fails_alone_and_those_after_it_are_committed(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let (good, bad) = (ann.create(project, "good", "").await, ann.create(project, "bad", "").await);
    // After the last number there is none, and counting on panics inside the transaction.
    let last = "update document_head set head = 9223372036854775807 where document_id = $1";
    server.database.change(last, bad).await;
    let committer = Committer::start(server.db().clone(), &Meters::new());
    let append = |document, seq, client, text: &str| {
        let rows = vec![Row { author: ann.id, update: typed(client, text).into() }];
        let append = Append { document, batch: BatchId::new(), expected: Head { seq, epoch: 1 }, rows, claims: vec![] };
        timeout(PATIENCE, committer.append(append))
    };
    let (one, two) = tokio::join!(append(good, 0, 1, "one"), append(bad, i64::MAX, 2, "two"));
    assert_eq!((one, two), (Ok(Some(Outcome::Committed)), Ok(Some(Outcome::Refused))));
    assert_eq!(append(good, 1, 3, "three").await, Ok(Some(Outcome::Committed)), "the task goes on");
    let text = ann.text(project, good).await;
    assert!(text.contains("one") && text.contains("three"), "{text}");
    let rows = "select count(*) from document_update where document_id = $1";
    assert_eq!((server.database.number(rows, good).await, server.database.number(rows, bad).await), (2, 0));
}
