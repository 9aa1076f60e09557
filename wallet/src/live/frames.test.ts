import { expect, test } from "vitest";
import { FrameReader, FrameTooLong } from "./frames";

test("a frame is given once it is whole, wherever the bytes were cut", () => {
  const text = ': ping\n\nid: 7\nevent: entry\ndata: {"a":1}\n\nevent: view\r\ndata: one\r\ndata: two\r\n\r\n';
  const whole = new FrameReader().read(text);

  const reader = new FrameReader();
  const pieces = [...text].flatMap((letter) => reader.read(letter));

  expect(whole).toEqual([
    { event: "entry", data: '{"a":1}', id: "7" },
    { event: "view", data: "one\ntwo", id: null },
  ]);
  expect(pieces).toEqual(whole);
});

test("a frame without end is refused before it fills the memory", () => {
  const reader = new FrameReader();

  expect(() => reader.read("data: " + "x".repeat(1_000_001))).toThrow(FrameTooLong);
});
