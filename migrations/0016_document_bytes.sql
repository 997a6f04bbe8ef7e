-- What the documents of a project take, and what they may take.

-- bytes of the last snapshot and of the rows after it, written with them. Not bigint, so that the sum of many is one on
-- both engines
alter table document_head add column bytes integer not null default 0;

update document_head set bytes =
    coalesce((
        select length(s.bytes) from document_snapshot s
        where s.document_id = document_head.document_id order by s.seq desc limit 1), 0)
    + coalesce((
        select sum(length(u.bytes)) from document_update u
        where u.document_id = document_head.document_id and u.seq > coalesce((
            select max(s.seq) from document_snapshot s where s.document_id = document_head.document_id), 0)), 0);

-- what an operator allows a project instead of the server's limit, in bytes; null: that
alter table project add column document_bytes_max bigint;
