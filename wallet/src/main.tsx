import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./components/App";
import { LocaleProvider } from "./i18n/locale";
import { keepOffline } from "./offline/register";
import "./styles/base.css";
import "./styles/page.css";
import "./styles/card.css";
import "./styles/history.css";
import "./styles/sheet.css";

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no #root.");
// What lay over the page before it was loaded anew lies there no more.
if (window.history.state !== null) window.history.replaceState(null, "");
keepOffline();
createRoot(root).render(
  <StrictMode>
    <LocaleProvider>
      <App />
    </LocaleProvider>
  </StrictMode>,
);
