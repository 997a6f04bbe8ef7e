-- The conversations of a project. Messages are numbered under the lock of their conversation's row.
create table conversation (
    -- the project's own id for its first conversation, which is there without being made
    id uuid primary key,
    project_id uuid not null references project (id) on delete cascade,
    -- null for the first one
    title text,
    -- sequence number of the last message
    head bigint not null,
    -- when the assistant speaks: auto, everything or mentioned
    answers text not null,
    -- null for the first one
    created_by uuid references users (id),
    created_us bigint not null
);

create index conversation_project_id on conversation (project_id, id);

-- What people and the assistant said. A deleted one stays as a row without a text.
create table message (
    id uuid primary key,
    conversation_id uuid not null references conversation (id) on delete cascade,
    -- 1, 2, 3, … without a gap
    seq bigint not null,
    author_id uuid not null references users (id),
    -- what they could do when they wrote it, by what they showed; null for the assistant
    author_role text,
    -- whose right that was, where they borrowed it by a token
    author_issuer_id uuid references users (id),
    -- whom the assistant answers for; null for people
    via_id uuid references users (id),
    -- as whom the assistant speaks; null for people
    persona text,
    -- the message it answers
    reply_to uuid references message (id),
    -- whom it is meant for, such as a persona; null for everybody
    addressed text,
    -- Markdown; empty once it was deleted
    body text not null,
    -- the body in lower case, for searching
    folded text not null,
    -- queued, streaming, done, stopped or failed
    state text not null,
    -- JSON array of what is attached
    attachments text not null,
    -- JSON array of who and what is mentioned
    mentions text not null,
    -- JSON object of what an answer of the assistant has besides: usage, cost, context, proposal, error
    details text not null,
    -- the author's own name for it, so that posting it twice makes one; null for none
    client_key text,
    created_us bigint not null,
    edited_us bigint,
    -- when it was deleted; the row stays as a trace
    deleted_us bigint,
    unique (conversation_id, seq),
    unique (conversation_id, author_id, client_key)
);

create index message_reply_to on message (reply_to);

-- How far somebody has read.
create table conversation_read (
    conversation_id uuid not null references conversation (id) on delete cascade,
    user_id uuid not null references users (id) on delete cascade,
    -- the last message they have seen
    seq bigint not null,
    primary key (conversation_id, user_id)
);
