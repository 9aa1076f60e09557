/** Server-sent events read from bytes: fetch can send an Authorization header, EventSource cannot. */
import { createParser, type ParseError } from "eventsource-parser";

/** A frame longer than this is not ours; the stream is dropped rather than the memory filled. */
const FRAME_CHARS_MAX = 1_000_000;

export interface Frame {
  event: string;
  data: string;
  id: string | null;
}

export class FrameTooLong extends Error {}

/** Gathers text as it arrives and gives each whole frame once. Comments and empty frames are left out. */
export class FrameReader {
  private frames: Frame[] = [];
  private fault: ParseError | null = null;
  private readonly parser = createParser({
    maxBufferSize: FRAME_CHARS_MAX,
    onEvent: ({ event, data, id }) => this.frames.push({ event: event ?? "message", data, id: id ?? null }),
    onError: (fault) => {
      if (fault.type === "max-buffer-size-exceeded") this.fault = fault;
    },
  });

  read(chunk: string): Frame[] {
    this.parser.feed(chunk);
    if (this.fault !== null) throw new FrameTooLong();
    const whole = this.frames;
    this.frames = [];
    return whole;
  }
}
