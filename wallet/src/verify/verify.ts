/**
 * Moa's second verifier, written from chain/evidence/FORMAT.md: bytes in, a verdict out; no network, no clock.
 * The tables of the format are in format.json, what a block commits to in ground.ts.
 */
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import format from "./format.json";
import {
  Ground, Refused, bad, big, bits, fail, header, keccak, keccakText, listed, logs, mask, raw, receiptParts, signs, str, word,
  type Header, type Log,
} from "./ground";

type Any = any; // A value of a document: its shape is checked before it is used.
type Block = { number: string; hash: string };
export type Verdict = {
  verdict: "proven" | "consistent" | "signed" | "fraud" | "finality_broken" | "refused"; error: string | null; detail?: string;
  claim?: number | undefined; block?: Block; time?: string; anchor?: Block; pinned?: boolean; signedBy?: string | null;
  registry?: string | undefined;
};

/* The envelope: shape, canonical form, digest, signature. */
const tables: Any = format;
const own = (table: Any, name: Any) => (typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined);
const patterns = Object.fromEntries(Object.entries(tables.patterns).map(([name, of]) => [name, new RegExp(`^(?:${of})$`, "u")]));
function fits(value: Any, shape: Any): boolean {
  if (Array.isArray(shape))
    return Array.isArray(value) && value.length >= shape[1] && value.length <= shape[2] && value.every((one) => fits(one, shape[0]));
  const pattern = own(patterns, shape);
  if (pattern) return typeof value === "string" && pattern.test(value) && !(shape === "bytes" && value.length % 2);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const fields = shape === "claim" ? own(tables.claims, value.type) : own(tables, shape) ?? own(tables.documents, shape) ?? shape;
  return typeof fields === "object" && Object.keys(value).length === Object.keys(fields).length &&
    Object.keys(fields).every((name) => Object.hasOwn(value, name) && fits(value[name], fields[name]));
}
export function canonical(value: Any): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}
function read(data: Uint8Array): Any {
  if (data.length > 32 * 1024 * 1024) fail("TooLarge", "a document has at most 32 MiB");
  let text = "", found: Any;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    found = JSON.parse(text);
  } catch { fail("Malformed", "this is no JSON"); }
  if (!own(tables.documents, found?.format) || !fits(found, found.format)) fail("Malformed", "not of the shape of its format");
  if (canonical(found) !== text) fail("NotCanonical", "the same document is written otherwise");
  for (const one of found.body.receipts?.map((receipt: Any) => receipt.body) ?? [found.body])
    if (!ascends((one.labels ?? one.content).map(({ name }: Any) => bytesToHex(utf8ToBytes(name))))) fail("NotCanonical", "names do not ascend");
  return sound(found);
}
/** Whether each is more than the one before: numbers, or texts of one alphabet. */
const ascends = (all: (string | bigint)[]): boolean => all.every((one, at) => at === 0 || all[at - 1]! < one);
function sound(found: Any): Any {
  const digest = keccakText(`${found.format}\n${canonical(found.body)}`), [signed] = found.signed;
  if (raw(found.digest) !== digest) fail("DigestWrong", "something was changed after the document was sealed");
  if (signed) {
    const message = new Uint8Array([...utf8ToBytes(`${found.format}\n`), ...hexToBytes(digest)]);
    if (!signs(raw(signed.key), raw(signed.signature), message)) fail("SignatureInvalid", `${signed.key} did not sign this`);
  }
  return found;
}

