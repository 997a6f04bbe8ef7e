//! A conversation to take away: as Markdown for people, as JSON for programs; read and sent page by page.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::message::Message;
use super::reading::Cursor;
use super::sql;
use crate::db::Db;
use crate::error::Result;
use crate::ids::ConversationId;
use crate::limits;

/// What it is to be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// Markdown.
    Md,
    /// JSON.
    Json,
}

/// How far an export has come.
enum At {
    Begin,
    After(i64),
    End,
}

/// A conversation as a download. One that cannot be read to its end is cut off, and not closed as JSON.
pub(super) fn download(db: Db, conversation: ConversationId, format: Format) -> Response {
    let pages = stream::unfold((db, At::Begin), move |(db, at)| async move {
        let after = match at {
            At::Begin => 0,
            At::After(seq) => seq,
            At::End => return None,
        };
        match page(&db, conversation, format, after).await {
            Ok((text, next)) => Some((Ok(Bytes::from(text)), (db, next.map_or(At::End, At::After)))),
            Err(error) => Some((Err(std::io::Error::other(error)), (db, At::End))),
        }
    });
    let (kind, name) = match format {
        Format::Md => ("text/markdown; charset=utf-8", "attachment; filename=\"conversation.md\""),
        Format::Json => ("application/json", "attachment; filename=\"conversation.json\""),
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
    (headers, Body::from_stream(pages)).into_response()
}

/// The messages after a number, and the number of the last if there may be more.
async fn page(db: &Db, conversation: ConversationId, format: Format, after: i64) -> Result<(String, Option<i64>)> {
    let cursor = Cursor { after: Some(after), ..Cursor::default() };
    let messages = sql::page(db, conversation, &cursor, limits::EXPORT_PAGE).await?;
    let full = i64::try_from(messages.len()).is_ok_and(|count| count == limits::EXPORT_PAGE);
    let next = messages.last().map(|message| message.seq).filter(|_| full);
    let mut text = String::new();
    if format == Format::Json && after == 0 {
        text.push_str("{\"messages\":[");
    }
    for message in messages {
        match format {
            Format::Md => text.push_str(&markdown(&message)),
            Format::Json => {
                if message.seq > 1 {
                    text.push(',');
                }
                text.push_str(&serde_json::to_string(&message).map_err(anyhow::Error::from)?);
            }
        }
    }
    if format == Format::Json && next.is_none() {
        text.push_str("]}\n");
    }
    Ok((text, next))
}

fn markdown(message: &Message) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(message.created_us / 1_000_000).ok();
    let moment = moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default();
    let persona = message.persona.as_ref().map(|persona| format!(" ({persona})")).unwrap_or_default();
    let body = if message.deleted_us.is_some() { "*deleted*" } else { message.body.trim_end() };
    format!("### {}{persona} · {moment}\n\n{body}\n\n", message.author.name)
}
