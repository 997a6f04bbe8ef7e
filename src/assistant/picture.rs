//! Pictures: asked of a model that makes them, by a request or for an answer, and kept among the project's files of bytes.
//! They are served from there and from nowhere else. What comes is looked at first: it is what its bytes say it is.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::account::{Account, Payer};
use super::ends::End;
use super::{Right, alone, tokens};
use crate::blob::{self, Blob, BlobView};
use crate::error::{Error, Result};
use crate::ids::{ProjectId, UserId};
use crate::limits;
use crate::model::{Brief, Fault, Model, Tool, Usage};
use crate::state::{AppState, Shared};

/// The tool's name.
pub(super) const TOOL: &str = "make_image";

/// The tool that makes one.
pub(super) fn tool() -> Tool {
    Tool {
        name: TOOL,
        description: "Makes a picture and attaches it to your answer, where people see it. It takes time and money: call it \
            only where a picture is asked for.",
        parameters: json!({
            "type": "object", "required": ["prompt"], "additionalProperties": false,
            "properties": {
                "prompt": { "type": "string", "description": "What is to be seen, in words, with all that matters." },
                "size": { "type": "string", "description": "Such as 1024x1024; leave it out unless it was asked for." },
            },
        }),
    }
}

/// A picture that somebody wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PictureWanted)]
pub(super) struct Wanted {
    /// What is to be seen.
    #[schema(min_length = 1, max_length = 4000)]
    prompt: String,
    /// The model that makes it, by its name in `GET /api/models`; the first that makes pictures if left out.
    #[serde(default)]
    model: Option<String>,
    /// How large it is to be, as the model takes it; as the model thinks best if left out.
    #[serde(default)]
    #[schema(pattern = "^(auto|[0-9]{2,4}x[0-9]{2,4})$")]
    size: Option<String>,
}

/// A picture as it is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Picture)]
pub(super) struct PictureView {
    blob: BlobView,
    model: String,
    #[schema(value_type = Object)]
    usage: Value,
    /// US dollars; null where no price is known.
    #[schema(value_type = Option<f64>, required)]
    cost: Value,
}

impl Wanted {
    /// What the model is asked.
    ///
    /// # Errors
    /// `bad_prompt`.
    pub(super) fn brief(&self) -> Result<Brief<'_>> {
        let most = limits::PICTURE_CHARS;
        if self.prompt.trim().is_empty() || self.prompt.chars().count() > most {
            return Err(Error::invalid(
                "bad_prompt",
                format!("prompt says in 1 to {most} characters what is to be seen"),
            ));
        }
        let size = self.size.as_deref();
        if size.is_some_and(|size| size != "auto" && !is_size(size)) {
            let (least, most) = (limits::PICTURE_POINTS.start(), limits::PICTURE_POINTS.end());
            let said = format!("size is auto, or two sides of {least} to {most} points, such as 1024x1024");
            return Err(Error::invalid("bad_prompt", said));
        }
        Ok(Brief { prompt: &self.prompt, size })
    }
}

fn is_size(size: &str) -> bool {
    let side = |side: &str| {
        let is_number = !side.is_empty() && side.bytes().all(|byte| byte.is_ascii_digit());
        is_number && side.parse().is_ok_and(|points| limits::PICTURE_POINTS.contains(&points))
    };
    size.split_once('x').is_some_and(|(width, height)| side(width) && side(height))
}

/// Has a picture made for somebody in a project, and keeps it there.
///
/// # Errors
/// `bad_prompt`, `model_not_listed`; `no_model` (409) where none makes pictures, `no_picture` for what came instead of one,
/// `content_policy` where the model's server does not make such ones; 413 where there is no room for it; 403 where whoever
/// asked may not edit any more; and those of [`alone::ask`].
pub(super) async fn make(
    state: &AppState,
    (project, user): (ProjectId, UserId),
    right: Right,
    wanted: Wanted,
) -> Result<PictureView> {
    let painter = painter(state, wanted.model.as_deref())?;
    wanted.brief()?;
    has_room(state, project).await?;
    painter.model().await.map_err(|fault| alone::refused(&fault))?;
    let name = painter.name().to_owned();
    let payer = Payer { run: Uuid::now_v7(), project, user };
    alone::run(state, payer, |waits| async move {
        let state: &Shared = &waits.state;
        let mut account = Account::new(state, payer);
        let painter = self::painter(state, Some(&name))?;
        let painted = async {
            let brief = wanted.brief()?;
            hold(&mut account, painter, &brief).await.map_err(alone::ended)?;
            let outcome = waits.hear(painter.picture(&brief)).await;
            let counted = outcome.as_ref().map(|picture| picture.usage);
            settle(&mut account, counted).await.map_err(alone::ended)?;
            outcome.map_err(|fault| refused(&fault))
        };
        let painted = painted.await;
        account.pay().await?;
        let picture = painted?;
        if !right.holds(state, project).await? {
            return Err(Error::Forbidden("you may not edit this project any more"));
        }
        let blob = keep(state, project, user, &wanted.prompt, picture.bytes).await?;
        let (usage, cost) = account.told().unwrap_or_default();
        Ok(PictureView { blob: blob.view(), model: name, usage, cost })
    })
    .await
}