const EVENTS = new Map<string, { name: string; names: string[]; kinds: string[] }>(tables.events.map((line: string) => {
  const [signature, ...names] = line.split(" ") as [string], at = signature.indexOf("(");
  return [keccakText(signature), { name: signature.slice(0, at), names, kinds: signature.slice(at + 1, -1).split(",") }];
}));
function told(block: bigint, index: bigint, log: Log): Any {
  const shape = EVENTS.get(log.topics[0] ?? ""), hex = (name: string, value: string) => ({ name, value: "0x" + value });
  const place = { address: "0x" + log.address, block: `${block}`, index: `${index}`, log: `${log.position}` };
  if (!shape) return { ...place, event: "Unknown", fields: [hex("topics", log.topics.join("")), hex("data", log.data)] };
  const indexed = shape.names.filter((name) => name[0] === "*").length, rest = shape.names.length - indexed;
  const plain = shape.kinds.slice(indexed, indexed + rest).filter((kind) => /^(uint256|bool|address|bytes32)$/.test(kind)).length;
  if (log.topics.length !== 1 + indexed || log.data.length < 64 * plain || (plain === rest && log.data.length > 64 * plain))
    bad(`${shape.name} has other topics or data`);
  return { ...place, event: shape.name, fields: shape.names.flatMap((starred, at) => {
    const name = starred.replace("*", ""), kind = shape.kinds[at]!, from = 64 * (at - indexed);
    const value = at < indexed ? log.topics[at + 1]! : log.data.slice(from, at < indexed + plain ? from + 64 : undefined);
    if (name.includes("{")) return apart(shape.name, name.slice(name.indexOf("{") + 1, -1), big(value));
    if (/^(uint256|bool)$/.test(kind)) return { name, value: String(big(value)) };
    return hex(name, kind === "address" ? value.slice(24) : value);
  }) };
}

/** A word that holds several values, from the lowest bit up. */
function apart(event: string, parts: string, word: bigint): Any[] {
  let whole = word;
  const fields = parts.split(",").map((part) => {
    const [name, count] = part.split(":") as [string, string], value = bits(whole, 0, Number(count));
    whole >>= BigInt(count);
    return { name, value: String(value) };
  });
  return whole ? bad(`${event} holds more than its word has room for`) : fields;
}

/* Claims, held against what is proven. */
const number = (text: string): bigint => (BigInt(text) >> 256n ? fail("ClaimFalse", `${text} is too large`) : BigInt(text));
function same(what: string, ...both: [claimed: Any, proven: Any]): void {
  const [one, other] = both.map((value) => canonical(typeof value === "bigint" ? String(value) : value));
  if (one !== other) fail("ClaimFalse", `${what}: claimed ${one}, proven ${other}`);
}
const slot = (position: bigint, ...keys: string[]): bigint =>
  keys.reduce((at, key) => big(keccak(key.padStart(64, "0") + word(at))), position);
function climb(what: string, leaf: string, index: bigint, path: string[], root: string): void {
  if (index >> BigInt(path.length)) fail("ClaimFalse", `${what}: there is no leaf ${index}`);
  same(what, root, path.reduce((at, one, level) => keccak("01" + (bits(index, level, 1) ? raw(one) + at : at + raw(one))), leaf));
}
const FOLLOWED = ["LoyaltyToken", "RewardRules", "RedemptionDesk", "PartnerExchange"];
/** Contracts to which no storage of the registry leads: the reader names them, by these options. */
const NAMED: Record<string, "badges" | "governor"> = { Badges: "badges", ProgrammeGovernor: "governor" };
/** The address of a governor's Snapshots: the second contract that it makes. */
const madeBy = (governor: string): string => "0x" + keccak("d694" + raw(governor) + "02").slice(24);
const yes = (value: bigint | boolean): string => (value ? "yes" : "no");
const SELECTORS = ["award", "awardBatch"].map((name, many) =>
  keccakText(`${name}(uint256,(uint256,uint256,address,uint256)${many ? "[]" : ""})`).slice(0, 8));
