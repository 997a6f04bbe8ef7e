-- Deleted documents are found by when they were deleted, and removed for good in that order.
create index document_deleted_us on document (deleted_us);
create index document_deleted on document (project_id, deleted_us);

-- what somebody made is counted
create index project_created_by on project (created_by);
