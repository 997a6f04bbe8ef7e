//! Proposals are made of texts and replacements; hunks and what holds them are the server's work.

use coterie::limits;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{act, base, code, done, hunks, now, propose, proposed, proposed_text, states, told};
use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::events::Events;
use crate::opening::Dialect;
use crate::server::TestServer;

on_both_engines![
    a_text_becomes_hunks_that_say_where_they_are,
    what_cannot_be_proposed_is_refused_and_says_why,
    a_text_made_from_an_older_one_leaves_what_was_typed_since,
    a_program_proposes_by_key_and_is_trusted_by_what_became_of_it,
    everybody_is_told_and_lists_are_paged,
    limits_are_held,
    what_waits_is_put_in_other_words_by_its_author,
];

async fn a_text_becomes_hunks_that_say_where_they_are(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let text = "one\ntwo\nthree\nfour\nfive\nsix\n";
    let document = ann.create(project, "a.md", text).await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let proposal = proposed(
        &ann,
        project,
        json!([
            { "op": "edit", "document": "a.md", "head": 1, "edits": [
                { "find": "two\n", "replace": "2\r\n2a\n" }, { "from": 19, "to": 23, "replace": "5" } ] },
            { "op": "create", "path": "new.md", "content": "hello\n" },
            { "op": "rename", "document": document, "path": "b.md" },
        ]),
    )
    .await;
    assert_eq!((&proposal["state"], &proposal["is_open"]), (&json!("pending"), &json!(true)));
    assert_eq!(proposal["author"]["name"], "Ann");
    assert_eq!(proposal["impact"], json!({ "lines_added": 4, "lines_removed": 2, "risk": null }));
    let shown: Vec<_> = hunks(&proposal)
        .into_iter()
        .map(|hunk| (hunk["id"].as_i64().unwrap(), hunk["now"].clone(), hunk["before"].clone(), hunk["after"].clone()))
        .collect();
    let expected = [
        (1, json!(2), json!("two\n"), json!("2\n2a\n")),
        (2, json!(5), json!("five\n"), json!("5\n")),
        (3, Value::Null, json!(""), json!("hello\n")),
        (4, Value::Null, json!(""), json!("")),
    ];
    assert_eq!(shown, expected);
    assert_eq!((peer.text().as_str(), ann.text(project, document).await.as_str()), (text, text), "nothing changed");

    // Where it is moves with the text; what no longer stands says so before anybody decides.
    peer.insert(0, "zero\n").await;
    peer.insert(25, "!").await;
    peer.until_saved().await;
    let after = now(&ann, &proposal).await;
    let found: Vec<_> = hunks(&after).into_iter().map(|hunk| (hunk["now"].clone(), hunk["fits"].clone())).collect();
    assert_eq!(found[..2], [(json!(3), json!(true)), (Value::Null, json!(false))]);
    assert_eq!(states(&after), ["pending"; 4]);
}

