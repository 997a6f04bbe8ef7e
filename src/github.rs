//! GitHub, as far as it says who somebody is: where a browser is sent, and what its return is worth.
//!
//! No token is kept: the one that GitHub gives is used once, to ask whose it is, and dropped.

use std::pin::Pin;

use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    TokenResponse, TokenUrl,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::config::{GithubApp, is_loopback_name};
use crate::limits;

/// A GitHub OAuth app, and the way to GitHub.
#[derive(Debug, Clone)]
pub struct Github {
    app: GithubApp,
    http: Client,
}

/// Where a browser is sent, and what its return must match.
#[derive(Debug)]
pub struct Began {
    /// The address at GitHub.
    pub url: String,
    /// What GitHub hands back.
    pub state: String,
    /// What the code is redeemed with.
    pub verifier: String,
}

/// Who somebody is at GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Profile {
    /// The account; stays when it is renamed.
    pub id: i64,
    /// Its name in addresses; reused once it is given up.
    pub login: String,
    /// What the person is called, if they say so.
    pub name: Option<String>,
    /// Picture address.
    #[serde(rename = "avatar_url")]
    pub avatar: Option<String>,
}

/// Why GitHub did not say who somebody is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The code was used, is too old or is not for us: the person tries again.
    #[error("GitHub does not accept the code: {0}")]
    Stale(String),
    /// The app's settings are wrong: the operator mends them.
    #[error("GitHub does not accept the app: {0}")]
    Misconfigured(String),
    /// Slow, away or too busy: the person tries again later.
    #[error("GitHub does not answer: {0}")]
    Away(String),
    /// Something else came.
    #[error("GitHub answered something unexpected: {0}")]
    Odd(String),
}

type OauthClient = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl<'c> AsyncHttpClient<'c> for Github {
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Fault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Github {
    /// The way to GitHub for an app.
    ///
    /// # Errors
    /// When the system has no certificates to know GitHub by.
    pub fn new(app: GithubApp) -> anyhow::Result<Self> {
        // One that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits::GITHUB_CONNECT_TIME)
            .timeout(limits::GITHUB_TIME);
        let host = |url: &str| reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(is_loopback_name));
        if host(&app.url) == Some(true) && host(&app.api_url) == Some(true) {
            http = http.no_proxy();
        }
        Ok(Self { app, http: http.build()? })
    }

    /// Begins a sign-in that returns to `redirect`. No scope is asked for: who somebody is needs none.
    ///
    /// # Errors
    /// [`Fault::Misconfigured`] when the addresses are none.
    pub fn begin(&self, redirect: &str) -> Result<Began, Fault> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(redirect)?;
        let (url, state) = client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge).url();
        Ok(Began { url: url.into(), state: state.into_secret(), verifier: verifier.into_secret() })
    }

    /// Redeems the code that a browser brought back, and asks whose it is.
    ///
    /// # Errors
    /// Why that is not known.
    pub async fn profile(&self, redirect: &str, code: String, verifier: String) -> Result<Profile, Fault> {
        let redeemed = self
            .client(redirect)?
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(self)
            .await;
        let token = match redeemed {
            Ok(answer) => answer.access_token().secret().clone(),
            Err(RequestTokenError::Request(fault)) => return Err(fault),
            Err(RequestTokenError::ServerResponse(refusal)) => return Err(refused(refusal.error())),
            Err(RequestTokenError::Parse(error, _)) => return Err(Fault::Odd(format!("no token: {error}"))),
            Err(RequestTokenError::Other(what)) => return Err(Fault::Odd(what)),
        };
        self.whose(&token).await
    }

    async fn whose(&self, token: &str) -> Result<Profile, Fault> {
        let url = format!("{}/user", self.app.api_url).parse().map_err(|_| Fault::Misconfigured("its API".into()))?;
        let mut request = Request::new(Method::GET, url);
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|_| Fault::Odd("a token that no header can hold".into()))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        request.headers_mut().insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
        let (status, _, body) = self.ask(request).await?;
        if !status.is_success() {
            return Err(Fault::Odd(format!("{status} when asked whose the token is")));
        }
        let profile: Profile =
            serde_json::from_slice(&body).map_err(|error| Fault::Odd(format!("a user that is none: {error}")))?;
        if profile.id < 1 || profile.login.is_empty() {
            return Err(Fault::Odd("a user without an id".into()));
        }
        Ok(profile)
    }

    fn client(&self, redirect: &str) -> Result<OauthClient, Fault> {
        let wrong = |error: oauth2::url::ParseError| Fault::Misconfigured(format!("its address: {error}"));
        let authorize = AuthUrl::new(format!("{}/login/oauth/authorize", self.app.url)).map_err(wrong)?;
        let token = TokenUrl::new(format!("{}/login/oauth/access_token", self.app.url)).map_err(wrong)?;
        Ok(BasicClient::new(ClientId::new(self.app.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.app.client_secret.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(authorize)
            .set_token_uri(token)
            .set_redirect_uri(RedirectUrl::new(redirect.to_owned()).map_err(wrong)?))
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

    async fn ask(&self, mut request: Request) -> Result<(StatusCode, HeaderMap, Vec<u8>), Fault> {
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("coterie"));
        let mut response = self.http.execute(request).await.map_err(away)?;
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

fn refused(error: &BasicErrorResponseType) -> Fault {
    let what = error.to_string();
    match what.as_str() {
        "incorrect_client_credentials"
        | "redirect_uri_mismatch"
        | "invalid_client"
        | "unauthorized_client"
        | "application_suspended" => Fault::Misconfigured(what),
        "bad_verification_code" | "invalid_grant" | "unverified_user_email" => Fault::Stale(what),
        _ => Fault::Odd(what),
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
