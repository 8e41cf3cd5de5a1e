export type Theme = "system" | "light" | "dark";

const STORED_AS = "lendbuf.theme";

/** Runs before the first paint; its hash stands in the page's Content-Security-Policy. */
export const APPLY_THEME = `try{var t=localStorage.getItem("${STORED_AS}");if(t)document.documentElement.dataset.theme=t}catch{}`;

export function storedTheme(): Theme {
  const { theme } = document.documentElement.dataset;
  return theme === "light" || theme === "dark" ? theme : "system";
}

export function chooseTheme(theme: Theme): void {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(STORED_AS);
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(STORED_AS, theme);
  }
}
