//! The settings of the assistant: which models may be asked, where, for how much, and how often.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use axum::http::Uri;
use clap::Args;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Where OpenAI's own models are asked.
const OPENAI: &str = "https://api.openai.com/v1";

/// Settings of the assistant as typed. An empty value counts as not set.
#[derive(Debug, Clone, Default, Args)]
pub struct AiSettings {
    /// Address of a server of language models that speaks OpenAI's chat completions, up to and including `/v1`
    /// [default: `https://api.openai.com/v1`, where a key and a model are set].
    #[arg(long, env = "AI_BASE_URL", value_name = "URL", global = true)]
    pub ai_base_url: Option<String>,
    /// Key for that server, if it wants one.
    #[arg(long, env = "AI_API_KEY", value_name = "KEY", hide_env_values = true, global = true)]
    pub ai_api_key: Option<String>,
    /// The same, where `AI_API_KEY` is not set.
    #[arg(long, env = "OPENAI_API_KEY", value_name = "KEY", hide_env_values = true, global = true)]
    pub openai_api_key: Option<String>,
    /// The model that is asked, as its server calls it; or the name of one in `AI_MODELS` [default: the first that the
    /// server lists].
    #[arg(long, env = "AI_MODEL", value_name = "NAME", global = true)]
    pub ai_model: Option<String>,
    /// A JSON file with a list of models, each with `name`, `model`, `base_url`, `api_key`, `context_tokens`, `tools`,
    /// `images` and `prices`, to choose from.
    #[arg(long, env = "AI_MODELS", value_name = "FILE", global = true)]
    pub ai_models: Option<PathBuf>,
    /// What the model of `AI_MODEL` costs, in dollars for a million tokens read and written [default: unknown].
    #[arg(long, env = "AI_PRICES", value_name = "READ/WRITTEN", global = true)]
    pub ai_prices: Option<String>,
    /// Tokens that the model of `AI_MODEL` reads and writes at once [default: 8192].
    #[arg(long, env = "AI_CONTEXT_TOKENS", value_name = "NUMBER", global = true)]
    pub ai_context_tokens: Option<String>,
    /// Whether the model of `AI_MODEL` calls tools: yes, no or auto (until it refuses to) [default: auto].
    #[arg(long, env = "AI_TOOLS", value_name = "auto|yes|no", global = true)]
    pub ai_tools: Option<String>,
    /// Answers that one person may ask for in a minute [default: 3].
    #[arg(long, env = "AI_RUNS_PER_MINUTE", value_name = "NUMBER", global = true)]
    pub ai_runs_per_minute: Option<String>,
    /// What the answers of one project may take in a day: tokens, or dollars such as `$2.50` [default: no limit].
    #[arg(long, env = "AI_PROJECT_BUDGET", value_name = "TOKENS|$DOLLARS", global = true)]
    pub ai_project_budget: Option<String>,
    /// What the answers for one person may take in a day: tokens, or dollars such as `$0.50` [default: no limit].
    #[arg(long, env = "AI_USER_BUDGET", value_name = "TOKENS|$DOLLARS", global = true)]
    pub ai_user_budget: Option<String>,
}

/// The settings of the assistant.
#[derive(Debug, Clone)]
pub struct Ai {
    /// Models that may be asked; the first is asked when nobody chooses. None: the assistant says how to connect one.
    pub models: Vec<ModelSettings>,
    /// Answers that one person may ask for in a minute.
    pub runs_per_minute: u32,
    /// What a project may use in a day.
    pub project_budget: Option<Budget>,
    /// What a person may use in a day.
    pub user_budget: Option<Budget>,
}

impl Default for Ai {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            runs_per_minute: limits::ASSISTANT_RUNS_PER_MINUTE,
            project_budget: None,
            user_budget: None,
        }
    }
}

/// What may be used in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Tokens, read and written.
    Tokens(u64),
    /// Millionths of a dollar. What models of unknown price take is not in it.
    Micros(i64),
}

impl FromStr for Budget {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let fault = || format!("{text:?} is no budget: give a number of tokens, or dollars such as $2.50");
        match text.strip_prefix('$') {
            None => text.parse().map(Self::Tokens).with_context(fault),
            Some(dollars) => micros(dollars).map(Self::Micros).with_context(fault),
        }
    }
}

/// Dollars in millionths.
fn micros(dollars: &str) -> Option<i64> {
    let dollars: f64 = dollars.trim().parse().ok().filter(|dollars| (0.0..=1e9).contains(dollars))?;
    #[allow(clippy::cast_possible_truncation, reason = "within the bounds above")]
    let micros = (dollars * 1e6).round() as i64;
    Some(micros)
}

