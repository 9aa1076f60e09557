import type { ReactNode } from "react";
import { useLocale } from "../i18n/locale";
import { Icon, type IconName } from "./Icon";

/** The four things that may be said of what somebody wanted; never anything in between. */
export type Ending = "confirmed" | "settling" | "refused" | "unknown";

const SIGNS: Record<Ending, IconName> = { confirmed: "tick", settling: "hold", refused: "cross", unknown: "question" };

interface OutcomeProps {
  ending: Ending;
  /** A word of its own for it. */
  word?: string;
  /** One sentence: what happened, or what is known. */
  children: ReactNode;
  note?: ReactNode;
  /** What else can be done; without anything, closing is all there is. */
  actions?: ReactNode;
  onClose(): void;
}

/** How something stands: a sign, a word, a sentence. The sign of success is for what is confirmed alone. */
export function Outcome({ ending, word, children, note, actions, onClose }: OutcomeProps) {
  const { messages } = useLocale();
  return (
    <div className="outcome" role="status" data-ending={ending}>
      <span className="outcome-sign">
        <Icon name={SIGNS[ending]} size={32} />
      </span>
      <p className="outcome-word">{word ?? messages.endings[ending]}</p>
      <div className="outcome-text">{children}</div>
      {note !== undefined && <p className="outcome-note">{note}</p>}
      <div className="outcome-actions">
        {actions}
        <button
          type="button"
          className={actions === undefined ? "button button-full" : "button button-quiet"}
          autoFocus={actions === undefined}
          onClick={onClose}
        >
          {actions === undefined ? messages.done : messages.close}
        </button>
      </div>
    </div>
  );
}