async fn what_cannot_be_proposed_is_refused_and_says_why(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let vic = TestClient::guest(server.place(), "Vic").await;
    let project = ann.project().await;
    ann.invite(project, &vic, "viewer").await;
    let document = ann.create(project, "a.md", "one\ntwo\none\n").await;
    let gone = ann.create(project, "gone.md", "").await;
    ann.delete(&format!("/api/projects/{project}/documents/{gone}")).await;
    let edit = |rest: Value| {
        let mut file = json!({ "op": "edit", "document": document });
        file.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!([file])
    };
    let found = |find: &str| edit(json!({ "edits": [{ "find": find, "replace": "x" }] }));
    for (files, expected) in [
        (json!([]), (400, "bad_proposal")),
        (edit(json!({})), (400, "bad_proposal")),
        (edit(json!({ "text": "x", "edits": [] })), (400, "bad_proposal")),
        (edit(json!({ "text": "one\ntwo\none\n" })), (400, "bad_proposal")),
        (edit(json!({ "text": "x", "head": 7 })), (412, "precondition_failed")),
        (edit(json!({ "edits": [{ "replace": "x" }] })), (400, "bad_proposal")),
        (edit(json!({ "edits": [{ "from": 3, "to": 99, "replace": "x" }] })), (400, "bad_edit")),
        (found("three"), (400, "bad_edit")),
        (found("one"), (400, "bad_edit")),
        (found(""), (400, "bad_edit")),
        (json!([{ "op": "edit", "document": "none.md", "text": "x" }]), (400, "bad_proposal")),
        (json!([{ "op": "delete", "document": gone }]), (400, "bad_proposal")),
        (json!([{ "op": "create", "path": "../up" }]), (400, "bad_path")),
        (json!([{ "op": "rename", "document": "a.md", "path": "a.md" }]), (400, "bad_proposal")),
        (
            json!([{ "op": "delete", "document": "a.md" }, { "op": "edit", "document": document, "text": "x" }]),
            (400, "bad_proposal"),
        ),
        (json!([{ "op": "explode", "document": "a.md" }]), (400, "bad_json")),
        (edit(json!({ "text": "x", "base": "nothing like it\n" })), (409, "stale")),
    ] {
        let said = files.to_string();
        assert_eq!(code(&propose(&ann, project, files).await), expected, "{said}");
    }
    let files = json!([{ "op": "create", "path": "x" }]);
    for wrong in [
        json!({ "summary": " ", "files": files }),
        json!({ "summary": "a\nb", "files": files }),
        json!({ "summary": "x".repeat(201), "files": files }),
        json!({ "summary": "x", "rationale": "\u{0}", "files": files }),
        json!({ "summary": "x", "confidence": 101, "files": files }),
        json!({ "summary": "x", "persona": "Coder", "files": files }),
        json!({ "summary": "x", "files": files, "extra": 1 }),
    ] {
        let said = wrong.to_string();
        assert_eq!(ann.post(&base(project), wrong).await.0, StatusCode::BAD_REQUEST, "{said}");
    }
    assert_eq!(code(&propose(&vic, project, files.clone()).await), (403, "forbidden"));
    let stranger = TestClient::guest(server.place(), "Sue").await;
    assert_eq!(code(&propose(&stranger, project, files).await), (404, "not_found"));
    let mut peer = ann.socket(Dialect::Hocuspocus, project, "list").join().await;
    let list = peer.doc.get_or_insert_text("content");
    peer.edit(|transaction| {
        yrs::Text::insert_embed(&list, transaction, 0, yrs::Any::from(7));
    })
    .await;
    peer.until_saved().await;
    let edit = json!([{ "op": "edit", "document": "list", "text": "x" }]);
    assert_eq!(code(&propose(&ann, project, edit).await), (409, "not_text"));
    assert_eq!(ann.get(&base(project)).await.1["items"], json!([]), "nothing was kept");
}

async fn a_text_made_from_an_older_one_leaves_what_was_typed_since(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let base = "one\ntwo\nthree\nfour\nfive\n";
    let document = ann.create(project, "a.md", base).await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    peer.insert(0, "zero 🌍\n").await;
    let five = peer.text().encode_utf16().count() as u32 - 1;
    peer.insert(five, "!").await;
    peer.until_saved().await;
    let text = "one\nTWO\nthree\nfour\nFIVE\n";
    let files = json!([{ "op": "edit", "document": document, "text": text, "base": base, "head": 1 }]);
    let proposal = proposed(&ann, project, files).await;
    assert_eq!(states(&proposal), ["pending", "stale"]);
    let after = done(&ann, &proposal, "accept", json!({})).await;
    assert_eq!((&after["state"], &after["is_open"]), (&json!("partly"), &json!(false)));
    peer.until_text("zero 🌍\none\nTWO\nthree\nfour\nfive!\n").await;
}

