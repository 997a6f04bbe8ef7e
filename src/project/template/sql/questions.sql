-- What is out, and with whom?
select book.title, loan.reader, loan.lent_on
from loan join book on book.id = loan.book_id
where loan.back_on is null
order by loan.lent_on;

-- What is lent most often?
select book.title, count(loan.id) as times
from book left join loan on loan.book_id = book.id
group by book.id
order by times desc, book.title;
