const guests = document.querySelector('#guests')

document.querySelector('#more').addEventListener('click', () => {
  guests.textContent = Number(guests.textContent) + 1
  console.log(`${guests.textContent} at the table`)
})
