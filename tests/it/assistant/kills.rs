//! What becomes of questions and answers when a server is killed.

use std::time::{Duration, Instant};

use coterie::auth;
use coterie::chat::{self, Again, NewMessage, State};
use coterie::config::Budget;
use coterie::feed::Feed;
use coterie::ids::MessageId;
use coterie::role::Role;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Scene;
use crate::engines::{Engine, on_both_engines};
use crate::model::fake::{Script, answer, calls};
use crate::server::{TestServer, until};

on_both_engines![
    what_a_killed_server_left_is_ended_by_another_and_paid_for,
    what_was_said_just_before_a_server_was_killed_is_answered_later,
    what_waits_for_files_of_one_project_delays_no_other,
    old_runs_are_forgotten,
    what_cannot_be_heard_is_let_pass,
    an_answer_that_is_ended_by_another_server_is_one_answer,
];

async fn what_a_killed_server_left_is_ended_by_another_and_paid_for(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.project_budget = Some(Budget::Tokens(50_000))).await;
    let feed = &scene.server.state().feed;
    let assistant = auth::assistant(scene.server.db()).await.unwrap();
    let id = MessageId::new();
    let wanted = NewMessage {
        id: Some(id),
        body: "so far".to_owned(),
        state: Some(State::Streaming),
        via: Some(scene.ann.id),
        ..NewMessage::default()
    };
    chat::post(feed, scene.project, assistant.id, wanted).await.unwrap();
    let literal = |id| scene.server.database.literal(id);
    let today = coterie::db::now_us() / 86_400_000_000;
    let run = format!(
        "insert into assistant_run (id, project_id, conversation_id, message_id, user_id, server_run, beat_us, created_us,
            model, held_day, asked_tokens, held_tokens, held_micros)
         values ({}, {}, {}, {}, {}, {}, 1, 1, 'small', {today}, 1000, 3000, 22000);
         insert into assistant_account (owner_id, day, tokens, micros) values ({}, {today}, 3000, 22000)",
        literal(uuid::Uuid::now_v7()),
        literal(scene.project.0),
        literal(scene.project.0),
        literal(id.0),
        literal(scene.ann.id.0),
        literal(uuid::Uuid::now_v7()),
        literal(scene.project.0),
    );
    scene.server.database.execute(run).await;
    until("it is ended", async || scene.message(&json!(id)).await["state"] == "failed").await;
    assert_eq!(scene.message(&json!(id)).await["error"]["code"], "interrupted");
    let path = format!("/api/projects/{}/usage", scene.project);
    until("it is paid for", async || scene.ann.get(&path).await.1["items"][0]["prompt_tokens"] == 1_000).await;
    let (_, usage) = scene.ann.get(&path).await;
    assert_eq!((&usage["items"][0]["completion_tokens"], &usage["items"][0]["cost"]), (&json!(2), &json!(0.00202)));
    assert_eq!(usage["project_budget"]["used"], json!(1_002.0), "what was set aside beyond that is free again");
}

async fn what_was_said_just_before_a_server_was_killed_is_answered_later(engine: Engine) {
    let mut scene = Scene::new(engine).await;
    scene.model.then(Script::Refuse(500, vec![], String::new()));
    let failed = scene.say(&scene.ann, "@assistant first").await;
    let answer_id = scene.ended(&failed).await["id"].clone();
    scene.server.shutdown().await;
    // A server that nobody listens to, as one is that is killed at once.
    let db = scene.server.database.connect().await;
    let feed = Feed::new(db, CancellationToken::new());
    let asks = |body: &str| NewMessage { body: body.to_owned(), role: Some(Role::Owner), ..NewMessage::default() };
    let id = answer_id.as_str().unwrap().parse::<uuid::Uuid>().map(MessageId).unwrap();
    let again = Again { by: scene.ann.id, role: Role::Owner, issuer: None, model: None, persona: None };
    chat::again(&feed, scene.project, id, &again).await.unwrap();
    let (question, _) = chat::post(&feed, scene.project, scene.ann.id, asks("@assistant second")).await.unwrap();
    let (late, _) = chat::post(&feed, scene.project, scene.ann.id, asks("@assistant third")).await.unwrap();
    let (unmeant, _) = chat::post(&feed, scene.project, scene.ann.id, asks("fourth")).await.unwrap();
    let literal = |id| scene.server.database.literal(id);
    let long_ago = format!(
        "update feed_event set created_us = 1 where subject_id in ({}, {})",
        literal(late.id.0),
        literal(unmeant.id.0)
    );
    scene.server.database.execute(long_ago).await;
    scene.model.then(answer(&["again"]));
    scene.model.then(answer(&["second"]));
    scene.server.start_again().await;
    assert_eq!(scene.answer(&failed, &["done"]).await["body"], "again");
    let of = |id: MessageId| json!({ "id": id });
    assert_eq!(scene.answer(&of(question.id), &["done"]).await["body"], "second");
    let told = scene.ended(&of(late.id)).await;
    assert_eq!((&told["state"], &told["error"]["code"]), (&json!("failed"), &json!("interrupted")), "{told}");
    assert_eq!(scene.answers().await, 3, "what was meant for nobody is let pass");
    assert_eq!(scene.model.asked().len(), 3);
    // And once is enough.
    scene.server.restart().await;
    scene.model.then(answer(&["fifth"]));
    let last = scene.say(&scene.ann, "@assistant fifth").await;
    assert_eq!(scene.ended(&last).await["body"], "fifth");
    assert_eq!(scene.answers().await, 4);
}

