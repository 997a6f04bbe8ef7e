-- Tokens end with what they were asked for with.

-- those of which it is not known; they would have lived for a day at most
delete from project_token where key_id is null;

-- the login that issued a token, which ends with it; null: issued with a key
alter table project_token add column login_hash bytea references login (hash) on delete cascade;

-- by which the tokens of a login or a key are found when it ends
create index project_token_login_hash on project_token (login_hash);
create index project_token_key_id on project_token (key_id);
