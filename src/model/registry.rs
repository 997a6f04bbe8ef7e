//! The models that may be asked, from the settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::service_fn;

use super::answer::Answer;
use super::chunk::Usage;
use super::fault::Fault;
use super::{Ask, http};
use crate::config::{ModelSettings, Prices};
use crate::limits;

/// What an exchange costs at these prices, in millionths of a dollar.
#[must_use]
pub fn cost_micros(prices: Prices, usage: Usage) -> i64 {
    #[allow(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    let micros = usage.prompt_tokens as f64 * prices.prompt + usage.completion_tokens as f64 * prices.completion;
    #[allow(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    let rounded = micros.round() as i64;
    rounded
}

/// A model that can be asked.
#[derive(Debug)]
pub struct Model {
    pub(super) settings: ModelSettings,
    client: Client<OpenAIConfig>,
    /// The same without the library, for what is no text.
    pub(super) http: reqwest::Client,
    /// What its server calls it.
    model: OnceCell<String>,
    /// Whether it refused to call tools.
    toolless: AtomicBool,
    /// Whether it is asked as newer models are: the length of an answer has another name there, and the form of a picture
    /// none.
    pub(super) newer: AtomicBool,
}

impl Model {
    fn new(settings: ModelSettings, http: &reqwest::Client) -> Self {
        let key = settings.api_key.as_ref().map_or("", |key| key.expose_secret());
        let config = OpenAIConfig::new().with_api_base(settings.base_url.trim_end_matches('/')).with_api_key(key);
        let (sender, asked, patience) = (http.clone(), settings.model.clone(), settings.first_byte);
        let service = service_fn(move |request| http::send(sender.clone(), request, asked.clone(), patience));
        let client = Client::with_config(config).with_http_service(service);
        let model = if settings.model.is_empty() { OnceCell::new() } else { OnceCell::from(settings.model.clone()) };
        let (toolless, newer) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { settings, client, http: http.clone(), model, toolless, newer }
    }

    /// What people call it; empty for one that goes by its server's name, which was not asked for yet.
    #[must_use]
    pub fn name(&self) -> &str {
        match &*self.settings.name {
            "" => self.model.get().map_or("", |model| shown(model)),
            name => name,
        }
    }

    /// Tokens it can read and write at once.
    #[must_use]
    pub fn context_tokens(&self) -> u32 {
        self.settings.context_tokens
    }

    /// Whether it can call tools, where the settings say so or it refused to.
    #[must_use]
    pub fn tools(&self) -> Option<bool> {
        self.settings.tools.or_else(|| self.toolless.load(Ordering::Relaxed).then_some(false))
    }

    /// Whether it makes pictures, and nothing else.
    #[must_use]
    pub fn makes_pictures(&self) -> bool {
        self.settings.images
    }

    /// Notes that it cannot call tools.
    pub fn has_no_tools(&self) {
        self.toolless.store(true, Ordering::Relaxed);
    }

    /// What it costs, where the settings say.
    #[must_use]
    pub fn prices(&self) -> Option<Prices> {
        self.settings.prices
    }

    /// Asks it. The answer comes as it is given. A model that wants the length of its answer by another name is asked once
    /// more; which one is remembered.
    ///
    /// # Errors
    /// Why there will be none.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer, Fault> {
        match self.ask_once(ask).await {
            Err(Fault::Refused { message, .. })
                if message.contains("max_completion_tokens")
                    && ask.max_tokens.is_some()
                    && !self.newer.swap(true, Ordering::Relaxed) =>
            {
                self.ask_once(ask).await
            }
            outcome => outcome,
        }
    }

    async fn ask_once(&self, ask: &Ask) -> Result<Answer, Fault> {
        let model = self.model().await?;
        let most_tokens = if self.newer.load(Ordering::Relaxed) { "max_completion_tokens" } else { "max_tokens" };
        let chat = self.client.chat();
        let chunks = chat.create_stream_byot(ask.body(model, most_tokens)).await;
        let chunks = chunks.map_err(|error| http::fault(&error, false))?;
        Ok(Answer::new(chunks.boxed(), model.to_owned(), self.settings.idle))
    }

    /// What its server calls it, asked for once where the settings do not say.
    ///
    /// # Errors
    /// When its server cannot be asked, or lists none.
    pub async fn model(&self) -> Result<&str, Fault> {
        let model = self.model.get_or_try_init(|| async {
            let models = self.client.models();
            let listed: Listed = timeout(self.settings.first_byte, models.list_byot())
                .await
                .map_err(|_| Fault::Silent(self.settings.first_byte))?
                .map_err(|error| http::fault(&error, false))?;
            listed.data.into_iter().next().map(|first| first.id).ok_or(Fault::NotConnected)
        });
        model.await.map(String::as_str)
    }
}

