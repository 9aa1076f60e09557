/** This device's steady clock, one tick a second for all who watch it. */
import { useSyncExternalStore } from "react";

const TICK_MS = 1000;
const watchers = new Set<() => void>();
let now = performance.now();
let timer: ReturnType<typeof setInterval> | undefined;

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  timer ??= setInterval(tick, TICK_MS);
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function tick(): void {
  now = performance.now();
  for (const watcher of watchers) watcher();
}

/** Milliseconds of `performance.now()`, renewed each second. Never goes back when the wall clock is set. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}
