import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Frame } from "./frames";
import { openStream } from "./stream";

/** SPEC 10.6, 9.30 */
let asked: (string | null)[];
let frames: Frame[];

beforeEach(() => {
  asked = [];
  frames = [];
  vi.useFakeTimers();
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("document", new EventTarget());
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Opens the stream on a gateway that gives these answers in turn, and plays until the last one was asked for. */
async function play(answers: (() => Response)[]): Promise<void> {
  const left = [...answers];
  vi.stubGlobal("fetch", (_url: string, { headers }: { headers: Record<string, string> }) => {
    asked.push(headers["Last-Event-ID"] ?? null);
    return Promise.resolve((left.shift() ?? (() => new Response(null, { status: 503 })))());
  });
  const close = openStream({
    url: "/v1/me/stream",
    token: "t",
    onFrame: (frame) => frames.push(frame),
    onState: () => undefined,
    onRefused: () => frames.push({ event: "refused", data: "", id: null }),
  });
  while (asked.length <= answers.length) await vi.advanceTimersByTimeAsync(1_000);
  close();
}

const told = (...lines: string[]) => () => new Response(lines.join("\n") + "\n\n", { status: 200 });

test("a stream that fell comes back after the last event it saw", async () => {
  await play([told("id: a.1", "event: view", "data: {}"), told("event: block", "data: {}")]);

  expect(asked).toEqual([null, "a.1", "a.1"]);
});

test("a reset is handed on, and the place that it names is the next one asked for", async () => {
  await play([told("id: a.5", "event: view", "data: {}"), told("id: b.1", "event: reset", "data: {}")]);

  expect(asked).toEqual([null, "a.5", "b.1"]);
  expect(frames.map((frame) => frame.event)).toEqual(["view", "reset"]);
});

test.each([410, 422])("a place refused with %d is not asked for again, and counts as a reset", async (status) => {
  await play([told("id: a.5", "event: view", "data: {}"), () => new Response(null, { status })]);

  expect(asked).toEqual([null, "a.5", null]);
  expect(frames.map((frame) => frame.event)).toEqual(["view", "reset"]);
});

test("a gateway that is away does not take the place", async () => {
  await play([told("id: a.5", "event: view", "data: {}"), () => new Response(null, { status: 503 })]);

  expect(asked).toEqual([null, "a.5", "a.5"]);
});
