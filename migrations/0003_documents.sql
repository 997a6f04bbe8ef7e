create table document (
    id uuid primary key,
    project_id uuid not null references project (id) on delete cascade,
    -- where it is in the tree now; document_path knows every path it ever had
    path text not null,
    created_by uuid not null references users (id),
    created_us bigint not null,
    -- when it was deleted; null while it lives
    deleted_us bigint
);

create index document_project_id on document (project_id, path);

-- Whose a path is. A path whose document moved away is an alias of it; a path whose document was deleted is refused
-- until somebody creates it explicitly, which takes the row over.
create table document_path (
    project_id uuid not null references project (id) on delete cascade,
    path text not null,
    document_id uuid not null references document (id) on delete cascade,
    primary key (project_id, path)
);

create index document_path_document_id on document_path (document_id);
