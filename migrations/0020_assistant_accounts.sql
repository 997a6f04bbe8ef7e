-- Runs of the assistant, anew: what is asked for outside of conversations is one too, and what is set aside for a request
-- stands with it, so that it can be settled when the server is killed meanwhile.
create table assistant_run_anew (
    id uuid primary key,
    project_id uuid not null references project (id) on delete cascade,
    -- null for what is asked outside of conversations
    conversation_id uuid references conversation (id) on delete cascade,
    -- the answer, which has a run for each time it is given; null for the same
    message_id uuid,
    -- whose question it answers, by whose rights
    user_id uuid not null references users (id),
    -- the run of a server that gives it; what a killed one left open is ended by others
    server_run uuid not null,
    -- when that server last said that it still does
    beat_us bigint not null,
    created_us bigint not null,
    -- null while it waits or is being given
    ended_us bigint,
    -- the model that is being asked; null between two requests
    model text,
    -- the day whose budgets the request counts for, as days since 1970; null between two requests
    held_day bigint,
    -- tokens that the request reads, as they are estimated
    asked_tokens bigint not null default 0,
    -- tokens that are set aside for the request and its answer
    held_tokens bigint not null default 0,
    -- the same in millionths of a dollar; 0 for a model of unknown price
    held_micros bigint not null default 0
);

insert into assistant_run_anew (id, project_id, conversation_id, message_id, user_id, server_run, beat_us, created_us, ended_us)
select id, project_id, conversation_id, message_id, user_id, server_run, beat_us, created_us, ended_us from assistant_run;

drop table assistant_run;
alter table assistant_run_anew rename to assistant_run;

create index assistant_run_user_id on assistant_run (user_id, created_us);
create index assistant_run_project_id on assistant_run (project_id);
create index assistant_run_conversation_id on assistant_run (conversation_id);
create index assistant_run_message_id on assistant_run (message_id);
create index assistant_run_beat_us on assistant_run (ended_us, beat_us);

-- What counts against a budget of a day: what was used, and what is set aside for requests that are not answered yet.
create table assistant_account (
    -- a project or a person
    owner_id uuid not null,
    -- days since 1970, in UTC
    day bigint not null,
    tokens bigint not null,
    -- millionths of a dollar, of models whose price is known
    micros bigint not null,
    primary key (owner_id, day)
);

create index assistant_account_day on assistant_account (day);

insert into assistant_account (owner_id, day, tokens, micros)
select project_id, day, sum(prompt_tokens + completion_tokens), sum(cost_micros) from assistant_usage group by project_id, day;
insert into assistant_account (owner_id, day, tokens, micros)
select user_id, day, sum(prompt_tokens + completion_tokens), sum(cost_micros) from assistant_usage group by user_id, day;

-- How far the assistant has heard the feed of a project, at any server; what is behind it is heard at the next start.
create table assistant_heard (
    project_id uuid primary key references project (id) on delete cascade,
    -- number of the last event that was heard
    seq bigint not null
);

insert into assistant_heard (project_id, seq) select project_id, head from feed_head;

-- number of the first message that is told in it; what is before it is not
alter table conversation_summary add column first_seq bigint not null default 1;
