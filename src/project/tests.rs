//! What happens below HTTP to the people and documents of a project, on a database of its own.

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{NewProject, create};
use crate::access::{self, Role};
use crate::auth::{self, By, Caller, Credential, NewGrant, User, digest};
use crate::db::Db;
use crate::document::{self, Resolved};
use crate::error::Error;
use crate::feed::Feed;
use crate::ids::ProjectId;
use crate::quota::Quotas;

struct Fixture {
    db: Db,
    feed: Feed,
    quotas: Quotas,
    ann: User,
    project: ProjectId,
    _folder: TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::connect(&format!("sqlite://{}/test.db", folder.path().display())).await.unwrap();
    let ann = auth::create_guest(&db, "Ann").await.unwrap();
    let feed = Feed::new(db.clone(), CancellationToken::new());
    let quotas = Quotas::new(db.clone(), crate::limits::DOCUMENTS_BYTES);
    let project = project_of(&feed, &quotas, &ann).await;
    Fixture { db, feed, quotas, ann, project, _folder: folder }
}

async fn project_of(feed: &Feed, quotas: &Quotas, owner: &User) -> ProjectId {
    let wanted = NewProject { name: "Notes".to_owned(), description: None, visibility: None, template: None };
    create(feed, quotas, owner.id, i64::MAX, &wanted).await.unwrap().id
}

async fn role_of(db: &Db, user: &User, project: ProjectId) -> Option<Role> {
    let caller =
        Caller { user: user.clone(), credential: Credential::Login { hash: digest(""), expires_us: i64::MAX } };
    access::role(db, &caller, project).await.unwrap()
}

fn live(found: Resolved) -> document::Document {
    match found {
        Resolved::Live(document) => document,
        other => panic!("expected a living document, found {other:?}"),
    }
}

#[tokio::test]
async fn a_guest_who_becomes_somebody_keeps_projects_tokens_and_authorship() {
    let Fixture { db, feed, quotas, ann, project, _folder } = fixture().await;
    let somebody = auth::create_guest(&db, "Ann Arbor").await.unwrap();
    let theirs = project_of(&feed, &quotas, &somebody).await;
    let mut tx = db.begin().await.unwrap();
    access::add_member(&mut tx, theirs, ann.id, Role::Viewer).await.unwrap();
    tx.commit().await.unwrap();
    let lifetime = std::time::Duration::from_secs(60);
    let login = auth::some_login(&db, somebody.id).await;
    let grant = NewGrant { user: ann.id, issuer: ann.id, project, role: Role::Editor, by: By::Login(login) };
    let mut tx = db.begin().await.unwrap();
    let (token, _) = auth::issue_token(&mut tx, &grant, lifetime).await.unwrap();
    tx.commit().await.unwrap();

    auth::merge_guest(&db, ann.id, somebody.id).await.unwrap();
    auth::merge_guest(&db, ann.id, somebody.id).await.unwrap();

    assert_eq!(role_of(&db, &somebody, project).await, Some(Role::Owner));
    assert_eq!(role_of(&db, &somebody, theirs).await, Some(Role::Owner), "the higher role stays");
    assert_eq!(role_of(&db, &ann, project).await, None);
    let caller = auth::by_token(&db, &token.reveal()).await.unwrap().unwrap();
    assert_eq!(caller.user.id, somebody.id);
    assert_eq!(access::role(&db, &caller, project).await.unwrap(), Some(Role::Editor));
    assert_eq!(access::role(&db, &caller, theirs).await.unwrap(), None, "a token opens one project only");
    assert_eq!(*auth::participant(&db, &somebody).await.unwrap().merged, [ann.id]);
}

#[tokio::test]
async fn however_many_join_an_unknown_path_at_once_one_document_is_made() {
    let Fixture { feed, ann, project, _folder, .. } = fixture().await;
    let mut joins = JoinSet::new();
    for _ in 0..32 {
        let (feed, creator) = (feed.clone(), ann.id);
        joins.spawn(async move { document::resolve_or_create(&feed, project, "a/b", creator).await.unwrap() });
    }
    let mut ids: Vec<_> = joins.join_all().await.into_iter().map(|found| live(found).id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_name_is_an_id_first_then_a_path_then_a_path_of_before() {
    let Fixture { db, feed, quotas, ann, project, _folder } = fixture().await;
    let resolve = async |name: &str| document::resolve(&db, project, name).await.unwrap();
    let first = document::create(&feed, &quotas, project, ann.id, "first", "1").await.unwrap();
    document::create(&feed, &quotas, project, ann.id, &first.id.to_string(), "").await.unwrap();

    assert_eq!(live(resolve(&first.id.to_string()).await).path, "first");
    assert_eq!(live(resolve("first").await).id, first.id);
    document::rename(&feed, project, ann.id, first.id, "second").await.unwrap();
    assert_eq!(live(resolve("first").await).path, "second");
    let other = document::create(&feed, &quotas, project, ann.id, "first", "").await.unwrap();
    assert_eq!(live(resolve("first").await).id, other.id, "what is created takes an alias over");
    for unknown in ["third", "../first", "", "a\0b"] {
        assert_eq!(resolve(unknown).await, Resolved::Unknown, "{unknown:?}");
    }
}

#[tokio::test]
async fn a_deleted_document_stays_deleted_until_it_is_created_explicitly() {
    let Fixture { db, feed, quotas, ann, project, _folder } = fixture().await;
    let rooms = crate::room::Rooms::new(
        db.clone(),
        quotas.clone(),
        crate::limits::ROOMS_BYTES,
        tokio::sync::mpsc::channel(1).0,
        &crate::meters::Meters::new(),
    );
    let document = document::create(&feed, &quotas, project, ann.id, "a", "").await.unwrap();
    document::rename(&feed, project, ann.id, document.id, "b").await.unwrap();
    document::delete(&feed, &rooms, project, ann.id, document.id).await.unwrap();

    for name in ["a", "b", &document.id.to_string()] {
        let found = document::resolve_or_create(&feed, project, name, ann.id).await.unwrap();
        assert_eq!(found, Resolved::Deleted, "{name}");
    }
    let again = document::delete(&feed, &rooms, project, ann.id, document.id).await;
    assert!(matches!(again, Err(Error::NotFound)));
    let anew = document::create(&feed, &quotas, project, ann.id, "b", "").await.unwrap();
    assert_eq!(live(document::resolve(&db, project, "b").await.unwrap()).id, anew.id);
}

#[tokio::test]
async fn one_name_is_not_both_a_file_and_a_folder() {
    let Fixture { feed, quotas, ann, project, _folder, .. } = fixture().await;
    document::create(&feed, &quotas, project, ann.id, "é/b", "").await.unwrap();
    for path in ["é", "é/b", "é/b/c"] {
        let refused = document::create(&feed, &quotas, project, ann.id, path, "").await;
        assert!(matches!(refused, Err(Error::Conflict { code: "path_taken", .. })), "{path}");
    }
    for path in ["é/c", "éb", "e"] {
        document::create(&feed, &quotas, project, ann.id, path, "").await.unwrap();
    }
}
