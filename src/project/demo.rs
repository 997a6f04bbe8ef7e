//! The project that shows what can be done here, for a server that somebody tries.

use super::{NewProject, Template, create_in, sql};
use crate::access::{self, Role};
use crate::auth::{ASSISTANT, assistant};
use crate::document;
use crate::error::Result;
use crate::state::AppState;

/// Answers the link by which its first visitor becomes the owner of a project to play with, and opens its first file.
/// The project is made where the server has none at all; a link for it is made as long as nobody came in.
///
/// # Errors
/// When the database fails.
pub async fn demo(state: &AppState) -> Result<Option<String>> {
    let project = match sql::unclaimed(&state.db, ASSISTANT).await? {
        Some(project) => project,
        None if sql::is_any(&state.db).await? => return Ok(None),
        None => {
            let maker = assistant(&state.db).await?;
            let wanted = NewProject {
                name: "A minute in Coterie".to_owned(),
                description: None,
                visibility: None,
                template: Some(Template::Tour),
            };
            let mut tx = state.db.begin().await?;
            let project = create_in(&mut tx, state.rooms.quotas(), maker.id, &wanted).await?;
            state.feed.commit(tx, project.id).await?;
            project.id
        }
    };
    let mut tx = state.db.begin().await?;
    // Of several starts only the last one's link is good.
    access::end_invites(&mut tx, project).await?;
    tx.commit().await?;
    let link = access::link(&state.db, project, ASSISTANT, Role::Owner, &state.base_url()).await?;
    let first = Template::Tour.files().first().map(|(path, _)| *path);
    let file = document::all(&state.db, project).await?.into_iter().find(|file| Some(file.path.as_str()) == first);
    Ok(Some(file.map_or(link.clone(), |file| format!("{link}#{}", file.id))))
}
