/** The history as lines in their order: what is on its way, what has just ended, then entries under their periods. */
import type { Balance, Entry } from "../api/types";
import type { Intention } from "../intentions/intention";
import { unitsOrNone } from "../money/points";
import { ownedChange } from "./facts";

export type Row =
  | { what: "wish"; id: string; intention: Intention; heading: string | null }
  /** Points that ended at their second; their line on the chain comes with the next block. */
  | { what: "ended"; id: string; balance: Balance; heading: string | null }
  | { what: "entry"; id: string; entry: Entry; heading: string | null };

export interface RowsAsked {
  entries: readonly Entry[];
  balances: readonly Balance[];
  intentions: readonly Intention[];
  /** Only this brand's; all of them when null. */
  brand: string | null;
  /** The block that the view shows: what is confirmed in it has its entry. */
  block: number;
  periodOf(entry: Entry): string;
  wishesText: string;
}

export function rowsOf({ entries, balances, intentions, brand, block, periodOf, wishesText }: RowsAsked): Row[] {
  const isShown = (slug: string) => brand === null || brand === slug;
  const rows: Row[] = [];
  const push = (row: Row, period: string) => {
    const heading = period === last ? null : period;
    last = period;
    rows.push({ ...row, heading });
  };
  let last: string | null = null;
  for (const intention of intentions) {
    if (isShown(intention.request.brand) && !hasEntry(intention, block)) {
      push({ what: "wish", id: `wish-${intention.key}`, intention, heading: null }, wishesText);
    }
  }
  for (const balance of balances) {
    if (isShown(balance.brand.slug) && unitsOrNone(balance.expired) > 0n) {
      push({ what: "ended", id: `ended-${balance.brand.slug}`, balance, heading: null }, wishesText);
    }
  }
  for (const entry of entries) {
    if (isShown(entry.brand.slug)) push({ what: "entry", id: entry.id, entry, heading: null }, periodOf(entry));
  }
  return rows;
}

/** Whether the history tells by an entry what became of it; what was dropped was never part of it. */
function hasEntry({ state, block: at }: Intention, block: number): boolean {
  return state === "withdrawn" || (state === "confirmed" && (at === null || at <= block));
}

/** What the lines of a brand make up: its balance, to spend and on hold, once all of them are there. */
export function sumOf(rows: readonly Row[], slug: string): bigint {
  let sum = 0n;
  for (const row of rows) {
    if (row.what === "entry" && row.entry.brand.slug === slug) sum += ownedChange(row.entry) ?? 0n;
    if (row.what === "ended" && row.balance.brand.slug === slug) sum -= unitsOrNone(row.balance.expired);
  }
  return sum;
}
