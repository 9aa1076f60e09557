import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./components/App";
import { LocaleProvider } from "./i18n/locale";
import "./styles/base.css";
import "./styles/page.css";
import "./styles/card.css";
import "./styles/history.css";
import "./styles/sheet.css";

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no #root.");
createRoot(root).render(
  <StrictMode>
    <LocaleProvider>
      <App />
    </LocaleProvider>
  </StrictMode>,
);
