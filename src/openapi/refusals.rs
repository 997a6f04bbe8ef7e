//! What layers and extractors answer instead of a handler, by what its operation looks like: each status that a client
//! can really meet there, and no other.

use serde_json::{Map, Value, json};

/// A refusal that many operations share: its name in the description, its status, and what it means.
type Shared = (&'static str, &'static str, &'static str);

const BAD_REQUEST: Shared = ("BadRequest", "400", "The request is malformed; `code` names the fault.");
const UNAUTHORIZED: Shared = ("Unauthorized", "401", "Nobody is signed in, or the login or token has ended.");
const FORBIDDEN: Shared = (
    "Forbidden",
    "403",
    "The caller may see this, but the role or the credential does not allow it; or the request came from a page of \
     another origin.",
);
const NOT_FOUND: Shared = ("NotFound", "404", "Unknown, or hidden from the caller; the two look alike.");
const TOO_LARGE: Shared = ("TooLarge", "413", "Above a limit on size.");
const UNSUPPORTED: Shared = ("UnsupportedMediaType", "415", "Another content type is needed.");
const TOO_MANY: Shared = ("TooManyRequests", "429", "Above a limit on rate; `Retry-After` says for how many seconds.");
const INTERNAL: Shared = ("Internal", "500", "The server failed; its log knows the request id.");
const UNAVAILABLE: Shared = ("Unavailable", "503", "Not now, such as while the database is away; try again soon.");

const ALL: [Shared; 9] =
    [BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_LARGE, UNSUPPORTED, TOO_MANY, INTERNAL, UNAVAILABLE];

/// The refusals as components, to be referred to.
pub(super) fn components() -> Value {
    let seconds = json!({ "description": "Seconds to wait.", "schema": { "type": "integer", "minimum": 1 } });
    let described = ALL.iter().map(|(name, status, description)| {
        let mut response = json!({
            "description": description,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ErrorView" } } },
        });
        if matches!(*status, "429" | "503") {
            response["headers"] = json!({ "Retry-After": seconds });
        }
        ((*name).to_owned(), response)
    });
    Value::Object(described.collect::<Map<_, _>>())
}

/// Adds the refusals that an operation meets around its handler, and the credentials it takes.
///
/// An operation that names no credential takes any; one with an empty one is for everybody.
pub(super) fn add(path: &str, method: &str, operation: &mut Value) {
    if operation["security"].is_null() {
        operation["security"] = json!([{ "login": [] }, { "token": [] }]);
    }
    let for_everybody = operation["security"].as_array().is_some_and(|ways| ways.iter().any(|way| way == &json!({})));
    let in_api = path.starts_with("/api/") || path.starts_with("/auth/");
    let has_body = !operation["requestBody"].is_null();
    let parameters = operation["parameters"].as_array();
    let has_query = parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "query"));
    let is_unsafe = !matches!(method, "get" | "head" | "options");
    let met = [
        (BAD_REQUEST, has_body || has_query),
        (UNAUTHORIZED, !for_everybody),
        (FORBIDDEN, is_unsafe),
        // To all but operators, what is theirs does not exist.
        (NOT_FOUND, path.contains('{') || path.starts_with("/api/admin/")),
        (TOO_LARGE, has_body),
        (UNSUPPORTED, has_body),
        (TOO_MANY, true),
        (INTERNAL, in_api),
        (UNAVAILABLE, in_api),
    ];
    for ((name, status, _), applies) in met {
        if applies && operation["responses"][status].is_null() {
            operation["responses"][status] = json!({ "$ref": format!("#/components/responses/{name}") });
        }
    }
}
