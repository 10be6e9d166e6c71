import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Icon, Mark, type IconName } from "./parts/Icon";
import { KeyForm } from "./parts/KeyForm";
import { gate, hasKey } from "./data/key";
import { info } from "./data/server";
import { useStore } from "./data/store";
import { link } from "./data/streams";
import { choose, theme, type Theme } from "./data/theme";
import { number, span } from "./format";
import { Blocks } from "./panels/Blocks";
import { Canvas } from "./panels/Canvas";
import { Markets } from "./panels/Markets";
import { Network } from "./panels/Network";
import { Operations } from "./panels/Operations";
import { Peers } from "./panels/Peers";
import { Playground } from "./panels/Playground";
import { Receipts } from "./panels/Receipts";
import { Server } from "./panels/Server";

const kPanels = {
  network: { title: "Network Strength", nav: "Network", about: "How well the network does, measured every two seconds" },
  markets: { title: "Markets", nav: "Markets", about: "Health of each market, every five seconds" },
  receipts: { title: "Receipts", nav: "Receipts", about: "New receipts as the node reports them" },
  peers: { title: "Peers", nav: "Peers", about: "The nodes that this node is connected to" },
  blocks: { title: "Blocks", nav: "Blocks", about: "Live heads. Blocks that a reorg replaced stay visible" },
  canvas: { title: "Canvas", nav: "Canvas", about: "Everyone draws on the same pixels, and every change is checked by its hash" },
  playground: { title: "Playground", nav: "Playground", about: "Send any message and see every frame" },
  server: { title: "Server", nav: "Server", about: "Connections, subscriptions and rates, from /metrics and the admin API" },
} as const satisfies Record<string, { title: string; nav: string; about: string }>;
type PanelName = keyof typeof kPanels & IconName;
const kNames = Object.keys(kPanels) as PanelName[];

// A server without streams begins with what it has: blocks.
const named = (): PanelName => {
  const name = location.hash.replace(/^#\/?/, "").split("/")[0];
  return kNames.find((panel) => panel === name) ?? (link.get().state === "none" ? "blocks" : "network");
};
const onHash = (listener: () => void) => {
  addEventListener("hashchange", listener);
  const stop = link.subscribe(listener);
  return () => {
    removeEventListener("hashchange", listener);
    stop();
  };
};

export function App() {
  const panel = useSyncExternalStore(onHash, named);
  const server = useStore(info).value;
  const [chosen, setChosen] = useState(0);
  const network = server?.networks[chosen] ?? server?.networks[0];
  const heading = useRef<HTMLHeadingElement>(null);
  const nav = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const { title, about } = kPanels[panel];
  const access = useStore(gate);
  const [asksForKey, setAsksForKey] = useState(false);
  const isShut = access === "closed" || access === "refused";

  useEffect(() => {
    document.title = `${title} · Fanfare`;
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    if (!isFirst.current) {
      scrollTo(0, 0);
      heading.current?.focus({ preventScroll: true });
    }
    isFirst.current = false;
  }, [title]);

  return (
    <div className="shell">
      <a className="skip" href="#content" onClick={(event) => {
        event.preventDefault();
        heading.current?.focus();
      }}>
        Skip to the panel
      </a>
      <header className="rail">
        <a className="brand" href="#/network">
          <Mark />
          Fanfare
        </a>
        <nav className="nav" aria-label="Panels" ref={nav}>
          <ul>
            {kNames.map((name) => (
              <li key={name}>
                <a href={`#/${name}`} aria-current={name === panel ? "page" : undefined}>
                  <Icon name={name} />
                  {kPanels[name].nav}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div className="rail-foot">
          {server && (
            <dl className="chain-card num">
              {network && (
                <>
                  <dt>Chain</dt>
                  <dd>
                    {network.development ? "Development chain" : network.project} {network.chain_id !== null && <span className="muted">{network.chain_id}</span>}
                  </dd>
                </>
              )}
              {network?.development && (
                <>
                  <dt>Block time</dt>
                  <dd>{number(network.development.block_time_ms / 1000, 2)} s</dd>
                </>
              )}
              <dt>Version</dt>
              <dd>{server.version}</dd>
            </dl>
          )}
          <ThemeChoice />
        </div>
      </header>
      <main className="main" id="content">
        <div className="panel-head">
          <div>
            <h1 tabIndex={-1} ref={heading}>
              {title}
            </h1>
            <p>{about}</p>
          </div>
          <div className="panel-tools">
            {(server?.networks.length ?? 0) > 1 && (
              <>
                <label className="sr" htmlFor="network">
                  Network
                </label>
                <select id="network" className="field" value={chosen} onChange={(event) => setChosen(Number(event.target.value))}>
                  {server!.networks.map((one, index) => (
                    <option key={one.path} value={index}>
                      {one.project} {one.chain_id}
                    </option>
                  ))}
                </select>
              </>
            )}
            {server?.access && !isShut && (
              <button type="button" className="button quiet" aria-expanded={asksForKey} onClick={() => setAsksForKey(!asksForKey)}>
                <Icon name="key" size={15} />
                {hasKey() ? "Key in use" : "Use a key"}
              </button>
            )}
            {!isShut && panel !== "canvas" && <LinkChip />}
          </div>
        </div>
        {isShut || asksForKey ? <KeyForm gate={access} close={isShut ? undefined : () => setAsksForKey(false)} /> : (
          <>
            {panel === "network" && <Network />}
            {panel === "markets" && <Markets />}
            {panel === "receipts" && <Receipts />}
            {panel === "peers" && <Peers />}
            {panel === "blocks" && <Blocks network={network} />}
            {panel === "canvas" && <Canvas />}
            {panel === "playground" && <Playground info={server} network={network} />}
            {panel === "server" && (
              <>
                <Server />
                <Operations />
              </>
            )}
          </>
        )}
      </main>
    </div>
  );
}

function LinkChip() {
  const state = useStore(link);
  if (state.state === "none") return null;
  const word = { live: "Live", opening: "Connecting", lost: "Reconnecting" }[state.state];
  return (
    <span className={`link-state ${state.state}`} role="status" data-link={state.state} title={state.state === "lost" ? `for ${span((Date.now() - state.since) / 1000)}` : undefined}>
      <i className="dot" aria-hidden="true" />
      {word}
    </span>
  );
}

const kThemes: { name: Theme; label: string; icon: IconName }[] = [
  { name: "light", label: "Light", icon: "sun" },
  { name: "system", label: "As the system", icon: "system" },
  { name: "dark", label: "Dark", icon: "moon" },
];

function ThemeChoice() {
  const chosen = useStore(theme);
  return (
    <div className="theme" role="group" aria-label="Colours">
      {kThemes.map(({ name, label, icon }) => (
        <button key={name} type="button" aria-label={label} title={label} aria-pressed={chosen === name} onClick={() => choose(name)}>
          <Icon name={icon} size={15} />
        </button>
      ))}
    </div>
  );
}
