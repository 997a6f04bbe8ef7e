//! Asking a model: what comes of every kind of answer and of every failure.

pub mod fake;

use std::time::Duration;

use coterie::config::ModelSettings;
use coterie::model::{Ask, Brief, End, Fault, Models, Piece, Speaker, Tool, ToolCall, Turn, Usage};
use serde_json::json;

use fake::{FakeModel, PNG, Script, answer, ends, event, fed, picture, picture_at, says};

/// A status, headers and a body, and what they mean.
type Refusal = (u16, Vec<(&'static str, &'static str)>, String, Fault);

const USAGE: Usage = Usage { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };

fn settings(base_url: &str) -> ModelSettings {
    serde_json::from_value(json!({"model": "small", "base_url": base_url, "api_key": "sk-canary"})).unwrap()
}

fn models(fake: &FakeModel) -> Models {
    Models::new(&[settings(&fake.base_url)]).unwrap()
}

fn question() -> Ask {
    Ask { turns: vec![Turn::new(Speaker::User, "hello")], ..Ask::default() }
}

/// Everything that comes of one question.
async fn ask(models: &Models, ask: &Ask) -> (Vec<Piece>, Option<Fault>) {
    let mut answer = match models.find(None).unwrap().ask(ask).await {
        Ok(answer) => answer,
        Err(fault) => return (Vec::new(), Some(fault)),
    };
    let mut pieces = Vec::new();
    while let Some(piece) = answer.next().await {
        match piece {
            Ok(piece) => pieces.push(piece),
            Err(fault) => return (pieces, Some(fault)),
        }
    }
    (pieces, None)
}

fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.as_str() } else { "" }).collect()
}

#[tokio::test]
async fn text_comes_piece_by_piece_and_then_the_end_with_its_usage() {
    let fake = FakeModel::start().await;
    fake.then(answer(&["Hel", "lo"]));
    let (pieces, fault) = ask(&models(&fake), &question()).await;
    assert_eq!(fault, None);
    let end = Piece::End(End { usage: Some(USAGE), cut: false });
    assert_eq!(pieces, [Piece::Text("Hel".into()), Piece::Text("lo".into()), end]);
    let asked = &fake.asked()[0];
    assert_eq!(asked.headers["authorization"], "Bearer sk-canary");
    assert_eq!(asked.body["model"], "small");
    assert_eq!(asked.body["stream"], true);
    assert_eq!(asked.body["messages"], json!([{"role": "user", "content": "hello"}]));
}

#[tokio::test]
async fn an_answer_reads_the_same_however_its_bytes_are_cut() {
    let fake = FakeModel::start().await;
    let whole: Vec<u8> = [b": keep-alive\r\n\r\n".to_vec(), says("é🏋\u{301}"), says("ß")]
        .into_iter()
        .chain(ends("stop"))
        .flatten()
        .collect();
    for size in [1, 2, 3, 7, whole.len()] {
        fake.then(Script::Stream(whole.chunks(size).map(<[u8]>::to_vec).collect()));
        let (pieces, fault) = ask(&models(&fake), &question()).await;
        assert_eq!((text(&pieces).as_str(), fault), ("é🏋\u{301}ß", None), "pieces of {size}");
    }
}

#[tokio::test]
async fn lenient_servers_are_understood() {
    let fake = FakeModel::start().await;
    // Null content, unknown fields, no usage, no ids, no mark of the end, CRLF.
    let role =
        event(&json!({"choices": [{"delta": {"role": "assistant", "content": null, "reasoning_content": "hm"}}]}));
    let crlf = String::from_utf8(says("yes")).unwrap().replace('\n', "\r\n").into_bytes();
    let stop = event(&json!({"choices": [{"finish_reason": "stop", "delta": {"content": ""}}], "timings": {"x": 1}}));
    fake.then(Script::Stream(vec![role, crlf, stop]));
    let (pieces, fault) = ask(&models(&fake), &question()).await;
    assert_eq!(fault, None);
    assert_eq!(pieces, [Piece::Text("yes".into()), Piece::End(End::default())]);
}

