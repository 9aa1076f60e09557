import { describe, expect, it } from "vitest";
import { tellsOf } from "./entry";
import type { Told } from "./verify";

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
