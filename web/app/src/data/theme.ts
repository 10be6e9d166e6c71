// Light or dark: the system's choice, or the one made here, which is remembered.
import { Store } from "./store";

export type Theme = "light" | "dark" | "system";
const kKey = "fanfare-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function remembered(): Theme {
  try {
    const value = localStorage.getItem(kKey);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system"; // storage may be forbidden
  }
}

export const theme = new Store<Theme>(remembered());
export const shownTheme = new Store<"light" | "dark">("light");

function apply(): void {
  const chosen = theme.get();
  const shown = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
  document.documentElement.dataset["theme"] = shown;
  shownTheme.set(shown);
}

export function choose(next: Theme): void {
  theme.set(next);
  try {
    if (next === "system") localStorage.removeItem(kKey);
    else localStorage.setItem(kKey, next);
  } catch {
    // it then holds for this page only
  }
  apply();
}

dark.addEventListener("change", apply);
apply();
