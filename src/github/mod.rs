//! GitHub, as far as it says who somebody is: where a browser is sent, and what its return is worth.
//!
//! No token is kept: the one that GitHub gives is used once, to ask whose it is, and dropped.

mod device;
mod way;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, TokenResponse, TokenUrl,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Body, Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

pub use self::device::{Device, NotSignedIn};

use self::way::Way;
use crate::config::GithubApp;

/// A GitHub OAuth app, and the way to GitHub.
#[derive(Debug, Clone)]
pub struct Github {
    app: GithubApp,
    way: Way,
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

impl Github {
    /// The way to GitHub for an app.
    ///
    /// # Errors
    /// When the system has no certificates to know GitHub by.
    pub fn new(app: GithubApp) -> anyhow::Result<Self> {
        let way = Way::to(&[&app.url, &app.api_url])?;
        Ok(Self { app, way })
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
            .request_async(&self.way)
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

    /// Whose a token is that somebody got for this app without a browser; `None` where it is no token of this app's. It is
    /// ended then: who they are is all that it was for.
    ///
    /// # Errors
    /// Why that is not known.
    pub async fn redeem(&self, token: &str) -> Result<Option<Profile>, Fault> {
        // A token that another app was given says who somebody is too. Only GitHub knows for whom it is.
        match self.about(Method::POST, token).await? {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => return Ok(None),
            StatusCode::UNAUTHORIZED => return Err(Fault::Misconfigured("its client id and secret".into())),
            other => return Err(Fault::Odd(format!("{other} when asked for whom a token is"))),
        }
        let profile = self.whose(token).await?;
        match self.about(Method::DELETE, token).await {
            Ok(StatusCode::NO_CONTENT) => {}
            Ok(status) => tracing::warn!(%status, "a token is not ended at GitHub"),
            Err(fault) => tracing::warn!(%fault, "a token is not ended at GitHub"),
        }
        Ok(Some(profile))
    }

    /// Asks of a token of this app's, or ends it.
    async fn about(&self, method: Method, token: &str) -> Result<StatusCode, Fault> {
        let GithubApp { client_id, client_secret, .. } = &self.app;
        let mut request = self.request(method, &format!("/applications/{client_id}/token"))?;
        let basic = format!("Basic {}", STANDARD.encode(format!("{client_id}:{client_secret}")));
        request.headers_mut().insert(AUTHORIZATION, secret(&basic)?);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(Body::from(json!({ "access_token": token }).to_string()));
        let (status, ..) = self.way.ask(request).await?;
        Ok(status)
    }

    /// A request to the API.
    fn request(&self, method: Method, path: &str) -> Result<Request, Fault> {
        let url = format!("{}{path}", self.app.api_url).parse().map_err(|_| Fault::Misconfigured("its API".into()))?;
        let mut request = Request::new(method, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        request.headers_mut().insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
        Ok(request)
    }

    async fn whose(&self, token: &str) -> Result<Profile, Fault> {
        let mut request = self.request(Method::GET, "/user")?;
        request.headers_mut().insert(AUTHORIZATION, secret(&format!("Bearer {token}"))?);
        let (status, _, body) = self.way.ask(request).await?;
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
}

/// A header that is not shown.
fn secret(text: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Fault::Odd("a token that no header can hold".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn refused(error: &BasicErrorResponseType) -> Fault {
    let what = error.to_string();
    match what.as_str() {
        "incorrect_client_credentials"
        | "redirect_uri_mismatch"
        | "invalid_client"
        | "unauthorized_client"
        | "device_flow_disabled"
        | "application_suspended" => Fault::Misconfigured(what),
        "bad_verification_code" | "invalid_grant" | "unverified_user_email" => Fault::Stale(what),
        _ => Fault::Odd(what),
    }
}
