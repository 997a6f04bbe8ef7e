-- 1: it is counted among the answers of its day already, whatever else it asks
alter table assistant_run add column counted bigint not null default 0;