class Known {
  contracts: Any = {};
  led: Any = {};
  registry: string | undefined;
  implementations: Any = {};
  tokens: Any = {};
  words: Any = {};
  rules: Any = {};
  /** What is held against the whole bundle in the end: places of names, awards (of event claims too), operations. */
  place = 0;
  namedAt: Any = {};
  awards: { place: number; said: Any; alone: boolean }[] = [];
  operations: Any = {};
  constructor(readonly ground: Ground) {}
  named(address: string, ...names: string[]): string {
    return names.includes(this.contracts[address]) ? raw(address) : fail("ContractUnknown", address);
  }
  /** The same of a contract that the registry leads to. */
  need(address: string, ...names: string[]): string {
    const found = this.named(address, ...names);
    return this.leads(address) ? found : fail("ContractUnknown", address);
  }
  leads(address: string): boolean {
    const name = this.contracts[address], all = Object.entries<string>(this.contracts);
    if (own(NAMED, name)) return all.filter(([, other]) => other === name).length === 1;
    if (name === "Snapshots") return all.some(([one, other]) => other === "ProgrammeGovernor" && madeBy(one) === address);
    return own(this.led, name) === address || (name === "LoyaltyToken" && Boolean(this.tokens[address]));
  }
  check(claim: Any, place: number): void { this.at(place, () => (this as Any)[claim.type](claim)); }
  at(place: number, act: () => void): void {
    this.place = place;
    try { act(); } catch (error) { throw error instanceof Refused ? new Refused(error.error, error.message, place) : error; }
  }
  /** What only the whole bundle tells: each award's rule, what belongs together, and every contract's name. */
  finish(): void {
    for (const { place, said } of this.awards) this.at(place, () => this.award(said));
    for (const { place, said } of this.awards.filter(({ alone }) => alone && Object.keys(this.operations).length))
      if (said.event === "Awarded" || said.event === "AwardRefused") {
        const claimed = this.operations[[said.address, said.fields[0].value, said.fields[1].value].join()];
        this.at(place, () => { if (!claimed) fail("ClaimFalse", "an award of an operation that is not claimed"); });
        const denied = said.event === "Awarded" && claimed.counted === "no" && BigInt(said.block) <= this.ground.block.number;
        this.at(claimed.place, () => { if (denied) fail("ClaimFalse", "the operation was awarded"); });
      }
    for (const [address, place] of Object.entries<number>(this.namedAt))
      this.at(place, () => {
        const leads = this.contracts[address] === "PartnerRegistry" ? this.registry === address : this.leads(address);
        if (!leads) fail("ContractUnknown", `the registry does not lead to ${address}`);
      });
  }
  /** The fields of a claim that are parts of words of storage, by the table. */
  stored(claim: Any, contract: string, table: string = claim.type): void {
    for (const [name, [position, ...keys], at, count, kind] of tables.storage[table]) {
      const place = slot(BigInt(position), ...keys.map((key: string) => word(number(claim[key]))));
      const value = bits(this.ground.storage(contract, place), at, count), shown = kind === "yes" ? (value ? "yes" : "no") : value;
      same(name, kind === "number" ? number(claim[name]) : claim[name], kind === "address" ? "0x" + word(value).slice(24) : shown);
    }
  }
  lots(claim: Any, first: bigint): void {
    const terms = this.tokens[claim.token] ?? fail("ContractUnknown", claim.token), { time } = this.ground.block;
    const words = [0n, 1n, 2n, 3n].map((place) => this.ground.storage(raw(claim.token), first + place));
    words.forEach((one, at) => { if (bits(one, 0, 240) && (one >> 240n) % 4n !== BigInt(at)) fail("ClaimFalse", `word ${at} carries another's group`); });
    const epoch = terms.lifetime && time > terms.origin ? (time - terms.origin) / terms.epoch : 0n;
    const live = words.flatMap((packed) => [0, 1, 2, 3, 4].map((place) => ({
      group: packed >> 240n, expiry: 5n * (packed >> 240n) + BigInt(place), points: bits(packed, 48 * place, 48),
    }))).filter((one) => one.group >= (epoch + 1n) / 5n && one.group <= (epoch + 16n) / 5n && one.points && one.expiry > epoch);
    live.sort((one, other) => (one.expiry < other.expiry ? -1 : 1));
    const expires = (expiry: bigint) => (terms.lifetime ? String(terms.origin + expiry * terms.epoch) : "never");
    same("lots", claim.lots, live.map((one) => ({ expires_at: expires(one.expiry), points: String(one.points) })));
    same("points", claim.points, live.reduce((sum, one) => sum + one.points, 0n));
    if (claim.type === "balance") this.words[claim.token + claim.account] = words;
  }
  award(said: Any): void {
    const value = Object.fromEntries(said.fields.map((one: Any) => [one.name, one.value]));
    const rule = said.event === "Awarded" && this.rules[[said.address, value.brandId, value.ruleId, value.version].join()];
    if (!rule) return;
    const [by, over, cap, base] = [rule.numerator, rule.denominator, rule.cap_per_award, value.baseAmount].map(BigInt) as [bigint, bigint, bigint, bigint];
    const rounded = rule.rounding === "nearest" ? (2n * base * by + over) / (2n * over) : (base * by + (rule.rounding === "up" ? over - 1n : 0n)) / over;
    const whole = rule.kind === "fixed" ? by : rounded, points = cap && whole > cap ? cap : whole;
    if (String(points) !== value.points) fail("RuleBroken", `operation ${value.operationId}: the rule gives ${points}`);
  }
  contract({ address, code_hash, name }: Any): void {
    if (Object.hasOwn(this.contracts, address)) fail("ClaimFalse", `${address} is named twice`);
    same("code_hash", raw(code_hash), this.ground.account(raw(address)).code);
    this.contracts[address] = name;
    this.namedAt[address] = this.place;
  }
  modules(claim: Any): void {
    const registry = this.named(claim.registry, "PartnerRegistry");
    same("a bundle's one registry", claim.registry, this.registry ?? claim.registry);
    this.stored(claim, registry);
    this.registry = claim.registry;
    const [RewardRules, RedemptionDesk, PartnerExchange, ClearingHouse] = [claim.reward_rules, claim.redemption_desk, claim.partner_exchange, claim.clearing_house];
    this.led = { RewardRules, RedemptionDesk, PartnerExchange, ClearingHouse };
    this.implementations[claim.registry] = raw(claim.token_implementation);
  }
  token(claim: Any): void {
    const token = this.named(claim.token, "LoyaltyToken"), registry = this.named(claim.registry, "PartnerRegistry");
    const implementation = this.implementations[claim.registry] ?? fail("ContractUnknown", claim.registry);
    same("token", token, word(this.ground.storage(registry, slot(7n, word(number(claim.brand_id))))).slice(24));
    same("code", this.ground.account(token).code, keccak(`363d3d373d3d3d363d73${implementation}5af43d82803e903d91602b57fd5bf3`));
    this.stored(claim, token);
    const [origin, epoch, lifetime] = [claim.origin, claim.epoch_seconds, claim.lifetime_epochs].map(BigInt);
    this.tokens[claim.token] = epoch ? { origin, epoch, lifetime } : fail("ClaimFalse", "epoch_seconds is 0");
  }
  balance = (claim: Any): void => this.lots(claim, slot(0n, raw(claim.account)));
  supply = (claim: Any): void => this.lots(claim, 1n);
  books = (claim: Any): void => this.stored(claim, this.need(claim.contract, "ClearingHouse"));
  obligation = this.books;
  operation(claim: Any): void {
    const contract = this.need(claim.contract, "RewardRules"), brand = number(claim.brand_id), operation = number(claim.operation_id);
    const marks = this.ground.storage(contract, slot(2n, word(brand), word(operation >> 8n)));
    same("counted", claim.counted, bits(marks, Number(operation & 255n), 1) ? "yes" : "no");
    this.operations[[claim.contract, claim.brand_id, claim.operation_id].join()] = { place: this.place, counted: claim.counted };
  }
  rule(claim: Any): void {
    const contract = this.need(claim.contract, "RewardRules"), ids = [claim.brand_id, claim.rule_id].map((id) => word(number(id)));
    const at = (place: bigint) => this.ground.storage(contract, slot(1n, ...ids) + place), changeAt = at(1n) >> 216n;
    const code = changeAt && this.ground.block.time >= changeAt ? 4n : 0n, words = [at(code), at(code + 1n)] as const;
    for (const [name, of, from, count] of tables.rule) same(name, number(claim[name]), bits(words[of as 0 | 1], from, count));
    same("kind", BigInt(["rate", "fixed", "correction"].indexOf(claim.kind)), bits(words[0], 224, 8));
    same("rounding", BigInt(["down", "nearest", "up"].indexOf(claim.rounding)), bits(words[0], 232, 8));
    if (claim.version === "0" || claim.denominator === "0") fail("ClaimFalse", "there is no such rule");
    same("text_hash", BigInt(claim.text_hash), at(code + 3n));
    if (claim.text) same("text", keccakText(claim.text), raw(claim.text_hash));
    this.rules[[claim.contract, claim.brand_id, claim.rule_id, claim.version].join()] = claim;
  }
  event({ event: said }: Any): void {
    this.need(said.address, ...FOLLOWED, ...Object.keys(NAMED), "Snapshots");
    const [block, index, log] = [said.block, said.index, said.log].map(number) as [bigint, bigint, bigint];
    const receipt = this.ground.indexed(this.ground.header(block).receipts, index) ?? fail("ClaimFalse", "no such transaction");
    const found = [...logs(receipt)].find((one) => BigInt(one.position) === log) ?? fail("ClaimFalse", "no such log");
    same("event", said, told(block, index, found));
    this.awards.push({ place: this.place, said, alone: true });
  }
  history(claim: Any): void {
    const account = raw(claim.account), topic = account.padStart(64, "0"), topicMask = mask(topic), proven: Any[] = [];
    const followed = claim.contracts.map((one: string) => this.need(one, ...FOLLOWED)), masks = followed.map(mask);
    same("contracts", claim.contracts, [...new Set(claim.contracts)].sort());
    const first = number(claim.from_block), may = (bloom: bigint, one: bigint) => (bloom & one) === one;
    if (first > this.ground.block.number) fail("ClaimFalse", `block ${first} is after the bundle's`);
    for (let block = first; block <= this.ground.block.number; block++) {
      const { bloom, receipts } = this.ground.header(block);
      if (!may(bloom, topicMask) || !masks.some((one: bigint) => may(bloom, one))) continue;
      for (let index = 0n, receipt = this.ground.indexed(receipts, 0n); receipt !== null; receipt = this.ground.indexed(receipts, ++index))
        for (const log of logs(receipt, account))
          if (followed.includes(log.address) && log.topics.includes(topic, 1)) proven.push(told(block, index, log));
    }
    same("the number of events", String(claim.events.length), String(proven.length));
    const latest = new Map<string, [bigint, bigint]>();
    for (const [at, { address, event, fields }] of proven.entries()) {
      same(`event ${at}`, claim.events[at], proven[at]);
      this.awards.push({ place: this.place, said: proven[at], alone: false });
      const words = this.words[address + claim.account];
      // A mint may have added to a word without LotsChanged.
      if (event === "Transfer" && !big(fields[0].value.slice(2)) && fields[1].value === claim.account)
        for (const place of [...latest.keys()]) if (place.startsWith(address)) latest.delete(place);
      if (event === "LotsChanged" && words && fields[0].value === claim.account)
        for (const value of (fields[1].value.slice(130).match(/.{1,64}/g) ?? []).map(big))
          latest.set(address + (value >> 240n) % 4n, [words[Number((value >> 240n) % 4n)], bits(value, 0, 240) ? value : 0n]);
    }
    for (const [stored, value] of latest.values()) same("a word of lots", stored, value);
  }
  badge(claim: Any): void {
    const contract = this.need(claim.contract, "Badges"), brand = number(claim.brand_id), definition = number(claim.definition_id);
    if (brand >> 64n || definition >> 32n) fail("ClaimFalse", "there is no such definition");
    const at = slot(7n, word(brand), word(definition)), metadata = this.ground.storage(contract, at), packed = this.ground.storage(contract, at + 1n);
    if (!bits(packed, 32, 40)) fail("ClaimFalse", "there is no such definition");
    same("metadata_hash", BigInt(claim.metadata_hash), metadata);
    same("kind", BigInt(["tier", "mission", "achievement"].indexOf(claim.kind)), bits(packed, 0, 8));
    same("level", number(claim.level), bits(packed, 16, 8));
    const token = word((brand << 192n) | (definition << 160n) | BigInt(claim.member));
    const owner = bits(this.ground.storage(contract, slot(2n, token)), 0, 160), term = this.ground.storage(contract, slot(10n, token));
    same("held", claim.held, yes(owner));
    if (owner) same("member", BigInt(claim.member), owner);
    const until = bits(term, 40, 40);
    same("given_at", number(claim.given_at), bits(term, 0, 40));
    same("valid_until", claim.valid_until, owner && !until ? "never" : String(until));
    same("live", claim.live, yes(owner && (!until || this.ground.block.time < until)));
  }
  list(claim: Any): void {
    const contract = this.need(claim.contract, "Snapshots"), at = slot(0n, this.key(claim));
    const posted = this.ground.storage(contract, at), more = this.ground.storage(contract, at + 1n);
    same("total", number(claim.total), bits(posted, 160, 56));
    same("completed_at", number(claim.completed_at), bits(posted, 216, 40));
    same("chunks", number(claim.chunks), bits(more, 0, 32));
    same("accounts", number(claim.accounts), bits(more, 32, 48));
    same("contradicted", claim.contradicted, yes(bits(more, 80, 8)));
  }
  tally(claim: Any): void {
    this.stored(claim, this.need(claim.contract, "ProgrammeGovernor"));
    this.stored(claim, this.snapshots(claim), "adopted");
  }
  vote(claim: Any): void {
    const contract = this.need(claim.contract, "ProgrammeGovernor"), names = ["proposal_id", "brand_id", "chunk", "position", "points"];
    const [proposal, brand, chunk, position, points] = names.map((name) => number(claim[name])) as [bigint, bigint, bigint, bigint, bigint];
    const snapshots = this.snapshots(claim);
    this.stored(claim, snapshots, "poster");
    if (position >= 256n || !points || points >> 96n) fail("ClaimFalse", `there is no leaf ${position} of ${points} points`);
    const root = claim.path.reduce((at: string, one: string, level: number) =>
      keccak(bits(position, level, 1) ? raw(one) + at : at + raw(one)), word((BigInt(claim.member) << 96n) | points));
    same("the chunk's root", root, word(this.ground.storage(snapshots, slot(1n, this.key(claim), word(chunk)))));
    const marks = this.ground.storage(contract, slot(7n, word(proposal), word(brand), word(chunk)));
    same("counted", claim.counted, yes(bits(marks, Number(position), 1)));
  }
  snapshots(claim: Any): string {
    const found = this.need(claim.snapshots, "Snapshots");
    same("snapshots", claim.snapshots, madeBy(claim.contract));
    return found;
  }
  /** Of a poster's list: proposal, brand and poster. */
  key = (claim: Any): string =>
    keccak(word(number(claim.proposal_id)) + word(number(claim.brand_id)) + raw(claim.poster).padStart(64, "0"));
  memo(claim: Any): void {
    const contract = this.need(claim.contract, "RewardRules"), names = ["block", "index", "item", "brand_id", "operation_id"];
    const [block, index, at, brand, operation] = names.map((name) => number(claim[name])) as [bigint, bigint, bigint, bigint, bigint];
    const { txs, receipts } = this.ground.header(block), tx = this.ground.indexed(txs, index), receipt = this.ground.indexed(receipts, index);
    if (tx === null || receipt === null) {
      fail("ClaimFalse", `block ${block} has no transaction ${index}`);
      return;
    }
    const kind = ["01", "02"].indexOf(tx.slice(0, 2)) + 1, parts = listed(kind ? raw(tx) : tx);
    if (parts.length < kind + 6) bad("a transaction has more parts");
    const to = str(parts[kind + 3]), data = str(parts[kind + 5]), call = data.slice(8), many = SELECTORS.indexOf(data.slice(0, 8));
    same("the transaction's receiver", to, contract);
    const part = (start: number) => big(call.slice(64 * start, 64 * start + 64)), count = many ? part(2) : 1n;
    if (many < 0 || (many && part(1) !== 64n)) bad("this is no call of award or awardBatch");
    if (at >= count || BigInt(call.length) !== 64n * (many ? 3n + 4n * count : 5n) + 128n) bad("no such item, or no suffix");
    same("brand and operation", `${brand} ${operation}`, `${part(0)} ${part(many ? 3 + 4 * Number(at) : 1)}`);
    const counted = [...logs(receipt)].some((one) => one.address === contract && EVENTS.get(one.topics[0] ?? "")?.name === "Awarded" &&
      one.topics.slice(1, 3).join() === [word(brand), word(operation)].join());
    same("the award is in the receipt", "yes", counted && str(receiptParts(receipt)[0]) === "01" ? "yes" : "no");
    same("the memo's marker", data.slice(-64), keccakText("moa.memo/1"));
    climb("the memo root", keccak("02" + word(operation) + raw(claim.memo_root)), at, claim.path, data.slice(-128, -64));
    const order = [claim.fields.map((one: Any) => number(one.index)), claim.fields.map((one: Any) => bytesToHex(utf8ToBytes(one.name)))];
    if (!order.every(ascends)) fail("ClaimFalse", "the memo's fields do not ascend");
    for (const { index, name, path, salt, value } of claim.fields)
      climb(name, keccak("00" + raw(salt) + keccakText(name) + keccakText(value)), number(index), path, raw(claim.memo_root));
  }
}

