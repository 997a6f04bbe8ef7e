//! What people read when a sign-in came to nothing: what happened, and what to do now.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::Refusal;
use crate::github::Fault;
use crate::policy;
use crate::turnstile::FailedSignIn;

impl Refusal {
    fn told(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotOffered => (
                StatusCode::NOT_FOUND,
                "This server has no sign-in with GitHub",
                "Its operator can add it by setting GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET.",
            ),
            Self::Elsewhere => (
                StatusCode::BAD_REQUEST,
                "That link leads to another place",
                "After signing in you can only go on within this server. Open the page you want from here.",
            ),
            Self::Unknown => (
                StatusCode::BAD_REQUEST,
                "This sign-in is over",
                "It was begun in another browser or more than ten minutes ago, or it has ended already. \
                 Begin again here; cookies must be allowed for this site.",
            ),
            Self::Denied => (
                StatusCode::FORBIDDEN,
                "You did not sign in",
                "GitHub was told not to say who you are. Nothing was changed. Try again if that was not meant.",
            ),
            Self::Suspended => (
                StatusCode::FORBIDDEN,
                "Your account here is suspended",
                "GitHub knows you, but an operator of this server has shut this account out. Ask them about it.",
            ),
            Self::Github(Fault::Stale(_)) => (
                StatusCode::BAD_REQUEST,
                "GitHub's answer was too old",
                "It can be used once and for a few minutes only. Begin again.",
            ),
            Self::Github(Fault::Misconfigured(_)) => (
                StatusCode::BAD_GATEWAY,
                "GitHub does not accept this server",
                "Its operator must compare GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET and the app's callback address, which \
                 is this server's address followed by /auth/github/callback.",
            ),
            Self::Github(Fault::Away(_)) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "GitHub does not answer now",
                "It is slow, away or too busy. Your work here is not affected. Try again in a minute.",
            ),
            Self::Github(Fault::Odd(_)) => (
                StatusCode::BAD_GATEWAY,
                "GitHub answered something unexpected",
                "Nobody was signed in. Try again; if it stays so, the server's log says what came.",
            ),
            Self::Failed(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "You could not be signed in now",
                "The server cannot store that you are signed in. Try again in a minute.",
            ),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, title, text) = self.told();
        match &self {
            Self::Github(fault) => tracing::warn!(%fault, "a sign-in with GitHub came to nothing"),
            Self::Failed(error) => tracing::error!(error = %format!("{error:#}"), "a sign-in could not be stored"),
            _ => tracing::info!(refusal = ?self, "a sign-in came to nothing"),
        }
        let again = if matches!(self, Self::NotOffered) { "" } else { "<a href=\"/auth/github\">Begin again</a> · " };
        let nonce = policy::nonce();
        let page = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Coterie</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><style nonce=\"{nonce}\">:root{{color-scheme:light dark}}\
             body{{font:17px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 20px}}</style></head>\
             <body><main><h1>{title}</h1><p>{text}</p><p>{again}<a href=\"/\">Back to Coterie</a></p></main></body></html>"
        );
        let headers = [
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::CONTENT_SECURITY_POLICY, policy::of_page(&nonce, &[])),
        ];
        let mut response = (status, headers, Html(page)).into_response();
        if matches!(self, Self::Unknown | Self::Suspended | Self::Github(Fault::Stale(_))) {
            response.extensions_mut().insert(FailedSignIn);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }
}
