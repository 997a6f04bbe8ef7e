-- Changes that somebody suggests and the people of a project decide on, hunk by hunk.
create table proposal (
    id uuid primary key,
    project_id uuid not null references project (id) on delete cascade,
    -- who suggests it
    author_id uuid not null references users (id),
    -- who asked the author for it; null: nobody
    via_id uuid references users (id),
    -- the role that the author played, and the model that wrote it; null for people
    persona text,
    model text,
    -- the message it came from; null: none. The message may be gone
    message_id uuid,
    summary text not null,
    rationale text not null,
    -- how sure its author is, in percent; null: not said
    confidence bigint,
    -- how much it may break as its author says: low, medium, high; null: not said
    risk text,
    -- lines that it adds and removes
    lines_added bigint not null,
    lines_removed bigint not null,
    -- pending, accepted, partly, rejected, stale or undone: what its hunks say, kept for lists
    state text not null,
    -- 1: some hunk is still to be decided on
    is_open bigint not null,
    -- why it was rejected; null: not said
    reason text,
    created_us bigint not null,
    -- when something was decided last; null: nothing was
    decided_us bigint
);

create index proposal_project_id on proposal (project_id, is_open, id);

-- What a proposal does to one file, in its author's order.
create table proposal_file (
    proposal_id uuid not null references proposal (id) on delete cascade,
    -- 1, 2, 3, …
    file bigint not null,
    -- edit, create, rename or delete
    op text not null,
    -- the document; null for one that is yet to be created
    document_id uuid,
    -- where it was, or is to be created
    path text not null,
    -- where it is to be moved; null unless it is
    to_path text,
    -- where its log stood; null for one that is yet to be created
    head bigint,
    primary key (proposal_id, file)
);

-- What can be accepted by itself: some lines of an edit, or all that is done to a file.
create table proposal_hunk (
    proposal_id uuid not null references proposal (id) on delete cascade,
    -- 1, 2, 3, … in the whole proposal
    hunk bigint not null,
    file bigint not null,
    -- where it begins in the text it was made from, counted from 1
    line bigint not null,
    -- the lines before and after, and what they are held by, as JSON: a text may hold NUL
    data text not null,
    -- pending, accepted, rejected, stale or undone
    state text not null,
    -- changed, deleted, moved or path_taken: why it is stale; null: it is not
    stale text,
    decided_by uuid references users (id),
    decided_us bigint,
    primary key (proposal_id, hunk)
);

-- What was written into documents when hunks were accepted: whose words a row of a log is, besides whose it is.
create table proposal_edit (
    document_id uuid not null references document (id) on delete cascade,
    -- the row of the document's log
    seq bigint not null,
    proposal_id uuid not null references proposal (id) on delete cascade,
    -- the Yjs client that wrote it and nothing else: known from the document when the row is folded
    client_id bigint not null,
    -- what it removed and where that was, as JSON: for taking it back
    gone text not null,
    -- who accepted it; the row's author
    accepted_by uuid not null references users (id),
    created_us bigint not null,
    -- when it was taken back; null: it was not
    undone_us bigint,
    primary key (document_id, seq)
);

create index proposal_edit_proposal_id on proposal_edit (proposal_id);

-- What people think of a proposal.
create table proposal_vote (
    proposal_id uuid not null references proposal (id) on delete cascade,
    user_id uuid not null references users (id),
    -- 1: for it, -1: against it
    value bigint not null,
    created_us bigint not null,
    primary key (proposal_id, user_id)
);
