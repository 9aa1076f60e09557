/** The wallet's few pictograms: one stroke, one grid, hidden from screen readers. */

const PATHS = {
  earn: "M17 7 7 17M7 9v8h8",
  spend: "M7 17 17 7M9 7h8v8",
  swap: "M7 8h11l-3-3M17 16H6l3 3",
  hold: "M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  back: "M9 14 4.500 9.500 9 5M5 9.500h9a5 5 0 0 1 0 10h-3",
  fade: "M6 12h12",
  chevron: "m6 9 6 6 6-6",
  copy: "M9 9h10v10H9zM5 15V5h10",
  question: "M9.500 9.500a2.500 2.500 0 1 1 3.600 2.200c-.8.4-1.100 1-1.100 1.800M12 17v.01",
  tick: "m5 12.500 4.500 4.500L19 7.500",
  cross: "M6 6l12 12M18 6 6 18",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Three circles that gather. */
export function Mark() {
  return (
    <svg className="mark" width="28" height="28" viewBox="0 0 28 28" aria-hidden="true" focusable="false">
      <circle cx="9.500" cy="17.500" r="6.500" />
      <circle cx="18.500" cy="17.500" r="6.500" opacity=".62" />
      <circle cx="14" cy="10" r="6.500" opacity=".8" />
    </svg>
  );
}
