// Starts the page.

import { mount } from 'svelte'
import App from './App.svelte'
import { startRouter } from './router.ts'
import { applyTheme } from './theme.ts'
import './theme.css'

applyTheme()
startRouter()
mount(App, { target: document.getElementById('app') ?? document.body })
