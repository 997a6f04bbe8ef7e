//! The chat over HTTP.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::conversation::{self, Change, ConversationView};
use super::export::{self, Format};
use super::import::{self, Import};
use super::message::{self, Message, MessageView, NewMessage};
use super::reading::{self, Cursor, Messages};
use crate::access::{Commenter, Viewer};
use crate::db::Db;
use crate::error::{Error, ErrorView, Result};
use crate::extract::{Json, PathId, Query};
use crate::feed::{Feed, Person, Signal};
use crate::ids::{ConversationId, MessageId};
use crate::limits;
use crate::once::{Keyed, once};
use crate::page::{self, Page, PageQuery};
use crate::state::AppState;

/// `/api/projects/{p}/messages`, `…/conversations` and `…/typing`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, write))
        .routes(routes!(take_away))
        .routes(routes!(search))
        .merge(OpenApiRouter::new().routes(routes!(bring)).layer(DefaultBodyLimit::max(limits::IMPORTED_BYTES)))
        .routes(routes!(show, edit, remove))
        .routes(routes!(conversations, begin))
        .routes(routes!(change))
        .routes(routes!(mark_read))
        .routes(routes!(typing))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MessagesQuery {
    /// The first conversation when left out.
    conversation: Option<ConversationId>,
    /// Only messages after this number, from the oldest on.
    after: Option<i64>,
    /// Only messages before this number, up to the newest of them. Not together with `after`.
    before: Option<i64>,
    /// How many items are wanted; above 200 it means 200.
    #[param(minimum = 1, default = 50)]
    limit: Option<i64>,
    /// Only messages that contain this, whatever its case.
    #[param(max_length = 200)]
    q: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Taking {
    /// The first conversation when left out.
    conversation: Option<ConversationId>,
    #[param(inline)]
    format: Format,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageText)]
struct Text {
    body: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConversationTitle)]
struct Title {
    title: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Seen {
    seq: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
struct Typing {
    conversation: Option<ConversationId>,
}

/// Messages of a conversation, in the order in which they were written; the latest where no cursor is given.
#[utoipa::path(
    get, path = "/api/projects/{p}/messages", operation_id = "list_messages", tag = "chat", params(MessagesQuery),
    responses((status = 200, body = Messages))
)]
async fn list(access: Viewer, State(feed): State<Feed>, Query(query): Query<MessagesQuery>) -> Result<Json<Messages>> {
    let limit = page::limit(query.limit)?;
    if query.after.is_some() && query.before.is_some() {
        return Err(Error::invalid("bad_cursor", "give after or before, not both"));
    }
    if let Some(q) = &query.q {
        refuse_needle(q)?;
    }
    let cursor = Cursor { after: query.after, before: query.before, containing: query.q.filter(|q| !q.is_empty()) };
    let conversation = query.conversation.unwrap_or_else(|| conversation::first(access.project));
    reading::page(&feed, access.project, conversation, &cursor, limit).await.map(Json)
}

/// Writes a message; the same `key` again is the same message. For commenters.
#[utoipa::path(
    post, path = "/api/projects/{p}/messages", operation_id = "post_message", tag = "chat", request_body = NewMessage,
    responses(
        (status = 200, description = "It is there already, by its key.", body = MessageView),
        (status = 201, description = "It is written.", body = MessageView),
    )
)]
async fn write(
    access: Commenter,
    State(feed): State<Feed>,
    Json(mut wanted): Json<NewMessage>,
) -> Result<(StatusCode, Json<Message>)> {
    wanted.role = Some(access.role);
    wanted.issuer = access.caller.credential.issuer();
    let (message, is_new) = message::post(&feed, access.project, access.caller.user.id, wanted).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(message)))
}

/// One message.
#[utoipa::path(
    get, path = "/api/projects/{p}/messages/{m}", operation_id = "get_message", tag = "chat",
    responses((status = 200, body = MessageView))
)]
async fn show(access: Viewer, State(feed): State<Feed>, PathId(id): PathId<MessageId>) -> Result<Json<Message>> {
    message::find(&feed, access.project, id).await.map(Json)
}

/// Changes the text of one's own message.
#[utoipa::path(
    patch, path = "/api/projects/{p}/messages/{m}", operation_id = "edit_message", tag = "chat", request_body = Text,
    responses((status = 200, body = MessageView))
)]
async fn edit(
    access: Commenter,
    State(feed): State<Feed>,
    PathId(id): PathId<MessageId>,
    Json(text): Json<Text>,
) -> Result<Json<Message>> {
    message::edit(&feed, access.project, access.caller.user.id, id, &text.body).await.map(Json)
}

/// Deletes one's own message, or as an owner anybody's. That there was one stays.
#[utoipa::path(
    delete, path = "/api/projects/{p}/messages/{m}", operation_id = "delete_message", tag = "chat",
    responses((status = 204, description = "What it said is gone."))
)]
async fn remove(access: Commenter, State(feed): State<Feed>, PathId(id): PathId<MessageId>) -> Result<StatusCode> {
    let manages = access.role.can_manage();
    message::delete(&feed, access.project, access.caller.user.id, manages, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Needle {
    /// What to look for, whatever its case.
    #[param(min_length = 1, max_length = 200)]
    q: String,
}

/// Messages of all conversations that contain a text, the newest first.
#[utoipa::path(
    get, path = "/api/projects/{p}/messages/search", operation_id = "search_messages", tag = "chat",
    params(Needle, PageQuery), responses((status = 200, body = Page<MessageView>))
)]
async fn search(
    access: Viewer,
    State(feed): State<Feed>,
    Query(needle): Query<Needle>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Message>>> {
    let limit = page.limit()?;
    if needle.q.is_empty() {
        return Err(Error::invalid("bad_query", "q says what to look for"));
    }
    refuse_needle(&needle.q)?;
    let found = reading::search(&feed, access.project, &needle.q, page.after()?, limit + 1).await?;
    Ok(Json(Page::cut(found, limit, |message| message.id)))
}

/// A conversation as a download.
#[utoipa::path(
    get, path = "/api/projects/{p}/messages/export", operation_id = "export_messages", tag = "chat", params(Taking),
    responses((status = 200, description = "All of it.", content((String = "text/markdown"), (Object = "application/json"))))
)]
async fn take_away(access: Viewer, State(db): State<Db>, Query(taking): Query<Taking>) -> Result<Response> {
    let id = taking.conversation.unwrap_or_else(|| conversation::first(access.project));
    conversation::find(&db, access.project, id).await?;
    Ok(export::download(db, id, taking.format))
}

