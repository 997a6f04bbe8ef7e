//! The description of the HTTP interface, as `/api/openapi.json` serves it, and the page that shows it.
//!
//! Handlers describe what is theirs beside themselves (`#[utoipa::path]`): their address, what they take, how they answer
//! when it went well and what only they refuse. What the layers and extractors around all of them answer is added here
//! once ([`complete`]), as are the ids in paths. The paths come from the router itself, so a route that is in none of the
//! two cannot be in the other.

mod page;
mod refusals;

use serde_json::{Value, json};
use utoipa::openapi::{Components, Info, License, OpenApi, Paths, Tag};

pub use self::page::routes as page;
use crate::error::ErrorView;

/// Where the description is served.
pub const ADDRESS: &str = "/api/openapi.json";

/// Parts of paths that handlers need not describe: all but the last two are UUIDs.
const PATH_PARTS: [(&str, &str); 14] = [
    ("p", "The project."),
    ("d", "The document."),
    ("user", "The member."),
    ("i", "The invite."),
    ("key", "The API key."),
    ("login", "The login."),
    ("project", "The project."),
    ("document", "The document."),
    ("m", "The message."),
    ("c", "The conversation."),
    ("s", "The session."),
    ("proposal", "The proposal."),
    ("token", "The secret at the end of an invite's link."),
    ("sha256", "The content's SHA-256 in hexadecimal."),
];

/// Words that group operations.
const TAGS: [(&str, &str); 11] = [
    ("sign-in", "Who one is: signing in and out."),
    ("projects", "What people share."),
    ("people", "Members of a project, invites and tokens."),
    ("documents", "The tree of documents, and their content as Yjs updates."),
    ("text", "Documents as plain text, and changes of many at once."),
    ("feed", "What happened in a project."),
    ("proposals", "Changes that somebody suggests and others decide on."),
    ("blobs", "Files of bytes and attachments."),
    ("chat", "Conversations and their messages."),
    ("assistant", "The AI teammate: stopping and repeating its answers, its personas, and what they take."),
    ("server", "For whoever looks after the server."),
];

/// The description before any route is in it.
#[must_use]
pub fn frame() -> OpenApi {
    let mut info = Info::new("Coterie", env!("CARGO_PKG_VERSION"));
    info.description = Some(INTRODUCTION.to_owned());
    info.license = Some(License::new("MIT OR Apache-2.0"));
    let mut document = OpenApi::new(info, Paths::new());
    document.tags = Some(
        TAGS.iter()
            .map(|(name, text)| {
                let mut tag = Tag::new(*name);
                tag.description = Some((*text).to_owned());
                tag
            })
            .collect(),
    );
    document.components = Some(Components::builder().schema_from::<ErrorView>().build());
    document
}

const INTRODUCTION: &str = "Projects, their documents and the people in them. Documents are Yjs documents; for live editing \
    use a Yjs client over WebSocket (see PROTOCOL.md), for everything else these addresses.\n\n\
    **Credentials**: the cookie of a login (browsers; writes need the server's own `Origin`), or `Authorization: Bearer` \
    with a token. What is unknown and what is hidden from the caller look alike (404).\n\n\
    **Lists** come in pages: `{\"items\": […], \"next\": …}`; the next page is asked for with `after` set to `next`, which is \
    null on the last.\n\n\
    **Errors** are `{\"error\": {\"code\", \"message\", \"request_id\"}}`: the code is for programs, the message for people, and \
    the id finds the request in the server's log.\n\n\
    **Times** are RFC 3339, ids are UUIDs that sort by creation.";

/// The whole description: what handlers said of themselves, and what holds for all of them.
///
/// # Panics
/// When what the framework made of the handlers' words is no JSON, which no request can cause.
#[must_use]
pub fn complete(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("a description is JSON");
    document["components"]["securitySchemes"] = json!({
        "login": { "type": "apiKey", "in": "cookie", "name": "coterie",
            "description": "The cookie of a login. Over HTTPS its name is `__Host-coterie`." },
        "token": { "type": "http", "scheme": "bearer", "description": "A token, such as one from `POST …/tokens`." },
    });
    document["components"]["responses"] = refusals::components();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            name_path_parts(path, operation);
            refusals::add(path, method, operation);
        }
    }
    document
}

/// Describes the parts of a path that its handler did not.
fn name_path_parts(path: &str, operation: &mut Value) {
    let mut parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    for (name, description) in PATH_PARTS {
        let described = parameters.iter().any(|parameter| parameter["name"] == name);
        if described || !path.contains(&format!("{{{name}}}")) {
            continue;
        }
        let schema = match name {
            "token" => json!({ "type": "string", "minLength": 1 }),
            "sha256" => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
            _ => json!({ "type": "string", "format": "uuid" }),
        };
        let parameter =
            json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema });
        parameters.push(parameter);
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
}