/// A model as the settings give it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// What people call it. Empty: what its server calls it.
    #[serde(default)]
    pub name: String,
    /// What its server calls it. Empty: the first that its server lists.
    #[serde(default)]
    pub model: String,
    /// Where it is asked, up to and including `/v1`.
    pub base_url: String,
    /// The key its server wants, if any.
    #[serde(default)]
    pub api_key: Option<SecretString>,
    /// Tokens it can read and write at once.
    #[serde(default = "context_tokens")]
    pub context_tokens: u32,
    /// Whether it can call tools; unknown when not said.
    #[serde(default)]
    pub tools: Option<bool>,
    /// Whether it makes pictures. Such a model is asked for nothing else.
    #[serde(default)]
    pub images: bool,
    /// What it costs; unknown when not said.
    #[serde(default)]
    pub prices: Option<Prices>,
    /// How long its server may take to begin an answer. Not a setting; tests are less patient.
    #[serde(skip, default = "first_byte")]
    pub first_byte: Duration,
    /// How long an answer may pause. Not a setting either.
    #[serde(skip, default = "idle")]
    pub idle: Duration,
}

fn context_tokens() -> u32 {
    limits::MODEL_CONTEXT_TOKENS
}

fn first_byte() -> Duration {
    limits::MODEL_FIRST_BYTE
}

fn idle() -> Duration {
    limits::MODEL_IDLE
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// Read.
    pub prompt: f64,
    /// Written.
    pub completion: f64,
}

/// Dollars for a million tokens at most; a hundred times what any model costs.
const MOST_PRICE: f64 = 1e6;

impl Prices {
    /// Whether both can be paid.
    fn are_sound(self) -> bool {
        [self.prompt, self.completion].iter().all(|price| (0.0..=MOST_PRICE).contains(price))
    }
}

impl FromStr for Prices {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let price = |text: &str| text.trim().parse().ok().filter(|price: &f64| (0.0..=MOST_PRICE).contains(price));
        let prices = text.split_once('/').and_then(|(read, written)| Some((price(read)?, price(written)?)));
        let (prompt, completion) = prices.with_context(|| {
            format!("{text:?} are no prices: give dollars for a million tokens read and written, such as 2.50/10")
        })?;
        Ok(Self { prompt, completion })
    }
}

impl TryFrom<AiSettings> for Ai {
    type Error = anyhow::Error;

    fn try_from(settings: AiSettings) -> anyhow::Result<Self> {
        let given = |value: Option<String>| value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut models = match settings.ai_models.filter(|path| !path.as_os_str().is_empty()) {
            None => Vec::new(),
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read the file of AI_MODELS, {}", path.display()))?;
                serde_json::from_str::<Vec<ModelSettings>>(&text)
                    .with_context(|| format!("the file of AI_MODELS, {}, is no list of models", path.display()))?
            }
        };
        let (url, model) = (given(settings.ai_base_url), given(settings.ai_model));
        let key = given(settings.ai_api_key).or_else(|| given(settings.openai_api_key));
        let listed = models.iter().position(|one| Some(&one.name) == model.as_ref());
        if let (Some(at), None) = (listed, &url) {
            ensure!(!models[at].images, "AI_MODEL names a model that makes pictures; name one that answers");
            models[..=at].rotate_right(1);
        } else if url.is_some() || (key.is_some() && model.is_some()) {
            ensure!(
                listed.is_none(),
                "AI_MODEL names a model of AI_MODELS, which has an address of its own; leave AI_BASE_URL out"
            );
            let default = ModelSettings {
                name: model.clone().unwrap_or_default(),
                model: model.unwrap_or_default(),
                base_url: url.unwrap_or_else(|| OPENAI.to_owned()),
                api_key: key.map(SecretString::from),
                context_tokens: match given(settings.ai_context_tokens) {
                    None => limits::MODEL_CONTEXT_TOKENS,
                    Some(text) => number("AI_CONTEXT_TOKENS", &text)?,
                },
                tools: match given(settings.ai_tools).as_deref() {
                    None | Some("auto") => None,
                    Some("yes") => Some(true),
                    Some("no") => Some(false),
                    Some(other) => bail!("AI_TOOLS is {other:?}, but must be auto, yes or no"),
                },
                images: false,
                prices: given(settings.ai_prices).map(|text| text.parse().context("AI_PRICES")).transpose()?,
                first_byte: limits::MODEL_FIRST_BYTE,
                idle: limits::MODEL_IDLE,
            };
            models.insert(0, default);
        }
        for one in &models {
            let uri: Option<Uri> = one.base_url.parse().ok();
            let is_web =
                uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
            ensure!(is_web, "a model's address is {:?}, but must be like {OPENAI}", one.base_url);
            let are_prices = one.prices.is_none_or(Prices::are_sound);
            ensure!(are_prices, "the prices of the model {:?} must be 0 to {MOST_PRICE} dollars", one.name);
        }
        let budget =
            |name: &'static str, text: Option<String>| given(text).map(|text| text.parse().context(name)).transpose();
        Ok(Self {
            models,
            runs_per_minute: match given(settings.ai_runs_per_minute) {
                None => limits::ASSISTANT_RUNS_PER_MINUTE,
                Some(text) => number("AI_RUNS_PER_MINUTE", &text)?,
            },
            project_budget: budget("AI_PROJECT_BUDGET", settings.ai_project_budget)?,
            user_budget: budget("AI_USER_BUDGET", settings.ai_user_budget)?,
        })
    }
}

