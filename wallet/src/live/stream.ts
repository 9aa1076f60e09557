/** A member's live stream: reads frames, resumes after the last id, comes back after a fall. */
import { backoffMs } from "./backoff";
import { FrameReader, type Frame } from "./frames";

/** Silence longer than this means a dead line: the gateway says something every five seconds. */
export const SILENCE_MAX_MS = 12_000;

export type StreamState = "connecting" | "live" | "down";

export interface StreamOptions {
  url: string;
  token: string;
  /** The id after which it goes on, when another tab has read up to there. */
  after?: string | null;
  onFrame(frame: Frame): void;
  /** The gateway lives: something came, if only a ping. */
  onPulse?(): void;
  onState(state: StreamState): void;
  /** The session is refused: the stream has ended and will not come back. */
  onRefused(): void;
}

/** Opens the stream; the returned function closes it for good. */
export function openStream(options: StreamOptions): () => void {
  const closed = new AbortController();
  void run(options, closed.signal);
  return () => closed.abort();
}

async function run(options: StreamOptions, closed: AbortSignal): Promise<void> {
  let lastId: string | null = options.after ?? null;
  for (let attempt = 0; !closed.aborted; attempt++) {
    options.onState("connecting");
    try {
      await listen(options, closed, lastId, (frame) => {
        attempt = 0;
        lastId = frame.id ?? lastId;
        options.onFrame(frame);
      });
    } catch (trouble) {
      if (closed.aborted) return;
      if (trouble instanceof SessionRefused) return options.onRefused();
      // Asked for again and again, a place that the gateway does not know would keep the stream down for ever.
      if (trouble instanceof PlaceRefused) {
        lastId = null;
        options.onFrame(RESET);
      }
    }
    if (closed.aborted) return;
    options.onState("down");
    await pause(backoffMs(attempt), closed);
  }
}

class SessionRefused extends Error {}
class PlaceRefused extends Error {}

/** What a gateway tells that no longer knows the place: read again what was shown. */
const RESET: Frame = { event: "reset", data: "{}", id: null };

async function listen(
  options: StreamOptions,
  closed: AbortSignal,
  lastId: string | null,
  onFrame: (frame: Frame) => void,
): Promise<void> {
  const silent = new AbortController();
  const drop = () => silent.abort();
  let timer = setTimeout(drop, SILENCE_MAX_MS);
  // A device that lost its network leaves an open line hanging: no need to wait for the silence.
  window.addEventListener("offline", drop);
  try {
    const headers: Record<string, string> = { Authorization: `Bearer ${options.token}`, Accept: "text/event-stream" };
    if (lastId !== null) headers["Last-Event-ID"] = lastId;
    const signal = AbortSignal.any([closed, silent.signal]);
    const response = await fetch(options.url, { headers, signal, cache: "no-store" });
    if (response.status === 401 || response.status === 403) throw new SessionRefused();
    if (lastId !== null && (response.status === 410 || response.status === 422)) throw new PlaceRefused();
    if (!response.ok || response.body === null) throw new Error(`stream answered ${response.status}`);
    options.onState("live");
    options.onPulse?.();

    const frames = new FrameReader();
    const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await text.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(drop, SILENCE_MAX_MS);
      options.onPulse?.();
      frames.read(value).forEach(onFrame);
    }
  } finally {
    clearTimeout(timer);
    window.removeEventListener("offline", drop);
    // Also frees the connection when a frame could not be read.
    drop();
  }
}

/** Waits, but no longer than until the network or the page comes back. */
function pause(ms: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      window.removeEventListener("online", wake);
      document.removeEventListener("visibilitychange", wake);
      closed.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    window.addEventListener("online", wake);
    document.addEventListener("visibilitychange", wake);
    closed.addEventListener("abort", wake);
  });
}
