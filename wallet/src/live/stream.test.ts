import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Frame } from "./frames";
import { openStream, type StreamState } from "./stream";

const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 12_000;

/** A line to the gateway: what is asked of it, and what it says on each. */
class Line {
  asked: Headers[] = [];
  answers: (Response | Error)[] = [];
  open: ReadableStreamDefaultController<Uint8Array>[] = [];

  fetch = (_url: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }): Promise<Response> => {
    this.asked.push(new Headers(headers));
    const answer = this.answers.shift();
    if (answer instanceof Error) return Promise.reject(answer);
    if (answer !== undefined) return Promise.resolve(answer);
    const body = new ReadableStream<Uint8Array>({
      start: (control) => {
        this.open.push(control);
        signal.addEventListener("abort", () => control.error(new Error("aborted")));
      },
    });
    return Promise.resolve(new Response(body));
  };

  says(text: string): void {
    this.open.at(-1)?.enqueue(new TextEncoder().encode(text));
  }

  breaks(): void {
    this.open.at(-1)?.error(new Error("the line broke"));
  }

  ends(): void {
    this.open.at(-1)?.close();
  }
}

/** SPEC 10.6 */
describe("a member's stream", () => {
  let line: Line;
  let frames: Frame[];
  let states: StreamState[];
  let refused: number;
  let close: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("window", new EventTarget());
    vi.stubGlobal("document", new EventTarget());
    vi.spyOn(Math, "random").mockReturnValue(1 - Number.EPSILON);
    line = new Line();
    vi.stubGlobal("fetch", line.fetch);
    frames = [];
    states = [];
    refused = 0;
    close = () => undefined;
  });

  afterEach(() => {
    close();
    vi.useRealTimers();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  async function opened(): Promise<void> {
    close = openStream({
      url: "/v1/me/stream",
      token: "moa_m_1",
      onFrame: (frame) => frames.push(frame),
      onState: (state) => states.push(state),
      onRefused: () => refused++,
    });
    await settled();
  }

  const settled = () => vi.advanceTimersByTimeAsync(0);
  const lastId = () => line.asked.map((headers) => headers.get("Last-Event-ID"));

  test("comes back after the last event that it saw, and asks for nothing older", async () => {
    await opened();
    line.says("id: 7\nevent: entry\ndata: {}\n\nevent: block\ndata: {}\n\n");
    await settled();
    line.breaks();
    await vi.advanceTimersByTimeAsync(500);
    line.says("id: 9\nevent: entry\ndata: {}\n\nid: 11\nevent: en");
    await settled();
    line.ends();
    await vi.advanceTimersByTimeAsync(500);

    expect(lastId()).toEqual([null, "7", "9"]);
    expect(frames.map((frame) => frame.id)).toEqual(["7", null, "9"]);
    expect(line.asked.every((headers) => headers.get("Authorization") === "Bearer moa_m_1")).toBe(true);
    expect(states).toEqual(["connecting", "live", "down", "connecting", "live", "down", "connecting", "live"]);
  });

  test("waits twice as long after each failure, fifteen seconds at most, and from the start after an event", async () => {
    line.answers = Array.from({ length: 8 }, () => new TypeError("no network"));
    await opened();
    const waits: number[] = [];
    for (let known = line.asked.length; known < 8; known = line.asked.length) {
      let waited = 0;
      while (line.asked.length === known) {
        await vi.advanceTimersByTimeAsync(50);
        waited += 50;
        expect(waited).toBeLessThanOrEqual(LONGEST_WAIT_MS);
      }
      waits.push(waited);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);

    await vi.advanceTimersByTimeAsync(LONGEST_WAIT_MS);
    line.says("id: 1\ndata: {}\n\n");
    await settled();
    line.breaks();
    await vi.advanceTimersByTimeAsync(499);
    expect(line.asked.length).toBe(9);
    await vi.advanceTimersByTimeAsync(1);
    expect(line.asked.length).toBe(10);
  });

  test.each([401, 403])("ends for good when the session is refused (%i)", async (status) => {
    line.answers = [new Response(null, { status })];
    await opened();
    await vi.advanceTimersByTimeAsync(10 * LONGEST_WAIT_MS);

    expect(refused).toBe(1);
    expect(line.asked.length).toBe(1);
    expect(states).toEqual(["connecting"]);
  });

  test.each([429, 500, 503])("tries again when the gateway cannot serve it now (%i)", async (status) => {
    line.answers = [new Response(null, { status })];
    await opened();
    await vi.advanceTimersByTimeAsync(500);

    expect(refused).toBe(0);
    expect(states).toEqual(["connecting", "down", "connecting", "live"]);
  });

  test("a line that says nothing for forty seconds is dropped, and any byte keeps it", async () => {
    await opened();
    await vi.advanceTimersByTimeAsync(SILENCE_MS - 1);
    line.says(": ping\n\n");
    await vi.advanceTimersByTimeAsync(SILENCE_MS - 1);
    expect(line.asked.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1 + 500);
    expect(line.asked.length).toBe(2);
  });

  test("a device that is back on the network does not wait for the pause to end", async () => {
    line.answers = Array.from({ length: 6 }, () => new TypeError("no network"));
    await opened();
    await vi.advanceTimersByTimeAsync(500 + 1000 + 2000 + 4000 + 8000);
    const before = line.asked.length;
    window.dispatchEvent(new Event("online"));
    await settled();
    expect(line.asked.length).toBe(before + 1);
  });

  test("a device that lost its network lets its line go at once", async () => {
    await opened();
    window.dispatchEvent(new Event("offline"));
    await settled();
    expect(states.at(-1)).toBe("down");
  });

  test("once closed it asks for nothing any more and says nothing", async () => {
    await opened();
    close();
    await settled();
    const told = [...states];
    await vi.advanceTimersByTimeAsync(10 * LONGEST_WAIT_MS);
    expect(line.asked.length).toBe(1);
    expect(states).toEqual(told);
  });

  test("a frame without an end does not fill the memory", async () => {
    await opened();
    for (let sent = 0; sent < 11; sent++) {
      line.says("x".repeat(100_000));
      await settled();
    }
    expect(states.at(-1)).toBe("down");
    expect(frames).toEqual([]);
  });
});