fn number(name: &str, text: &str) -> anyhow::Result<u32> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .with_context(|| format!("{name} is {text:?}, but must be a whole number above 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ai(settings: AiSettings) -> anyhow::Result<Ai> {
        Ai::try_from(settings)
    }

    #[test]
    fn a_model_is_connected_by_an_address_or_by_a_key_and_a_name() {
        let some = |text: &str| Some(text.to_owned());
        assert!(ai(AiSettings::default()).unwrap().models.is_empty());
        // A key that lies about in the environment connects nothing by itself.
        assert!(ai(AiSettings { openai_api_key: some("k"), ..AiSettings::default() }).unwrap().models.is_empty());
        let models =
            ai(AiSettings { openai_api_key: some("k"), ai_model: some("m"), ..AiSettings::default() }).unwrap().models;
        assert_eq!((models[0].base_url.as_str(), models[0].model.as_str(), models[0].tools), (OPENAI, "m", None));
        let models =
            ai(AiSettings { ai_base_url: some("http://127.0.0.1:9/v1"), ..AiSettings::default() }).unwrap().models;
        assert_eq!((models[0].model.as_str(), models[0].context_tokens), ("", limits::MODEL_CONTEXT_TOKENS));
        for bad in ["127.0.0.1:9", "ftp://x/v1", "/v1"] {
            assert!(ai(AiSettings { ai_base_url: some(bad), ..AiSettings::default() }).is_err(), "{bad}");
        }
        assert!(!format!("{models:?}").contains("\"k\""));
    }

    #[test]
    fn a_list_is_read_and_the_chosen_one_comes_first() {
        let file = std::env::temp_dir().join(format!("coterie-models-{}.json", uuid::Uuid::now_v7()));
        std::fs::write(&file, r#"[{"name":"a","base_url":"http://a/v1"},{"name":"b","base_url":"http://b/v1","prices":{"prompt":1,"completion":2},"tools":false}]"#).unwrap();
        let settings = |model: Option<&str>, url: Option<&str>| AiSettings {
            ai_models: Some(file.clone()),
            ai_model: model.map(str::to_owned),
            ai_base_url: url.map(str::to_owned),
            ..AiSettings::default()
        };
        let names =
            |settings| ai(settings).map(|ai| ai.models.iter().map(|one| one.name.clone()).collect::<Vec<_>>()).unwrap();
        assert_eq!(names(settings(None, None)), ["a", "b"]);
        assert_eq!(names(settings(Some("b"), None)), ["b", "a"]);
        assert_eq!(names(settings(Some("c"), Some("http://c/v1"))), ["c", "a", "b"]);
        assert!(ai(settings(Some("b"), Some("http://c/v1"))).is_err());
        std::fs::write(
            &file,
            r#"[{"name":"a","base_url":"http://a/v1"},{"name":"b","base_url":"http://b/v1","images":true}]"#,
        )
        .unwrap();
        assert_eq!(
            ai(settings(None, None)).unwrap().models.iter().map(|one| one.images).collect::<Vec<_>>(),
            [false, true]
        );
        assert!(ai(settings(Some("b"), None)).unwrap_err().to_string().contains("pictures"));
        std::fs::write(&file, r#"[{"name":"a","base_url":"http://a/v1","prices":{"prompt":-1,"completion":2}}]"#)
            .unwrap();
        assert!(ai(settings(None, None)).unwrap_err().to_string().contains("prices"));
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn budgets_are_tokens_or_dollars() {
        assert_eq!("5000".parse::<Budget>().unwrap(), Budget::Tokens(5000));
        assert_eq!("$2.50".parse::<Budget>().unwrap(), Budget::Micros(2_500_000));
        for bad in ["", "-1", "$", "$-1", "2.5", "$nan"] {
            assert!(bad.parse::<Budget>().is_err(), "{bad}");
        }
        assert_eq!("2.5/10".parse::<Prices>().unwrap(), Prices { prompt: 2.5, completion: 10.0 });
        assert!("2.5".parse::<Prices>().is_err());
    }
}
