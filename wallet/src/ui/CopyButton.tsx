import { useEffect, useState } from "react";
import { useLocale } from "../i18n/locale";
import { Icon } from "./Icon";

const THANKS_MS = 2000;

/** Copies a text, and says so where one is looking. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const { messages } = useLocale();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), THANKS_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return (
    <button
      type="button"
      className="copy"
      aria-label={isCopied ? messages.copied : messages.copy(label)}
      onClick={() => void copyText(text).then(setCopied)}
    >
      <Icon name={isCopied ? "tick" : "copy"} size={18} />
    </button>
  );
}

/** True when the text is on the clipboard. A page that is not served securely has no clipboard of its own. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
