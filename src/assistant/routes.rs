//! The assistant over HTTP: what may be asked of it while it answers, as whom it speaks, and what it took.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::analysis::{self, AnalysisView};
use super::persona::{self, Persona};
use super::summary::{self, SummaryView};
use super::usage::{self, BudgetView, UsageView};
use super::{Right, alone, picture, retry, sql};
use crate::access::{Editor, Viewer};
use crate::auth::CurrentUser;
use crate::chat::{self, MessageView};
use crate::db::{Db, now_us};
use crate::document::Target;
use crate::error::{Error, ErrorView, Result};
use crate::extract::{Json, JsonIfAny, PathId, Query};
use crate::feed::Feed;
use crate::ids::{ConversationId, MessageId};
use crate::limits;
use crate::model::{Ask, Model, Speaker, Turn};
use crate::page::Page;
use crate::state::AppState;

/// `/api/models`, and below a project `…/messages/{m}/stop|retry`, `…/personas`, `…/usage`, `…/summary`, `…/analysis`,
/// `…/completions` and `…/images`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(models))
        .routes(routes!(personas))
        .routes(routes!(read_usage))
        .routes(routes!(stop))
        .routes(routes!(retry_answer))
        .routes(routes!(read_summary, forget_summary))
        .routes(routes!(analyse, read_analysis))
        .routes(routes!(make_image))
        .merge(OpenApiRouter::new().routes(routes!(complete)).layer(DefaultBodyLimit::max(limits::COMPLETION_BYTES)))
}

/// A model that may be asked.
#[derive(Debug, Serialize, ToSchema)]
struct ModelView {
    name: String,
    /// Whether it is asked when nobody chooses: by the `model` of a message, or of a persona's file; of those that make
    /// pictures, by that of the request.
    default: bool,
    /// Tokens that it reads and writes at once.
    context_tokens: u32,
    /// Whether it calls tools; null where that is not known yet.
    #[schema(required)]
    tools: Option<bool>,
    /// Whether it makes pictures; then it is asked for nothing else.
    images: bool,
    /// US dollars for a million tokens; null where nobody said.
    #[schema(required)]
    prices: Option<PricesView>,
}

/// What a model costs.
#[derive(Debug, Serialize, ToSchema)]
struct PricesView {
    prompt: f64,
    completion: f64,
}

/// The models that the assistant may ask; none where nobody connected one.
#[utoipa::path(
    get, path = "/api/models", operation_id = "list_models", tag = "assistant",
    responses((status = 200, body = Page<ModelView>))
)]
async fn models(_: CurrentUser, State(state): State<AppState>) -> Json<Page<ModelView>> {
    let models = &state.models;
    let is_first = |model: &Model| {
        let firsts = [models.find(None), models.painter(None)];
        firsts.into_iter().flatten().any(|first| std::ptr::eq(first, model))
    };
    let view = |model: &Model| ModelView {
        name: model.name().to_owned(),
        default: is_first(model),
        context_tokens: model.context_tokens(),
        tools: model.tools(),
        images: model.makes_pictures(),
        prices: model.prices().map(|prices| PricesView { prompt: prices.prompt, completion: prices.completion }),
    };
    Json(Page::whole(models.iter().map(view).collect()))
}

