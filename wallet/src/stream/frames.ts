/** Server-sent events read from bytes: fetch can send an Authorization header, EventSource cannot. */

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
  private rest = "";

  read(chunk: string): Frame[] {
    this.rest += chunk;
    // A carriage return at the very end may be half of a line break: it waits for its other half.
    const held = this.rest.endsWith("\r") ? "\r" : "";
    const text = this.rest.slice(0, this.rest.length - held.length).replace(/\r\n?/g, "\n");
    const blocks = text.split("\n\n");
    this.rest = (blocks.pop() ?? "") + held;
    if (this.rest.length > FRAME_CHARS_MAX) throw new FrameTooLong();
    return blocks.map(parse).filter((frame) => frame !== null);
  }
}

function parse(block: string): Frame | null {
  const data: string[] = [];
  let event = "message";
  let id: string | null = null;
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id") id = value;
  }
  return data.length === 0 ? null : { event, data: data.join("\n"), id };
}
