//! The statements over what documents take.

use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{DocumentId, ProjectId};
use crate::{on_pool, on_tx};

pub(super) async fn project_of(db: &Db, document: DocumentId) -> Result<Option<ProjectId>> {
    let row: Option<(ProjectId,)> = on_pool!(db, read, pool => {
        sqlx::query_as("select project_id from document where id = $1").bind(document).fetch_optional(pool).await
    })?;
    Ok(row.map(|(project,)| project))
}

/// What the living documents of these projects take, and what an operator allows each, if one said so.
pub(super) async fn usage(db: &Db, projects: &[ProjectId]) -> Result<Vec<(ProjectId, i64, Option<i64>)>> {
    const TEXT: &str = "
        select p.id, (
            select coalesce(sum(h.bytes), 0)
            from document d join document_head h on h.document_id = d.id
            where d.project_id = p.id and d.deleted_us is null) as used, p.document_bytes_max
        from project p where p.id in (";
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on_pool!(db, read, pool => {
        let mut query = sqlx::QueryBuilder::new(TEXT);
        let mut ids = query.separated(", ");
        for project in projects {
            ids.push_bind(*project);
        }
        query.push(")");
        query.build_query_as::<(ProjectId, i64, Option<i64>)>().fetch_all(pool).await
    })?)
}

/// As [`usage`] of one project, with what its transaction wrote.
pub(super) async fn usage_in(tx: &mut Tx, project: ProjectId) -> Result<(i64, Option<i64>)> {
    const TEXT: &str = "
        select (
            select coalesce(sum(h.bytes), 0)
            from document d join document_head h on h.document_id = d.id
            where d.project_id = p.id and d.deleted_us is null) as used, p.document_bytes_max
        from project p where p.id = $1";
    let row: Option<(i64, Option<i64>)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(project).fetch_optional(conn).await
    })?;
    Ok(row.unwrap_or((0, None)))
}