/// As whom the assistant speaks here: built in, and from the files below `.coterie/personas/`.
#[utoipa::path(
    get, path = "/api/projects/{p}/personas", operation_id = "list_personas", tag = "assistant",
    responses((status = 200, body = Page<Persona>))
)]
async fn personas(access: Viewer, State(state): State<AppState>) -> Result<Json<Page<Persona>>> {
    let items = persona::of_project(&state, access.project).await?;
    Ok(Json(Page::whole(items)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// How many days, today included.
    #[param(minimum = 1, maximum = 366, default = 30)]
    days: Option<i64>,
}

/// What the assistant took.
#[derive(Debug, Serialize, ToSchema)]
struct UsagePage {
    /// For each day, person and model, the latest day first.
    items: Vec<UsageView>,
    /// The project's budget for today; null where there is none.
    #[schema(required)]
    project_budget: Option<BudgetView>,
    /// The caller's, over all projects; null where there is none.
    #[schema(required)]
    user_budget: Option<BudgetView>,
}

/// What the assistant took in a project: tokens and money, by day, person and model. For editors.
#[utoipa::path(
    get, path = "/api/projects/{p}/usage", operation_id = "read_usage", tag = "assistant", params(UsageQuery),
    responses(
        (status = 200, body = UsagePage),
        (status = 403, description = "Only editors see what was used.", body = ErrorView),
    )
)]
async fn read_usage(
    access: Editor,
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<UsagePage>> {
    let days = query.days.unwrap_or(30);
    if !(1..=limits::USAGE_DAYS).contains(&days) {
        return Err(Error::invalid("bad_query", format!("days must be 1 to {}", limits::USAGE_DAYS)));
    }
    let (db, ai, today) = (&state.db, &state.config.ai, usage::day_of(now_us()));
    let rows = sql::usage(db, access.project, today - days + 1, limits::USAGE_ROWS).await?;
    let user = access.caller.user.id;
    Ok(Json(UsagePage {
        items: rows.into_iter().map(usage::UsageRow::view).collect(),
        project_budget: usage::budget(db, ai.project_budget, today, access.project.0).await?,
        user_budget: usage::budget(db, ai.user_budget, today, user.0).await?,
    }))
}

/// Stops an answer that waits or is being written; what it says so far stays. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/messages/{m}/stop", operation_id = "stop_message", tag = "assistant",
    responses(
        (status = 200, description = "It is stopped.", body = MessageView),
        (status = 409, description = "`not_running`: it has ended, or is no answer.", body = ErrorView),
    )
)]
async fn stop(access: Editor, State(feed): State<Feed>, PathId(id): PathId<MessageId>) -> Result<Json<chat::Message>> {
    chat::stop(&feed, access.project, access.caller.user.id, id).await.map(Json)
}

/// Has an answer that failed or was stopped given again, in its place, for the caller; by another model or persona if they
/// say so. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/messages/{m}/retry", operation_id = "retry_message", tag = "assistant",
    request_body = Option<retry::Wanted>,
    responses(
        (status = 200, description = "It waits for its turn.", body = MessageView),
        (status = 409, description = "`not_failed`: it is any other message; `no_model`.", body = ErrorView),
    )
)]
async fn retry_answer(
    access: Editor,
    State(state): State<AppState>,
    PathId(id): PathId<MessageId>,
    JsonIfAny(wanted): JsonIfAny<retry::Wanted>,
) -> Result<Json<chat::Message>> {
    retry::retry(&state, &access, id, wanted.unwrap_or_default()).await.map(Json)
}

/// What was said in a conversation in short, up to which message: what the assistant reads instead of it.
#[utoipa::path(
    get, path = "/api/projects/{p}/conversations/{c}/summary", operation_id = "get_summary", tag = "assistant",
    responses((status = 200, body = SummaryView))
)]
async fn read_summary(
    access: Viewer,
    State(db): State<Db>,
    PathId(id): PathId<ConversationId>,
) -> Result<Json<SummaryView>> {
    chat::conversation(&db, access.project, id).await?;
    let summary = summary::find(&db, id).await?.ok_or(Error::NotFound)?;
    Ok(Json(summary.view()))
}

/// Takes a summary away that is wrong; the next answer that needs one has it written anew. For editors.
#[utoipa::path(
    delete, path = "/api/projects/{p}/conversations/{c}/summary", operation_id = "delete_summary", tag = "assistant",
    responses((status = 204, description = "It is gone."))
)]
async fn forget_summary(
    access: Editor,
    State(db): State<Db>,
    PathId(id): PathId<ConversationId>,
) -> Result<StatusCode> {
    chat::conversation(&db, access.project, id).await?;
    if sql::drop_summary(&db, id, 0).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Error::NotFound) }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AnalysisWanted {
    /// The model that is asked, by its name in `GET /api/models`; the first one if left out.
    model: Option<String>,
}

/// Has a model look at a file as it is now: what it is for, how complex it is, what is wrong with it, what it depends on, with
/// the numbers of lines. What it finds is kept in the place of what was found before. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/documents/{d}/analysis", operation_id = "analyse_document", tag = "assistant",
    request_body = AnalysisWanted,
    responses(
        (status = 201, body = AnalysisView),
        (status = 409, description = "`no_model`; `budget_used_up`; `bad_answer`: the model did not keep to the schema; `not_text`.", body = ErrorView),
        (status = 413, description = "The file is more than the model reads at once.", body = ErrorView),
        (status = 503, description = "The model gave no answer.", body = ErrorView),
    )
)]
async fn analyse(
    target: Target<Editor>,
    State(state): State<AppState>,
    Json(wanted): Json<AnalysisWanted>,
) -> Result<(StatusCode, Json<AnalysisView>)> {
    let user = target.access.caller.user.id;
    let found = analysis::analyse(&state, user, &target.document, wanted.model.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(found)))
}

