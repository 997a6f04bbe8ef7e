create table project (
    id uuid primary key,
    name text not null,
    description text not null,
    -- private (members), link (who has an invite), public (anyone may read)
    visibility text not null,
    created_by uuid not null references users (id),
    created_us bigint not null,
    -- when it was deleted; null while it lives
    deleted_us bigint
);

-- Who may do what in a project.
create table member (
    project_id uuid not null references project (id) on delete cascade,
    user_id uuid not null references users (id) on delete cascade,
    -- owner, editor, commenter or viewer
    role text not null,
    created_us bigint not null,
    primary key (project_id, user_id)
);

create index member_user_id on member (user_id);

-- Links by which people become members.
create table invite (
    id uuid primary key,
    project_id uuid not null references project (id) on delete cascade,
    -- SHA-256 of the link's secret
    hash bytea not null unique,
    -- the role it gives
    role text not null,
    created_by uuid not null references users (id),
    created_us bigint not null,
    -- null: never expires
    expires_us bigint,
    -- null: any number of times
    max_uses bigint,
    uses bigint not null
);

create index invite_project_id on invite (project_id);

-- Short-lived tokens that open sockets and the API of one project.
create table project_token (
    -- SHA-256 of the token
    hash bytea primary key,
    project_id uuid not null references project (id) on delete cascade,
    -- who acts with it
    user_id uuid not null references users (id) on delete cascade,
    -- whose right it borrows: the token never allows more than this member may do at the time of use
    issuer_id uuid not null references users (id) on delete cascade,
    -- the most it allows
    role text not null,
    created_us bigint not null,
    expires_us bigint not null
);

create index project_token_expires_us on project_token (expires_us);
