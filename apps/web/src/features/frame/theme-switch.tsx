"use client";
import { Monitor, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { chooseTheme, storedTheme, type Theme } from "../../ui/theme.ts";

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const ICONS = { system: Monitor, light: Sun, dark: Moon };
const WORDS: Record<Theme, string> = { system: "as the system has it", light: "light", dark: "dark" };

export function ThemeSwitch({ className }: { className: string }) {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const Icon = ICONS[theme];
  const words = `Colours: ${WORDS[theme]}. Change to ${WORDS[NEXT[theme]]}`;
  return (
    <button
      type="button"
      className={className}
      aria-label={words}
      title={words}
      onClick={() => {
        chooseTheme(NEXT[theme]);
        setTheme(NEXT[theme]);
      }}
    >
      <Icon size={16} aria-hidden />
    </button>
  );
}
