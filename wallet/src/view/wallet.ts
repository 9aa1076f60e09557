/** What the wallet knows: one value, changed only by facts, in one pure function. */
import type { AsOf, Balance, Entry, EntryPage, MemberView } from "../api/types";
import type { StreamState } from "../live/stream";
import { unitsOrNone } from "../money/points";
import type { Known } from "./known";

export interface Wallet {
  view: MemberView | null;
  /** When `view.as_of` was heard, by this device's steady clock, in ms. */
  heardAt: number;
  /** When the gateway last gave a sign of life, by the same clock. */
  pulseAt: number;
  /** The figures are those that this device remembers; nobody has said anything newer yet. */
  isRemembered: boolean;
  stream: StreamState;
  brand: string | null;
  /** Newest first. Null until the first page has come. */
  entries: Entry[] | null;
  /** The brand was just chosen, or all was reset: `entries` are what was at hand, until the newest page comes. */
  isPassing: boolean;
  /** How often the gateway's numbering was another one: what was read before counts no more. */
  resets: number;
  cursor: string | null;
  /** Entries that came while the member looked on: they slide in and are announced. */
  arrived: ReadonlySet<string>;
}

export type Fact =
  | { fact: "view"; view: MemberView; now: number }
  | { fact: "block"; as_of: AsOf; now: number }
  | { fact: "known"; known: Known; now: number; wall: number }
  | { fact: "pulse"; now: number }
  | { fact: "stream"; state: StreamState; now: number }
  | { fact: "brand"; brand: string | null }
  | { fact: "reset" }
  | { fact: "head"; brand: string | null; page: EntryPage }
  | { fact: "more"; brand: string | null; after: string; page: EntryPage }
  | { fact: "entry"; entry: Entry };

export const EMPTY: Wallet = {
  view: null,
  heardAt: 0,
  pulseAt: 0,
  isRemembered: false,
  stream: "connecting",
  brand: null,
  entries: null,
  isPassing: false,
  resets: 0,
  cursor: null,
  arrived: new Set(),
};

export function learn(wallet: Wallet, fact: Fact): Wallet {
  switch (fact.fact) {
    case "view":
      if (isEarlier(fact.view.as_of, wallet)) return { ...wallet, pulseAt: fact.now };
      return { ...wallet, view: fact.view, heardAt: fact.now, pulseAt: fact.now, isRemembered: false };
    case "block":
      if (wallet.view === null || wallet.isRemembered || isEarlier(fact.as_of, wallet)) return { ...wallet, pulseAt: fact.now };
      return { ...wallet, view: { ...wallet.view, as_of: fact.as_of }, heardAt: fact.now, pulseAt: fact.now };
    case "stream":
      return { ...wallet, stream: fact.state, ...(fact.state === "live" ? { pulseAt: fact.now } : {}) };
    case "pulse":
      return { ...wallet, pulseAt: fact.now };
    case "known":
      return withKnown(wallet, fact.known, fact.now, fact.wall);
    case "brand":
      return withBrand(wallet, fact.brand);
    case "reset":
      // Nothing that was numbered before may be mixed with what comes: it is read again whole.
      return { ...wallet, resets: wallet.resets + 1, isPassing: true, cursor: null, arrived: new Set() };
    case "head":
      return fact.brand === wallet.brand ? withHead(wallet, fact.page) : wallet;
    case "more": {
      const isNext = fact.brand === wallet.brand && fact.after === wallet.cursor && !wallet.isPassing;
      if (!isNext || wallet.entries === null) return wallet;
      return { ...wallet, entries: [...wallet.entries, ...fact.page.entries], cursor: fact.page.next_cursor };
    }
    case "entry":
      return withEntry(wallet, fact.entry);
  }
}

/** A member never sees time go backwards, unless the chain itself says that it took blocks back. */
function isEarlier(as_of: AsOf, wallet: Wallet): boolean {
  const shown = wallet.view?.as_of.block_number ?? -1;
  return as_of.block_number < shown && !as_of.reorganised;
}

/** What the device remembers, until somebody says something: never over what was said. */
function withKnown(wallet: Wallet, { view, entries, at }: Known, now: number, wall: number): Wallet {
  if (wallet.view !== null) return wallet;
  const heardAt = now - Math.max(0, wall - at);
  return { ...wallet, view, entries: wallet.entries ?? entries, isPassing: wallet.entries === null, heardAt, isRemembered: true };
}

function withBrand(wallet: Wallet, brand: string | null): Wallet {
  const entries = wallet.entries?.filter((entry) => brand === null || entry.brand.slug === brand) ?? null;
  return { ...wallet, brand, entries, isPassing: true, cursor: null, arrived: new Set() };
}

/**
 * The newest page over what was known. Where they overlap, the page is right: states have moved on
 * and entries of a block that the chain took back are gone. Without overlap, only the page is sure.
 */
function withHead(wallet: Wallet, page: EntryPage): Wallet {
  if (wallet.isPassing || wallet.entries === null) {
    return { ...wallet, entries: page.entries, isPassing: false, cursor: page.next_cursor };
  }
  const known = wallet.entries;
  const last = page.entries.at(-1);
  const seam = last === undefined ? -1 : known.findIndex((entry) => entry.id === last.id);
  const isNew = (entry: Entry) => isNewer(entry, known[0]);
  const arrived = new Set([...wallet.arrived, ...page.entries.filter(isNew).map((entry) => entry.id)]);
  if (seam < 0) return { ...wallet, entries: page.entries, cursor: page.next_cursor, arrived };
  return { ...wallet, entries: [...page.entries, ...known.slice(seam + 1)], arrived };
}

function isNewer(entry: Entry, other: Entry | undefined): boolean {
  return other === undefined || unitsOrNone(entry.id) > unitsOrNone(other.id);
}

function withEntry(wallet: Wallet, entry: Entry): Wallet {
  const known = wallet.entries;
  // The newest page is on its way and holds it.
  if (known === null || wallet.isPassing || (wallet.brand !== null && wallet.brand !== entry.brand.slug)) return wallet;
  const at = known.findIndex((other) => other.id === entry.id);
  if (at >= 0) return { ...wallet, entries: known.with(at, entry) };
  const place = known.findIndex((other) => unitsOrNone(other.id) < unitsOrNone(entry.id));
  // Older than all that is shown: it belongs to a page not yet asked for.
  if (place < 0 && known.length > 0) return wallet;
  const entries = known.toSpliced(Math.max(place, 0), 0, entry);
  return { ...wallet, entries, arrived: new Set([...wallet.arrived, entry.id]) };
}

/** The balance at a brand, or undefined when the member holds none there. */
export function balanceAt(wallet: Wallet, slug: string): Balance | undefined {
  return wallet.view?.balances.find((balance) => balance.brand.slug === slug);
}
