/** A brand's colour, made safe to read on: whatever a brand picks, the text over it keeps WCAG AA. */

const FALLBACK = "#3a3f47";
const LIGHT = "#ffffff";
const DARK = "#000000";

export interface BrandColour {
  fill: string;
  ink: string;
}

/** The colour as given (or a quiet grey when it is none) and the ink that reads best on it. */
export function brandColour(text: string | null | undefined): BrandColour {
  const fill = /^#[0-9a-f]{6}$/i.test(text ?? "") ? (text as string) : FALLBACK;
  return { fill, ink: contrast(fill, LIGHT) >= 4.5 ? LIGHT : DARK };
}

/** Contrast ratio of two colours by WCAG 2.2, from 1 to 21. */
export function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function luminance(hex: string): number {
  const channel = (at: number) => {
    const share = parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}
