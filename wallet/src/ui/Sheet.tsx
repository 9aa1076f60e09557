import { useId, useLayoutEffect, useRef, type ReactNode } from "react";
import { useLocale } from "../i18n/locale";
import { Icon } from "./Icon";
import { useBack } from "./useBack";

interface SheetProps {
  title: string;
  onClose(): void;
  children: ReactNode;
}

/** A sheet over the page: the browser's own dialog, which keeps the focus in and closes on Escape and on Back. */
export function Sheet({ title, onClose, children }: SheetProps) {
  const { messages } = useLocale();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useBack(onClose);
  // Closed before it leaves the page: only then does the browser give the focus back to where it was.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.querySelector("input")?.focus();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="sheet"
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => event.target === dialog.current && onClose()}
    >
      <div className="sheet-body">
        <div className="sheet-head">
          <h2 id={heading}>{title}</h2>
          <button type="button" className="copy" aria-label={messages.close} onClick={onClose}>
            <Icon name="cross" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
