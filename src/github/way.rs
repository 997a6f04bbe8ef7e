//! The way to GitHub: requests, within bounds of time and size, and what its answers mean to the OAuth library.

use std::pin::Pin;

use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Request, Response, StatusCode};
use serde_json::Value;

use super::Fault;
use crate::config::is_loopback_name;
use crate::limits;

/// An HTTP client for GitHub. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Way(Client);

impl<'c> AsyncHttpClient<'c> for Way {
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Fault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Way {
    /// The way to these addresses; those of this machine are asked without a proxy.
    ///
    /// # Errors
    /// When the system has no certificates to know GitHub by.
    pub(super) fn to(addresses: &[&str]) -> anyhow::Result<Self> {
        // One that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits::GITHUB_CONNECT_TIME)
            .timeout(limits::GITHUB_TIME);
        let host = |url: &&str| reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(is_loopback_name));
        if addresses.iter().all(|url| host(url) == Some(true)) {
            http = http.no_proxy();
        }
        Ok(Self(http.build()?))
    }

    /// Sends a request of the OAuth library. GitHub tells errors with status 200, which the library takes for success.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let request = Request::try_from(request).map_err(|error| Fault::Odd(error.to_string()))?;
        let (mut status, headers, body) = self.ask(request).await?;
        let is_error = serde_json::from_slice::<Value>(&body).is_ok_and(|answer| answer.get("error").is_some());
        if status.is_success() && is_error {
            status = StatusCode::BAD_REQUEST;
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Sends a request, and reads its answer whole.
    ///
    /// # Errors
    /// [`Fault::Away`] when GitHub does not answer in time or asks to be spared, [`Fault::Odd`] for an answer without end.
    pub(super) async fn ask(&self, mut request: Request) -> Result<(StatusCode, HeaderMap, Vec<u8>), Fault> {
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("coterie"));
        let mut response = self.0.execute(request).await.map_err(away)?;
        let status = response.status();
        if status.is_server_error() || is_limited(&response) {
            return Err(Fault::Away(status.to_string()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > limits::GITHUB_BYTES {
                return Err(Fault::Odd("an answer without end".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, response.headers().clone(), body))
    }
}

/// GitHub limits rates with 429, and with 403 beside headers that say so.
fn is_limited(response: &Response) -> bool {
    let header = |name: &str| response.headers().get(name);
    response.status() == StatusCode::TOO_MANY_REQUESTS
        || (response.status() == StatusCode::FORBIDDEN
            && (header(RETRY_AFTER.as_str()).is_some()
                || header("x-ratelimit-remaining").is_some_and(|left| left == "0")))
}

fn away(error: reqwest::Error) -> Fault {
    // The address may hold secrets.
    let error = error.without_url();
    Fault::Away(if error.is_timeout() { "it took too long".into() } else { error.to_string() })
}
