-- Who people are elsewhere, what acts in their name, and the log by which every server process hears that rights changed.

-- the person's name at GitHub when they last signed in; names there are reused, so at most one row keeps each
alter table users add column github_login text;
-- 1: was the first to sign in with GitHub, and looks after the server where no operators are named in the settings
alter table users add column operator bigint not null default 0;
-- when an operator shut the user out; null: may come in
alter table users add column suspended_us bigint;
-- of an application's own end user: whose application it is, and what the user is called there
alter table users add column external_of uuid references users (id);
alter table users add column external_id text;
-- caret colour that an application chose, #rrggbb; null: by the id
alter table users add column color text;

create unique index users_external on users (external_of, external_id);
create index users_github_login on users (github_login);

-- what a login is called in lists, where the cookie's digest has no business
alter table login add column id uuid;
alter table login add column created_us bigint;
-- the browser as it named itself
alter table login add column agent text;

create unique index login_id on login (id);

-- Sign-ins with GitHub that have begun: one row for each time a browser was sent there, taken away by its return.
create table sign_in (
    -- SHA-256 of the state that GitHub hands back
    hash bytea primary key,
    -- SHA-256 of the cookie of the browser that began it; no other browser can end it
    browser_hash bytea not null,
    -- the PKCE verifier, worth nothing without the code that only the browser gets
    verifier text not null,
    -- where to go afterwards, a path of our own
    next text not null,
    expires_us bigint not null
);

create index sign_in_expires_us on sign_in (expires_us);

-- the invite by which somebody is here in a project of visibility link; their access ends with it. Null: a member in their own right
alter table member add column by_link uuid;

-- what an operator allows a project instead of the server's limits; null: those
alter table project add column documents_max bigint;
alter table project add column blob_bytes_max bigint;

-- Keys by which programs act for whoever made them.
create table api_key (
    id uuid primary key,
    -- SHA-256 of the key
    hash bytea not null unique,
    user_id uuid not null references users (id) on delete cascade,
    -- what its owner calls it
    name text not null,
    -- its first characters, by which its owner recognises it
    prefix text not null,
    -- read, write, manage, act-for, admin; separated by spaces
    scopes text not null,
    created_us bigint not null,
    -- null: never expires
    expires_us bigint,
    -- when it was used last, to the minute; null: never
    used_us bigint
);

create index api_key_user_id on api_key (user_id);

-- the key that issued a token, which ends with it; null: issued from a browser
alter table project_token add column key_id uuid references api_key (id) on delete cascade;

-- Changes of rights in one order without gaps, given under the lock of the head row: whoever follows misses none.
create table rights_head (
    id bigint primary key,
    head bigint not null
);

insert into rights_head (id, head) values (1, 0);

create table rights_change (
    seq bigint primary key,
    -- where rights changed; null: everywhere
    project_id uuid,
    -- whose; null: everybody's
    user_id uuid,
    created_us bigint not null
);

-- Who did what to rights, keys and logins. Rows outlive what they name.
create table audit (
    -- sorts by time
    id uuid primary key,
    -- who did it; null: nobody who was signed in
    actor_id uuid references users (id),
    -- the project it concerns, if it concerns one
    project_id uuid,
    -- such as member.role or key.created
    action text not null,
    -- the id of the user, key, invite or document it was done to
    about text not null,
    -- more about it, as JSON
    detail text not null,
    created_us bigint not null
);

create index audit_project_id on audit (project_id, id);
