/** Intentions and the last known figures on this device: they outlive a reload, a closed tab and a lost line. */
import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Hold } from "../api/types";
import type { Known } from "../view/known";
import { isOver, type Intention } from "./intention";

const NAME = "moa";
const VERSION = 1;
/** What is over is kept this long, and no more than so many of it. */
const KEPT_MS = 30 * 24 * 3600 * 1000;
const OVER_MAX = 100;

interface Kept extends DBSchema {
  intentions: { key: string; value: Intention; indexes: { member: string } };
  known: { key: string; value: Known };
}

export interface Store {
  /** All of a member's, the newest first. */
  ofMember(member: string): Promise<Intention[]>;
  /** Resolves once it is on the disk, and not before. */
  put(intention: Intention): Promise<void>;
  /** Changes what is there in one transaction, so that two tabs cannot undo each other's news. */
  change(key: string, change: (intention: Intention) => Intention): Promise<Intention | undefined>;
  drop(key: string): Promise<void>;
  known(session: string): Promise<Known | undefined>;
  keep(known: Known): Promise<void>;
  /** What is set aside, beside the figures of the same session. */
  keepHolds(session: string, holds: readonly Hold[]): Promise<void>;
  forget(session: string): Promise<void>;
}

export function openStore(): Store {
  // Opened when it is first needed: a browser that keeps nothing still shows the points.
  let opened: Promise<IDBPDatabase<Kept>> | undefined;
  const database = () => {
    opened ??= openDB<Kept>(NAME, VERSION, {
      upgrade(fresh) {
        fresh.createObjectStore("intentions", { keyPath: "key" }).createIndex("member", "member");
        fresh.createObjectStore("known", { keyPath: "session" });
      },
    });
    return opened;
  };
  return {
    async ofMember(member) {
      const found = await (await database()).getAllFromIndex("intentions", "member", member);
      return found.sort((one, other) => other.at - one.at);
    },
    async put(intention) {
      const writing = (await database()).transaction("intentions", "readwrite", { durability: "strict" });
      await writing.store.put(intention);
      const over = (await writing.store.index("member").getAll(intention.member)).filter(isOver);
      over.sort((one, other) => other.at - one.at);
      for (const [place, old] of over.entries()) {
        if (place >= OVER_MAX || old.at < intention.at - KEPT_MS) await writing.store.delete(old.key);
      }
      await writing.done;
    },
    async change(key, change) {
      const writing = (await database()).transaction("intentions", "readwrite", { durability: "strict" });
      const before = await writing.store.get(key);
      const after = before && change(before);
      if (after !== undefined && after !== before) await writing.store.put(after);
      await writing.done;
      return after;
    },
    async drop(key) {
      await (await database()).delete("intentions", key);
    },
    async known(session) {
      return (await database()).get("known", session);
    },
    async keep(known) {
      const writing = (await database()).transaction("known", "readwrite");
      const before = await writing.store.get(known.session);
      // One session's figures at a time: nobody else's stay behind on the device.
      await writing.store.clear();
      await writing.store.put({ ...(before?.holds === undefined ? {} : { holds: before.holds }), ...known });
      await writing.done;
    },
    async keepHolds(session, holds) {
      const writing = (await database()).transaction("known", "readwrite");
      const before = await writing.store.get(session);
      if (before !== undefined) await writing.store.put({ ...before, holds });
      await writing.done;
    },
    async forget(session) {
      await (await database()).delete("known", session);
    },
  };
}
