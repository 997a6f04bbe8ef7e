-- 1: what the assistant proposes in it is applied at once, and may be undone as a whole
alter table conversation add column applies bigint not null default 0;

-- What a model found in a document, the latest time that it was asked.
create table document_analysis (
    document_id uuid primary key references document (id) on delete cascade,
    -- where its log stood
    head bigint not null,
    -- what people call the model
    model text not null,
    -- who asked for it
    user_id uuid not null references users (id),
    -- JSON, by the schema that the API describes
    findings text not null,
    created_us bigint not null
);
