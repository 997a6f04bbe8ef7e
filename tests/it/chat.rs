//! The chat of people: written once, in one order, read both ways, changed by its author only.

use std::time::Duration;

use coterie::chat::{self, Again, NewMessage, Progress, State};
use coterie::ids::{MessageId, ProjectId, UserId};
use coterie::role::Role;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::events::{Events, all};
use crate::server::TestServer;

on_both_engines![
    a_message_is_told_to_everybody_as_it_is_stored,
    who_may_chat_and_who_may_change_what,
    a_deleted_message_leaves_a_trace_and_nothing_of_what_it_said,
    the_same_key_is_the_same_message,
    mentions_and_attachments_are_found_in_the_project,
    conversations_have_titles_and_each_reader_a_place,
    ten_thousand_messages_are_read_fast_in_pages_both_ways,
    an_answer_that_is_being_written_is_told_as_it_grows,
    nothing_is_told_of_an_answer_after_it_was_deleted,
    an_answer_is_stopped_once_and_given_again,
];

fn base(project: ProjectId) -> String {
    format!("/api/projects/{project}")
}

async fn say(client: &TestClient, project: ProjectId, body: &str) -> Value {
    let (status, message) = client.post(&format!("{}/messages", base(project)), json!({ "body": body })).await;
    assert_eq!(status, StatusCode::CREATED, "{message}");
    message
}

