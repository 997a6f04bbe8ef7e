-- The log of a document: one contiguous order, given under the lock of its head row.
create table document_head (
    document_id uuid primary key references document (id) on delete cascade,
    -- sequence number of the last row; an append states the head it was decided against and fails on another
    head bigint not null,
    -- the history's own number: raised by a deletion, and when a backup was restored, so that nothing from before is appended
    epoch bigint not null
);

create table document_update (
    document_id uuid not null references document (id) on delete cascade,
    -- 1, 2, 3, … without a gap
    seq bigint not null,
    -- the append that wrote it; an append whose outcome is unknown is looked up by this
    batch_id uuid not null,
    -- who wrote it, from the login; never taken from the bytes
    author_id uuid not null references users (id),
    -- Yjs update, v1: the merged edits of one author in one batch
    bytes bytea not null,
    -- CRC-32 of the bytes, verified whenever they are read
    checksum bigint not null,
    created_us bigint not null,
    primary key (document_id, seq)
);

-- A folded state: everything up to and including row `seq`.
create table document_snapshot (
    document_id uuid not null references document (id) on delete cascade,
    seq bigint not null,
    -- Yjs update, v1: the whole state
    bytes bytea not null,
    -- CRC-32 of the bytes, verified whenever they are read
    checksum bigint not null,
    created_us bigint not null,
    primary key (document_id, seq)
);

-- Whose a Yjs clientID is in a document: the first principal who wrote with it.
create table document_client (
    document_id uuid not null references document (id) on delete cascade,
    -- below 2^53
    client_id bigint not null,
    -- who wrote with it first, or brought it in
    user_id uuid not null references users (id),
    -- 1: came with the history of others; readable, never to be extended by anyone
    closed bigint not null,
    primary key (document_id, client_id)
);