/// The conversations of a project, with how far the caller has read.
#[utoipa::path(
    get, path = "/api/projects/{p}/conversations", operation_id = "list_conversations", tag = "chat",
    responses((status = 200, body = Page<ConversationView>))
)]
async fn conversations(access: Viewer, State(db): State<Db>) -> Result<Json<Page<ConversationView>>> {
    let items = conversation::list(&db, access.project, access.caller.user.id).await?;
    Ok(Json(Page::whole(items)))
}

/// Begins a conversation. For commenters.
#[utoipa::path(
    post, path = "/api/projects/{p}/conversations", operation_id = "create_conversation", tag = "chat", request_body = Title,
    params(("idempotency-key" = Option<String>, Header, description = "Carries it out once, however often it is sent.")),
    responses(
        (status = 201, body = ConversationView),
        (status = 409, description = "`in_progress`: the key's request is.", body = ErrorView),
        (status = 422, description = "The key was another request's.", body = ErrorView),
    )
)]
async fn begin(access: Commenter, State(feed): State<Feed>, wanted: Keyed<Title>) -> Result<Response> {
    let (user, db) = (access.caller.user.id, feed.db().clone());
    once(&db, user, wanted.seal, StatusCode::CREATED, async move {
        Ok(conversation::create(&feed, access.project, user, &wanted.value.title).await?.view(0))
    })
    .await
}

/// Takes a conversation in that was held elsewhere, such as an export in JSON, as one of its own; who is said to have
/// written a message stands in it. For commenters.
#[utoipa::path(
    post, path = "/api/projects/{p}/conversations/import", operation_id = "import_conversation", tag = "chat",
    request_body = Import,
    params(("idempotency-key" = Option<String>, Header, description = "Carries it out once, however often it is sent.")),
    responses(
        (status = 201, body = ConversationView),
        (status = 409, description = "`in_progress`: the key's request is.", body = ErrorView),
        (status = 422, description = "The key was another request's.", body = ErrorView),
    )
)]
async fn bring(access: Commenter, State(feed): State<Feed>, wanted: Keyed<Import>) -> Result<Response> {
    let (user, db) = (access.caller.user.id, feed.db().clone());
    once(&db, user, wanted.seal, StatusCode::CREATED, async move {
        let brought = import::import(&feed, access.project, user, &wanted.value).await?;
        Ok(brought.view(brought.head))
    })
    .await
}

/// Gives a conversation another title, for commenters; or says when the assistant speaks in it, and whether what it
/// proposes is applied at once, for editors.
#[utoipa::path(
    patch, path = "/api/projects/{p}/conversations/{c}", operation_id = "change_conversation", tag = "chat",
    request_body = Change, responses((status = 200, body = ConversationView))
)]
async fn change(
    access: Commenter,
    State(feed): State<Feed>,
    PathId(id): PathId<ConversationId>,
    Json(wanted): Json<Change>,
) -> Result<Json<ConversationView>> {
    if (wanted.answers.is_some() || wanted.applies.is_some()) && !access.role.can_write() {
        return Err(Error::Forbidden("only editors say when the assistant speaks, and whether its edits are applied"));
    }
    conversation::change(&feed, access.project, access.caller.user.id, id, &wanted).await.map(Json)
}

/// Notes how far the caller has read; never back.
#[utoipa::path(
    put, path = "/api/projects/{p}/conversations/{c}/read", operation_id = "mark_read", tag = "chat", request_body = Seen,
    responses((status = 200, body = Seen))
)]
async fn mark_read(
    access: Viewer,
    State(db): State<Db>,
    PathId(id): PathId<ConversationId>,
    Json(seen): Json<Seen>,
) -> Result<Json<Seen>> {
    let seq = conversation::mark_read(&db, access.project, id, access.caller.user.id, seen.seq).await?;
    Ok(Json(Seen { seq }))
}

/// Tells those who are there that the caller is writing. For commenters.
#[utoipa::path(
    post, path = "/api/projects/{p}/typing", operation_id = "tell_typing", tag = "chat", request_body = Typing,
    responses((status = 204, description = "It is told."))
)]
async fn typing(access: Commenter, State(feed): State<Feed>, Json(typing): Json<Typing>) -> Result<StatusCode> {
    let id = typing.conversation.unwrap_or_else(|| conversation::first(access.project));
    conversation::find(feed.db(), access.project, id).await?;
    let user = &access.caller.user;
    let user = Person { id: user.id, name: user.name.clone() };
    feed.signal(access.project, Signal::Typing { conversation: id, user });
    Ok(StatusCode::NO_CONTENT)
}

fn refuse_needle(q: &str) -> Result<()> {
    if q.chars().count() > limits::SEARCH_CHARS || q.contains('\0') {
        return Err(Error::invalid(
            "bad_query",
            format!("q has at most {} characters, without NUL", limits::SEARCH_CHARS),
        ));
    }
    Ok(())
}
