/**
 * What a block commits to: RLP, headers, tries, receipts. The ground on which verify.ts holds claims.
 * Hex without 0x stands for bytes throughout: it compares, slices and concatenates.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

export class Refused extends Error {
  constructor(readonly error: string, detail: string, readonly claim?: number) { super(detail); }
}
export const fail = (error: string, detail: string): never => { throw new Refused(error, detail); };
export const bad = (why: string): never => fail("ProofInvalid", why);
export const keccak = (hex: string) => bytesToHex(keccak_256(hexToBytes(hex)));
export const keccakText = (text: string) => bytesToHex(keccak_256(utf8ToBytes(text)));
export const big = (hex: string) => BigInt("0x0" + hex);
export const word = (value: bigint) => value.toString(16).padStart(64, "0");
export const bits = (value: bigint, at: number, count: number) => (value >> BigInt(at)) & ((1n << BigInt(count)) - 1n);
export const raw = (text: string) => text.slice(2);

/** Ed25519 without the cofactor, by which noble multiplies: else a signature could count here and nowhere else. */
export function signs(key: string, signature: string, message: Uint8Array): boolean {
  try {
    if (!ed25519.verify(hexToBytes(signature), message, hexToBytes(key), { zip215: false })) return false;
    const { Point } = ed25519, at = signature.slice(0, 64), number = (bytes: Uint8Array) => big(bytesToHex(bytes.slice().reverse()));
    const challenge = number(sha512(new Uint8Array([...hexToBytes(at + key), ...message]))) % Point.Fn.ORDER;
    if (Point.fromHex(at).isSmallOrder()) return false;
    const sum = Point.fromHex(at).add(Point.fromHex(key).multiplyUnsafe(challenge));
    return Point.BASE.multiplyUnsafe(number(hexToBytes(signature.slice(64)))).equals(sum);
  } catch { return false; }
}

/* RLP, one level at a time, strictly. */
type Item = { list: boolean; payload: string; raw: string };
export function items(hex: string): Item[] {
  const found: Item[] = [];
  for (let at = 0, end = 0; at < hex.length; at = end) {
    const head = parseInt(hex.slice(at, at + 2), 16), list = head >= 0xc0, single = head < 0x80;
    let size = single ? 1 : head - (list ? 0xc0 : 0x80), start = single ? at : at + 2;
    if (!single && size > 55) {
      start += 2 * (size - 55);
      size = parseInt(hex.slice(at + 2, start), 16);
      if (start > hex.length || hex.startsWith("00", at + 2) || size < 56) bad("a length is not minimal");
    }
    end = start + 2 * size;
    if (end > hex.length || (!single && !list && size === 1 && hex[start]! < "8")) bad("the data ends, or a byte has a prefix");
    found.push({ list, payload: hex.slice(start, end), raw: hex.slice(at, end) });
  }
  return found;
}
const whole = (all: Item[]): Item => (all.length === 1 ? all[0]! : bad("one item was expected"));
const listOf = (one: Item | undefined): Item[] => (one?.list ? items(one.payload) : bad("a list was expected"));
export const listed = (hex: string): Item[] => listOf(whole(items(hex)));
export const str = (one: Item | undefined, size?: number): string =>
  !one || one.list || (size !== undefined && one.payload.length !== 2 * size) ? bad("no such string") : one.payload;
const num = (one: Item | undefined, most: number): bigint =>
  str(one).length > 2 * most || str(one).startsWith("00") ? bad("this is no number") : big(str(one));

