-- Binary files and attachments, named by what is in them.
create table blob (
    project_id uuid not null references project (id) on delete cascade,
    -- SHA-256 of the bytes
    hash bytea not null,
    -- length of the bytes
    size bigint not null,
    -- what the bytes themselves say they are, among what is safe to show; application/octet-stream for all else
    media_type text not null,
    -- the file's name, for a download
    name text not null,
    created_by uuid not null references users (id),
    created_us bigint not null,
    bytes bytea not null,
    primary key (project_id, hash)
);
