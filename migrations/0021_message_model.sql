-- the model that is to answer it, by the name that the settings give it; null for the persona's or the default one
alter table message add column model text;
