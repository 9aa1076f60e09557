/** The member's session: arrives in the link, lives in this tab, and leaves the address bar at once. */

const KEPT = "moa.session";

/**
 * The token of `#session=…`, else the one this tab already holds, else null.
 * Takes it out of the address, so that it is in no bookmark, no screenshot and no history.
 */
export function takeSession(): string | null {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("session");
  if (token !== null) {
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
    if (token !== "") sessionStorage.setItem(KEPT, token);
  }
  return sessionStorage.getItem(KEPT);
}

export function dropSession(): void {
  sessionStorage.removeItem(KEPT);
}

/** Calls back when a link with a session is opened in a tab that already shows the wallet. */
export function onSessionLink(opened: () => void): () => void {
  const heard = () => {
    if (window.location.hash.startsWith("#session=")) opened();
  };
  window.addEventListener("hashchange", heard);
  return () => window.removeEventListener("hashchange", heard);
}
