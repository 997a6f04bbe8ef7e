-- What was answered to requests that carried a key, so that one that is sent twice is carried out once.
create table request_once (
    user_id uuid not null references users (id) on delete cascade,
    -- SHA-256 of the key
    hash bytea not null,
    -- SHA-256 of what was asked: method, address and body
    asked bytea not null,
    -- null while it is being carried out, and for good where a server ended meanwhile
    status bigint,
    -- the answer's JSON; empty while there is none
    body text not null,
    created_us bigint not null,
    primary key (user_id, hash)
);

create index request_once_created_us on request_once (created_us);
