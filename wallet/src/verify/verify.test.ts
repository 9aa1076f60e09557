import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { verify } from "./verify";

const sample = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../chain/evidence/samples/${name}.json`, import.meta.url)));

describe("the second verifier", () => {
  it.each([["brand", "proven"], ["memo", "proven"], ["receipt", "signed"], ["fraud", "fraud"]])("%s: %s", (name, verdict) => {
    expect(verify(sample(name))).toMatchObject({ verdict, error: null });
  });

  it("refuses a block that is not the one pinned", () => {
    expect(verify(sample("brand"), { pin: "0x" + "ab".repeat(32) }).error).toBe("PinMismatch");
  });

  it("accepts the block that it stands on, and says that it was pinned", () => {
    const { anchor } = verify(sample("brand"));
    expect(verify(sample("brand"), { pin: anchor!.hash })).toMatchObject({ verdict: "proven", pinned: true });
  });

  it("refuses another key", () => {
    expect(verify(sample("receipt"), { key: "0x" + "00".repeat(32) }).error).toBe("KeyMismatch");
  });

  it("catches a flipped bit in every byte of a receipt", () => {
    const data = sample("receipt");
    for (let at = 0; at < data.length; at++) {
      const flipped = data.slice();
      flipped[at]! ^= 1 << (at % 8);
      expect(verify(flipped).verdict, `byte ${at}`).toBe("refused");
    }
  });
});
