//! The statements over what documents take.

use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{DocumentId, ProjectId};
use crate::{on_pool, on_tx};

/// What the documents of project `p` take of which `deleted_us` is so, as a column of a statement.
macro_rules! bytes_where {
    ($deleted_us:literal) => {
        concat!(
            "(select coalesce(sum(h.bytes), 0) from document d join document_head h on h.document_id = d.id
                where d.project_id = p.id and d.deleted_us ",
            $deleted_us,
            ")"
        )
    };
}
pub(crate) use bytes_where;

/// What a project's documents take, and what an operator allows it, if one said so.
#[derive(sqlx::FromRow)]
pub(super) struct UsageRow {
    pub(super) id: ProjectId,
    pub(super) living: i64,
    pub(super) deleted: i64,
    pub(super) document_bytes_max: Option<i64>,
}

const USAGE: &str = concat!(
    "select p.id, ",
    bytes_where!("is null"),
    " as living, ",
    bytes_where!("is not null"),
    " as deleted, p.document_bytes_max from project p where p.id in ("
);

pub(super) async fn project_of(db: &Db, document: DocumentId) -> Result<Option<ProjectId>> {
    let row: Option<(ProjectId,)> = on_pool!(db, read, pool => {
        sqlx::query_as("select project_id from document where id = $1").bind(document).fetch_optional(pool).await
    })?;
    Ok(row.map(|(project,)| project))
}

pub(super) async fn usage(db: &Db, projects: &[ProjectId]) -> Result<Vec<UsageRow>> {
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on_pool!(db, read, pool => {
        let mut query = sqlx::QueryBuilder::new(USAGE);
        let mut ids = query.separated(", ");
        for project in projects {
            ids.push_bind(*project);
        }
        query.push(")");
        query.build_query_as::<UsageRow>().fetch_all(pool).await
    })?)
}

/// As [`usage`] of one project, with what its transaction wrote.
pub(super) async fn usage_in(tx: &mut Tx, project: ProjectId) -> Result<Option<UsageRow>> {
    Ok(on_tx!(tx, conn => {
        let mut query = sqlx::QueryBuilder::new(USAGE);
        query.push_bind(project).push(")");
        query.build_query_as::<UsageRow>().fetch_optional(conn).await
    })?)
}
