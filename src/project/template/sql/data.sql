insert into book (id, title, author) values
  (1, 'The Dispossessed', 'Ursula K. Le Guin'),
  (2, 'Middlemarch', 'George Eliot'),
  (3, 'Invisible Cities', 'Italo Calvino');

insert into loan (book_id, reader, lent_on, back_on) values
  (1, 'Ann', '2026-01-12', '2026-02-02'),
  (1, 'Ben', '2026-02-10', null),
  (3, 'Ann', '2026-02-11', null);