#[tokio::test]
async fn calls_that_come_in_pieces_of_one_byte_and_side_by_side_are_put_together() {
    let fake = FakeModel::start().await;
    let delta = |call: serde_json::Value| event(&json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}));
    let arguments = [r#"{"path":"a é"}"#, r#"{"path":"b"}"#];
    let mut pieces = vec![
        delta(json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "read_file", "arguments": ""}})),
        delta(json!({"index": 1, "id": "c2", "type": "function", "function": {"name": "read_file"}})),
    ];
    for (index, text) in arguments.iter().enumerate() {
        for one in text.chars() {
            pieces.push(delta(json!({"index": index, "function": {"arguments": one.to_string()}})));
        }
    }
    pieces.extend(ends("tool_calls"));
    fake.then(Script::Stream(pieces));
    let tool = Tool { name: "read_file", description: "Reads a file.", parameters: json!({"type": "object"}) };
    let with_tool = Ask { tools: vec![tool], ..question() };
    let (pieces, fault) = ask(&models(&fake), &with_tool).await;
    assert_eq!(fault, None);
    let call = |id: &str, arguments: &str| {
        Piece::Call(ToolCall { id: id.into(), name: "read_file".into(), arguments: arguments.into() })
    };
    assert_eq!(pieces[..2], [call("c1", arguments[0]), call("c2", arguments[1])]);
    assert_eq!(fake.asked()[0].body["tools"][0]["function"]["name"], "read_file");
}

#[tokio::test]
async fn refusals_become_words_that_say_what_to_do() {
    let fake = FakeModel::start().await;
    let models = models(&fake);
    let error = |code: &str| json!({"error": {"message": "no", "type": "t", "code": code}}).to_string();
    let limited = |retry_after: Option<u64>| Fault::RateLimited { retry_after: retry_after.map(Duration::from_secs) };
    let cases: Vec<Refusal> = vec![
        (401, vec![], error("invalid_api_key"), Fault::Unauthorized),
        (404, vec![], error("model_not_found"), Fault::UnknownModel("small".into())),
        (400, vec![], error("context_length_exceeded"), Fault::ContextTooLong),
        (
            400,
            vec![],
            json!({"error": {"code": 400, "message": "the request exceeds the available context size"}}).to_string(),
            Fault::ContextTooLong,
        ),
        (429, vec![("retry-after", "7")], error("rate_limit_exceeded"), limited(Some(7))),
        (429, vec![], "slow down".into(), limited(None)),
        (429, vec![("retry-after", "9")], error("insufficient_quota"), Fault::NothingLeft),
        (500, vec![], "<html>oops</html>".into(), Fault::ServerFailed(500)),
        (503, vec![], String::new(), Fault::ServerFailed(503)),
        (400, vec![], "<b>bad\u{7}</b>".into(), Fault::Refused { status: 400, message: "<b>bad</b>".into() }),
        (
            302,
            vec![("location", "http://127.0.0.1:9/")],
            String::new(),
            Fault::Refused { status: 302, message: String::new() },
        ),
    ];
    for (status, headers, body, fault) in cases {
        let before = fake.asked().len();
        fake.then(Script::Refuse(status, headers, body));
        assert_eq!(ask(&models, &question()).await, (vec![], Some(fault.clone())));
        assert_eq!(fake.asked().len(), before + 1, "asked once, whatever the failure");
        assert!(!fault.to_string().contains("sk-canary"));
    }
}