/// The model of this name that makes pictures, or the first one.
fn painter<'a>(state: &'a Shared, name: Option<&str>) -> Result<&'a Model> {
    state.models.painter(name).map_err(|fault| alone::refused(&fault))
}

fn refused(fault: &Fault) -> Error {
    match fault {
        Fault::TooLong => {
            Error::TooLarge(format!("the picture is larger than a file may be, {} bytes", limits::BLOB_BYTES))
        }
        fault => alone::refused(fault),
    }
}

/// Whether a project may keep any more bytes: nothing is asked for that cannot be kept.
///
/// # Errors
/// [`Error::TooLarge`] where it may not, or when the database fails.
pub(super) async fn has_room(state: &Shared, project: ProjectId) -> Result<()> {
    let (used, most) = blob::stored(&state.db, project).await?;
    if used < most {
        return Ok(());
    }
    Err(Error::TooLarge(format!("the files of a project have at most {most} bytes; delete some first")))
}

/// Sets aside what a picture may take, all of it or nothing: a part of one is none.
pub(super) async fn hold<'a>(account: &mut Account<'a>, painter: &'a Model, brief: &Brief<'_>) -> Result<(), End> {
    account.ask(painter, tokens::count(brief.prompt), limits::PICTURE_TOKENS).await?;
    match account.refuse_cut() {
        Ok(()) => Ok(()),
        Err(end) => {
            account.break_off(false).await?;
            Err(end)
        }
    }
}

/// Writes down what a picture took: what its server counted, and where that did not or nobody knows what it did, all that
/// was set aside.
pub(super) async fn settle(account: &mut Account<'_>, counted: Result<Option<Usage>, &Fault>) -> Result<(), End> {
    let counted = match counted {
        Err(fault) if fault.costs_nothing() => return account.break_off(false).await,
        Err(_) => None,
        Ok(counted) => counted,
    };
    account.written = tokens::bytes_of(limits::PICTURE_TOKENS);
    account.add(counted).await
}

/// Keeps a picture among the files of bytes of a project, called by the words that it was asked for with.
///
/// # Errors
/// `no_picture` (409) for bytes that are none, 413 where there is no room for it, or when the database fails.
pub(super) async fn keep(
    state: &Shared,
    project: ProjectId,
    user: UserId,
    prompt: &str,
    bytes: Vec<u8>,
) -> Result<Blob> {
    let kind = blob::media_type(&bytes).strip_prefix("image/").ok_or_else(|| {
        Error::conflict("no_picture", "what the model's server sent is no picture: no PNG, JPEG, WebP or GIF")
    })?;
    let name = name(prompt, kind);
    blob::put(&state.feed, project, user, &name, &bytes.into()).await.map(|(blob, _)| blob)
}

fn name(prompt: &str, kind: &str) -> String {
    let words = prompt.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = String::new();
    for word in words {
        if name.chars().count() + word.chars().count() >= limits::PICTURE_NAME_CHARS {
            break;
        }
        name = if name.is_empty() { word.to_owned() } else { format!("{name} {word}") };
    }
    format!("{}.{kind}", if name.is_empty() { "picture" } else { &name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_called_by_its_words() {
        assert_eq!(name("A red fox,\nin ../the snow!", "png"), "A red fox in the snow.png");
        assert_eq!(name("…", "webp"), "picture.webp");
        assert_eq!(name(&"x".repeat(5_000), "png"), "picture.png");
    }

    #[test]
    fn sizes_are_two_sides() {
        assert!(is_size("1024x1536") && is_size("16x16"));
        for bad in ["", "x", "1024", "1024x", "0x0", "+16x16", "1024x1024x1", "99999x16", "auto"] {
            assert!(!is_size(bad), "{bad}");
        }
    }
}
