/** What the member wanted and how it stands, and the desk that carries it. */
import { useEffect, useRef, useState } from "react";
import type { Gateway } from "../api/gateway";
import { openDesk, type Desk } from "../intentions/desk";
import type { Intention } from "../intentions/intention";
import type { Store } from "../intentions/store";

export interface Wishes {
  desk: Desk | null;
  intentions: readonly Intention[];
}

const NONE: readonly Intention[] = [];

export function useDesk(gateway: Gateway, store: Store, member: string | undefined, onSettled: () => void): Wishes {
  const [intentions, setIntentions] = useState(NONE);
  const [desk, setDesk] = useState<Desk | null>(null);
  const settled = useRef(onSettled);
  settled.current = onSettled;
  useEffect(() => {
    if (member === undefined) return;
    const opened = openDesk({ member, gateway, store, onChange: setIntentions, onSettled: () => settled.current() });
    setDesk(opened);
    return () => {
      opened.close();
      setDesk(null);
      setIntentions(NONE);
    };
  }, [gateway, store, member]);
  return { desk, intentions };
}
