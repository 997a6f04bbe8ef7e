//! One event of an answer's stream, read leniently: compatible servers leave out, null and add fields.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::limits;

/// Tokens that an exchange took, as the model's server counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read.
    #[serde(default, alias = "input_tokens", deserialize_with = "count")]
    pub prompt_tokens: u64,
    /// Written.
    #[serde(default, alias = "output_tokens", deserialize_with = "count")]
    pub completion_tokens: u64,
    /// Both.
    #[serde(default, deserialize_with = "count")]
    pub total_tokens: u64,
}

/// A number of tokens; of one that no exchange takes, what it can take at most, so that sums of them stay numbers.
fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Ok(u64::deserialize(from)?.min(limits::EXCHANGE_TOKENS))
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) index: Option<u32>,
    #[serde(default)]
    pub(super) delta: Option<Delta>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub(super) content: Option<String>,
    #[serde(default)]
    pub(super) tool_calls: Option<Vec<CallDelta>>,
}

/// A piece of a call. The first names id and function; later ones often say only the index.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CallDelta {
    #[serde(default)]
    pub(super) index: Option<usize>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) function: Option<FunctionDelta>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) arguments: Option<String>,
}
