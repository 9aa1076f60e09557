/** Back closes what lies over the page and leaves the page where it is. */
import { useEffect, useRef } from "react";

interface Marked {
  over?: string;
}

const marked = () => (window.history.state as Marked | null)?.over;

export function useBack(onBack: () => void): void {
  const newest = useRef(onBack);
  newest.current = onBack;
  useEffect(() => {
    const over = crypto.randomUUID();
    window.history.pushState({ over } satisfies Marked, "");
    const went = () => {
      if (marked() !== over) newest.current();
    };
    window.addEventListener("popstate", went);
    return () => {
      window.removeEventListener("popstate", went);
      // Closed by its own button: the place that it had in the history goes with it.
      if (marked() === over) window.history.back();
    };
  }, []);
}
