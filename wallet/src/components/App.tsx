import { useCallback, useEffect, useState } from "react";
import { dropSession, onSessionLink, takeSession } from "../api/session";
import { useLocale } from "../i18n/locale";
import { openStore } from "../intentions/store";
import { sessionName } from "../view/known";
import { Notice } from "./Notice";
import { WalletScreen } from "./WalletScreen";

/** The wallet of whoever's link was opened here; a kind page when there is none, or it has run out. */
export function App() {
  const { messages } = useLocale();
  const [token, setToken] = useState(takeSession);
  const [isRefused, setRefused] = useState(false);

  const refused = useCallback(() => {
    // What is remembered goes with the session: it is nobody's to see any more.
    const over = takeSession();
    if (over !== null) void sessionName(over).then((session) => openStore().forget(session)).catch(() => undefined);
    dropSession();
    setRefused(true);
  }, []);
  useEffect(
    () =>
      onSessionLink(() => {
        setToken(takeSession());
        setRefused(false);
      }),
    [],
  );

  if (isRefused) return <Notice title={messages.expiredTitle} text={messages.expiredText} />;
  if (token === null) return <Notice title={messages.welcomeTitle} text={messages.welcomeText} />;
  return <WalletScreen key={token} token={token} refused={refused} />;
}