async fn what_waits_for_files_of_one_project_delays_no_other(engine: Engine) {
    let mut scene = Scene::new(engine).await;
    for n in 0..3 {
        let path = format!(".coterie/personas/poet{n}.md");
        scene.ann.create(scene.project, &path, "---\nname: Poet\n---\nRhyme.").await;
    }
    let other = scene.ann.project().await;
    scene.server.shutdown().await;
    // Workers that never answer.
    let program = scene.server.database.folder.path().join("silent");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut config = TestServer::config(&scene.server.database);
    config.ai.models = vec![super::settings(&scene.model)];
    config.program = program;
    let silent = TestServer::with(config, scene.server.database.shared()).await;
    let ann = scene.ann.at(silent.place());
    scene.model.then(answer(&["at once"]));
    let began = Instant::now();
    ann.post(&scene.messages(), json!({ "body": "@poet1?" })).await;
    ann.post(&format!("/api/projects/{other}/messages"), json!({ "body": "@assistant?" })).await;
    until("the other project is answered", async || {
        let (_, page) = ann.get(&format!("/api/projects/{other}/messages")).await;
        page["items"][1]["state"] == "done"
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

async fn old_runs_are_forgotten(engine: Engine) {
    let scene = Scene::new(engine).await;
    scene.model.then(answer(&["yes"]));
    let question = scene.say(&scene.ann, "@assistant?").await;
    scene.ended(&question).await;
    until("its run has ended", async || {
        scene.server.database.dump("assistant_run").await.len() == 1 && {
            let count = "update assistant_run set ended_us = 1 where ended_us is not null".to_owned();
            scene.server.database.execute(count).await;
            coterie::assistant::sweep(scene.server.db()).await.unwrap();
            scene.server.database.dump("assistant_run").await.is_empty()
        }
    })
    .await;
    assert_eq!(scene.server.database.dump("assistant_account").await.len(), 2, "today's stay");
}

async fn what_cannot_be_heard_is_let_pass(engine: Engine) {
    let scene = Scene::new(engine).await;
    let bob = scene.member("Bob", "editor").await;
    // Nothing is noted for Bob any more, whoever tries.
    let user = scene.server.database.literal(bob.id.0);
    let statements = match engine {
        Engine::Sqlite => format!(
            "create trigger fault before insert on assistant_run when new.user_id = {user}
            begin select raise(abort, 'fault'); end"
        ),
        Engine::Postgres => format!(
            "create function fault() returns trigger language plpgsql as
                $$ begin raise exception 'fault'; end $$;
            create trigger fault before insert on assistant_run for each row
                when (new.user_id = {user}) execute function fault()"
        ),
    };
    scene.server.database.execute(statements).await;
    scene.say(&bob, "@assistant one").await;
    scene.model.then(answer(&["two"]));
    let question = scene.say(&scene.ann, "@assistant two").await;
    assert_eq!(scene.ended(&question).await["body"], "two", "what comes after it is heard");
    assert_eq!(scene.answers().await, 1);
}

async fn an_answer_that_is_ended_by_another_server_is_one_answer(engine: Engine) {
    let scene = Scene::new(engine).await;
    scene.model.then(calls("list_files", &json!({})));
    scene.model.then(Script::Hang(Vec::new()));
    let question = scene.say(&scene.ann, "@assistant?").await;
    until("it is asked again", async || scene.model.asked().len() == 2).await;
    // As if another server gave it, and had been killed.
    let other = scene.server.database.literal(uuid::Uuid::now_v7());
    let lost = format!("update assistant_run set server_run = {other}, beat_us = 1 where ended_us is null");
    scene.server.database.execute(lost).await;
    assert_eq!(scene.ended(&question).await["error"]["code"], "interrupted");
    let path = format!("/api/projects/{}/usage", scene.project);
    until("its second request is paid for", async || {
        let (_, usage) = scene.ann.get(&path).await;
        usage["items"][0]["prompt_tokens"].as_u64().is_some_and(|tokens| tokens > 7)
    })
    .await;
    assert_eq!(scene.ann.get(&path).await.1["items"][0]["runs"], 1);
}
