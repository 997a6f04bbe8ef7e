//! Why a model gave no answer, in words for the people who asked.

use std::time::Duration;

use axum::http::StatusCode;

/// Why there is no answer, or only part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody connected a model.
    #[error("no model is connected: whoever runs this server sets AI_BASE_URL, AI_API_KEY and AI_MODEL")]
    NotConnected,
    /// No model goes by this name here.
    #[error("there is no model {0:?} here; choose another")]
    NotListed(String),
    /// No model here makes pictures.
    #[error("no model here makes pictures: whoever runs this server lists one in AI_MODELS, with `images`")]
    MakesNone,
    /// 401 or 403.
    #[error("the model's server does not accept this server's key; whoever runs this server should check AI_API_KEY")]
    Unauthorized,
    /// 404.
    #[error(
        "the model's server does not know the model {0:?}; whoever runs this server should check AI_MODEL and AI_BASE_URL"
    )]
    UnknownModel(String),
    /// 400 for too many tokens.
    #[error("this is more than the model can read at once; ask about less, or begin a new conversation")]
    ContextTooLong,
    /// 429.
    #[error("the model's server is asked too often{}", wait(*retry_after))]
    RateLimited {
        /// How long it asks to wait, if it says.
        retry_after: Option<Duration>,
    },
    /// 429 or 402: nothing is left to spend.
    #[error("the account at the model's server has nothing left to spend; whoever runs this server should look at it")]
    NothingLeft,
    /// 5xx.
    #[error("the model's server failed ({0}); try again")]
    ServerFailed(u16),
    /// It does not answer such things, in its server's own words.
    #[error("the model's server refuses this by its content policy: {0}")]
    Policy(String),
    /// Any other refusal, in the server's own words.
    #[error("the model's server refused this ({status}): {message}")]
    Refused {
        /// The status.
        status: u16,
        /// Its words, cut short.
        message: String,
    },
    /// It cannot be reached.
    #[error("the model's server cannot be reached; whoever runs this server should check AI_BASE_URL")]
    Unreachable,
    /// Nothing came for too long.
    #[error("the model said nothing for {} s; try again", .0.as_secs())]
    Silent(Duration),
    /// The answer broke off.
    #[error("the answer broke off; try again to have it whole")]
    BrokeOff,
    /// What came is not an answer.
    #[error("the model's server sent something that cannot be read")]
    Unreadable,
    /// The answer is longer than anyone would read.
    #[error("the answer became too long and was cut")]
    TooLong,
    /// The picture is kept by another server.
    #[error("the model's server keeps its pictures at {0:?}, and nothing is fetched from there; choose another model")]
    Elsewhere(String),
    /// The model's server withheld the answer.
    #[error("the model's server withheld the answer (its content filter)")]
    Withheld,
}

impl Fault {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotConnected => "model_not_connected",
            Self::NotListed(_) => "model_not_listed",
            Self::MakesNone => "model_makes_no_pictures",
            Self::Unauthorized => "model_unauthorized",
            Self::UnknownModel(_) => "model_unknown",
            Self::ContextTooLong => "model_context_too_long",
            Self::RateLimited { .. } => "model_rate_limited",
            Self::NothingLeft => "model_nothing_left",
            Self::ServerFailed(_) => "model_server_failed",
            Self::Policy(_) => "model_content_policy",
            Self::Refused { .. } => "model_refused",
            Self::Unreachable => "model_unreachable",
            Self::Silent(_) => "model_silent",
            Self::BrokeOff => "model_broke_off",
            Self::Unreadable => "model_unreadable",
            Self::TooLong => "model_answer_too_long",
            Self::Elsewhere(_) => "model_picture_elsewhere",
            Self::Withheld => "model_withheld",
        }
    }

    /// Whether the model was not asked, so that nothing is paid for where nothing was written.
    #[must_use]
    pub fn costs_nothing(&self) -> bool {
        !matches!(
            self,
            Self::Silent(_) | Self::BrokeOff | Self::Unreadable | Self::TooLong | Self::Elsewhere(_) | Self::Withheld
        )
    }

    /// How long to wait before trying again, where the model's server said.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }

    /// What an answer that is no success means. `body` is its beginning, in whatever format.
    pub(super) fn of_response(status: StatusCode, retry_after: Option<Duration>, body: &str, model: &str) -> Self {
        let told = Told::read(body);
        let about = |word: &str| told.code.contains(word) || told.message.to_lowercase().contains(word);
        match status.as_u16() {
            400 | 403 | 422 if about("content_policy") || about("content policy") || about("moderation") => {
                Self::Policy(told.message)
            }
            401 | 403 => Self::Unauthorized,
            402 => Self::NothingLeft,
            429 if about("insufficient_quota") => Self::NothingLeft,
            429 => Self::RateLimited { retry_after },
            404 => Self::UnknownModel(model.to_owned()),
            400 | 413 | 422
                if about("context_length") || about("context size") || about("context length") || status == 413 =>
            {
                Self::ContextTooLong
            }
            400 if about("model_not_found") => Self::UnknownModel(model.to_owned()),
            status @ 500.. => Self::ServerFailed(status),
            status => Self::Refused { status, message: told.message },
        }
    }

    /// What an error inside an answer's stream means.
    pub(super) fn of_error(error: &serde_json::Value, model: &str) -> Self {
        let number = |key: &str| error.get(key).and_then(serde_json::Value::as_u64);
        let status = number("code").or_else(|| number("status")).and_then(|code| u16::try_from(code).ok());
        let status = status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or_else(|| {
            let limited =
                error.get("type").and_then(serde_json::Value::as_str).is_some_and(|kind| kind.contains("rate"));
            if limited { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::INTERNAL_SERVER_ERROR }
        });
        Self::of_response(status, None, &serde_json::json!({"error": error}).to_string(), model)
    }
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(|| "; try again soon".to_owned(), |wait| format!("; try again in {} s", wait.as_secs()))
}

/// What an error body says, as far as it can be read.
struct Told {
    message: String,
    code: String,
}

impl Told {
    /// Characters of a foreign message that are passed on.
    const MESSAGE_CHARS: usize = 300;

    fn read(body: &str) -> Self {
        let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let error = json.get("error").unwrap_or(&json);
        let text = |key: &str| error.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let whole = error.as_str().map(str::to_owned).or_else(|| (!error.is_object()).then(|| body.trim().to_owned()));
        let message = whole.unwrap_or_else(|| text("message"));
        let message = message.chars().filter(|char| !char.is_control()).take(Self::MESSAGE_CHARS).collect();
        Self { message, code: format!("{} {}", text("code"), text("type")) }
    }
}
