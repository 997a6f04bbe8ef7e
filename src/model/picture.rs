//! Pictures: asked for once, and taken in as bytes. They come with the answer, or from the model's own server; from no
//! other. What they are is not known here.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{RequestBuilder, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chunk::Usage;
use super::fault::Fault;
use super::http;
use super::registry::Model;
use crate::limits;

/// What a picture is to be.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// What is to be seen.
    pub prompt: &'a str,
    /// Its size as the model's server takes it, such as `1024x1024`; what that thinks best if left out.
    pub size: Option<&'a str>,
}

/// A picture as it came.
#[derive(Debug)]
pub struct Picture {
    /// Its bytes, which may be anything.
    pub bytes: Vec<u8>,
    /// What it took, if the model's server says.
    pub usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Made<'a> {
    #[serde(borrow, default)]
    data: Option<Vec<One<'a>>>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct One<'a> {
    #[serde(borrow, default)]
    b64_json: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Option<Cow<'a, str>>,
}

/// Where a picture is.
enum Source {
    Here(Vec<u8>),
    At(String),
}

/// What an answer says of a picture, and of what it took.
fn read(answer: &[u8], model: &str) -> Result<(Source, Option<Usage>), Fault> {
    let made: Made<'_> = serde_json::from_slice(answer).map_err(|_| Fault::Unreadable)?;
    if let Some(error) = made.error.filter(|error| !error.is_null()) {
        return Err(Fault::of_error(&error, model));
    }
    let one = made.data.unwrap_or_default().into_iter().next().ok_or(Fault::Unreadable)?;
    // Some say that it took nothing.
    let usage = made.usage.filter(|usage| usage.prompt_tokens + usage.completion_tokens > 0);
    let source = match (one.b64_json, one.url) {
        (Some(text), _) => Source::Here(STANDARD.decode(text.as_bytes()).map_err(|_| Fault::Unreadable)?),
        (None, Some(url)) => Source::At(url.into_owned()),
        (None, None) => return Err(Fault::Unreadable),
    };
    Ok((source, usage))
}

impl Model {
    /// Has it make a picture. One that does not let the form be chosen is asked once more; that is remembered.
    ///
    /// # Errors
    /// Why there will be none.
    pub async fn picture(&self, brief: &Brief<'_>) -> Result<Picture, Fault> {
        match self.picture_once(brief).await {
            Err(Fault::Refused { message, .. })
                if message.contains("response_format") && !self.newer.swap(true, Ordering::Relaxed) =>
            {
                self.picture_once(brief).await
            }
            outcome => outcome,
        }
    }

    async fn picture_once(&self, brief: &Brief<'_>) -> Result<Picture, Fault> {
        let model = self.model().await?;
        let mut body = json!({ "model": model, "prompt": brief.prompt, "n": 1 });
        if !self.newer.load(Ordering::Relaxed) {
            body["response_format"] = "b64_json".into();
        }
        if let Some(size) = brief.size {
            body["size"] = size.into();
        }
        let base = self.settings.base_url.trim_end_matches('/');
        let request = self.http.post(format!("{base}/images/generations")).json(&body);
        let answer = self.take(request, limits::MODEL_PICTURE_BYTES).await?;
        let model = model.to_owned();
        // What is as large as this one keeps nobody waiting for its turn.
        let reading = tokio::task::spawn_blocking(move || read(&answer, &model));
        let (source, usage) = reading.await.map_err(|_| Fault::Unreadable)??;
        let bytes = match source {
            Source::Here(bytes) => bytes,
            Source::At(url) => self.fetch(&url).await?,
        };
        Ok(Picture { bytes, usage })
    }

    /// Fetches what the model's server keeps itself.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, Fault> {
        let base = Url::parse(&self.settings.base_url).map_err(|_| Fault::Unreadable)?;
        let url = base.join(url).map_err(|_| Fault::Unreadable)?;
        if url.origin() != base.origin() {
            let host: String = url.host_str().unwrap_or_default().chars().take(limits::TOOL_NAME_CHARS).collect();
            return Err(Fault::Elsewhere(host));
        }
        match self.take(self.http.get(url), limits::BLOB_BYTES).await {
            // It said that it is there, and has made it.
            Err(fault) if fault.costs_nothing() => Err(Fault::Unreadable),
            taken => taken,
        }
    }

    /// Sends a request with the key, and reads all of the answer.
    async fn take(&self, request: RequestBuilder, most: usize) -> Result<Vec<u8>, Fault> {
        let request = match &self.settings.api_key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        };
        let request = request.build().map_err(|_| Fault::Unreachable)?;
        let model = &self.settings.model;
        let response = http::exchange(&self.http, request, model, self.settings.first_byte).await?;
        http::whole(response, most, self.settings.idle).await
    }
}
