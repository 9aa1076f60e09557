import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Frame } from "./frames";
import { shareStream } from "./shared";

/** Locks as the browser has them: one holder of a name at a time, the next one when it lets go. */
class Locks {
  private readonly waiting = new Map<string, Promise<unknown>>();
  request(name: string, { signal }: { signal: AbortSignal }, held: () => Promise<void>): Promise<void> {
    const before = this.waiting.get(name) ?? Promise.resolve();
    const mine = before.then(() => (signal.aborted ? Promise.reject(new Error("aborted")) : held()));
    this.waiting.set(name, mine.catch(() => undefined));
    return mine;
  }
}

let open: { control: ReadableStreamDefaultController<Uint8Array>; after: string | null }[];
let answers: Response[];

beforeEach(() => {
  open = [];
  answers = [];
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("document", new EventTarget());
  vi.stubGlobal("navigator", { locks: new Locks() });
  vi.stubGlobal("fetch", (_: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) => {
    const answer = answers.shift();
    if (answer !== undefined) return Promise.resolve(answer);
    const body = new ReadableStream<Uint8Array>({
      start(control) {
        open.push({ control, after: headers["Last-Event-ID"] ?? null });
        signal.addEventListener("abort", () => control.error(new Error("aborted")));
      },
    });
    return Promise.resolve(new Response(body));
  });
});

afterEach(() => {
  for (const close of closing.splice(0)) close();
  vi.unstubAllGlobals();
});

const closing: (() => void)[] = [];

interface Tab {
  frames: Frame[];
  states: string[];
  pulses: number;
  refused: number;
  close(): void;
}

function tab(token = "t"): Tab {
  const tab: Tab = { frames: [], states: [], pulses: 0, refused: 0, close: () => undefined };
  tab.close = shareStream({
    url: "/v1/me/stream",
    token,
    member: "mem_1",
    onFrame: (frame) => tab.frames.push(frame),
    onState: (state) => tab.states.push(state),
    onPulse: () => tab.pulses++,
    onRefused: () => tab.refused++,
  });
  closing.push(tab.close);
  return tab;
}

const says = (text: string, at = -1) => open.at(at)?.control.enqueue(new TextEncoder().encode(text));
const heard = (tabs: Tab[], count: number) => vi.waitFor(() => expect(tabs.map((one) => one.frames.length)).toEqual(tabs.map(() => count)));

/** SPEC 10.21 */
test("eight tabs have one stream, and each hears everything", async () => {
  const tabs = Array.from({ length: 8 }, () => tab());
  await vi.waitFor(() => expect(open).toHaveLength(1));

  says("id: 0.7\nevent: entry\ndata: {}\n\n: ping\n\n");
  await heard(tabs, 1);

  expect(open).toHaveLength(1);
  await vi.waitFor(() => expect(tabs.every((one) => one.pulses > 0 && one.states.at(-1) === "live")).toBe(true));
});

/** SPEC 10.21 */
test("when the tab that reads it goes, another one goes on after the last event", async () => {
  const [first, second] = [tab(), tab()];
  await vi.waitFor(() => expect(open).toHaveLength(1));
  says("id: 0.7\nevent: entry\ndata: {}\n\n");
  await heard([first, second], 1);

  first.close();
  await vi.waitFor(() => expect(open).toHaveLength(2));
  says("id: 0.8\nevent: entry\ndata: {}\n\n");
  await heard([second], 2);

  expect(open[1]?.after).toBe("0.7");
  expect(first.frames).toHaveLength(1);
});

/** SPEC 10.21 */
test("a session that is refused ends its own tab only", async () => {
  answers = [new Response(null, { status: 401 })];
  const [first, second] = [tab("old"), tab("new")];
  await vi.waitFor(() => expect(first.refused).toBe(1));

  await vi.waitFor(() => expect(open).toHaveLength(1));
  says("id: 0.1\nevent: view\ndata: {}\n\n");
  await heard([second], 1);
  expect(second.refused).toBe(0);
});

test("a tab that comes later is told how things stand", async () => {
  tab();
  await vi.waitFor(() => expect(open).toHaveLength(1));
  const late = tab();

  await vi.waitFor(() => expect(late.states).toEqual(["live"]));
});