async fn a_program_proposes_by_key_and_is_trusted_by_what_became_of_it(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let (_, key) = ann.key(&["read", "write"]).await;
    let mut made = Vec::new();
    for (number, persona) in ["Coder", "Coder", "Coder", "Coder", "Debugger"].into_iter().enumerate() {
        let files = json!([
            { "op": "create", "path": format!("{number}a"), "content": "x" },
            { "op": "create", "path": format!("{number}b") },
        ]);
        let body = json!({ "summary": "By a program", "persona": persona, "model": "small", "confidence": 70,
            "risk": "low", "files": files });
        let (status, proposal) = ann.by(Method::POST, &key, &base(project), Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{proposal}");
        assert_eq!((&proposal["persona"], &proposal["impact"]["risk"]), (&json!(persona), &json!("low")));
        made.push(proposal);
    }
    done(&ann, &made[0], "accept", json!({})).await;
    done(&ann, &made[1], "accept", json!({ "hunks": [2] })).await;
    done(&ann, &made[2], "reject", json!({ "reason": "No." })).await;
    done(&ann, &made[3], "accept", json!({})).await;
    done(&ann, &made[3], "undo", json!({})).await;
    // What a person proposes counts for no persona.
    proposed(&ann, project, json!([{ "op": "create", "path": "mine" }])).await;
    let (status, trust) = ann.get(&format!("/api/projects/{project}/trust")).await;
    assert_eq!(status, StatusCode::OK);
    let author = json!({ "id": ann.id, "name": "Ann", "kind": "guest" });
    let coder = json!({ "author": author, "persona": "Coder", "model": "small", "pending": 0, "accepted": 1, "partly": 1, "rejected": 1,
        "undone": 1, "stale": 0 });
    let debugger = json!({ "author": author, "persona": "Debugger", "model": "small", "pending": 1, "accepted": 0, "partly": 0,
        "rejected": 0, "undone": 0, "stale": 0 });
    assert_eq!(trust["items"], json!([coder, debugger]));
}

async fn everybody_is_told_and_lists_are_paged(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let cat = TestClient::guest(server.place(), "Cat").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "commenter").await;
    ann.invite(project, &cat, "viewer").await;
    let document = ann.create(project, "a.md", "one\n").await;
    let mut events = Events::open(&cat, project, None).await;
    let mut expect = async |kind: &str, proposal: &Value| {
        let event = events.next().await.unwrap();
        assert_eq!((event["type"].as_str().unwrap(), &event["proposal_id"]), (kind, &proposal["id"]), "{event}");
        event
    };
    let first = proposed_text(&bob, project, document, "ONE\n").await;
    let opened = expect("proposal.opened", &first).await;
    assert_eq!((&opened["actor"]["name"], &opened["summary"]), (&json!("Bob"), &json!("Better")));
    // A commenter votes and withdraws what is theirs, and decides on nothing.
    assert_eq!(code(&act(&bob, &first, "accept", json!({})).await), (403, "forbidden"));
    let voted = done(&bob, &first, "vote", json!({ "value": 1 })).await;
    assert_eq!(voted["votes"], json!([{ "user": { "id": bob.id, "name": "Bob", "kind": "guest" }, "value": 1 }]));
    expect("proposal.voted", &first).await;
    done(&ann, &first, "vote", json!({ "value": -1 })).await;
    expect("proposal.voted", &first).await;
    let voted = done(&bob, &first, "vote", json!({ "value": 0 })).await;
    expect("proposal.voted", &first).await;
    assert_eq!(voted["votes"].as_array().unwrap().len(), 1);
    for value in [2, -2] {
        assert_eq!(code(&act(&ann, &first, "vote", json!({ "value": value })).await), (400, "bad_vote"));
    }
    assert_eq!(code(&act(&cat, &first, "vote", json!({ "value": 1 })).await), (403, "forbidden"));
    done(&bob, &first, "reject", json!({ "reason": "I was wrong." })).await;
    let rejected = expect("proposal.rejected", &first).await;
    assert_eq!((&rejected["hunks"], &rejected["state"]), (&json!([1]), &json!("rejected")));
    assert_eq!(code(&act(&ann, &first, "vote", json!({ "value": 1 })).await), (409, "decided"));
    assert_eq!(now(&cat, &first).await["reason"], "I was wrong.");
    let second = proposed_text(&ann, project, document, "ONE\n").await;
    expect("proposal.opened", &second).await;
    assert_eq!(code(&act(&bob, &second, "reject", json!({})).await), (403, "forbidden"), "not theirs");
    done(&ann, &second, "accept", json!({})).await;
    let changed = events.next().await.unwrap();
    assert_eq!((&changed["type"], &changed["head"]), (&json!("file.changed"), &json!(2)));
    let mut third = Value::Null;
    for number in 0..3 {
        third = proposed(&bob, project, json!([{ "op": "create", "path": format!("{number}") }])).await;
    }
    let ids = |page: &Value| -> Vec<Value> {
        page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
    };
    let (_, page) = cat.get(&format!("{}?open=true&limit=2", base(project))).await;
    assert_eq!((ids(&page).len(), &ids(&page)[0], &page["items"][0]["files"]), (2, &third["id"], &Value::Null));
    let (_, rest) =
        cat.get(&format!("{}?open=true&limit=2&after={}", base(project), page["next"].as_str().unwrap())).await;
    assert_eq!((ids(&rest).len(), &rest["next"]), (1, &Value::Null));
    let (_, closed) = cat.get(&format!("{}?open=false", base(project))).await;
    assert_eq!(ids(&closed), [second["id"].clone(), first["id"].clone()]);
    assert_eq!(cat.get(&base(project)).await.1["items"].as_array().unwrap().len(), 5);
    assert_eq!(told(&ann, project).await.len(), 10);
    let elsewhere = ann.project().await;
    let path = format!("{}/{}", base(elsewhere), first["id"].as_str().unwrap());
    assert_eq!(ann.get(&path).await.0, StatusCode::NOT_FOUND);
}