async fn a_message_is_told_to_everybody_as_it_is_stored(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "commenter").await;
    let mut stream = Events::open(&bob, project, None).await;
    let mut room = bob.room(project).join().await;
    let message = say(&ann, project, "Hello **all**\r\nof you").await;
    assert_eq!(message["author"], json!({ "id": ann.id, "name": "Ann", "kind": "guest" }));
    assert_eq!(
        (&message["seq"], &message["state"], &message["body"]),
        (&json!(1), &json!("done"), &json!("Hello **all**\nof you"))
    );
    let told = loop {
        let event = stream.next().await.unwrap();
        if event["type"] == "message.created" {
            break event;
        }
    };
    assert_eq!(told["message"], message);
    room.until("the room is told", |peer| peer.events.iter().any(|event| event["message"] == message)).await;
    let (_, stored) = bob.get(&format!("{}/messages/{}", base(project), message["id"].as_str().unwrap())).await;
    assert_eq!(stored, message);
    let (_, reply) =
        bob.post(&format!("{}/messages", base(project)), json!({ "body": "Hi", "reply_to": message["id"] })).await;
    assert_eq!((&reply["reply_to"], &reply["seq"]), (&message["id"], &json!(2)));
    // Writing is told, not stored.
    let (status, _) = bob.post(&format!("{}/typing", base(project)), json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    room.until("it is told who writes", |peer| {
        peer.events.iter().any(|event| event["type"] == "typing" && event["user"]["name"] == "Bob")
    })
    .await;
    // Many at once are one order.
    join_all((0..20).map(|n| {
        let ann = ann.clone();
        async move { say(&ann, project, &format!("{n}")).await }
    }))
    .await;
    let (_, page) = ann.get(&format!("{}/messages", base(project))).await;
    let seqs: Vec<i64> = page["items"].as_array().unwrap().iter().map(|one| one["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=22).collect::<Vec<_>>());
}

async fn who_may_chat_and_who_may_change_what(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let hers = say(&ann, project, "hers").await;
    let path = |message: &Value| format!("{}/messages/{}", base(project), message["id"].as_str().unwrap());
    let viewer = TestClient::guest(server.place(), "Vic").await;
    let commenter = TestClient::guest(server.place(), "Cyd").await;
    assert_eq!(viewer.get(&format!("{}/messages", base(project))).await.0, StatusCode::NOT_FOUND);
    ann.invite(project, &viewer, "viewer").await;
    ann.invite(project, &commenter, "commenter").await;
    assert_eq!(viewer.get(&format!("{}/messages", base(project))).await.0, StatusCode::OK);
    let refused = viewer.post(&format!("{}/messages", base(project)), json!({ "body": "x" })).await;
    assert_eq!(refused.0, StatusCode::FORBIDDEN);
    assert_eq!(viewer.post(&format!("{}/typing", base(project)), json!({})).await.0, StatusCode::FORBIDDEN);
    let theirs = say(&commenter, project, "theirs").await;
    assert_eq!(commenter.patch(&path(&hers), json!({ "body": "forged" })).await.0, StatusCode::FORBIDDEN);
    assert_eq!(commenter.delete(&path(&hers)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(ann.patch(&path(&theirs), json!({ "body": "forged" })).await.0, StatusCode::FORBIDDEN);
    let (status, edited) = commenter.patch(&path(&theirs), json!({ "body": "better" })).await;
    assert_eq!((status, &edited["body"]), (StatusCode::OK, &json!("better")));
    assert!(edited["edited_at"].is_string() && edited["seq"] == theirs["seq"]);
    assert_eq!(ann.delete(&path(&theirs)).await.0, StatusCode::NO_CONTENT, "an owner may take it away");
    // Another project's message is none here.
    let other = ann.project().await;
    let elsewhere = format!("{}/messages/{}", base(other), hers["id"].as_str().unwrap());
    assert_eq!(ann.get(&elsewhere).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.patch(&elsewhere, json!({ "body": "x" })).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.delete(&elsewhere).await.0, StatusCode::NOT_FOUND);
    for bad in [
        json!({ "body": "" }),
        json!({ "body": " \n" }),
        json!({ "body": "a\0" }),
        json!({ "body": "x", "reply_to": ann.id }),
    ] {
        assert_eq!(
            ann.post(&format!("{}/messages", base(project)), bad.clone()).await.0,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    let long = json!({ "body": "x".repeat(40_000) });
    assert_eq!(ann.post(&format!("{}/messages", base(project)), long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

async fn a_deleted_message_leaves_a_trace_and_nothing_of_what_it_said(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let message = say(&ann, project, "my password is hunter2").await;
    let path = format!("{}/messages/{}", base(project), message["id"].as_str().unwrap());
    ann.patch(&path, json!({ "body": "it was hunter2" })).await;
    assert_eq!(ann.delete(&path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ann.delete(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.patch(&path, json!({ "body": "again" })).await.0, StatusCode::NOT_FOUND);
    let (_, page) = ann.get(&format!("{}/messages", base(project))).await;
    assert_eq!((&page["items"][0]["id"], &page["items"][0]["body"]), (&message["id"], &json!("")));
    assert!(page["items"][0]["deleted_at"].is_string());
    let events = all(&ann, project).await;
    let kinds: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(json!(kinds), json!(["message.created", "message.updated", "message.deleted"]));
    assert!(!json!(events).to_string().contains("hunter2"), "{events:?}");
    assert_eq!(events[2]["id"], message["id"]);
}

async fn the_same_key_is_the_same_message(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let path = format!("{}/messages", base(project));
    let posted = join_all((0..8).map(|_| ann.post(&path, json!({ "body": "once", "key": "k1" })))).await;
    assert_eq!(posted.iter().filter(|(status, _)| *status == StatusCode::CREATED).count(), 1);
    assert!(posted.iter().all(|(status, message)| status.is_success() && message["id"] == posted[0].1["id"]));
    assert_eq!(bob.post(&path, json!({ "body": "his", "key": "k1" })).await.0, StatusCode::CREATED);
    let other = ann.project().await;
    let elsewhere = ann.post(&format!("{}/messages", base(other)), json!({ "body": "there", "key": "k1" })).await;
    assert_eq!(elsewhere.0, StatusCode::CREATED);
    let (_, page) = ann.get(&path).await;
    let seqs: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|one| &one["seq"]).collect();
    assert_eq!(json!(seqs), json!([1, 2]), "no number is lost");
}

async fn mentions_and_attachments_are_found_in_the_project(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let lee = TestClient::guest(server.place(), "Ann Lee").await;
    let project = ann.project().await;
    ann.invite(project, &lee, "editor").await;
    let file = ann.create(project, "src/main.rs", "").await;
    let message = say(&ann, project, "@ann lee, @Ann: ask @assistant or @coder about @src/main.rs, not `@ann`").await;
    let expected = json!([
        { "kind": "person", "id": lee.id, "name": "Ann Lee" },
        { "kind": "person", "id": ann.id, "name": "Ann" },
        { "kind": "assistant" },
        { "kind": "name", "name": "coder" },
        { "kind": "file", "id": file, "path": "src/main.rs" },
    ]);
    assert_eq!(message["mentions"], expected);

    let put = ann.request(Method::PUT, &format!("{}/blobs?name=a.bin", base(project)));
    let put = put.header("content-type", "application/octet-stream").body(vec![1, 2, 3]);
    let (_, blob) = crate::client::answer(put).await;
    let attachments = json!([
        { "kind": "file", "document_id": file },
        { "kind": "selection", "document_id": file, "start": "AAA=", "end": "AAE=", "text": "fn main", "head": 1 },
        { "kind": "blob", "hash": blob["hash"], "name": "a.bin" },
    ]);
    let path = format!("{}/messages", base(project));
    let (status, message) = ann.post(&path, json!({ "body": "", "attachments": attachments })).await;
    assert_eq!((status, &message["attachments"]), (StatusCode::CREATED, &attachments));
    let other = ann.project().await;
    let foreign = ann.create(other, "x", "").await;
    for bad in [
        json!([{ "kind": "file", "document_id": foreign }]),
        json!([{ "kind": "blob", "hash": "00" }]),
        json!([{ "kind": "selection", "document_id": file, "start": "x".repeat(7_000), "end": "" }]),
        json!(vec![json!({ "kind": "file", "document_id": file }); 11]),
    ] {
        let (status, _) = ann.post(&path, json!({ "body": "x", "attachments": bad })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

async fn conversations_have_titles_and_each_reader_a_place(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "viewer").await;
    let conversations = format!("{}/conversations", base(project));
    let (_, page) = bob.get(&conversations).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["items"][0]["title"]), (1, &Value::Null));
    let (status, second) = ann.post(&conversations, json!({ "title": "Design" })).await;
    assert_eq!(status, StatusCode::CREATED, "{second}");
    assert_eq!(bob.post(&conversations, json!({ "title": "No" })).await.0, StatusCode::FORBIDDEN);
    let path = format!("{}/messages", base(project));
    for n in 0..3 {
        let body = json!({ "body": format!("Größe {n}"), "conversation": second["id"] });
        assert_eq!(ann.post(&path, body).await.0, StatusCode::CREATED);
    }
    say(&ann, project, "in the first one").await;
    let place = async |client: &TestClient, n: usize| client.get(&conversations).await.1["items"][n].clone();
    let (hers, his) = (place(&ann, 1).await, place(&bob, 1).await);
    assert_eq!((&hers["head"], &hers["unread"], &his["unread"]), (&json!(3), &json!(0), &json!(3)));
    let read = format!("{conversations}/{}/read", second["id"].as_str().unwrap());
    for (given, kept) in [(2, 2), (1, 2), (99, 3)] {
        let request = bob.request(Method::PUT, &read).json(&json!({ "seq": given }));
        assert_eq!(crate::client::answer(request).await, (StatusCode::OK, json!({ "seq": kept })));
    }
    assert_eq!(place(&bob, 1).await["unread"], 0);
    let one = format!("{conversations}/{}", second["id"].as_str().unwrap());
    assert_eq!(ann.patch(&one, json!({ "title": "Shape" })).await.1["title"], "Shape");
    let first = format!("{conversations}/{project}");
    assert_eq!(ann.patch(&first, json!({ "title": "Named" })).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(ann.patch(&first, json!({ "answers": "everything" })).await.1["answers"], "everything");
    assert_eq!(place(&bob, 0).await["answers"], "everything");
    // Searching, whatever the case, and taking away.
    let found = ann.get(&format!("{path}?conversation={}&q=GRÖSSE", second["id"].as_str().unwrap())).await.1;
    assert_eq!(found["items"], json!([]), "ß is no ss");
    let found = ann.get(&format!("{path}?conversation={}&q=GRÖße%201", second["id"].as_str().unwrap())).await.1;
    assert_eq!(found["items"][0]["body"], "Größe 1");
    assert_eq!(ann.get(&format!("{path}?q=%25")).await.1["items"], json!([]), "a sign of the pattern is a letter");
    let (_, everywhere) = bob.get(&format!("{path}/search?q=gröSSe&limit=2")).await;
    assert_eq!(everywhere["items"], json!([]));
    let (_, everywhere) = bob.get(&format!("{path}/search?q=größe&limit=2")).await;
    assert_eq!(everywhere["items"][1]["body"], "Größe 1");
    let rest = format!("{path}/search?q=größe&limit=2&after={}", everywhere["next"].as_str().unwrap());
    assert_eq!(bob.get(&rest).await.1["items"][0]["body"], "Größe 0");
    let export = format!("{path}/export?conversation={}", second["id"].as_str().unwrap());
    let text = bob.request(Method::GET, &format!("{export}&format=md")).send().await.unwrap().text().await.unwrap();
    assert!(text.starts_with("### Ann · ") && text.contains("\n\nGröße 2\n"), "{text}");
    let (_, json) = bob.get(&format!("{export}&format=json")).await;
    assert_eq!(json["messages"].as_array().unwrap().len(), 3);
    // What was taken away is brought along as what somebody says was said.
    let other = ann.project().await;
    let brought = json!({ "title": "Design", "messages": json["messages"] });
    let import = format!("{}/conversations/import", base(other));
    let (status, conversation) = ann.post(&import, brought).await;
    assert_eq!((status, &conversation["head"], &conversation["unread"]), (StatusCode::CREATED, &json!(3), &json!(0)));
    let there = format!("{}/messages?conversation={}", base(other), conversation["id"].as_str().unwrap());
    let (_, page) = ann.get(&there).await;
    let said = page["items"][2]["body"].as_str().unwrap();
    assert!(said.starts_with("> Ann · ") && said.ends_with("\n\nGröße 2"), "{said}");
    for bad in [json!({ "title": "x", "messages": [] }), json!({ "title": "", "messages": json["messages"] })] {
        assert_eq!(ann.post(&import, bad.clone()).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let said = json!({ "author": { "name": "Ann" }, "body": "and so on" });
    let many = |count: usize| json!({ "title": "Long", "messages": vec![said.clone(); count] });
    assert_eq!(ann.post(&import, many(10_001)).await.0, StatusCode::BAD_REQUEST);
    let began = Instant::now();
    let (status, conversation) = ann.post(&import, many(10_000)).await;
    println!("10,000 messages were taken in within {:?}", began.elapsed());
    assert_eq!((status, &conversation["head"]), (StatusCode::CREATED, &json!(10_000)));
    let there = format!("{}/messages?conversation={}&after=9999", base(other), conversation["id"].as_str().unwrap());
    assert_eq!(ann.get(&there).await.1["items"][0]["body"], "> Ann\n\nand so on");
    let (_, empty) = bob.get(&format!("{}/messages/export?format=json", base(ann.project().await))).await;
    assert_eq!(empty["error"]["code"], "not_found");
}

async fn ten_thousand_messages_are_read_fast_in_pages_both_ways(engine: Engine) {
    const MESSAGES: i64 = 10_000;
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    say(&ann, project, "the first").await;
    let id = |n: i64| server.database.literal(uuid::Uuid::from_u128(0x77 + u128::from(n.unsigned_abs())));
    let (conversation, author) = (server.database.literal(project.0), server.database.literal(ann.id.0));
    let rows: Vec<String> = (2..=MESSAGES)
        .map(|n| {
            format!(
                "({}, {conversation}, {n}, {author}, 'message {n}', 'message {n}', 'done', '[]', '[]', '{{}}', {n})",
                id(n)
            )
        })
        .collect();
    for rows in rows.chunks(500) {
        let columns =
            "id, conversation_id, seq, author_id, body, folded, state, attachments, mentions, details, created_us";
        server.database.execute(format!("insert into message ({columns}) values {}", rows.join(","))).await;
    }
    server.database.execute(format!("update conversation set head = {MESSAGES}")).await;
    let path = format!("{}/messages", base(project));
    let began = Instant::now();
    let mut before = String::new();
    let mut seen = Vec::new();
    let mut slowest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        let (_, page) = ann.get(&format!("{path}?limit=50{before}")).await;
        slowest = slowest.max(asked.elapsed());
        let seqs: Vec<i64> = page["items"].as_array().unwrap().iter().map(|one| one["seq"].as_i64().unwrap()).collect();
        assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
        seen.splice(0..0, seqs);
        match page["previous"].as_str() {
            Some(previous) => before = format!("&before={previous}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=MESSAGES).collect::<Vec<_>>());
    println!("{MESSAGES} messages in pages of 50: {:?}, the slowest page {slowest:?}", began.elapsed());
    let mut after = "0".to_owned();
    let mut count = 0;
    loop {
        let (_, page) = ann.get(&format!("{path}?limit=200&after={after}")).await;
        count += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(count, 10_000);
    let asked = Instant::now();
    let (_, found) = ann.get(&format!("{path}?q=message%20777")).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 11);
    say(&ann, project, "one more").await;
    println!("a search and a new message: {:?}", asked.elapsed());
    assert!(slowest < Duration::from_secs(2) && asked.elapsed() < Duration::from_secs(3), "{slowest:?}");
}

async fn an_answer_that_is_being_written_is_told_as_it_grows(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let feed = &server.state().feed;
    let author: UserId = ann.id;
    let wanted = NewMessage {
        state: Some(State::Queued),
        persona: Some("Coder".into()),
        via: Some(author),
        ..NewMessage::default()
    };
    let (message, is_new) = chat::post(feed, project, author, wanted).await.unwrap();
    assert!(is_new);
    let id: MessageId = message.id;
    let progress = |body: &str, state, details: Value| Progress {
        body: body.to_owned(),
        details: serde_json::from_value(details).unwrap(),
        ..Progress::new(state)
    };
    chat::progress(feed, project, id, &progress("", State::Streaming, json!({}))).await.unwrap();
    // Who comes while it is written reads what was said, and hears the rest from there.
    feed.write(project, id, "all 🏋 ");
    let mut stream = Events::open(&ann, project, None).await;
    let path = format!("{}/messages/{id}", base(project));
    let so_far = ann.get(&path).await.1;
    assert_eq!((&so_far["body"], &so_far["state"]), (&json!("all 🏋 "), &json!("streaming")));
    assert_eq!(ann.get(&format!("{}/messages", base(project))).await.1["items"][0]["body"], "all 🏋 ");
    feed.write(project, id, "of it");
    let delta = stream.next().await.unwrap();
    assert_eq!(delta, json!({ "type": "message.delta", "id": id, "offset": 7, "text": "of it" }));
    let end = progress("all 🏋 of it", State::Done, json!({ "usage": { "total_tokens": 3 } }));
    chat::progress(feed, project, id, &end).await.unwrap();
    feed.written_down(id);
    assert!(chat::progress(feed, project, id, &end).await.is_err(), "what has ended stays as it is");
    assert!(chat::stop(feed, project, author, id).await.is_err());
    let (_, stored) = ann.get(&path).await;
    assert_eq!(
        (&stored["state"], &stored["usage"]["total_tokens"], &stored["persona"]),
        (&json!("done"), &json!(3), &json!("Coder"))
    );
    assert_eq!(stored["via"], json!({ "id": ann.id, "name": "Ann" }));
    let kinds: Vec<Value> = all(&ann, project).await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["message.created", "message.updated", "message.completed"]);
}

async fn an_answer_is_stopped_once_and_given_again(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    let feed = &server.state().feed;
    let wanted = NewMessage { state: Some(State::Queued), via: Some(ann.id), ..NewMessage::default() };
    let (message, _) = chat::post(feed, project, ann.id, wanted).await.unwrap();
    let streaming = Progress::new(State::Streaming);
    chat::progress(feed, project, message.id, &streaming).await.unwrap();
    feed.write(project, message.id, "so far");
    let again = Again { by: bob.id, role: Role::Editor, issuer: None, model: None, persona: None };
    assert!(chat::again(feed, project, message.id, &again).await.is_err());
    let stopped = chat::stop(feed, project, bob.id, message.id).await.unwrap();
    assert_eq!((stopped.state, stopped.body.as_str()), (State::Stopped, "so far"));
    assert!(chat::stop(feed, project, bob.id, message.id).await.is_err());
    // Only whoever was writing has something to add, and nobody makes another end of it.
    let end = |state| Progress { body: "so far and".to_owned(), ..Progress::new(state) };
    assert!(chat::progress(feed, project, message.id, &end(State::Done)).await.is_err());
    let ended = chat::progress(feed, project, message.id, &end(State::Stopped)).await.unwrap();
    assert_eq!((ended.state, ended.body.as_str()), (State::Stopped, "so far and"));
    feed.written_down(message.id);
    let again = chat::again(feed, project, message.id, &again).await.unwrap();
    let via = again.via.unwrap();
    assert_eq!((again.state, again.body.as_str(), via.id), (State::Queued, "", bob.id));
}

async fn nothing_is_told_of_an_answer_after_it_was_deleted(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let feed = &server.state().feed;
    let wanted = NewMessage { state: Some(State::Queued), via: Some(ann.id), ..NewMessage::default() };
    let (message, _) = chat::post(feed, project, ann.id, wanted).await.unwrap();
    let streaming = Progress::new(State::Streaming);
    chat::progress(feed, project, message.id, &streaming).await.unwrap();
    let mut stream = Events::open(&ann, project, None).await;
    feed.write(project, message.id, "secret");
    chat::delete(feed, project, ann.id, false, message.id).await.unwrap();
    assert_eq!(stream.next().await.unwrap()["text"], "secret");
    assert_eq!(stream.next().await.unwrap()["type"], "message.deleted");
    // Who writes it has not heard of that yet.
    feed.write(project, message.id, " and more");
    let typing = format!("{}/typing", base(project));
    assert_eq!(ann.post(&typing, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(stream.next().await.unwrap()["type"], "typing");
    assert_eq!(feed.written(message.id).as_deref(), Some(""));
}
