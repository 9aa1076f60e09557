import type { ReactNode } from "react";
import { Header } from "./Header";

/** A whole page that says one thing kindly, and what to do. */
export function Notice({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  return (
    <>
      <Header />
      <main className="notice">
        <div className="notice-art" aria-hidden="true">
          <span />
          <span />
          <span />
        </div>
        <h1>{title}</h1>
        <p>{text}</p>
        {children}
      </main>
    </>
  );
}
