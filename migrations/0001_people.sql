-- Forward only. The same text runs on SQLite and on Postgres: uuid and bytea are plain column types to both, times are
-- bigint microseconds since 1970 (…_us), there are no default times and no casts.

-- Everyone who can act. Named in the plural because `user` is a word of SQL.
create table users (
    -- the principal: what journal rows and clientID owners name
    id uuid primary key,
    -- shown to others; chosen by a guest, refreshed at sign-in otherwise
    name text not null,
    -- guest, person (signed in), external (an application's own end user) or assistant
    kind text not null,
    -- picture address, or null for initials
    avatar text,
    -- the identity provider's own id of a person; names there get renamed and reused, ids do not
    github_id bigint unique,
    -- the user a guest became at sign-in; resolved when read, rows that name the guest stay
    merged_into uuid references users (id),
    created_us bigint not null
);

create index users_merged_into on users (merged_into);

-- Signed-in browsers.
create table login (
    -- SHA-256 of the cookie's value, so that a dump of this table opens nothing
    hash bytea primary key,
    -- who is signed in; null until somebody is
    user_id uuid references users (id) on delete cascade,
    -- the login's values, as JSON
    data text not null,
    expires_us bigint not null
);

create index login_user_id on login (user_id);
create index login_expires_us on login (expires_us);
