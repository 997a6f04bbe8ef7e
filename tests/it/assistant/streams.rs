//! What people see of an answer while it is written.

use serde_json::{Value, json};

use super::Scene;
use crate::engines::{Engine, on_both_engines};
use crate::events::Events;
use crate::model::fake::{Script, calls, ends, fed, says};
use crate::peer::Peer;

on_both_engines![
    an_answer_is_the_same_for_those_who_were_there_and_who_came_later,
    the_assistant_is_seen_in_the_room_while_it_works,
    answers_of_one_conversation_wait_for_each_other_and_others_do_not,
    its_caret_is_where_it_works,
];

/// The text of an answer as the feed told it, held against where each piece says it begins.
#[derive(Default)]
struct Heard {
    text: String,
    completed: Option<Value>,
}

impl Heard {
    /// What somebody knows who reads the message now.
    fn from(message: &Value) -> Self {
        Self { text: message["body"].as_str().unwrap().to_owned(), completed: None }
    }

    fn take(&mut self, id: &Value, event: &Value) {
        if event["type"] == "message.delta" && event["id"] == *id {
            let units = self.text.encode_utf16().count();
            let offset = usize::try_from(event["offset"].as_u64().unwrap()).unwrap();
            assert!(offset <= units, "nothing is missing before {event}: {}", self.text);
            let skipped = units - offset;
            let more: Vec<u16> = event["text"].as_str().unwrap().encode_utf16().skip(skipped).collect();
            self.text.push_str(&String::from_utf16(&more).unwrap());
        }
        if event["type"] == "message.completed" && event["id"] == *id {
            self.completed = Some(event["message"].clone());
        }
    }

    async fn all_of(mut self, id: &Value, stream: &mut Events) -> Self {
        while self.completed.is_none() {
            let event = stream.next().await.unwrap();
            self.take(id, &event);
        }
        self
    }
}