#[tokio::test]
async fn what_breaks_off_keeps_what_came_and_says_so() {
    let fake = FakeModel::start().await;
    let models = models(&fake);
    let in_stream = event(&json!({"error": {"message": "overloaded", "type": "server_error", "code": 503}}));
    let endings = [
        (Script::Break(vec![says("par")]), Fault::BrokeOff),
        (Script::Stream(vec![says("par")]), Fault::BrokeOff),
        (Script::Stream(vec![says("par"), in_stream]), Fault::ServerFailed(503)),
        (Script::Stream(vec![says("par"), b"data: {not json\n\n".to_vec()]), Fault::Unreadable),
        (Script::Stream([vec![says("par")], ends("content_filter")].concat()), Fault::Withheld),
    ];
    for (script, fault) in endings {
        fake.then(script);
        let (pieces, told) = ask(&models, &question()).await;
        assert_eq!((text(&pieces).as_str(), told), ("par", Some(fault)));
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let fake = FakeModel::start().await;
    let flood: Vec<Vec<u8>> = (0..40).map(|_| says(&"x".repeat(64 * 1024))).collect();
    fake.then(Script::Hang(flood));
    let (pieces, fault) = ask(&models(&fake), &question()).await;
    assert_eq!(fault, Some(Fault::TooLong));
    assert!(text(&pieces).len() <= 2 * coterie::limits::MODEL_ANSWER_BYTES);
}

#[tokio::test]
async fn an_event_without_end_is_cut() {
    let fake = FakeModel::start().await;
    let most = coterie::limits::MODEL_EVENT_BYTES;
    let flood: Vec<Vec<u8>> = (0..=most / (64 * 1024) + 1).map(|_| vec![b'x'; 64 * 1024]).collect();
    fake.then(Script::Hang([vec![says("so far")], flood].concat()));
    let (pieces, fault) = ask(&models(&fake), &question()).await;
    assert_eq!((text(&pieces).as_str(), fault), ("so far", Some(Fault::BrokeOff)));
    let over = fake.asked()[0].over.clone();
    tokio::time::timeout(Duration::from_secs(5), over.cancelled()).await.expect("the request ended");
}

#[tokio::test]
async fn a_model_that_wants_the_length_by_its_newer_name_is_asked_so() {
    let fake = FakeModel::start().await;
    let models = models(&fake);
    let refusal = json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. \
        Use 'max_completion_tokens' instead.", "code": "unsupported_parameter"}});
    fake.then(Script::Refuse(400, vec![], refusal.to_string()));
    fake.then(answer(&["one"]));
    fake.then(answer(&["two"]));
    let short = Ask { max_tokens: Some(50), ..question() };
    assert_eq!(text(&ask(&models, &short).await.0), "one");
    assert_eq!(text(&ask(&models, &short).await.0), "two");
    let asked = fake.asked();
    assert_eq!(asked.len(), 3, "it is remembered");
    assert_eq!((&asked[0].body["max_tokens"], asked[0].body.get("max_completion_tokens")), (&json!(50), None));
    for again in &asked[1..] {
        assert_eq!((again.body.get("max_tokens"), &again.body["max_completion_tokens"]), (None, &json!(50)));
    }
}

#[tokio::test]
async fn the_time_that_an_answer_waits_for_its_reader_is_no_silence() {
    let fake = FakeModel::start().await;
    let idle = Duration::from_millis(1_600);
    let models = Models::new(&[ModelSettings { idle, ..settings(&fake.base_url) }]).unwrap();
    let (pieces, script) = fed();
    fake.then(script);
    let mut answer = models.find(None).unwrap().ask(&question()).await.unwrap();
    pieces.send(says("one")).await.unwrap();
    assert_eq!(answer.next().await, Some(Ok(Piece::Text("one".into()))));
    // Whoever reads is busy for longer than the answer may pause.
    tokio::time::sleep(idle * 2).await;
    let (piece, ()) = tokio::join!(answer.next(), async {
        tokio::time::sleep(idle / 4).await;
        pieces.send(says("two")).await.unwrap();
    });
    assert_eq!(piece, Some(Ok(Piece::Text("two".into()))));
    // Waits that are broken off count together.
    let mut ended = None;
    for _ in 0..40 {
        if let Ok(piece) = tokio::time::timeout(idle / 4, answer.next()).await {
            ended = piece;
            break;
        }
    }
    assert_eq!(ended, Some(Err(Fault::Silent(idle))));
}

#[tokio::test]
async fn pictures_come_with_the_answer_or_from_the_models_own_server() {
    let fake = FakeModel::start().await;
    let images = ModelSettings { images: true, ..settings(&fake.base_url) };
    let models = Models::new(&[images]).unwrap();
    assert_eq!(models.find(None).unwrap_err(), Fault::NotConnected, "it is asked for nothing else");
    let painter = models.painter(None).unwrap();
    let brief = Brief { prompt: "a red fox", size: Some("64x64") };
    let paint = async || painter.picture(&brief).await.map(|picture| (picture.bytes, picture.usage));
    fake.then(picture(PNG));
    let usage = Usage { prompt_tokens: 7, completion_tokens: 100, total_tokens: 107 };
    assert_eq!(paint().await, Ok((PNG.to_vec(), Some(usage))));
    let asked = &fake.asked()[0];
    assert_eq!(
        (asked.path.as_str(), &asked.headers["authorization"]),
        ("/v1/images/generations", &"Bearer sk-canary".parse().unwrap())
    );
    let body =
        json!({ "model": "small", "prompt": "a red fox", "n": 1, "size": "64x64", "response_format": "b64_json" });
    assert_eq!(asked.body, body);
    // One that does not let the form be chosen; that is remembered.
    let refusal =
        json!({ "error": { "message": "Unknown parameter: 'response_format'.", "code": "unknown_parameter" } });
    fake.then(Script::Refuse(400, vec![], refusal.to_string()));
    fake.then(picture(PNG));
    fake.then(picture(PNG));
    assert!(paint().await.is_ok() && paint().await.is_ok());
    assert!(fake.asked()[2..].iter().all(|asked| asked.body.get("response_format").is_none()));
    assert_eq!(fake.asked().len(), 4);
    // Kept by its own server, named by a whole address or by a path.
    let own = fake.base_url.replace("/v1", "/kept/a.png");
    for url in [own.as_str(), "/kept/a.png"] {
        fake.then(picture_at(url));
        fake.then(Script::Stream(vec![PNG.to_vec()]));
        assert_eq!(paint().await, Ok((PNG.to_vec(), None)));
        assert_eq!(fake.asked().last().unwrap().path, "/kept/a.png");
    }
    let other = FakeModel::start().await;
    for url in
        [other.base_url.replace("/v1", "/kept/a.png"), "file:///etc/passwd".to_owned(), own.replace("http", "https")]
    {
        fake.then(picture_at(&url));
        assert!(matches!(paint().await, Err(Fault::Elsewhere(_))), "{url}");
    }
    assert!(other.asked().is_empty(), "nothing is fetched from there");
    fake.then(picture_at(&own));
    fake.then(Script::Refuse(302, vec![("location", "http://127.0.0.1:9/")], String::new()));
    assert_eq!(paint().await, Err(Fault::Unreadable), "nor by a detour");
}

#[tokio::test]
async fn what_comes_instead_of_a_picture_is_told_in_words() {
    let fake = FakeModel::start().await;
    let images = ModelSettings { images: true, ..settings(&fake.base_url) };
    let idle = Duration::from_millis(300);
    let hasty = ModelSettings { name: "hasty".to_owned(), idle, ..images.clone() };
    let models = Models::new(&[images, hasty]).unwrap();
    let error = |code: &str| json!({ "error": { "message": "no", "code": code } }).to_string();
    let data = |data: serde_json::Value| Script::Refuse(200, vec![], json!({ "data": data }).to_string());
    let flood = vec![vec![b'x'; 1024 * 1024]; coterie::limits::MODEL_PICTURE_BYTES / (1024 * 1024) + 1];
    let cases = [
        (Script::Refuse(400, vec![], error("content_policy_violation")), Fault::Policy("no".into())),
        (Script::Refuse(400, vec![], error("moderation_blocked")), Fault::Policy("no".into())),
        (Script::Refuse(401, vec![], error("invalid_api_key")), Fault::Unauthorized),
        (Script::Refuse(400, vec![], error("bad_size")), Fault::Refused { status: 400, message: "no".into() }),
        (Script::Refuse(200, vec![], "<html>".into()), Fault::Unreadable),
        (data(json!([])), Fault::Unreadable),
        (data(json!([{ "b64_json": "no base64" }])), Fault::Unreadable),
        (data(json!([{}])), Fault::Unreadable),
        (Script::Break(vec![b"{".to_vec()]), Fault::BrokeOff),
        (Script::Stream(flood), Fault::TooLong),
        (Script::Hang(vec![b"{".to_vec()]), Fault::Silent(idle)),
    ];
    for (script, fault) in cases {
        fake.then(script);
        let painter = models.painter(matches!(fault, Fault::Silent(_)).then_some("hasty")).unwrap();
        let told = painter.picture(&Brief { prompt: "a red fox", size: None }).await;
        assert_eq!(told.map(|picture| picture.bytes.len()), Err(fault));
    }
}

#[tokio::test]
async fn letting_go_of_an_answer_ends_the_request() {
    let fake = FakeModel::start().await;
    fake.then(Script::Hang(vec![says("a")]));
    let models = models(&fake);
    let mut answer = models.find(None).unwrap().ask(&question()).await.unwrap();
    assert_eq!(answer.next().await, Some(Ok(Piece::Text("a".into()))));
    let over = fake.asked()[0].over.clone();
    assert!(!over.is_cancelled());
    drop(answer);
    tokio::time::timeout(Duration::from_secs(5), over.cancelled()).await.expect("the request ended");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let models = Models::new(&[settings(&format!("http://{gone}/v1"))]).unwrap();
    assert_eq!(ask(&models, &question()).await.1, Some(Fault::Unreachable));
}

#[tokio::test]
async fn a_model_nobody_named_is_the_first_that_its_server_lists() {
    let fake = FakeModel::start().await;
    let unnamed = ModelSettings { model: String::new(), ..settings(&fake.base_url) };
    let models = Models::new(&[unnamed]).unwrap();
    fake.then(answer(&["hi"]));
    assert_eq!(text(&ask(&models, &question()).await.0), "hi");
    assert_eq!(fake.asked()[0].body["model"], "first-listed");
    assert_eq!(models.find(None).unwrap().name(), "first-listed");
}

#[tokio::test]
async fn nothing_connected_and_unknown_names_are_told_apart() {
    assert_eq!(Models::default().find(None).unwrap_err(), Fault::NotConnected);
    let fake = FakeModel::start().await;
    assert_eq!(models(&fake).find(Some("big")).unwrap_err(), Fault::NotListed("big".into()));
    assert!(Models::new(&[settings("ftp://x/v1")]).unwrap_err().to_string().contains("ftp://x/v1"));
}
