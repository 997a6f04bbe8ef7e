//! The statements over `proposal`, `proposal_file`, `proposal_hunk`, `proposal_edit` and `proposal_vote`.

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Author, Change, File, Hunk, HunkState, Op, Proposal, Stale, State, Written};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::feed::Actor;
use crate::ids::{DocumentId, ProjectId, ProposalId, UserId};
use crate::replica::Gone;
use crate::{limits, on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct ProposalRow {
    id: ProposalId,
    persona: Option<String>,
    model: Option<String>,
    message_id: Option<Uuid>,
    summary: String,
    rationale: String,
    confidence: Option<i64>,
    risk: Option<String>,
    lines_added: i64,
    lines_removed: i64,
    state: String,
    is_open: i64,
    reason: Option<String>,
    created_us: i64,
    decided_us: Option<i64>,
    author_id: UserId,
    author_name: String,
    author_kind: String,
    via_id: Option<UserId>,
    via_name: Option<String>,
    via_kind: Option<String>,
}

#[derive(sqlx::FromRow)]
struct FileRow {
    file: i64,
    op: String,
    document_id: Option<DocumentId>,
    path: String,
    to_path: Option<String>,
    head: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct HunkRow {
    hunk: i64,
    file: i64,
    line: i64,
    data: String,
    state: String,
    stale: Option<String>,
    decided_us: Option<i64>,
    by_id: Option<UserId>,
    by_name: Option<String>,
    by_kind: Option<String>,
}

#[derive(sqlx::FromRow)]
struct EditRow {
    document_id: DocumentId,
    seq: i64,
    client_id: i64,
    gone: String,
    created_us: i64,
    undone_us: Option<i64>,
    by_id: UserId,
    by_name: String,
    by_kind: String,
}

fn actor(id: Option<UserId>, name: Option<String>, kind: Option<String>) -> Option<Actor> {
    Some(Actor { id: id?, name: name?, kind: kind? })
}

/// A word of ours as it is stored; one that is none is a fault.
fn word<T: DeserializeOwned>(stored: String) -> anyhow::Result<T> {
    serde_json::from_value(stored.into()).context("an unknown word is stored with a proposal")
}

fn to_word(value: impl Serialize) -> anyhow::Result<String> {
    let word = serde_json::to_value(value)?;
    word.as_str().map(str::to_owned).context("a word of a proposal is none")
}

impl ProposalRow {
    fn proposal(self, project: ProjectId) -> Result<Proposal> {
        Ok(Proposal {
            id: self.id,
            project,
            author: Actor { id: self.author_id, name: self.author_name, kind: self.author_kind },
            via: actor(self.via_id, self.via_name, self.via_kind),
            persona: self.persona,
            model: self.model,
            message: self.message_id,
            summary: self.summary,
            rationale: self.rationale,
            confidence: self.confidence.and_then(|percent| percent.try_into().ok()),
            risk: self.risk.map(word).transpose()?,
            added: self.lines_added,
            removed: self.lines_removed,
            state: State::from_word(&self.state).context("a proposal of an unknown state is stored")?,
            is_open: self.is_open != 0,
            reason: self.reason,
            created_us: self.created_us,
            decided_us: self.decided_us,
            files: Vec::new(),
            hunks: Vec::new(),
            votes: Vec::new(),
            edits: Vec::new(),
        })
    }
}

impl HunkRow {
    fn hunk(self) -> Result<Hunk> {
        Ok(Hunk {
            hunk: self.hunk,
            file: self.file,
            line: self.line,
            change: serde_json::from_str::<Change>(&self.data).context("a hunk cannot be read")?,
            state: HunkState::from_word(&self.state).context("a hunk of an unknown state is stored")?,
            stale: self.stale.as_deref().and_then(Stale::from_word),
            decided_by: actor(self.by_id, self.by_name, self.by_kind),
            decided_us: self.decided_us,
        })
    }
}

impl EditRow {
    fn written(self) -> Result<Written> {
        Ok(Written {
            document: self.document_id,
            seq: self.seq,
            client: self.client_id.cast_unsigned(),
            gone: serde_json::from_str::<Vec<Gone>>(&self.gone).context("what was removed cannot be read")?,
            accepted_by: Actor { id: self.by_id, name: self.by_name, kind: self.by_kind },
            created_us: self.created_us,
            is_undone: self.undone_us.is_some(),
        })
    }
}

/// Every column of a proposal, with who suggests it and who asked for that as they are called now.
macro_rules! proposals {
    ($rest:literal) => {
        concat!(
            "select p.id, p.persona, p.model, p.message_id, p.summary, p.rationale, p.confidence, p.risk, p.lines_added,
                p.lines_removed, p.state, p.is_open, p.reason, p.created_us, p.decided_us,
                coalesce(am.id, a.id) as author_id, coalesce(am.name, a.name) as author_name,
                coalesce(am.kind, a.kind) as author_kind,
                coalesce(vm.id, v.id) as via_id, coalesce(vm.name, v.name) as via_name,
                coalesce(vm.kind, v.kind) as via_kind
            from proposal p
            join users a on a.id = p.author_id left join users am on am.id = a.merged_into
            left join users v on v.id = p.via_id left join users vm on vm.id = v.merged_into ",
            $rest
        )
    };
}

/// A proposal with all that belongs to it.
pub(super) async fn load(tx: &mut Tx, project: ProjectId, id: ProposalId) -> Result<Option<Proposal>> {
    const ONE: &str = proposals!("where p.project_id = $1 and p.id = $2");
    const FILES: &str = "select file, op, document_id, path, to_path, head from proposal_file
        where proposal_id = $1 order by file";
    const HUNKS: &str = "
        select h.hunk, h.file, h.line, h.data, h.state, h.stale, h.decided_us,
            coalesce(m.id, u.id) as by_id, coalesce(m.name, u.name) as by_name, coalesce(m.kind, u.kind) as by_kind
        from proposal_hunk h
        left join users u on u.id = h.decided_by left join users m on m.id = u.merged_into
        where h.proposal_id = $1 order by h.hunk";
    const VOTES: &str = "
        select coalesce(m.id, u.id), coalesce(m.name, u.name), coalesce(m.kind, u.kind), v.value
        from proposal_vote v
        join users u on u.id = v.user_id left join users m on m.id = u.merged_into
        where v.proposal_id = $1 order by v.created_us";
    const EDITS: &str = "
        select e.document_id, e.seq, e.client_id, e.gone, e.created_us, e.undone_us,
            coalesce(m.id, u.id) as by_id, coalesce(m.name, u.name) as by_name, coalesce(m.kind, u.kind) as by_kind
        from proposal_edit e
        join users u on u.id = e.accepted_by left join users m on m.id = u.merged_into
        where e.proposal_id = $1 order by e.created_us, e.document_id, e.seq";
    let row: Option<ProposalRow> = on_tx!(&mut *tx, conn => {
        sqlx::query_as(ONE).bind(project).bind(id).fetch_optional(conn).await
    })?;
    let Some(mut found) = row.map(|row| row.proposal(project)).transpose()? else { return Ok(None) };
    let files: Vec<FileRow> = on_tx!(&mut *tx, conn => sqlx::query_as(FILES).bind(id).fetch_all(conn).await)?;
    for row in files {
        let FileRow { file, op, document_id: document, path, to_path: to, head } = row;
        found.files.push(File { file, op: word::<Op>(op)?, document, path, to, head });
    }
    let hunks: Vec<HunkRow> = on_tx!(&mut *tx, conn => sqlx::query_as(HUNKS).bind(id).fetch_all(conn).await)?;
    found.hunks = hunks.into_iter().map(HunkRow::hunk).collect::<Result<_>>()?;
    let votes: Vec<(UserId, String, String, i64)> =
        on_tx!(&mut *tx, conn => sqlx::query_as(VOTES).bind(id).fetch_all(conn).await)?;
    found.votes = votes.into_iter().map(|(id, name, kind, value)| (Actor { id, name, kind }, value)).collect();
    let edits: Vec<EditRow> = on_tx!(&mut *tx, conn => sqlx::query_as(EDITS).bind(id).fetch_all(conn).await)?;
    found.edits = edits.into_iter().map(EditRow::written).collect::<Result<_>>()?;
    Ok(Some(found))
}

/// Proposals without what belongs to them, the latest first.
pub(super) async fn list(
    db: &Db,
    project: ProjectId,
    open: Option<bool>,
    author: Option<UserId>,
    before: Option<ProposalId>,
    limit: i64,
) -> Result<Vec<Proposal>> {
    const TEXT: &str = proposals!(
        "where p.project_id = $1 and ($2 is null or p.is_open = $2) and ($3 is null or p.id < $3)
          and ($4 is null or a.id = $4 or am.id = $4)
        order by p.id desc limit $5"
    );
    let open = open.map(i64::from);
    let rows: Vec<ProposalRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(open).bind(before).bind(author).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(|row| row.proposal(project)).collect()
}

/// How many proposals wait for a decision.
pub(super) async fn open(tx: &mut Tx, project: ProjectId) -> Result<i64> {
    const TEXT: &str = "select count(*) from proposal where project_id = $1 and is_open = 1";
    let (count,): (i64,) = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(project).fetch_one(conn).await)?;
    Ok(count)
}

/// Writes a proposal that is new, with its files and hunks.
pub(super) async fn insert(tx: &mut Tx, proposal: &Proposal, author: &Author) -> Result<()> {
    const ONE: &str = "
        insert into proposal (id, project_id, author_id, via_id, persona, model, message_id, summary, rationale,
            confidence, risk, lines_added, lines_removed, state, is_open, created_us)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    const FILE: &str = "
        insert into proposal_file (proposal_id, file, op, document_id, path, to_path, head)
        values ($1, $2, $3, $4, $5, $6, $7)";
    const HUNK: &str = "
        insert into proposal_hunk (proposal_id, hunk, file, line, data, state, stale)
        values ($1, $2, $3, $4, $5, $6, $7)";
    let risk = proposal.risk.map(to_word).transpose()?;
    on_tx!(&mut *tx, conn => {
        sqlx::query(ONE)
            .bind(proposal.id)
            .bind(proposal.project)
            .bind(author.user)
            .bind(author.via)
            .bind(&proposal.persona)
            .bind(&proposal.model)
            .bind(author.message)
            .bind(&proposal.summary)
            .bind(&proposal.rationale)
            .bind(proposal.confidence.map(i64::from))
            .bind(risk)
            .bind(proposal.added)
            .bind(proposal.removed)
            .bind(proposal.state.word())
            .bind(i64::from(proposal.is_open))
            .bind(proposal.created_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    for File { file, op, document, path, to, head } in &proposal.files {
        let op = to_word(op)?;
        on_tx!(&mut *tx, conn => {
            sqlx::query(FILE)
                .bind(proposal.id)
                .bind(*file)
                .bind(op)
                .bind(*document)
                .bind(path)
                .bind(to)
                .bind(*head)
                .execute(conn)
                .await
                .map(drop)
        })?;
    }
    for hunk in &proposal.hunks {
        let data = serde_json::to_string(&hunk.change).map_err(anyhow::Error::from)?;
        on_tx!(&mut *tx, conn => {
            sqlx::query(HUNK)
                .bind(proposal.id)
                .bind(hunk.hunk)
                .bind(hunk.file)
                .bind(hunk.line)
                .bind(data)
                .bind(hunk.state.word())
                .bind(hunk.stale.map(Stale::word))
                .execute(conn)
                .await
                .map(drop)
        })?;
    }
    Ok(())
}

/// Writes down other words of a proposal, and of some of its hunks.
pub(super) async fn reword(tx: &mut Tx, proposal: &Proposal, hunks: &[i64]) -> Result<()> {
    const ONE: &str = "
        update proposal set summary = $2, rationale = $3, lines_added = $4, lines_removed = $5 where id = $1";
    const HUNK: &str = "update proposal_hunk set data = $3 where proposal_id = $1 and hunk = $2";
    on_tx!(&mut *tx, conn => {
        sqlx::query(ONE)
            .bind(proposal.id)
            .bind(&proposal.summary)
            .bind(&proposal.rationale)
            .bind(proposal.added)
            .bind(proposal.removed)
            .execute(conn)
            .await
            .map(drop)
    })?;
    for hunk in proposal.hunks.iter().filter(|hunk| hunks.contains(&hunk.hunk)) {
        let data = serde_json::to_string(&hunk.change).map_err(anyhow::Error::from)?;
        on_tx!(&mut *tx, conn => {
            sqlx::query(HUNK).bind(proposal.id).bind(hunk.hunk).bind(data).execute(conn).await.map(drop)
        })?;
    }
    Ok(())
}

/// Notes what was decided on one hunk.
pub(super) async fn decide(
    tx: &mut Tx,
    proposal: ProposalId,
    hunk: i64,
    (state, stale): (HunkState, Option<Stale>),
    by: UserId,
    now_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        update proposal_hunk set state = $3, stale = $4, decided_by = $5, decided_us = $6
        where proposal_id = $1 and hunk = $2";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(proposal)
            .bind(hunk)
            .bind(state.word())
            .bind(stale.map(Stale::word))
            .bind(by)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Notes where a proposal stands now; a reason that was given before stays where none is.
pub(super) async fn settle(
    tx: &mut Tx,
    proposal: ProposalId,
    state: State,
    is_open: bool,
    reason: Option<&str>,
    now_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        update proposal set state = $2, is_open = $3, reason = coalesce($4, reason), decided_us = $5 where id = $1";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(proposal)
            .bind(state.word())
            .bind(i64::from(is_open))
            .bind(reason)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Names the document that a file became.
pub(super) async fn made(tx: &mut Tx, proposal: ProposalId, file: i64, document: DocumentId, head: i64) -> Result<()> {
    const TEXT: &str = "update proposal_file set document_id = $3, head = $4 where proposal_id = $1 and file = $2";
    on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(proposal).bind(file).bind(document).bind(head).execute(conn).await.map(drop)
    })?;
    Ok(())
}

/// Notes what was written into a document.
pub(super) async fn wrote(
    tx: &mut Tx,
    proposal: ProposalId,
    (document, seq): (DocumentId, i64),
    client: u64,
    gone: &[Gone],
    by: UserId,
    now_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        insert into proposal_edit (document_id, seq, proposal_id, client_id, gone, accepted_by, created_us)
        values ($1, $2, $3, $4, $5, $6, $7)";
    let gone = serde_json::to_string(gone).map_err(anyhow::Error::from)?;
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(document)
            .bind(seq)
            .bind(proposal)
            .bind(client.cast_signed())
            .bind(gone)
            .bind(by)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Notes that what was written into a document was taken back.
pub(super) async fn unwrote(tx: &mut Tx, proposal: ProposalId, document: DocumentId, now_us: i64) -> Result<()> {
    const TEXT: &str = "
        update proposal_edit set undone_us = $3 where proposal_id = $1 and document_id = $2 and undone_us is null";
    on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(proposal).bind(document).bind(now_us).execute(conn).await.map(drop)
    })?;
    Ok(())
}

/// Keeps a vote; 0 takes it back.
pub(super) async fn vote(tx: &mut Tx, proposal: ProposalId, user: UserId, value: i64, now_us: i64) -> Result<()> {
    const PUT: &str = "
        insert into proposal_vote (proposal_id, user_id, value, created_us) values ($1, $2, $3, $4)
        on conflict (proposal_id, user_id) do update set value = excluded.value, created_us = excluded.created_us";
    const TAKE: &str = "delete from proposal_vote where proposal_id = $1 and user_id = $2";
    on_tx!(tx, conn => {
        if value == 0 {
            sqlx::query(TAKE).bind(proposal).bind(user).execute(conn).await.map(drop)
        } else {
            sqlx::query(PUT).bind(proposal).bind(user).bind(value).bind(now_us).execute(conn).await.map(drop)
        }
    })?;
    Ok(())
}

#[derive(sqlx::FromRow)]
pub(super) struct TrustRow {
    pub(super) author_id: UserId,
    pub(super) author_name: String,
    pub(super) author_kind: String,
    pub(super) persona: Option<String>,
    pub(super) model: Option<String>,
    pub(super) state: String,
    pub(super) count: i64,
}

/// How many proposals of each author, persona and model came to which end; those of the assistant first.
pub(super) async fn trust(db: &Db, project: ProjectId) -> Result<Vec<TrustRow>> {
    const TEXT: &str = "
        select u.id as author_id, u.name as author_name, u.kind as author_kind, p.persona, p.model, p.state, count(*) as count
        from proposal p join users u on u.id = p.author_id
        where p.project_id = $1 and (p.persona is not null or p.model is not null)
        group by u.id, u.name, u.kind, p.persona, p.model, p.state
        order by case when u.kind = 'assistant' then 0 else 1 end, u.id, p.persona, p.model, p.state limit $2";
    Ok(on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(limits::TRUST_ROWS).fetch_all(pool).await
    })?)
}
