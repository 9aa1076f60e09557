import { useLocale } from "../i18n/locale";
import { ageText } from "../i18n/moment";
import { useNow } from "../view/clock";
import { ageSeconds, freshness } from "../view/freshness";
import type { Wallet } from "../view/wallet";

/** "Live · As of block 7,041 · 2 s ago". Not a live region: it changes each second. */
export function FreshnessLine({ wallet }: { wallet: Wallet }) {
  const { language, messages } = useLocale();
  const now = useNow();
  const state = freshness(wallet, now);
  const word = { live: messages.live, connecting: messages.connecting, offline: messages.stale, quiet: messages.stale };
  return (
    <p className="freshness" data-state={state}>
      <span className="dot" aria-hidden="true" />
      <span className="freshness-word">{word[state]}</span>
      {wallet.view !== null && (
        <>
          <span>{messages.asOf(new Intl.NumberFormat(language).format(wallet.view.as_of.block_number))}</span>
          <span className="freshness-age">{ageText(ageSeconds(wallet, now), messages)}</span>
        </>
      )}
    </p>
  );
}

/** Says that the figures stand still, over the page and not in its way. Nothing moves when it comes. */
export function StaleBanner({ wallet }: { wallet: Wallet }) {
  const { messages } = useLocale();
  const state = freshness(wallet, useNow());
  const text = state === "offline" ? messages.staleNotice : state === "quiet" ? messages.chainNotice : null;
  return (
    <div className="banner-place" role="status">
      {text !== null && <p className="banner">{text}</p>}
    </div>
  );
}
