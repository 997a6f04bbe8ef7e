-- Documents that cost a worker: at the second time their text functions are set aside until an operator releases them.
create table document_fault (
    document_id uuid primary key references document (id) on delete cascade,
    -- how many workers it cost
    crashes bigint not null,
    -- what happened last, in words for people
    reason text not null,
    -- 1: text functions answer 503
    set_aside bigint not null,
    noted_us bigint not null
);
