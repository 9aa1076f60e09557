import fc from "fast-check";
import { expect, test } from "vitest";
import type { Balance } from "../api/types";
import { begun, type Intention, type IntentionState } from "./intention";
import { free } from "./reserved";

const BRAND = { slug: "cafe", name: "Café", symbol: "CAF", colour: "#123456", decimals: 2 };

function balance(spendable: string, reserved = "0"): Balance {
  return {
    brand: BRAND, decimals: 2, spendable, held: "0", pending: "0", reserved, expired: "0", debt: "0", expiring: [], exchange_to: [], locked: "0", unlocking: [], token: "0x",
  };
}

function wanted(points: string, state: IntentionState, block: number | null = null, brand = "cafe"): Intention {
  return { ...begun("mem", { what: "hold", brand, points, lifetime_s: 900 }, `${Math.random()}`, 1), state, block };
}

/** SPEC 10.14: what is on its way counts as reserved. */
test.each([
  ["nothing is on its way", [], "0", "1000"],
  ["no answer yet", [wanted("300", "unknown")], "0", "700"],
  ["the gateway never heard of it, and it may still be sent", [wanted("300", "absent")], "0", "700"],
  ["taken up, and the view does not say so yet", [wanted("300", "settling")], "0", "700"],
  ["taken up, and the view says so", [wanted("300", "settling")], "300", "700"],
  ["being sent, and the view says so before the answer has come", [{ ...wanted("300", "unknown"), isSending: true }], "300", "700"],
  ["being sent, and nobody says so yet", [{ ...wanted("300", "unknown"), isSending: true }], "0", "700"],
  ["another device's besides", [wanted("300", "settling")], "500", "500"],
  ["one of each", [wanted("300", "settling"), wanted("100", "unknown")], "300", "600"],
  ["confirmed in a block that the view does not show yet", [wanted("300", "confirmed", 8)], "0", "700"],
  ["confirmed in the view's block", [wanted("300", "confirmed", 7)], "0", "1000"],
  ["refused or withdrawn", [wanted("300", "refused"), wanted("1", "withdrawn")], "0", "1000"],
  ["another brand's", [wanted("300", "unknown", null, "tea")], "0", "1000"],
  ["more than there is", [wanted("3000", "unknown")], "0", "0"],
])("%s", (_, intentions, reserved, left) => {
  expect(free(balance("1000", reserved), intentions, 7)).toBe(left);
});

test("a cancellation promises nothing", () => {
  const cancel = begun("mem", { what: "cancel", brand: "cafe", points: "300", hold: "hold_1" }, "k", 1);

  expect(free(balance("1000"), [cancel], 7)).toBe("1000");
});

test("two things wanted at once never promise more than there is", () => {
  const amounts = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 6 });
  fc.assert(
    fc.property(amounts, fc.integer({ min: 0, max: 1000 }), (points, has) => {
      const taken: Intention[] = [];
      let promised = 0;
      for (const amount of points) {
        if (BigInt(amount) > BigInt(free(balance(`${has}`), taken, 7))) continue;
        taken.push(wanted(`${amount}`, "unknown"));
        promised += amount;
      }
      expect(promised).toBeLessThanOrEqual(has);
    }),
  );
});
