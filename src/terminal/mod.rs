//! Signing in at a terminal: `coterie login` and `coterie logout`. What is kept is an API key, which the server makes for
//! whoever GitHub says that this is, and ends again.

mod kept;

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::is_loopback_name;
use crate::github::Device;
use crate::limits;
use kept::{Kept, Login};

/// A server, and the file in which the keys of all are kept.
#[derive(Debug)]
pub struct Terminal {
    server: String,
    http: Client,
    file: PathBuf,
}

/// What the server says of signing in.
#[derive(Deserialize)]
struct WaysIn {
    device: Option<DeviceWay>,
}

#[derive(Deserialize)]
struct DeviceWay {
    client_id: String,
    url: String,
}

/// A key that the server made.
#[derive(Deserialize)]
struct Made {
    key: String,
    user: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Terminal {
    /// A terminal that speaks to the server of this address, and keeps keys in `folder`.
    ///
    /// # Errors
    /// An address that is none, or would show the key to whoever listens.
    pub fn new(server: &str, folder: PathBuf) -> anyhow::Result<Self> {
        let rule = format!("{server:?} must be the address of a Coterie server, such as https://coterie.example.com");
        let url: Url = server.parse().with_context(|| rule.clone())?;
        let host = url.host_str().with_context(|| rule.clone())?;
        ensure!(matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none(), rule);
        let is_here = is_loopback_name(host);
        ensure!(is_here || url.scheme() == "https", "the address of another machine must begin with https://");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(limits::REQUEST_TIMEOUT);
        if is_here {
            http = http.no_proxy();
        }
        let file = folder.join("coterie").join("credentials.json");
        Ok(Self { server: url.origin().ascii_serialization(), http: http.build()?, file })
    }

    /// Signs in: says by `tell` what is to be done in a browser, waits for it, and keeps the key. Answers what to say then.
    ///
    /// # Errors
    /// Why nobody is signed in, and what to do.
    pub async fn login(&self, tell: impl Fn(&str)) -> anyhow::Result<String> {
        let ways: WaysIn = self.ask(self.http.get(self.at("/api/auth"))).await?;
        let Some(DeviceWay { client_id, url }) = ways.device else {
            bail!("{} has no sign-in with GitHub; make an API key there, under “Logins and keys”", self.server);
        };
        let device = Device::begin(&url, &client_id).await?;
        tell(&format!("Open {} in a browser, and enter {}", device.address(), device.code()));
        let token = device.token().await?;
        let wanted = json!({ "token": token, "name": "coterie login" });
        let made: Made = self.ask(self.http.post(self.at("/auth/github/token")).json(&wanted)).await?;
        let mut kept = Kept::read(&self.file)?;
        let before = kept.put(&self.server, Login { key: made.key, user: made.user.name.clone() });
        kept.write(&self.file)?;
        if let Some(before) = before {
            // It may have ended long ago.
            let _ = self.end(&before.key).await;
        }
        Ok(format!("Signed in to {} as {}. The key is in {}.", self.server, made.user.name, self.file.display()))
    }

    /// Signs out: the key is forgotten here, and ended there. Answers what to say then.
    ///
    /// # Errors
    /// When nobody is signed in, or the server could not be asked to end the key, which is forgotten all the same.
    pub async fn logout(&self) -> anyhow::Result<String> {
        let mut kept = Kept::read(&self.file)?;
        let login = kept.take(&self.server).with_context(|| format!("nobody is signed in to {} here", self.server))?;
        kept.write(&self.file)?;
        self.end(&login.key).await.context(
            "the key is forgotten here, but the server could not be asked to end it; revoke it under “Logins and keys”",
        )?;
        Ok(format!("{} is signed out of {}.", login.user, self.server))
    }

    async fn end(&self, key: &str) -> anyhow::Result<()> {
        let answer = self.http.post(self.at("/auth/logout")).bearer_auth(key).send().await;
        let status = answer.map_err(reqwest::Error::without_url)?.status();
        // Ended already is as good.
        ensure!(status.is_success() || status == StatusCode::UNAUTHORIZED, "it answers {status}");
        Ok(())
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    /// What the server answers, or in its own words why it does not.
    async fn ask<T: serde::de::DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let unreachable = || format!("{} cannot be reached", self.server);
        let answer = request.send().await.map_err(reqwest::Error::without_url).with_context(unreachable)?;
        let status = answer.status();
        if !status.is_success() {
            let said: Value = answer.json().await.unwrap_or_default();
            let message = said["error"]["message"].as_str().unwrap_or("no reason is given");
            bail!("{} refuses ({status}): {message}", self.server);
        }
        let said = answer.json().await.map_err(reqwest::Error::without_url);
        said.with_context(|| format!("{} is no Coterie server of this version", self.server))
    }
}
