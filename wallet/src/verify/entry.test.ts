import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { doubtOf, tellsOf } from "./entry";
import { verify, type Contracts, type Told } from "./verify";

const [ME, ELSE, TOKEN] = ["0xme", "0xelse", "0xtoken"];
const transfer = (from: string, to: string, value: string, index = "0"): Told => ({
  address: TOKEN, event: "Transfer", index, account: ME,
  fields: [{ name: "from", value: from }, { name: "to", value: to }, { name: "value", value }],
});

describe("an entry among proven events", () => {
  it("is told by an event of its amount", () => {
    expect(tellsOf([transfer(ELSE, ME, "500")], "500", "0xTOKEN")).toBe(true);
    expect(tellsOf([transfer(ME, ELSE, "500")], "-500", null)).toBe(true);
  });

  it("is told by transfers that come to its amount, of one transaction", () => {
    expect(tellsOf([transfer(ELSE, ME, "300"), transfer("0x0", ME, "200")], "500", TOKEN)).toBe(true);
    expect(tellsOf([transfer(ELSE, ME, "300"), transfer("0x0", ME, "200", "1")], "500", TOKEN)).toBe(false);
  });

  it("is not told by another amount, another contract or nothing", () => {
    expect(tellsOf([transfer(ELSE, ME, "500")], "501", TOKEN)).toBe(false);
    expect(tellsOf([transfer(ELSE, ME, "500")], "500", "0xother")).toBe(false);
    expect(tellsOf([], "500", TOKEN)).toBe(false);
  });
});

/** SPEC 13.15: bundles of the corpus, as the wallet judges them with the contracts that the gateway tells. */
describe("a bundle that names contracts", () => {
  type Case = { name: string; document: string; options: Contracts };
  const corpus = JSON.parse(readFileSync(new URL("../../../chain/evidence/samples/corpus.json", import.meta.url), "utf8")) as Case[];

  it.each([["a live badge", "badges"], ["a list, a tally and a vote", "governor"]] as const)("%s", (name, option) => {
    const { document, options } = corpus.find((one) => one.name === name)!, data = new TextEncoder().encode(document);
    const pin = verify(data).anchor!.hash, { registry } = options, other = "0x" + "00".repeat(20);
    const doubt = (contracts: Contracts) => doubtOf(data, pin, contracts, verify);

    expect(doubt(options)).toBe(null);
    expect(doubt({ registry, [option]: options[option]! })).toBe(null);
    expect(doubt({ registry })).toBe("consistent");
    expect(doubt({ ...options, [option]: other })).toBe("RegistryMismatch");
    expect(doubtOf(data, "0x" + "ab".repeat(32), options, verify)).toBe("PinMismatch");
  });
});
