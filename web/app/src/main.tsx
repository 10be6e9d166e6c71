import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./data/theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/panels.css";
import "./styles/canvas.css";
import { App } from "./App";
import { loadInfo } from "./data/server";
import { network } from "./data/streams";

// Both are under way before anything is drawn.
network.start();
void loadInfo();

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
