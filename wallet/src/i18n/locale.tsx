/** The member's language: chosen once, remembered, and handed to every component. */
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { en, type Messages } from "./en";
import { ko } from "./ko";

export const LANGUAGES = { en: "English", ko: "한국어" } as const;
export type Language = keyof typeof LANGUAGES;

const MESSAGES: Record<Language, Messages> = { en, ko };
const REMEMBERED = "moa.language";

export interface Locale {
  language: Language;
  messages: Messages;
  choose(language: Language): void;
}

const LocaleContext = createContext<Locale | null>(null);

/** The remembered language, else the first one of the browser's that we speak, else English. */
export function firstLanguage(remembered: string | null, wished: readonly string[]): Language {
  for (const name of [remembered ?? "", ...wished]) {
    const short = name.slice(0, 2).toLowerCase();
    if (short in MESSAGES) return short as Language;
  }
  return "en";
}

export function LocaleProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(() => firstLanguage(localStorage.getItem(REMEMBERED), navigator.languages));

  useEffect(() => {
    document.documentElement.lang = language;
    document.title = `${MESSAGES[language].title} · Moa`;
  }, [language]);

  const locale = useMemo<Locale>(
    () => ({
      language,
      messages: MESSAGES[language],
      choose(chosen) {
        localStorage.setItem(REMEMBERED, chosen);
        setLanguage(chosen);
      },
    }),
    [language],
  );
  return <LocaleContext value={locale}>{children}</LocaleContext>;
}

export function useLocale(): Locale {
  const locale = useContext(LocaleContext);
  if (locale === null) throw new Error("useLocale outside LocaleProvider");
  return locale;
}