async fn an_answer_is_the_same_for_those_who_were_there_and_who_came_later(engine: Engine) {
    let scene = Scene::new(engine).await;
    let (bob, cyd) = (scene.member("Bob", "viewer").await, scene.member("Cyd", "editor").await);
    let mut ann_hears = Events::open(&scene.ann, scene.project, None).await;
    let mut bob_hears: Peer = bob.room(scene.project).join().await;
    let (pieces, script) = fed();
    scene.model.then(script);
    let question = scene.say(&scene.ann, "@assistant tell a tale").await;
    let answer = scene.answer(&question, &["streaming"]).await;
    assert_eq!((&answer["body"], &answer["via"]["name"]), (&json!(""), &json!("Ann")));
    let texts: Vec<String> = (0..60).map(|n| format!("é{n}🏋\u{301} ")).collect();
    for text in &texts[..30] {
        pieces.send(says(text)).await.unwrap();
    }
    bob_hears
        .until("half of it is told", |peer| {
            let told = peer.events.iter().filter(|event| event["type"] == "message.delta");
            told.map(|event| event["text"].as_str().unwrap()).collect::<String>().contains("é29🏋")
        })
        .await;
    // Who comes later follows first, then reads what was said.
    let mut cyd_hears = Events::open(&cyd, scene.project, None).await;
    let so_far = scene.message(&answer["id"]).await;
    assert_eq!(so_far["body"], texts[..30].concat());
    for text in &texts[30..] {
        pieces.send(says(text)).await.unwrap();
    }
    for event in ends("stop") {
        pieces.send(event).await.unwrap();
    }
    drop(pieces);
    let whole = texts.concat();
    let hers = Heard::default().all_of(&answer["id"], &mut ann_hears).await;
    let theirs = Heard::from(&so_far).all_of(&answer["id"], &mut cyd_hears).await;
    bob_hears
        .until("the end is told", |peer| peer.events.iter().any(|event| event["type"] == "message.completed"))
        .await;
    let mut his = Heard::default();
    bob_hears.events.iter().for_each(|event| his.take(&answer["id"], event));
    for heard in [hers, theirs, his] {
        assert_eq!(heard.text, whole);
        let completed = heard.completed.unwrap();
        assert_eq!((&completed["body"], &completed["state"]), (&json!(whole), &json!("done")));
    }
    let stored = scene.message(&answer["id"]).await;
    assert_eq!(stored["body"], whole);
    assert_eq!(stored["usage"], json!({ "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 }));
    assert_eq!(stored["cost"], json!((7.0 * 2.0 + 3.0 * 10.0) / 1e6));
    assert_eq!(stored["context"]["model"], "small");
    assert_eq!(stored["context"]["persona"]["id"], "coder");
}

async fn the_assistant_is_seen_in_the_room_while_it_works(engine: Engine) {
    let scene = Scene::new(engine).await;
    let mut room = scene.ann.room(scene.project).join().await;
    let (pieces, script) = fed();
    scene.model.then(script);
    let question = scene.say(&scene.ann, "hello").await;
    let answer = scene.answer(&question, &["streaming"]).await;
    pieces.send(says("hi")).await.unwrap();
    let states = |peer: &Peer| -> Vec<Value> {
        let told = peer.presence.values().map(|(_, state)| state.clone());
        told.filter(|state| state["user"]["kind"] == "assistant").collect()
    };
    room.until("it is seen writing", |peer| states(peer).iter().any(|state| state["status"] == "writing")).await;
    let seen = states(&room).remove(0);
    assert_eq!((&seen["user"]["name"], &seen["message"]), (&json!("Assistant"), &answer["id"]));
    assert_eq!(seen["persona"], "Coder");
    for event in ends("stop") {
        pieces.send(event).await.unwrap();
    }
    room.until("it has gone", |peer| states(peer).is_empty()).await;
}

async fn answers_of_one_conversation_wait_for_each_other_and_others_do_not(engine: Engine) {
    let scene = Scene::new(engine).await;
    let (first, script) = fed();
    scene.model.then(script);
    let one = scene.say(&scene.ann, "@assistant one").await;
    scene.answer(&one, &["streaming"]).await;
    let two = scene.say(&scene.ann, "@assistant two").await;
    scene.answer(&two, &["queued"]).await;
    // Another conversation has a queue of its own.
    let conversations = format!("/api/projects/{}/conversations", scene.project);
    let (_, other) = scene.ann.post(&conversations, json!({ "title": "Other" })).await;
    scene.model.then(crate::model::fake::answer(&["elsewhere"]));
    scene.post(&scene.ann, json!({ "body": "@assistant three", "conversation": other["id"] })).await;
    crate::server::until("the other conversation is answered", async || {
        let path = format!("{}?conversation={}", scene.messages(), other["id"].as_str().unwrap());
        let (_, page) = scene.ann.get(&path).await;
        page["items"][1]["state"] == "done"
    })
    .await;
    assert_eq!(scene.answer(&two, &["queued"]).await["state"], "queued");
    scene.model.then(crate::model::fake::answer(&["second"]));
    first.send(says("first")).await.unwrap();
    for event in ends("stop") {
        first.send(event).await.unwrap();
    }
    drop(first);
    assert_eq!(scene.ended(&one).await["body"], "first");
    assert_eq!(scene.ended(&two).await["body"], "second");
}

async fn its_caret_is_where_it_works(engine: Engine) {
    let scene = Scene::new(engine).await;
    let file = scene.ann.create(scene.project, "a.txt", "one\ntwo\nthree\n").await;
    let mut peer = scene.ann.socket(crate::peer::Dialect::Yjs, scene.project, file).join().await;
    let carets = |peer: &Peer| -> Vec<Value> {
        let told = peer.presence.values().map(|(_, state)| state.clone());
        let told = told.filter(|state| state["user"]["kind"] == "assistant");
        told.map(|state| state["cursor"]["anchor"].clone()).collect()
    };
    scene.model.then(calls("read_file", &json!({ "path": "a.txt" })));
    let (pieces, script) = fed();
    scene.model.then(script);
    let (more, script) = fed();
    scene.model.then(script);
    let question = scene.say(&scene.ann, "@coder say two in German").await;
    let begins = json!({ "type": null, "tname": "content", "item": null, "assoc": -1 });
    peer.until("it is seen reading", |peer| carets(peer) == [begins.clone()]).await;
    let change = json!({ "summary": "x", "files": [
        { "op": "edit", "path": "a.txt", "edits": [{ "find": "three", "replace": "drei" }] },
    ] });
    let Script::Stream(events) = calls("propose_edits", &change) else { unreachable!() };
    for event in events {
        pieces.send(event).await.unwrap();
    }
    drop(pieces);
    peer.until("it is seen at what it proposes", |peer| {
        carets(peer).first().is_some_and(|anchor| anchor["item"]["client"].is_u64() && anchor["item"]["clock"] == 8)
    })
    .await;
    for event in [vec![says("yes")], ends("stop")].concat() {
        more.send(event).await.unwrap();
    }
    drop(more);
    assert_eq!(scene.ended(&question).await["state"], "done");
    peer.until("it has gone", |peer| carets(peer).is_empty()).await;
}
