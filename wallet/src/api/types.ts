/** The gateway's shapes by the names we say, from the generated schema. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type MemberView = Schemas["MemberView"];
export type AsOf = Schemas["AsOf"];
export type Balance = Schemas["Balance"];
export type BrandCard = Schemas["BrandCard"];
export type Entry = Schemas["Entry"];
export type EntryPage = Schemas["EntryPage"];
export type EntryProof = Schemas["EntryProof"];
export type RuleCited = Schemas["RuleCited"];
export type ExchangeQuote = Schemas["ExchangeQuote"];
export type Exchange = Schemas["ExchangePublic"];
export type Hold = Schemas["HoldPublic"];
export type HoldPage = Schemas["HoldPage"];
export type IntentionTold = Schemas["IntentionPublic"];
