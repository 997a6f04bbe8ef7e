// Light, dark, or as the system has it. The colours themselves are light-dark() tokens in theme.css.

export type Theme = 'system' | 'light' | 'dark'

const KEY = 'coterie-theme'

export function currentTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY)
    return kept === 'light' || kept === 'dark' ? kept : 'system'
  } catch {
    return 'system'
  }
}

export function applyTheme(theme: Theme = currentTheme()): void {
  document.documentElement.style.colorScheme = theme === 'system' ? 'light dark' : theme
  try {
    if (theme === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, theme)
  } catch {
    // Chosen for this visit only.
  }
}