#[derive(Debug, Deserialize)]
struct Listed {
    data: Vec<ListedModel>,
}

#[derive(Debug, Deserialize)]
struct ListedModel {
    id: String,
}

/// What people are shown of what a server calls its model: some give the path of its file, which is nobody's business.
fn shown(model: &str) -> &str {
    let is_path = model.starts_with('/') || model.contains('\\');
    let name = if is_path { model.rsplit(['/', '\\']).next().unwrap_or(model) } else { model };
    name.strip_suffix(".gguf").unwrap_or(name)
}

/// The models that may be asked; the first of its kind is asked when nobody chooses.
#[derive(Debug)]
pub struct Models {
    all: Vec<Model>,
    /// Places for what is asked of them at once.
    places: Arc<Semaphore>,
}

impl Default for Models {
    fn default() -> Self {
        Self { all: Vec::new(), places: Arc::new(Semaphore::new(limits::ASSISTANT_RUNS)) }
    }
}

impl Models {
    /// The models of the settings.
    ///
    /// # Errors
    /// An address that is none, or a name given twice; the message says which.
    pub fn new(settings: &[ModelSettings]) -> anyhow::Result<Self> {
        if settings.is_empty() {
            return Ok(Self::default());
        }
        let http = http::client().context("cannot make requests to models")?;
        for (at, one) in settings.iter().enumerate() {
            let url = reqwest::Url::parse(&one.base_url).ok().filter(|url| url.has_host());
            let is_web = url.is_some_and(|url| matches!(url.scheme(), "http" | "https"));
            ensure!(is_web, "a model's address is {:?}, but must be like https://api.openai.com/v1", one.base_url);
            let twice = settings[..at].iter().any(|other| other.name == one.name);
            ensure!(!twice, "two models are called {:?}; give each a name of its own", one.name);
        }
        let all = settings.iter().map(|one| Model::new(one.clone(), &http)).collect();
        Ok(Self { all, ..Self::default() })
    }

    /// The model that answers and goes by this name, or the first when none is named.
    ///
    /// # Errors
    /// [`Fault::NotConnected`] when there is none at all, [`Fault::NotListed`] when none goes by this name.
    pub fn find(&self, name: Option<&str>) -> Result<&Model, Fault> {
        self.of_kind(false, name)?.ok_or(Fault::NotConnected)
    }

    /// The same of those that make pictures.
    ///
    /// # Errors
    /// [`Fault::MakesNone`] when there is none at all, [`Fault::NotListed`] when none goes by this name.
    pub fn painter(&self, name: Option<&str>) -> Result<&Model, Fault> {
        self.of_kind(true, name)?.ok_or(Fault::MakesNone)
    }

    /// `None` when there is none of the kind, whoever is named.
    fn of_kind(&self, makes_pictures: bool, name: Option<&str>) -> Result<Option<&Model>, Fault> {
        let mut models = self.all.iter().filter(|model| model.makes_pictures() == makes_pictures).peekable();
        match (models.peek().copied(), name) {
            (Some(_), Some(name)) => {
                models.find(|model| model.name() == name).map(Some).ok_or_else(|| Fault::NotListed(name.to_owned()))
            }
            (first, _) => Ok(first),
        }
    }

    /// All of them, in the order of the settings.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.all.iter()
    }

    /// Waits for a place among what is asked of models at once: an answer with all of its requests, a completion, an
    /// analysis, a picture. It is held until it is dropped.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // They are never closed.
        self.places.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_the_name_of_its_file() {
        assert_eq!(shown("/srv/models/Small-135M.Q4_1.gguf"), "Small-135M.Q4_1");
        assert_eq!(shown("C:\\models\\small.gguf"), "small");
        assert_eq!((shown("gpt-5-mini"), shown("org/model:free")), ("gpt-5-mini", "org/model:free"));
    }
}