/// What a model found in a file the latest time: one item, or none where nobody asked.
#[utoipa::path(
    get, path = "/api/projects/{p}/documents/{d}/analysis", operation_id = "read_analysis", tag = "assistant",
    responses((status = 200, body = Page<AnalysisView>))
)]
async fn read_analysis(target: Target<Viewer>, State(db): State<Db>) -> Result<Json<Page<AnalysisView>>> {
    let found = sql::analysis(&db, target.document.id).await?;
    let items = found.map(analysis::Analysis::view).transpose()?.into_iter().collect();
    Ok(Json(Page { items, next: None }))
}

/// What a model is asked once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompletionWanted {
    /// What it is to answer.
    #[schema(min_length = 1)]
    prompt: String,
    /// What it is told to be.
    system: Option<String>,
    /// The model that is asked, by its name in `GET /api/models`; the first one if left out.
    model: Option<String>,
    /// Tokens of the answer at most.
    #[schema(minimum = 1, maximum = 4096)]
    max_tokens: Option<u32>,
}

/// What it answered.
#[derive(Debug, Serialize, ToSchema)]
struct Completion {
    /// Not to be trusted.
    text: String,
    model: String,
    /// Whether it was cut at the most tokens that it may have.
    cut: bool,
    #[schema(value_type = Object)]
    usage: serde_json::Value,
    /// US dollars; null where no price is known.
    #[schema(value_type = Option<f64>, required)]
    cost: serde_json::Value,
}

/// Asks a model once, outside of any conversation and without a look into the project. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/completions", operation_id = "complete", tag = "assistant",
    request_body = CompletionWanted,
    responses(
        (status = 200, body = Completion),
        (status = 409, description = "`no_model`; `budget_used_up`.", body = ErrorView),
        (status = 413, description = "It is more than the model reads at once.", body = ErrorView),
        (status = 503, description = "The model gave no answer.", body = ErrorView),
    )
)]
async fn complete(
    access: Editor,
    State(state): State<AppState>,
    Json(wanted): Json<CompletionWanted>,
) -> Result<Json<Completion>> {
    if wanted.prompt.trim().is_empty() {
        return Err(Error::invalid("bad_prompt", "prompt says what is asked"));
    }
    let most = limits::ASSISTANT_ANSWER_TOKENS;
    if wanted.max_tokens.is_some_and(|tokens| tokens == 0 || tokens > most) {
        return Err(Error::invalid("bad_prompt", format!("max_tokens must be 1 to {most}")));
    }
    let model = alone::model(&state, wanted.model.as_deref())?;
    let system = wanted.system.map(|system| Turn::new(Speaker::System, system));
    let turns = system.into_iter().chain([Turn::new(Speaker::User, wanted.prompt)]).collect();
    let ask = Ask { turns, max_tokens: wanted.max_tokens, ..Ask::default() };
    let answered = alone::ask(&state, (access.project, access.caller.user.id), model, ask).await?;
    let alone::Answered { text, is_cut, usage, cost } = answered;
    Ok(Json(Completion { text, model: model.name().to_owned(), cut: is_cut, usage, cost }))
}

/// Has a model make a picture, which is kept among the project's files of bytes. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/images", operation_id = "make_image", tag = "assistant",
    request_body = picture::Wanted,
    responses(
        (status = 201, body = picture::PictureView),
        (status = 409, description = "`no_model`: none makes pictures; `budget_used_up`; `no_picture`: something else came; `content_policy`: the model's server makes no such pictures.", body = ErrorView),
        (status = 413, description = "There is no room for it.", body = ErrorView),
        (status = 503, description = "The model made none.", body = ErrorView),
    )
)]
async fn make_image(
    access: Editor,
    State(state): State<AppState>,
    Json(wanted): Json<picture::Wanted>,
) -> Result<(StatusCode, Json<picture::PictureView>)> {
    let user = access.caller.user.id;
    let right = Right { whose: access.caller.credential.issuer().unwrap_or(user), then: Some(access.role) };
    let made = picture::make(&state, (access.project, user), right, wanted).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
