import { LANGUAGES, useLocale, type Language } from "../i18n/locale";
import { Mark } from "../ui/Icon";

/** The head of every page: whose it is, and in which language. */
export function Header() {
  return (
    <header className="header">
      <span className="wordmark">
        <Mark />
        moa
      </span>
      <LanguageSwitch />
    </header>
  );
}

function LanguageSwitch() {
  const { language, messages, choose } = useLocale();
  return (
    <div className="switch" role="group" aria-label={messages.language}>
      {(Object.keys(LANGUAGES) as Language[]).map((one) => (
        <button key={one} type="button" lang={one} aria-pressed={one === language} onClick={() => choose(one)}>
          {LANGUAGES[one]}
        </button>
      ))}
    </div>
  );
}
