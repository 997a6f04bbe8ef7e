//! A second editor sends every named string, on every way into a document, while somebody types there: all that was
//! typed is in what a newcomer gets, and the document loads after a restart.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use coterie::ids::{DocumentId, ProjectId};
use coterie::update::{ClientId, Id, IdSet, Kind as Struct, merge, scan, summary};
use futures_util::{StreamExt, stream};
use serde_json::json;
use yrs::encoding::write::Write;

use super::strings::{Hostile, Kind, hostile};
use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, Peer};
use crate::server::{TestServer, until};
use crate::update::oracle::Oracle;

on_both_engines![what_a_victim_types_outlives_every_hostile_string];

/// Typed before anything hostile comes, and while it comes.
const BEFORE: u32 = 5;
const DURING: u32 = 10;

/// Scenes at once.
const AT_ONCE: usize = 12;

/// A scene may take so long on a busy machine; what is quadratic takes minutes.
const LONG: Duration = Duration::from_secs(45);

/// A way by which an update reaches a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A socket: its dialect, how the document is named, and as which message (1: SyncStep2, 2: Update).
    Socket(Dialect, Named, u8),
    /// `POST …/update`.
    Http,
    /// The address of the project alone, and that of another document on the same socket.
    Elsewhere(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Id,
    Path,
    /// With session awareness.
    Session,
}

fn ways(kind: Kind) -> Vec<Way> {
    let tags: &[u8] = if kind == Kind::Update { &[1, 2] } else { &[0] };
    let mut ways = Vec::new();
    for &tag in tags {
        for dialect in DIALECTS {
            ways.extend([Named::Id, Named::Path].map(|named| Way::Socket(dialect, named, tag)));
        }
        ways.push(Way::Socket(Dialect::Hocuspocus, Named::Session, tag));
        ways.push(Way::Elsewhere(tag));
    }
    if kind == Kind::Update {
        ways.push(Way::Http);
    }
    ways
}

/// Who types: somebody the string does not know, or somebody whose clientID is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Victim {
    client: u64,
    before: u32,
}

fn victims(one: &Hostile) -> Vec<Victim> {
    let mut victims = vec![Victim { client: 0x5eed_0001, before: BEFORE }];
    if one.kind == Kind::Update && !one.heavy {
        let named = if one.name.starts_with("deletions of the future") { 9 } else { 7 };
        victims.extend([Victim { client: named, before: BEFORE }, Victim { client: named, before: 0 }]);
        // Whoever the string itself writes as.
        let own = one.messages.iter().filter_map(|bytes| scan(bytes).ok()).find_map(|scan| {
            let own = scan.sections.last().map(|section| section.client.0);
            own.filter(|&client| client != named)
        });
        victims.extend(own.map(|client| Victim { client, before: BEFORE }));
    }
    victims
}

struct Stage {
    ann: TestClient,
    bob: TestClient,
    project: ProjectId,
}

/// One victim, one attacker, one document.
struct Play<'a> {
    one: &'a Hostile,
    ways: Vec<Way>,
    victim: Victim,
    path: String,
    document: DocumentId,
}

/// What is left of a scene to be looked at again.
struct Scene {
    about: String,
    document: DocumentId,
    newcomer: Vec<Vec<u8>>,
    expected: String,
    heavy: bool,
}

