-- A shop that lends books.

create table book (
  id integer primary key,
  title text not null,
  author text not null
);

create table loan (
  id integer primary key,
  book_id integer not null references book (id),
  reader text not null,
  lent_on text not null,
  back_on text
);

create index loan_by_book on loan (book_id);
