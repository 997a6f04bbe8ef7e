-- Answers of the assistant: each time one was begun, for whom, and what it took.
create table assistant_run (
    id uuid primary key,
    project_id uuid not null references project (id) on delete cascade,
    conversation_id uuid not null references conversation (id) on delete cascade,
    -- the answer; one that is given again has a run for each time
    message_id uuid not null,
    -- whose question it answers, by whose rights
    user_id uuid not null references users (id),
    -- the run of a server that gives it; what a killed one left open is ended by others
    server_run uuid not null,
    -- when that server last said that it still does
    beat_us bigint not null,
    created_us bigint not null,
    -- null while it waits or is being given
    ended_us bigint
);

create index assistant_run_user_id on assistant_run (user_id, created_us);
create index assistant_run_project_id on assistant_run (project_id);
create index assistant_run_conversation_id on assistant_run (conversation_id);
create index assistant_run_beat_us on assistant_run (ended_us, beat_us);

-- What answers took, summed for each day, person and model.
create table assistant_usage (
    project_id uuid not null references project (id) on delete cascade,
    -- days since 1970, in UTC
    day bigint not null,
    user_id uuid not null references users (id),
    -- what people call the model
    model text not null,
    runs bigint not null,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    -- millionths of a dollar; 0 for a model of unknown price
    cost_micros bigint not null,
    -- tokens in the above whose price is unknown
    unpriced_tokens bigint not null,
    primary key (project_id, day, user_id, model)
);

create index assistant_usage_user_id on assistant_usage (user_id, day);

-- What was said in a conversation up to a message, in short: what the assistant reads instead of it.
create table conversation_summary (
    conversation_id uuid primary key references conversation (id) on delete cascade,
    -- number of the last message in it
    seq bigint not null,
    body text not null,
    -- who wrote it
    model text not null,
    created_us bigint not null
);
