const button = document.querySelector('#count')
let pressed = 0

button.addEventListener('click', () => {
  pressed += 1
  button.textContent = `Pressed ${pressed} ${pressed === 1 ? 'time' : 'times'}`
  console.log(button.textContent)
})
