-- The log of a project: what happened in it, in one contiguous order, given under the lock of its head row. An event is
-- written in the transaction of the change that it tells, so that what is seen here has happened.
create table feed_head (
    project_id uuid primary key references project (id) on delete cascade,
    -- sequence number of the last event
    head bigint not null
);

create table feed_event (
    project_id uuid not null references project (id) on delete cascade,
    -- 1, 2, 3, … without a gap
    seq bigint not null,
    -- the event's stable name, such as file.created
    kind text not null,
    -- who did it; null for the server itself
    actor_id uuid references users (id),
    -- the document, message or person it is about; null for the project itself
    subject_id uuid,
    -- what else it tells, as a JSON object
    data text not null,
    created_us bigint not null,
    primary key (project_id, seq)
);

create index feed_event_subject_id on feed_event (project_id, subject_id, seq);

-- The live meetings of projects: from the first participant to come until the last has left.
create table session (
    id uuid primary key,
    project_id uuid not null references project (id) on delete cascade,
    started_us bigint not null,
    -- null while somebody is there
    ended_us bigint
);

create index session_project_id on session (project_id, id);

-- Who was in a session, from when to when. Somebody who comes again has another row.
create table session_stay (
    id uuid primary key,
    session_id uuid not null references session (id) on delete cascade,
    user_id uuid not null references users (id),
    -- the run of a server that saw them; one that was killed leaves rows open, which others close
    run_id uuid not null,
    joined_us bigint not null,
    -- when that run last said that they are there; what an end is dated to that nobody saw
    seen_us bigint not null,
    -- null while they are there
    left_us bigint
);

create index session_stay_session_id on session_stay (session_id);
create index session_stay_left_us on session_stay (left_us, seen_us);