async fn what_a_victim_types_outlives_every_hostile_string(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let stage = Stage { ann, bob, project };

    let all = hostile();
    let mut plays = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let (ways, victims) = (ways(one.kind), victims(one));
        for (turn, &victim) in victims.iter().enumerate() {
            // On one engine every way, shared out among the victims; on the other one way for each, another every time.
            let mut by: Vec<Way> = ways.iter().skip(turn).step_by(victims.len()).copied().collect();
            let first = at % by.len();
            by.rotate_left(first);
            by.truncate(if engine == Engine::Sqlite && !one.heavy { by.len() } else { 1 });
            // One after the other: each takes the project's lock, and who waits for it too long is told that the database is busy.
            let path = format!("scene-{}", plays.len());
            let document = stage.ann.create(project, &path, "").await;
            plays.push(Play { one, ways: by, victim, path, document });
        }
    }
    let attacks: usize = plays.iter().map(|play| play.ways.len()).sum();
    let count = plays.len();
    let began = Instant::now();
    let scenes: Vec<Scene> = stream::iter(plays.into_iter().enumerate())
        .map(|(number, scene)| play(&stage, number, scene))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (refused, admitted) = (server.tally("refused"), server.tally("admitted"));
    println!(
        "{} strings, {attacks} attacks in {count} scenes in {:?}; refused {refused}, admitted {admitted}",
        all.len(),
        began.elapsed()
    );

    judge_by_yjs(&scenes);
    server.restart().await;
    let mut texts: BTreeMap<u16, usize> = BTreeMap::new();
    for scene in &scenes {
        let (update, _) = stage.ann.read(stage.project, scene.document).await;
        assert_eq!(summary(&update).unwrap().deleted, summary(&merge(&scene.newcomer).unwrap()).unwrap().deleted);
        assert_eq!(
            summary(&update).unwrap().state_vector,
            summary(&merge(&scene.newcomer).unwrap()).unwrap().state_vector,
            "{}: after a restart",
            scene.about
        );
        // Text is a worker's, which a string may cost; sync it may not.
        if !scene.heavy && engine == Engine::Sqlite {
            continue;
        }
        let (status, text, _) = stage.ann.read_text(stage.project, scene.document).await;
        assert!(matches!(status.as_u16(), 200 | 503), "{}: {status} {text}", scene.about);
        assert!(status != 200 || text == scene.expected, "{}: {text:?}", scene.about);
        *texts.entry(status.as_u16()).or_default() += 1;
    }
    println!("texts after a restart: {texts:?}; workers lost: {}", server.state().replicas.lost());
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

async fn play(stage: &Stage, number: usize, Play { one, ways, victim, path, document }: Play<'_>) -> Scene {
    let Stage { ann, bob, project } = stage;
    let about = format!("{:?} as {victim:?} by {ways:?}", one.name);
    let dialect = DIALECTS[number % 2];
    let opening = ann.socket(dialect, *project, document).client(victim.client).presence(json!({})).bytes_only();
    let mut typist = opening.join().await;
    type_letters(&mut typist, 0..victim.before).await;
    until_saved(stage, document, &mut typist, dialect, victim.before).await;

    let began = Instant::now();
    let typing = async {
        for at in victim.before..victim.before + DURING {
            type_letters(&mut typist, at..at + 1).await;
            tokio::task::yield_now().await;
        }
        until_saved(stage, document, &mut typist, dialect, victim.before + DURING).await;
    };
    let attack = async {
        for &way in &ways {
            attack(bob, *project, document, &path, one, way).await;
        }
    };
    if is_trap(one) {
        attack.await;
        typing.await;
    } else {
        tokio::join!(typing, attack);
    }
    // And once more, after all that was hostile has been decided on.
    type_letters(&mut typist, victim.before + DURING..victim.before + DURING + 1).await;
    until_saved(stage, document, &mut typist, dialect, victim.before + DURING + 1).await;
    assert!(typist.denied.is_empty() && typist.events.is_empty(), "{about}: {typist:?}");
    assert!(began.elapsed() < LONG, "{about} took {:?}", began.elapsed());

    let newcomer = ann.socket(DIALECTS[(number + 1) % 2], *project, document).bytes_only().join().await.received;
    let deleted = assert_typed(&about, one, victim, &newcomer);
    let kept = |at: &u32| !deleted.contains(Id { client: ClientId(victim.client), clock: *at });
    let expected = (0..victim.before + DURING + 1).filter(kept).map(letter).collect();
    Scene { about, document, newcomer, expected, heavy: one.heavy }
}

fn letter(at: u32) -> char {
    char::from(b'A' + (at % 26) as u8)
}

/// Types at the end of what this peer typed.
async fn type_letters(typist: &mut Peer, letters: std::ops::Range<u32>) {
    for at in letters {
        typist.insert(at, &letter(at).to_string()).await;
    }
}

/// Until the letters are saved. One dialect has no acknowledgement, so there the server is asked.
async fn until_saved(stage: &Stage, document: DocumentId, typist: &mut Peer, dialect: Dialect, letters: u32) {
    typist.round_trip().await;
    if dialect == Dialect::Hocuspocus {
        return typist.until_saved().await;
    }
    let client = ClientId(typist.client());
    until("the letters are saved", async || {
        let (update, _) = stage.ann.read(stage.project, document).await;
        summary(&update).unwrap().state_vector.get(client) == letters
    })
    .await;
}