/* Verdicts. */
export type Options = { pin?: string; key?: string; registry?: string; badges?: string; governor?: string };
/** Moa's contracts as a reader names them: those to which no storage of the registry leads only where there are any. */
export type Contracts = { registry: string } & Pick<Options, "badges" | "governor">;
function signer(found: Any, { key }: Options): string | null {
  const by = found.signed[0]?.key ?? null;
  return key !== undefined && key !== by ? fail("KeyMismatch", `signed by ${by}, not by ${key}`) : by;
}
const FORMATS: Record<string, (found: Any, options: Options) => Verdict> = {
  "moa.evidence/1"(found, options) {
    const { body } = found, signedBy = signer(found, options), headers = new Map<string, Header>();
    let top: Header | undefined;
    if (body.claims.filter((claim: Any) => claim.type === "history").length > 16) fail("TooLarge", "more than 16 histories");
    for (const one of body.headers.map((hex: string) => header(raw(hex))) as Header[]) {
      if (top && (one.number !== top.number + 1n || one.parent !== top.hash)) fail("HeaderBroken", `at block ${one.number}`);
      top = one;
      headers.set(String(one.number), one);
    }
    const anchor = { number: String(top!.number), hash: "0x" + top!.hash }, at = headers.get(body.block);
    if ((options.pin ?? anchor.hash) !== anchor.hash) fail("PinMismatch", `the bundle stands on ${anchor.number}, ${anchor.hash}`);
    const of = body.claims.filter((claim: Any) => claim.type === "modules").map((claim: Any) => claim.registry);
    if (options.registry !== undefined && !(of.length && of.every((one: string) => one === options.registry)))
      fail("RegistryMismatch", `the bundle is of the registry ${of.join() || "none"}, not of ${options.registry}`);
    let unnamed = false;
    for (const { type, name, address } of body.claims)
      if (type === "contract" && own(NAMED, name)) {
        const right = options[NAMED[name]!];
        unnamed ||= right === undefined;
        if (right !== undefined && right !== address) fail("RegistryMismatch", `${name} is ${address} here, not ${right}`);
      }
    const ground = new Ground(headers, at ?? fail("HeaderMissing", `of block ${body.block}`), body.nodes), known = new Known(ground);
    for (const [place, claim] of body.claims.entries()) known.check(claim, place);
    known.finish();
    if (ground.unused.size) fail("NodeUnused", `${ground.unused.size} nodes prove nothing that is claimed`);
    const block = { number: body.block, hash: "0x" + ground.block.hash }, time = String(ground.block.time);
    const verdict = options.registry === undefined || unnamed ? "consistent" : "proven";
    return { verdict, error: null, block, time, anchor, pinned: options.pin !== undefined, signedBy, registry: known.registry };
  },
  "moa.receipt/1"(found, options) {
    if (!found.signed.length) fail("SignatureMissing", "a receipt without a signature says nothing");
    const signedBy = signer(found, options), block = { number: found.body.block_number, hash: found.body.block_hash };
    if ((options.pin ?? block.hash) !== block.hash) fail("PinMismatch", `the receipt is of ${block.number}, ${block.hash}`);
    return { verdict: "signed", error: null, block, pinned: options.pin !== undefined, signedBy };
  },
  "moa.fraud/1"(found, { key }) {
    const said = found.body.receipts.map((one: Any) => FORMATS["moa.receipt/1"]!(sound(one), key === undefined ? {} : { key }));
    const [one, other] = found.body.receipts.map((receipt: Any) => receipt.body), { signedBy } = said[0];
    const alike = (...names: string[]) => names.every((name) => canonical(one[name]) === canonical(other[name]));
    if (signedBy === said[1].signedBy && alike("subject", "chain_id", "version")) {
      if (alike("block_hash") && !alike("content", "block_number")) return { verdict: "fraud", error: null, signedBy };
      const final = one.finality === "final" && other.finality === "final";
      if (!alike("block_hash") && final) return { verdict: "finality_broken", error: null, signedBy };
    }
    return fail("NotConflicting", "both receipts may be true");
  },
};
/** The verdict on a document. pin: a block hash that the reader trusts; key: the signer's public key; registry: Moa's; 0x hex. */
export function verify(data: Uint8Array, options: Options = {}): Verdict {
  try {
    const found = read(data);
    return FORMATS[found.format]!(found, options);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { verdict: "refused", error: error.error, detail: error.message, claim: error.claim };
  }
}
export type Told = { address: string; event: string; index: string; fields: { name: string; value: string }[]; account: string };
/** The events that a bundle claims of its account; of use once `verify` called it proven. */
export function eventsOf(data: Uint8Array): Told[] {
  return JSON.parse(new TextDecoder().decode(data)).body.claims.flatMap((claim: Any) =>
    (claim.events ?? []).map((event: Any) => ({ ...event, account: claim.account })));
}
