/**
 * One stream for all tabs of a member: the tab that holds a lock reads it and tells the others. A browser keeps six
 * connections to a place; eight tabs with a stream each would leave none to ask anything by.
 */
import type { Frame } from "./frames";
import { openStream, type StreamOptions, type StreamState } from "./stream";

type News =
  | { say: "frame"; frame: Frame }
  | { say: "state"; state: StreamState }
  | { say: "pulse" }
  /** A tab that is new asks how things stand. */
  | { say: "hello" };

export interface SharedOptions extends StreamOptions {
  /** Whose stream it is: tabs of one member share, by whatever session each was opened. */
  member: string;
}

/** Opens the member's stream here, or listens to the tab that has it; the returned function ends that for good. */
export function shareStream(options: SharedOptions): () => void {
  if (!("locks" in navigator) || typeof BroadcastChannel === "undefined") return openStream(options);
  const name = `moa.live.${options.member}`;
  const channel = new BroadcastChannel(name);
  const closed = new AbortController();
  let state: StreamState = "connecting";
  let leads = false;
  let lastId: string | null = null;

  const tell = (news: News) => leads && channel.postMessage(news);
  const hear = (news: News) => {
    if (news.say === "frame") {
      lastId = news.frame.id ?? lastId;
      options.onFrame(news.frame);
    } else if (news.say === "state") {
      state = news.state;
      options.onState(state);
    } else if (news.say === "pulse") options.onPulse?.();
    else if (leads) tell({ say: "state", state });
  };
  channel.onmessage = ({ data }: MessageEvent<News>) => {
    if (!closed.signal.aborted) hear(data);
  };
  channel.postMessage({ say: "hello" } satisfies News);

  // Held until this tab goes or its session is over; then the browser hands it to another.
  const lead = () =>
    new Promise<void>((resolve) => {
      leads = true;
      const both = (news: News) => {
        hear(news);
        tell(news);
      };
      const close = openStream({
        ...options,
        after: lastId,
        onFrame: (frame) => both({ say: "frame", frame }),
        onState: (now) => both({ say: "state", state: now }),
        onPulse: () => both({ say: "pulse" }),
        onRefused() {
          leads = false;
          resolve();
          options.onRefused();
        },
      });
      closed.signal.addEventListener("abort", () => {
        close();
        leads = false;
        resolve();
      });
    });
  navigator.locks.request(name, { signal: closed.signal }, lead).catch((trouble: unknown) => {
    if (!closed.signal.aborted) throw trouble;
  });
  return () => {
    closed.abort();
    channel.close();
  };
}