/* Headers and trie nodes. */
export type Header = { number: bigint; hash: string; parent: string; bloom: bigint; time: bigint; state: string; receipts: string; txs: string };
export function header(hex: string): Header {
  try {
    const all = listed(hex);
    if (all.length < 15 || all.length > 21 || all.some((one) => one.list)) bad("a header has 15 to 21 strings");
    return {
      number: num(all[8], 8), hash: keccak(hex), parent: str(all[0], 32), bloom: big(str(all[6], 256)), time: num(all[11], 8),
      state: str(all[3], 32), txs: str(all[4], 32), receipts: str(all[5], 32),
    };
  } catch (error) { return fail("HeaderInvalid", String(error)); }
}
export function mask(hex: string): bigint {
  const digest = keccak(hex);
  return [0, 4, 8].reduce((sum, at) => sum | (1n << (big(digest.slice(at, at + 4)) % 2048n)), 0n);
}
const EMPTY_ROOT = keccak("80");
export class Ground {
  readonly nodes = new Map<string, string>();
  readonly unused = new Set<string>();
  constructor(readonly headers: Map<string, Header>, readonly block: Header, nodes: string[]) {
    let last = "";
    for (const [hash, node] of nodes.map((one) => [keccak(raw(one)), raw(one)] as const)) {
      if (hash <= last) fail("NodesUnsorted", `node ${hash} does not stand after the one before it`);
      last = hash;
      this.nodes.set(hash, node);
      this.unused.add(hash);
    }
  }
  header = (number: bigint): Header => this.headers.get(String(number)) ?? fail("HeaderMissing", `of block ${number}`);
  account(address: string): { root: string; code: string } {
    const parts = listed(this.get(this.block.state, keccak(address)) ?? fail("AccountAbsent", address));
    return parts.length === 4 ? { root: str(parts[2], 32), code: str(parts[3], 32) } : bad("an account has four parts");
  }
  storage(address: string, slot: bigint): bigint {
    const value = this.get(this.account(address).root, keccak(word(slot % (1n << 256n))));
    return value === null ? 0n : num(whole(items(value)), 32);
  }
  indexed(root: string, index: bigint): string | null {
    const hex = index ? index.toString(16) : "", data = hex.length % 2 ? "0" + hex : hex;
    return this.get(root, data.length === 2 && data < "80" ? data : (128 + data.length / 2).toString(16) + data);
  }
  get(root: string, path: string): string | null {
    if (root === EMPTY_ROOT) return null;
    for (let hex = this.node(root), child: Item; ; hex = child.list ? child.raw : this.node(str(child, 32))) {
      const node = listed(hex);
      if (node.length === 17) {
        if (path === "") return str(node[16]) || null;
        child = node[parseInt(path[0]!, 16)]!;
        path = path.slice(1);
        if (child.raw === "80") return null;
      } else {
        const digits = node.length === 2 ? str(node[0]) : "", part = digits.slice(/^[13]/.test(digits) ? 1 : 2);
        if (!/^([13]|[02]0)/.test(digits) || (part === "" && digits < "2")) bad("a node has no such form");
        if (digits >= "2") return path !== part ? null : str(node[1]) || bad("a leaf without a value");
        if (!path.startsWith(part)) return null;
        child = node[1]!;
        path = path.slice(part.length);
      }
      if (child.list && child.raw.length > 62) bad("a node of 32 bytes or more is named by its hash");
    }
  }
  node(hash: string): string {
    this.unused.delete(hash);
    return this.nodes.get(hash) ?? fail("NodeMissing", `there is no node ${hash}`);
  }
}

/* Receipts and events. */
export type Log = { position: number; address: string; topics: string[]; data: string };
export function receiptParts(hex: string): Item[] {
  const parts = listed(hex !== "" && hex < "8" ? raw(hex) : hex);
  return parts.length === 4 && parts[3]!.list ? parts : bad("a receipt is status, gas, bloom and logs");
}
function holds(hex: string, part: string): boolean {
  let at = hex.indexOf(part);
  while (at % 2 === 1) at = hex.indexOf(part, at + 1); // Only whole bytes count; not found is -1.
  return at >= 0;
}
export function* logs(receipt: string, naming = ""): Generator<Log> {
  if (!holds(receipt, naming)) return;
  for (const [position, one] of listOf(receiptParts(receipt)[3]).entries()) {
    if (!holds(one.raw, naming)) continue;
    const parts = listed(one.raw);
    if (parts.length !== 3) bad("a log is address, topics and data");
    yield { position, topics: listOf(parts[1]).map((topic) => str(topic, 32)), address: str(parts[0], 20), data: str(parts[2]) };
  }
}
