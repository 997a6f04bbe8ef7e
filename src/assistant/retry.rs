//! An answer that is given again: as before, or by another model or persona where whoever asks wants that.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{alone, persona};
use crate::access::Access;
use crate::chat::{self, Again, Message};
use crate::error::{Error, Result};
use crate::ids::MessageId;
use crate::state::Shared;

/// How an answer is to be given again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retry)]
pub(super) struct Wanted {
    /// The model that is to give it, by its name in `GET /api/models`; as the message says that it answers, if left out.
    #[serde(default)]
    model: Option<String>,
    /// The persona that is to give it, by its id in `GET …/personas`; the same.
    #[serde(default)]
    persona: Option<String>,
}

/// Has an answer given again for whoever asks now.
///
/// # Errors
/// `model_not_listed`, `no_persona`; `no_model` (409) where one is named and none is connected; and those of
/// [`chat::again`].
pub(super) async fn retry(state: &Shared, access: &Access, id: MessageId, wanted: Wanted) -> Result<Message> {
    let Wanted { model, persona } = wanted;
    if model.is_some() {
        alone::model(state, model.as_deref())?;
    }
    let persona = match persona {
        None => None,
        Some(word) => {
            let ids = persona::ids(&state.db, access.project).await?;
            let meant = persona::meant(ids.iter().map(String::as_str), &word);
            Some(meant.ok_or_else(|| Error::invalid("no_persona", "there is no such persona here"))?.to_owned())
        }
    };
    let (by, role, issuer) = (access.caller.user.id, access.role, access.caller.credential.issuer());
    chat::again(&state.feed, access.project, id, &Again { by, role, issuer, model, persona }).await
}
