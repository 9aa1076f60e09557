/** The last figures that this device has seen of a session, for when nobody can be asked. */
import type { Entry, Hold, MemberView } from "../api/types";

/** So many of the newest entries are kept. */
export const KNOWN_ENTRIES_MAX = 50;

export interface Known {
  /** Which session saw them: a hash of its token, never the token. */
  session: string;
  view: MemberView;
  entries: Entry[];
  /** What was set aside then: a till may take it while this device is offline. */
  holds?: readonly Hold[];
  /** When they were heard, in ms of this device's clock. */
  at: number;
}

/** A name for a session from which nobody can make the session. */
export async function sessionName(token: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
