import { useLocale } from "../i18n/locale";
import { ageText, dateText, timeText } from "../i18n/moment";
import { formatCount } from "../money/points";
import { useNow } from "../view/clock";
import { ageSeconds, freshness, type Freshness } from "../view/freshness";
import { useOnline } from "../view/useOnline";
import type { Wallet } from "../view/wallet";

function useFreshness(wallet: Wallet): Freshness {
  return freshness(wallet, useNow(), useOnline());
}

/** "Live · As of block 7,041 · 2 s ago". Not a live region: it changes each second. */
export function FreshnessLine({ wallet }: { wallet: Wallet }) {
  const { language, messages } = useLocale();
  const now = useNow();
  const state = useFreshness(wallet);
  const word = {
    live: messages.live,
    connecting: messages.connecting,
    offline: messages.offline,
    silent: messages.stale,
    quiet: messages.stale,
  };
  return (
    <p className="freshness" data-state={state} data-remembered={wallet.isRemembered}>
      <span className="dot" aria-hidden="true" />
      <span className="freshness-word">{word[state]}</span>
      {wallet.view !== null && (
        <>
          <span>{messages.asOf(formatCount(wallet.view.as_of.block_number, language))}</span>
          <span className="freshness-age">{ageText(ageSeconds(wallet, now), messages)}</span>
        </>
      )}
    </p>
  );
}

/** Says that the figures stand still, whose fault that is, and since when; over the page and not in its way. */
export function StaleBanner({ wallet }: { wallet: Wallet }) {
  const { language, messages } = useLocale();
  const state = useFreshness(wallet);
  const text = { offline: messages.offlineNotice, silent: messages.silentNotice, quiet: messages.chainNotice }[state as string];
  const at = new Date(Date.now() - (performance.now() - wallet.heardAt)).toISOString();
  return (
    <div className="banner-place" role="status">
      {text !== undefined && (
        <p className="banner" data-cause={state}>
          {text} {wallet.isRemembered && messages.rememberedNotice(`${dateText(at, language)}, ${timeText(at, language)}`)}
        </p>
      )}
    </div>
  );
}