async fn limits_are_held(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let many = |count: usize| (0..count).map(|n| json!({ "op": "create", "path": format!("{n}") })).collect::<Vec<_>>();
    assert_eq!(code(&propose(&ann, project, json!(many(limits::PROPOSAL_FILES + 1))).await), (400, "bad_proposal"));
    let large = json!([{ "op": "create", "path": "large", "content": "x".repeat(limits::PROPOSAL_BYTES + 1) }]);
    assert_eq!(code(&propose(&ann, project, large).await), (413, "too_large"));
    let huge = json!([{ "op": "create", "path": "huge", "content": "x".repeat(limits::PROPOSAL_BODY_BYTES) }]);
    assert_eq!(code(&propose(&ann, project, huge).await), (413, "too_large"));
    let lines: String = (0..4 * limits::PROPOSAL_HUNKS).map(|n| format!("{n}\n")).collect();
    let document = ann.create(project, "lines", &lines).await;
    let other: String =
        (0..4 * limits::PROPOSAL_HUNKS).map(|n| if n % 3 == 0 { "x\n".to_owned() } else { format!("{n}\n") }).collect();
    let edit = json!([{ "op": "edit", "document": document, "text": other }]);
    assert_eq!(code(&propose(&ann, project, edit).await), (400, "bad_edit"));
    proposed(&ann, project, json!(many(limits::PROPOSAL_FILES))).await;
    for _ in 1..limits::PROPOSALS_OPEN {
        proposed(&ann, project, json!(many(1))).await;
    }
    assert_eq!(code(&propose(&ann, project, json!(many(1))).await), (409, "too_many"));
    // One that is decided on makes room.
    let (_, page) = ann.get(&format!("{}?limit=1", base(project))).await;
    done(&ann, &page["items"][0], "reject", json!({})).await;
    proposed(&ann, project, json!(many(1))).await;
}

async fn what_waits_is_put_in_other_words_by_its_author(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "commenter").await;
    let document = ann.create(project, "a.md", "one\ntwo\nthree\nfour\nfive\n").await;
    let proposal = proposed(
        &bob,
        project,
        json!([
            { "op": "edit", "document": document, "text": "ONE\ntwo\nthree\nfour\nFIVE\n" },
            { "op": "create", "path": "b.md", "content": "b\n" },
            { "op": "rename", "document": document, "path": "c.md" },
        ]),
    )
    .await;
    let path = format!("{}/{}", base(project), proposal["id"].as_str().unwrap());
    let words = json!({ "summary": "Best", "rationale": "It is.", "hunks": [{ "id": 1, "after": "1\r\n1a\n" }, { "id": 3, "after": "B\n" }] });
    assert_eq!(code(&ann.patch(&path, words.clone()).await), (403, "forbidden"), "not theirs");
    assert_eq!(code(&bob.patch(&path, words.clone()).await), (403, "forbidden"), "lines that somebody may have read");
    assert_eq!(bob.patch(&path, json!({ "summary": "Better yet" })).await.0, StatusCode::OK);
    ann.invite(project, &bob, "editor").await;
    let (status, after) = bob.patch(&path, words.clone()).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert_eq!(
        (&after["summary"], &after["rationale"], &after["impact"]["lines_added"]),
        (&json!("Best"), &json!("It is."), &json!(4))
    );
    let last = told(&ann, project).await.pop().unwrap();
    assert_eq!(
        (last.0.as_str(), &last.1["hunks"], &last.1["summary"]),
        ("proposal.updated", &json!([1, 3]), &json!("Best"))
    );
    for (wrong, expected) in [
        (json!({ "summary": "" }), (400, "bad_proposal")),
        (json!({ "hunks": [{ "id": 9, "after": "" }] }), (400, "bad_hunks")),
        (json!({ "hunks": [{ "id": 1, "after": "one\n" }] }), (400, "bad_hunks")),
        (json!({ "hunks": [{ "id": 4, "after": "x" }] }), (400, "bad_hunks")),
        (json!({ "hunks": [{ "id": 1, "after": "x" }, { "id": 1, "after": "y" }] }), (400, "bad_hunks")),
        (json!({ "hunks": [{ "id": 1, "after": "x".repeat(limits::PROPOSAL_BYTES) }] }), (413, "too_large")),
    ] {
        assert_eq!(code(&bob.patch(&path, wrong.clone()).await), expected, "{:.80}", wrong.to_string());
    }
    done(&ann, &proposal, "accept", json!({ "hunks": [1, 3] })).await;
    assert_eq!(ann.read_text(project, document).await.1, "1\n1a\ntwo\nthree\nfour\nfive\n");
    assert_eq!(code(&bob.patch(&path, words.clone()).await), (409, "decided"));
    done(&ann, &proposal, "reject", json!({})).await;
    assert_eq!(code(&bob.patch(&path, json!({ "summary": "Too late" })).await), (409, "decided"));
    let by = |who: &TestClient| format!("{}?author={}", base(project), who.id);
    let counts = (ann.get(&by(&bob)).await.1, ann.get(&by(&ann)).await.1);
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&counts.0), count(&counts.1)), (1, 0));
}
