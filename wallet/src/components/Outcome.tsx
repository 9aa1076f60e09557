import type { ReactNode } from "react";
import { useLocale } from "../i18n/locale";
import { Icon } from "./Icon";

interface OutcomeProps {
  children: ReactNode;
  /** What is shown says enough without the sign of success. */
  isSilent?: boolean;
  onClose(): void;
}

/** The end of a sheet: it worked, in one sentence. */
export function Outcome({ children, isSilent = false, onClose }: OutcomeProps) {
  const { messages } = useLocale();
  return (
    <div className="outcome" role="status">
      {!isSilent && (
        <span className="outcome-sign">
          <Icon name="tick" size={32} />
        </span>
      )}
      <div className="outcome-text">{children}</div>
      <button type="button" className="button button-full" autoFocus onClick={onClose}>
        {messages.done}
      </button>
    </div>
  );
}
