/** A brand by its slug, from what the view tells of it; one that is not told there is called by its slug. */
import type { Balance, BrandCard } from "../api/types";

export function brandNamed(slug: string, balances: readonly Balance[]): BrandCard {
  for (const { brand, exchange_to } of balances) {
    if (brand.slug === slug) return brand;
    const partner = exchange_to.find((one) => one.slug === slug);
    if (partner !== undefined) return partner;
  }
  return { slug, name: slug, symbol: "", colour: "", decimals: 2 };
}
