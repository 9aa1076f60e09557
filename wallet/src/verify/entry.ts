import type { Contracts, Told, Verdict } from "./verify";

/** Why a bundle is not proven of the block and the contracts that the reader names; null when it is. */
export function doubtOf(
  data: Uint8Array, pin: string, contracts: Contracts, verify: (data: Uint8Array, options: { pin: string } & Contracts) => Verdict,
): string | null {
  const { verdict, error } = verify(data, { pin, ...contracts });
  return verdict === "proven" ? null : error ?? verdict;
}

/**
 * Whether the proven events of a block tell of an entry: its contract told something of the account, and its points are
 * what an event says, or what all of a transaction's transfers of one token come to (points given back may be two).
 */
export function tellsOf(events: Told[], points: string, contract: string | null | undefined): boolean {
  const emitter = contract?.toLowerCase();
  if (!events.some(({ address }) => emitter === undefined || address === emitter)) return false;
  const wanted = BigInt(points), amount = String(wanted < 0n ? -wanted : wanted);
  if (wanted === 0n || events.some(({ fields }) => fields.some(({ value }) => value === amount))) return true;
  const net = new Map<string, bigint>();
  for (const { address, event, index, fields, account } of events) {
    if (event !== "Transfer") continue;
    const [from, to, value] = fields.map((field) => field.value) as [string, string, string];
    const moved = (to === account ? BigInt(value) : 0n) - (from === account ? BigInt(value) : 0n);
    net.set(address + index, (net.get(address + index) ?? 0n) + moved);
  }
  return [...net.values()].includes(wanted);
}