/// Sends the string, and waits until the server has dealt with it.
async fn attack(bob: &TestClient, project: ProjectId, document: DocumentId, path: &str, one: &Hostile, way: Way) {
    let (dialect, name, tag) = match way {
        Way::Http => {
            for message in &one.messages {
                // Whoever is told that it is not the time tries again.
                until("the string is taken or refused", async || {
                    let (status, body) = bob.write(project, document, message.clone()).await;
                    let fine = matches!(status.as_u16(), 200 | 400 | 409 | 413 | 422 | 503);
                    assert!(fine, "{:?}: {status} {body}", one.name);
                    status != 503
                })
                .await;
            }
            return;
        }
        Way::Elsewhere(tag) => {
            // The project's own room takes no content, also from those who may edit.
            let mut lobby = bob.socket(Dialect::Hocuspocus, project, "").bytes_only().open().await;
            send_all(&mut lobby, one, tag).await;
            (Dialect::Hocuspocus, path.to_owned(), tag)
        }
        Way::Socket(dialect, Named::Id, tag) => (dialect, document.to_string(), tag),
        Way::Socket(dialect, Named::Path, tag) => (dialect, path.to_owned(), tag),
        Way::Socket(dialect, Named::Session, tag) => (dialect, format!("{document}\0session"), tag),
    };
    let mut attacker = bob.socket(dialect, project, name).bytes_only().join().await;
    send_all(&mut attacker, one, tag).await;
    // What ended this socket or its document did so for the attacker alone.
    let before = attacker.answers;
    attacker.ask().await;
    let over = |peer: &Peer| peer.answers > before || peer.closed.is_some() || peer.ended.is_some();
    attacker.until("the attack is over", over).await;
}

async fn send_all(attacker: &mut Peer, one: &Hostile, tag: u8) {
    for message in &one.messages {
        let tags: &[u8] = if one.kind == Kind::Presence { &[1] } else { &[0, tag] };
        attacker.send(tags, |out| out.write_buf(message)).await;
    }
}

/// Whether it deletes on and on: only what was there before is anybody's to delete, so nothing is typed meanwhile.
fn is_trap(one: &Hostile) -> bool {
    let mut scans = one.messages.iter().filter_map(|bytes| scan(bytes).ok());
    one.kind == Kind::Update && scans.any(|scan| scan.deletions.iter().any(|(_, range)| range.len() > 100))
}

/// Asserts that a newcomer gets every letter, and answers which of them are deleted: none but those that the string names
/// and that were there, since who may edit may delete what is there.
fn assert_typed(about: &str, one: &Hostile, victim: Victim, newcomer: &[Vec<u8>]) -> IdSet {
    let whole = merge(newcomer).unwrap();
    let scan = scan(&whole).unwrap();
    let own = |set: &IdSet| -> IdSet { set.iter().filter(|(client, _)| client.0 == victim.client).collect() };
    let deleted = own(&summary(&whole).unwrap().deleted);
    let letters = scan.ids(|kind| kind == Struct::String, |_| 0, |_| u32::MAX);
    let all: IdSet = [(ClientId(victim.client), 0..victim.before + DURING + 1)].into_iter().collect();
    assert!(own(&letters).contains_all(&all.subtract(&deleted)), "{about}: {:?} of {letters:?}", own(&letters));
    let mut may: IdSet = IdSet::default();
    if one.kind == Kind::Update {
        let named = one.messages.iter().filter_map(|bytes| coterie::update::scan(bytes).ok());
        named.for_each(|scan| may.union(&own(&scan.deletions)));
    }
    if is_trap(one) {
        may =
            [(ClientId(victim.client), 0..victim.before)].into_iter().filter(|(_, range)| !range.is_empty()).collect();
    }
    assert!(may.contains_all(&deleted), "{about}: deleted {deleted:?}");
    deleted
}

/// Real Yjs, as a newcomer: it reads what the victim typed.
fn judge_by_yjs(scenes: &[Scene]) {
    let mut oracle = Oracle::start();
    let light: Vec<&Scene> = scenes.iter().filter(|scene| !scene.heavy).collect();
    let documents: Vec<Vec<Vec<u8>>> = light.iter().map(|scene| scene.newcomer.clone()).collect();
    let mut wrong = Vec::new();
    for (scene, said) in light.iter().zip(oracle.content(&documents)) {
        match said {
            Some((text, vector)) => {
                let ours = summary(&merge(&scene.newcomer).unwrap()).unwrap().state_vector;
                if text != scene.expected || vector != ours {
                    wrong
                        .push(format!("{}: {text:?}, not {:?}; {vector:?}, not {ours:?}", scene.about, scene.expected));
                }
            }
            None => wrong.push(format!("{}: Yjs throws", scene.about)),
        }
    }
    wrong.truncate(5);
    assert!(wrong.is_empty(), "of {}: {wrong:#?}", light.len());
}
